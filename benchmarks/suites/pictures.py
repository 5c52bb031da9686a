"""Benchmark of picture quality: our game beside older games of the same networks, on pictures that no game was trained on.

A row of the table is a source of pictures: `real` (training pictures, an upper limit for every generator), `ours`,
`unclustered` (ours without pseudo-labels), `dcgan` and `wgan-gp`. Older games get as many CPU seconds as ours took.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.suites.picture_baselines import GAMES, played, prepared
from benchmarks.suites.picture_metrics import (
    Classifier,
    by_class,
    classifier,
    detail,
    distances,
    stacked_modes,
)
from benchmarks.suites.picture_sets import ROUNDS, Bytes, PictureSet, picture_set
from PIL import Image

from saddlepoint.drawing.pictures import sample_grid
from saddlepoint.drawing.style import to_png
from saddlepoint.fitting import Preparation
from saddlepoint.judging import judge
from saddlepoint.judging.feature_space import feature_space
from saddlepoint.judging.memorisation import memorisation_test
from saddlepoint.model import Model
from saddlepoint.runs.figures import nearest_rows

ROWS = ("real", *GAMES)
_JUDGED, _FAKES, _FEW = 4_000, 10_000, 2_000
_FEWEST = 30
"""Held-out pictures below which the judge refuses, so that there is no bound."""
STACKED_SAMPLES = 26_000
_SHOWN, _OF_EACH, _ACROSS, _GAP = 18, 20, 8, 8


def measure(
    pictures: PictureSet,
    row: str,
    seed: int,
    folder: Path,
    *,
    reader: Callable[[], Classifier | None],
    rounds: int | None = None,
    cpu_seconds: float | None = None,
    bound: bool = True,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Return one record: the cost of a source and the metrics of its pictures; contact sheets are written beside `folder`.

    pictures: the set.
    row: the source of pictures.
    seed: seed of the game and of the samples.
    folder: folder of the games.
    reader: returns a classifier of the set's classes; called when the game is over.
    rounds: rounds of the game; by set if None.
    cpu_seconds: the most CPU seconds of a game.
    bound: also judge the pictures.
    say: prints progress.
    """
    game = "ours" if row == "real" else row
    preparation = prepared(pictures, game, seed, rounds or ROUNDS[pictures.name])
    count = (
        STACKED_SAMPLES if pictures.name == "stacked" else min(_FAKES, max(2_000, 4 * len(pictures.held_out)))
    )
    held_out = _unseen(preparation)
    facts: dict[str, Any] = {}
    if row == "real":
        order = np.random.default_rng(seed).permutation(len(preparation.train))
        samples: Bytes = preparation.train.rows[order[:count]]
    else:
        model, facts = played(
            preparation, folder / f"{pictures.name}-{row}-{seed}", cpu_seconds=cpu_seconds, say=say
        )
        samples = drawn(model, count, seed)
        sheets = folder.parent / "sheets"
        beside_nearest(sheets / f"{pictures.name}-{row}-{seed}.png", samples, preparation.train.rows)
        shuffled(sheets / f"shuffled-{pictures.name}-{row}-{seed}.png", samples, held_out, seed=seed)
    began = time.process_time()
    found = figures(pictures, preparation, samples, held_out, reader(), copies=row != "real")
    if bound and len(held_out) >= _FEWEST:
        real = held_out[:_JUDGED]
        verdict = judge(real, samples, held_out="declared", random_state=seed, pool="quick", control=False)
        found |= {"jsd_lower": verdict.jsd_lower, "accuracy": verdict.accuracy, "judged": len(real)}
    return {
        "set": pictures.name,
        "row": row,
        "seed": seed,
        **facts,
        **found,
        "judging_cpu_seconds": round(time.process_time() - began, 1),
    }


def figures(
    pictures: PictureSet,
    preparation: Preparation,
    samples: Bytes,
    held_out: Bytes,
    reader: Classifier | None,
    *,
    copies: bool,
) -> dict[str, Any]:
    """Return all metrics of generated pictures except the bound.

    pictures: the set.
    preparation: its training pictures.
    samples: generated pictures.
    held_out: real pictures that no game has seen.
    reader: a classifier of the set's classes, if it has classes.
    copies: also run the memorisation test.
    """
    found: dict[str, Any] = detail(samples, preparation.train.rows)
    if reader is not None and pictures.name == "stacked":
        found |= stacked_modes(reader, samples)
    elif reader is not None:
        found |= by_class(reader, samples, held_out) | {"features_of": "a classifier trained here"}
    if reader is None or pictures.name == "stacked":
        space = feature_space(held_out[:_JUDGED], samples, None, random_state=0)
        found |= distances(space(samples[:_JUDGED]), space(held_out[:_JUDGED]))
        found["features_of"] = "principal components of the pixels"
    if copies:
        test = memorisation_test(preparation.train.rows, held_out, samples)
        found["copying"] = {
            "copying": test.copying,
            "exact": test.exact_copies,
            "share": test.share,
            "p": test.p,
            "held": len(held_out),
        }
    return found


def drawn(model: Model, n: int, seed: int) -> Bytes:
    """Return n pictures drawn from a model."""
    return np.asarray(model.draw(n, random_state=seed)[0], dtype=np.uint8)


def _unseen(preparation: Preparation) -> Bytes:
    """Return the pictures that no round has seen: test pictures (vault) and unused validation pictures (monitor)."""
    parts = [part.rows for part in (preparation.vault, preparation.monitor) if part is not None]
    return np.concatenate(parts)


