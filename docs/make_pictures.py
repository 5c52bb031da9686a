"""Write the results in docs/pictures.md from benchmarks/results/pictures.json: `python -m docs.make_pictures [SHEETS]`.

Only the text between the page's two marks is written here, and no result in it is typed by hand. SHEETS: the folder `sheets`
of a benchmark's run, from which the page's pictures are copied again.
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
"""Sets whose samples are shown, and the row from which they are."""
Record = dict[str, Any]

_TERMS = {
    "- mnist, ours: of 20 real and 20 made digits, shuffled on a sheet, somebody who had not seen them told 28 of 40 right "
    "(asked: at most 30), looking at the sheet as it is. Before the margin at black another told 40 of 40, by crops with dark "
    "tones brightened: faint grey about the strokes. That game's bound was .011 nats, told right 57.6 %; one seed each.": "- "
    "mnist, ours: of 20 real and 20 generated digits, shuffled on a sheet, a person who had not seen them before classified 28 "
    "of 40 correctly (goal: at most 30), from the unchanged sheet. Before there was a margin at black, another person "
    "classified 40 of 40 correctly, from crops with dark tones brightened: there was faint grey around the strokes. That "
    "game's certified bound was .011 nats, its classifier accuracy 57.6 %; one seed each.",
    "- CPU seconds compare within a set, and not everywhere there: stacked": "- CPU seconds can be compared only within a set, "
    "and not in all sets: stacked",
    "- smooth: a referee tells every one, here and in 33 x 33 with four channels (.667, not in the table): every grey level of "
    "these pictures is smooth to rounding, and of samples none is.": "- smooth: a classifier recognises every sample, here and "
    "in 33 x 33 with four channels (bound .667, not in the table): the grey levels of these pictures are smooth up to "
    "rounding, and those of samples are not.",
    "- orl: somebody who was shown 18 samples without a word called all of them faces, and 7 clear ones.": "- orl: a person "
    "who was shown 18 samples without explanation called all of them faces, and 7 of them clear.",
    "A classifier is right on half of these few real pictures, so that shares and its certainty say little.": "A classifier is "
    "correct on half of these few real pictures, so class shares and its top probabilities mean little.",
    "- copying: by the test 31x47x1's samples are copies (53.6 % lie nearer to a training picture than to a held-out one, 0 "
    "equal one) and stacked's without clusters (52.4 %): so many held-out pictures show a small nearness.": "- copies: by the "
    "memorisation test the samples of 31x47x1 are copies (53.6 % are nearer to a training picture than to a held-out one, none "
    "equals one), and so are those of stacked, unclustered (52.4 %): with this many held-out pictures the test detects a small "
    "effect.",
    "28 held-out pictures are too few for the judge, and their distances say little.": "28 held-out pictures are too few for "
    "the judge, and their distances mean little.",
}
"""Notes as pictures.json stores them, and in today's terms."""

HEAD = """## Results

```sh
python -m benchmarks pictures --sets mnist,orl --data data                        # ours, and real pictures beside
python -m benchmarks pictures --sets mnist --data data --rows unclustered         # ours with --cluster off
python -m benchmarks pictures --sets mnist --data data --rows ours,dcgan,wgan-gp  # older games, as many CPU seconds
```

All results are against held-out pictures that no game was trained on (ORL: one of each person and a tenth of the rest).
**certified JSD**: a lower bound of the Jensen-Shannon divergence with 95 % confidence, by quick classifiers (the largest
possible value is 0.693). **classifier accuracy**: of the same classifiers; 50 % is guessing. **Frechet distance**, **kernel
distance**, **precision**, **recall**: on the 64 features of a small classifier trained here on the set's training pictures,
standardised (for sets without classes on principal components of the pixels); they are not FID or KID and compare only rows of
one set. In brackets: the Frechet distance between two halves of the held-out pictures. **top octave**: spectral power at the
highest frequencies, as a multiple of the training pictures'; the goal is 0.5 to 2, and the values of pictures enlarged from
half their size are below the table. **memorisation test, p**: below 0.01 samples are called copies. **MB**: peak memory of the
process, which includes judging the rows before. One thread.

**ours** is the default game, which finds pseudo-labels in many small sharp pictures; **unclustered** is the same with
`--cluster off`, like the older games. **residual pair** and **perceptrons** are the networks that were the default for MNIST in
earlier versions of this library. 31x47x1, 200x64x3 and 33x33x4 are white sprites on black, with independent shape, size,
rotation, position and channels; **smooth** are soft discs on linear ramps, of 31 x 47.
"""


def share(value: float) -> str:
    """Return a share as a percentage."""
    return f"{100 * value:.1f} %"


