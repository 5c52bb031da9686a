"""Write the figures of docs/pictures.md from benchmarks/results/pictures.json: `python -m docs.make_pictures [SHEETS]`.

Only what stands between the page's two marks is made here, and no figure in it is typed by hand. SHEETS: the folder `sheets`
of a benchmark's run, from which the page's pictures are taken anew.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.suites.picture_sets import SETS
from benchmarks.suites.pictures import table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "pictures.md"
IMAGES = ROOT / "docs" / "images"
BEGIN, END = "<!-- figures: made by docs/make_pictures.py -->", "<!-- end of figures -->"
SHOWN = {"mnist": "ours", "orl": "ours", "stacked": "ours", "31x47x1": "ours"}
"""Sets whose samples are shown, and whose row these are of."""
Record = dict[str, Any]

HEAD = """## What it reaches

```sh
python -m benchmarks pictures --sets mnist,orl --data data                        # ours, and real pictures beside
python -m benchmarks pictures --sets mnist --data data --rows unclustered         # ours with --cluster off
python -m benchmarks pictures --sets mnist --data data --rows ours,dcgan,wgan-gp  # older games, as many CPU seconds
```

Every figure is of pictures that nothing was trained on (ORL: one of each person and a tenth of the rest). **bound**: the
certified lower bound of the Jensen-Shannon distance, by quick referees (0.693 is the largest there is). **Frechet**,
**kernel**, **precision**, **recall**: on the 64 features of a small classifier trained here on the set's training pictures,
in units of their spread (for sets without classes on principal components of the pixels); they are no FID and compare only
rows of one set. In brackets: the Frechet distance between two halves of the held-out pictures. **top octave**: power at the
finest frequencies as a share of the training pictures'; 0.5 to 2 is asked for, and an enlarged picture of half the size has
what stands below. **copying, p**: of the copying test; below 0.01 it would be called copying. **MB**: the most the
process held, the judging of rows before it included. One thread.