def reader_of(pictures: PictureSet, data: Path | None) -> Classifier | None:
    """Return a classifier of a set's classes (of single digits for stacked ones); None if it has no classes."""
    known = picture_set("mnist", data) if pictures.name == "stacked" else pictures
    if known.classes is None or known.held_out_classes is None:
        return None
    batches = 900 if len(known.train) > _FEW else 300
    return classifier(known.train, known.classes, known.held_out, known.held_out_classes, batches=batches)


def run(
    sets: Iterable[PictureSet],
    rows: Iterable[str],
    seeds: Iterable[int],
    out: Path,
    *,
    data: Path | None = None,
    share: float = 1.0,
    say: Callable[[str], None] = print,
    **how: Any,
) -> list[dict[str, Any]]:
    """Measure every set, row and seed; each record is stored in `out`/pictures.json at once, and stored ones are not repeated.

    sets: the sets.
    rows: the sources of pictures.
    seeds: the seeds; real pictures are measured for the first only.
    out: folder of pictures.json, pictures.md and games/.
    data: folder of the data files.
    share: CPU seconds of the older games, as a multiple of ours.
    say: prints progress.
    how: further arguments of `measure`.
    """
    path = out / "pictures.json"
    records: list[dict[str, Any]] = json.loads(path.read_text())["records"] if path.is_file() else []
    rows, seeds = list(rows), list(seeds)
    for pictures in sets:
        reader = cache(partial(reader_of, pictures, data))
        for row in rows:
            for seed in seeds[:1] if row == "real" else seeds:
                if any((r["set"], r["row"], r["seed"]) == (pictures.name, row, seed) for r in records):
                    continue
                ours = [
                    r for r in records if (r["set"], r["row"], r["seed"]) == (pictures.name, "ours", seed)
                ]
                limit = (
                    share * ours[0]["cpu_seconds"]
                    if ours and row not in ("real", "ours", "unclustered")
                    else None
                )
                record = measure(
                    pictures, row, seed, out / "games", reader=reader, cpu_seconds=limit, say=say, **how
                )
                records.append(record)
                out.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps({"records": records}, indent=1, default=float) + "\n")
                say(line(record))
    (out / "pictures.md").write_text(table(records))
    return records


def line(record: Mapping[str, Any]) -> str:
    """Return a record as one line of text."""
    bound = "no bound" if record.get("jsd_lower") is None else f"JSD >= {record['jsd_lower']:.4f}"
    seconds = f", {record['cpu_seconds']:.0f} CPU s" if "cpu_seconds" in record else ""
    return (
        f"{record['set']}, {record['row']}, seed {record['seed']}: {bound}, Frechet {record['frechet']:.2f}, "
        f"top octave {record['octave']:.2f}{seconds}"
    )


COLUMNS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "set": lambda r: r["set"],
    "pictures from": lambda r: r["row"],
    "certified JSD >= (nats)": lambda r: _number(r.get("jsd_lower"), 3),
    "classifier accuracy, %": lambda r: _number(
        100 * r["accuracy"] if r.get("accuracy") is not None else None, 1
    ),
    "Frechet distance (real)": lambda r: f"{r['frechet']:.2f} ({r['frechet_real']:.2f})",
    "kernel distance": lambda r: _number(r["kernel"], 3),
    "precision": lambda r: _number(r["precision"], 2),
    "recall": lambda r: _number(r["recall"], 2),
    "top octave": lambda r: _number(r["octave"], 2),
    "memorisation test, p": lambda r: _number(r.get("copying", {}).get("p"), 3),
    "rounds": lambda r: _number(r.get("rounds"), 0),
    "CPU s": lambda r: _number(r.get("cpu_seconds"), 0),
    "MB": lambda r: _number(r.get("peak_memory_mb"), 0),
}
"""Columns of the table: heading, and the cell of a record."""


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def table(records: Iterable[Mapping[str, Any]]) -> str:
    """Return the records as a Markdown table."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(cell(record) for cell in COLUMNS.values())} |" for record in records]
    return "\n".join(lines) + "\n"


def beside_nearest(path: Path, samples: Bytes, train: Bytes) -> None:
    """Write the first 18 generated pictures, not selected, each beside its nearest training picture."""
    shown = samples[:_SHOWN]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_png(sample_grid(shown, nearest_rows(shown, train), columns=6), colours=128))


def shuffled(path: Path, samples: Bytes, real: Bytes, *, seed: int = 0) -> None:
    """Write a sheet of 20 real and 20 generated pictures in random order, and the key beside it (.json).

    The key numbers pictures from 1, in reading order. Small pictures are enlarged four times, by repeating pixels.

    path: the file of the sheet.
    samples: generated pictures.
    real: real pictures.
    seed: seed of the order.
    """
    order = np.random.default_rng(seed).permutation(2 * _OF_EACH)
    rows = np.concatenate([real[:_OF_EACH], samples[:_OF_EACH]])[order]
    times = 4 if max(rows.shape[1:3]) <= 64 else 1
    rows = rows.repeat(times, 1).repeat(times, 2)
    _, height, width, channels = rows.shape
    down = -(-len(rows) // _ACROSS)
    sheet = np.full((down * (height + _GAP), _ACROSS * (width + _GAP), channels), 128, dtype=np.uint8)
    for index, row in enumerate(rows):
        y, x = (place * (side + _GAP) for place, side in zip(divmod(index, _ACROSS), (height, width)))
        sheet[y : y + height, x : x + width] = row
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet[..., :3]).save(path)
    key = {str(index + 1): "real" if place < _OF_EACH else "made" for index, place in enumerate(order)}
    path.with_suffix(".json").write_text(json.dumps(key, indent=1) + "\n")