def of_classes(record: Record) -> list[str]:
    """Return the class shares and top probabilities of one record."""
    if "worst_share" not in record or record["set"] == "orl":
        return []  # about a hundred pictures of forty people: shares are far off even for real pictures
    return [
        f"- {record['set']}, {record['row']}: the largest relative error of a class's share is "
        f"{share(record['worst_share'])} (goal: at most 20 %); mean top probability {record['top_probability']:.3f}, for real "
        f"pictures {record['top_probability_real']:.3f} (goal: within .05), by a classifier that is correct on "
        f"{share(record['classifier_accuracy'])} of held-out pictures."
    ]


def of_modes(record: Record) -> list[str]:
    """Return the number of modes of stacked digits in one record."""
    if "modes" not in record:
        return []
    return [
        f"- stacked, {record['row']}: {record['modes']:,} of 1,000 modes, KL {record['kl']:.2f} nats, on "
        f"{record['mode_samples']:,} samples, by a classifier of digits with accuracy "
        f"{share(record['classifier_accuracy'])}."
    ]


def of_detail(records: list[Record]) -> list[str]:
    """Return the spectral power of enlarged pictures in the top octave, by set."""
    by = {record["set"]: record["octave_enlarged"] for record in records}
    listed = ", ".join(f"{name} {value:.2f}" for name, value in by.items())
    return [f"- top octave of training pictures enlarged from half their size: {listed}."] if by else []


def of_broken(results: Path) -> list[str]:
    """Return the results on 10,000 files of which some are broken."""
    path = results / "broken_pictures.json"
    if not path.is_file():
        return []
    found = json.loads(path.read_text())
    return [
        f"- {found['files']:,} files of which {found['broken']} are broken in ten ways (`python -m "
        f"benchmarks.broken_pictures`): {found['kept']:,} are kept, a message gives the count and {found['named']} names, and "
        f"left_out.txt in the run folder lists {found['listed']} with the reason; this takes "
        f"{found['open_seconds']['cpu']:.1f} CPU s, and a run of ten rounds, opening included, "
        f"{found['open_and_play_seconds']['cpu']:.1f} CPU s."
    ]


def of_memory(results: Path) -> list[str]:
    """Return the memory of a round: of whole batches, with gradient accumulation, and with recomputed activations."""
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
            f"- a round of {found['batch']} colour pictures of {side} x {side} needs, beside weights and optimiser states, "
            f"{by[True, 1, False]:.0f} MB, with {most} micro-batches {by[True, most, False]:.0f} MB (`python -m "
            f"benchmarks.picture_memory`). With recomputed activations it is {by[True, 1, True]:.0f} and "
            f"{by[True, most, True]:.0f} MB, because the penalties' second derivatives keep what recomputation would free; "
            f"without penalties {by[False, 1, False]:.0f}, and with recomputation {by[False, 1, True]:.0f} MB."
        )
    return lines


def of_speed(results: Path) -> list[str]:
    """Return the time of our rounds beside a plain loop with DCGAN's networks."""
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
    """Return the text between the marks."""
    path = results / "pictures.json"
    stored = json.loads(path.read_text()) if path.is_file() else {"records": []}
    records: list[Record] = sorted(stored["records"], key=lambda each: SETS.index(each["set"]))
    lines = [HEAD]
    for name in SHOWN:
        if (IMAGES / f"pictures-{name}.png").is_file():
            lines += [
                f"![Samples of {name}, each beside its nearest training picture](images/pictures-{name}.png)",
                "",
                f"*{name}, {SHOWN[name]}: the first samples of the game, not selected, each beside the nearest training "
                "picture.*",
                "",
            ]
    lines += [table(records)]
    for record in records:
        lines += of_classes(record) + of_modes(record)
    lines += of_detail(records) + of_broken(results) + of_memory(results) + of_speed(results)
    played = {(record["set"], record["row"]) for record in records}
    missing = [name for name in SETS if (name, "ours") not in played]
    if missing:
        lines.append(f"- not finished: {', '.join(missing)}.")
    for game in ("dcgan", "wgan-gp"):
        if absent := [name for name in SETS if (name, game) not in played]:
            lines.append(f"- {game} was not played on: {', '.join(absent)}.")
    lines += [f"- {note}" for note in stored.get("notes", [])]
    text = "\n".join(lines) + "\n"
    for old, new in _TERMS.items():
        text = text.replace(old, new)
    return text


def page(results: Path = RESULTS, text: str | None = None) -> str:
    """Return the page with its results written again."""
    text = PAGE.read_text(encoding="utf-8") if text is None else text
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{figures(results)}{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write the page, and its pictures if a folder of sheets is given."""
    if len(sys.argv) > 1:
        for name in SHOWN:
            for sheet in sorted(Path(sys.argv[1]).glob(f"{name}-{SHOWN[name]}-*.png")):
                shutil.copy(sheet, IMAGES / f"pictures-{name}.png")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