**ours** is the default game, which finds classes in many small sharp pictures; **unclustered** the same with `--cluster off`,
as the older games are. **residual pair** and **perceptrons** are the pairs that played MNIST by default in earlier versions of
this library. 31x47x1, 200x64x3 and 33x33x4 are white sprites on black, their shape, size, turn, place and lit channels drawn
apart; **smooth** are soft discs on ramps, of 31 x 47.
"""


def share(value: float) -> str:
    """Return a share as a percentage."""
    return f"{100 * value:.1f} %"


def of_classes(record: Record) -> list[str]:
    """Return what a classifier says of one record."""
    if "worst_share" not in record or record["set"] == "orl":
        return []  # forty people share some hundred pictures: even real ones are far off
    return [
        f"- {record['set']}, {record['row']}: the class whose share is farthest from the held-out one is off by "
        f"{share(record['worst_share'])} of it (asked: 20 %); mean top probability {record['top_probability']:.3f}, of real "
        f"pictures {record['top_probability_real']:.3f} (asked: within .05), by a classifier that is right on "
        f"{share(record['classifier_accuracy'])} of held-out pictures."
    ]


def of_modes(record: Record) -> list[str]:
    """Return how many of the 1,000 modes of stacked digits one record has."""
    if "modes" not in record:
        return []
    return [
        f"- stacked, {record['row']}: {record['modes']:,} of 1,000 modes, KL {record['kl']:.2f} nats, on "
        f"{record['mode_samples']:,} samples, by a classifier of digits that is right on "
        f"{share(record['classifier_accuracy'])}."
    ]


def of_detail(records: list[Record]) -> list[str]:
    """Return the power in the top octave that enlarged pictures have, by set."""
    by = {record["set"]: record["octave_enlarged"] for record in records}
    listed = ", ".join(f"{name} {value:.2f}" for name, value in by.items())
    return [f"- top octave of training pictures enlarged from half their size: {listed}."] if by else []


def of_broken(results: Path) -> list[str]:
    """Return what became of 10,000 files of which some are broken."""
    path = results / "broken_pictures.json"
    if not path.is_file():
        return []
    found = json.loads(path.read_text())
    return [
        f"- {found['files']:,} files of which {found['broken']} are broken in ten ways (`python -m "
        f"benchmarks.broken_pictures`): {found['kept']:,} are kept, the count and {found['named']} names are said, and "
        f"left_out.txt in the run folder names {found['listed']} with what is wrong, in "
        f"{found['open_seconds']['cpu']:.1f} CPU s; a run of ten rounds, opening included, takes "
        f"{found['open_and_play_seconds']['cpu']:.1f}."
    ]


def of_memory(results: Path) -> list[str]:
    """Return what rounds hold: whole batches, parts, and levels that are run again."""
    path = results / "picture_memory.json"
    if not path.is_file():
        return []
    found = json.loads(path.read_text())
    lines = []
    for side in dict.fromkeys(record["side"] for record in found["records"]):
        by = {
            (record["penalties"], record["parts"], record["again"]): record["bytes"] / 1e6
            for record in found["records"]
            if record["side"] == side
        }
        most = max(parts for _, parts, _ in by)
        lines.append(
            f"- a round of {found['batch']} colour pictures of {side} x {side} holds, beside weights and optimisers, "
            f"{by[True, 1, False]:.0f} MB, in {most} parts {by[True, most, False]:.0f} MB (`python -m "
            f"benchmarks.picture_memory`). With levels that are run again it is {by[True, 1, True]:.0f} and "
            f"{by[True, most, True]:.0f} MB, since the penalties' second derivatives keep what the first let go; without "
            f"penalties {by[False, 1, False]:.0f}, and run again {by[False, 1, True]:.0f} MB."
        )
    return lines


def of_speed(results: Path) -> list[str]:
    """Return how our rounds stand beside a plain loop of DCGAN's networks."""
    path = results / "speed.json"
    game = json.loads(path.read_text())["games"].get("c") if path.is_file() else None
    if game is None:
        return []
    plain, ours = (game["cpu_ms"][game[who]] for who in ("best_plain", "ours"))
    return [
        f"- rounds of DCGAN's networks (32 x 32 colour, batch 64): {ours:.1f} CPU ms against {plain:.1f} of a plain loop of "
        "the same networks, [game (c)](speed.md)."
    ]


def figures(results: Path = RESULTS) -> str:
    """Return what stands between the marks."""
    path = results / "pictures.json"
    stored = json.loads(path.read_text()) if path.is_file() else {"records": []}
    records: list[Record] = sorted(stored["records"], key=lambda each: SETS.index(each["set"]))
    lines = [HEAD]
    for name in SHOWN:
        if (IMAGES / f"pictures-{name}.png").is_file():
            lines += [
                f"![Samples of {name}, each beside its nearest training picture](images/pictures-{name}.png)",
                "",
                f"*{name}, {SHOWN[name]}: the first samples of the game, none chosen, each beside the training picture nearest "
                "to it.*",
                "",
            ]
    lines += [table(records)]
    for record in records:
        lines += of_classes(record) + of_modes(record)
    lines += of_detail(records) + of_broken(results) + of_memory(results) + of_speed(results)
    played = {(record["set"], record["row"]) for record in records}
    missing = [name for name in SETS if (name, "ours") not in played]
    if missing:
        lines.append(f"- not played to an end yet: {', '.join(missing)}.")
    for game in ("dcgan", "wgan-gp"):
        if absent := [name for name in SETS if (name, game) not in played]:
            lines.append(f"- {game} was not played beside: {', '.join(absent)}.")
    lines += [f"- {note}" for note in stored.get("notes", [])]
    return "\n".join(lines) + "\n"


def page(results: Path = RESULTS, text: str | None = None) -> str:
    """Return the page with its figures made anew."""
    text = PAGE.read_text(encoding="utf-8") if text is None else text
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{figures(results)}{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write the page, and its pictures where a folder of sheets is given."""
    if len(sys.argv) > 1:
        for name in SHOWN:
            for sheet in sorted(Path(sys.argv[1]).glob(f"{name}-{SHOWN[name]}-*.png")):
                shutil.copy(sheet, IMAGES / f"pictures-{name}.png")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
