"""How good are pictures, beside older games of the same networks, on pictures that nothing was trained on?

A row of the table is a maker: `real` (the training pictures themselves, what no maker can be asked to beat), `ours`,
`unclustered` (ours without classes found), `dcgan` and `wgan-gp`. Older games get as many CPU seconds as ours took.
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
from saddlepoint.judging.memorisation import copying
from saddlepoint.model import Model
from saddlepoint.runs.figures import nearest_rows

ROWS = ("real", *GAMES)
_JUDGED, _FAKES, _FEW = 4_000, 10_000, 2_000
_FEWEST = 30
"""Held-out pictures below which the judge refuses, and the bound is left out."""
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
    """Return one record: what a maker took, and the figures of its pictures; its sheets are written beside `folder`.

    reader: gives a classifier of the set's classes, asked when the game is over.
    cpu_seconds: what a game may take at most.
    """
    game = "ours" if row == "real" else row
    preparation = prepared(pictures, game, seed, rounds or ROUNDS[pictures.name])
    many = STACKED_SAMPLES if pictures.name == "stacked" else min(_FAKES, max(2_000, 4 * len(pictures.held)))
    held = _unseen(preparation)
    facts: dict[str, Any] = {}
    if row == "real":
        order = np.random.default_rng(seed).permutation(len(preparation.train))
        made: Bytes = preparation.train.rows[order[:many]]
    else:
        model, facts = played(
            preparation, folder / f"{pictures.name}-{row}-{seed}", cpu_seconds=cpu_seconds, say=say
        )
        made = drawn(model, many, seed)
        sheets = folder.parent / "sheets"
        beside_nearest(sheets / f"{pictures.name}-{row}-{seed}.png", made, preparation.train.rows)
        shuffled(sheets / f"shuffled-{pictures.name}-{row}-{seed}.png", made, held, seed=seed)
    began = time.process_time()
    found = figures(pictures, preparation, made, held, reader(), copies=row != "real")
    if bound and len(held) >= _FEWEST:
        verdict = judge(
            held[:_JUDGED], made, held_out="declared", random_state=seed, pool="quick", control=False
        )
        found |= {"jsd_lower": verdict.jsd_lower, "accuracy": verdict.accuracy, "judged": len(held[:_JUDGED])}
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
    made: Bytes,
    held: Bytes,
    reader: Classifier | None,
    *,
    copies: bool,
) -> dict[str, Any]:
    """Return all figures of made pictures but the bound."""
    found: dict[str, Any] = detail(made, preparation.train.rows)
    if reader is not None and pictures.name == "stacked":
        found |= stacked_modes(reader, made)
    elif reader is not None:
        found |= by_class(reader, made, held) | {"features_of": "a classifier trained here"}
    if reader is None or pictures.name == "stacked":
        space = feature_space(held[:_JUDGED], made, None, random_state=0)
        found |= distances(space(made[:_JUDGED]), space(held[:_JUDGED]))
        found["features_of"] = "principal components of the pixels"
    if copies:
        test = copying(preparation.train.rows, held, made)
        found["copying"] = {
            "copying": test.copying,
            "exact": test.exact_copies,
            "share": test.share,
            "p": test.p,
            "held": len(held),
        }
    return found


def drawn(model: Model, n: int, seed: int) -> Bytes:
    """Return n pictures of a model."""
    return np.asarray(model.draw(n, random_state=seed)[0], dtype=np.uint8)


def _unseen(preparation: Preparation) -> Bytes:
    """Return the pictures that no round has seen: those held out, and the game's own monitor part, which nothing asked."""
    parts = [part.rows for part in (preparation.vault, preparation.monitor) if part is not None]
    return np.concatenate(parts)


def reader_of(pictures: PictureSet, data: Path | None) -> Classifier | None:
    """Return a classifier of a set's classes, of single digits for stacked ones; None where there are no classes."""
    known = picture_set("mnist", data) if pictures.name == "stacked" else pictures
    if known.classes is None or known.held_classes is None:
        return None
    batches = 900 if len(known.train) > _FEW else 300
    return classifier(known.train, known.classes, known.held, known.held_classes, batches=batches)


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
    """Measure every set, row and seed, keeping each record in `out`/pictures.json at once; what is there is not redone.

    share: the older games get so many times the CPU seconds of ours.
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
    """Return a record in one line."""
    bound = "no bound" if record.get("jsd_lower") is None else f"JSD >= {record['jsd_lower']:.4f}"
    seconds = f", {record['cpu_seconds']:.0f} CPU s" if "cpu_seconds" in record else ""
    return (
        f"{record['set']}, {record['row']}, seed {record['seed']}: {bound}, Frechet {record['frechet']:.2f}, "
        f"top octave {record['octave']:.2f}{seconds}"
    )


COLUMNS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "set": lambda r: r["set"],
    "by": lambda r: r["row"],
    "bound (nats)": lambda r: _number(r.get("jsd_lower"), 3),
    "told right, %": lambda r: _number(100 * r["accuracy"] if r.get("accuracy") is not None else None, 1),
    "Frechet (real)": lambda r: f"{r['frechet']:.2f} ({r['frechet_real']:.2f})",
    "kernel": lambda r: _number(r["kernel"], 3),
    "precision": lambda r: _number(r["precision"], 2),
    "recall": lambda r: _number(r["recall"], 2),
    "top octave": lambda r: _number(r["octave"], 2),
    "copying, p": lambda r: _number(r.get("copying", {}).get("p"), 3),
    "rounds": lambda r: _number(r.get("rounds"), 0),
    "CPU s": lambda r: _number(r.get("cpu_seconds"), 0),
    "MB": lambda r: _number(r.get("peak_memory_mb"), 0),
}


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def table(records: Iterable[Mapping[str, Any]]) -> str:
    """Return the records as a Markdown table."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(cell(record) for cell in COLUMNS.values())} |" for record in records]
    return "\n".join(lines) + "\n"


def beside_nearest(path: Path, made: Bytes, train: Bytes) -> None:
    """Write the first 18 made pictures, none chosen, each beside its nearest training picture."""
    shown = made[:_SHOWN]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_png(sample_grid(shown, nearest_rows(shown, train), columns=6), colours=128))


def shuffled(path: Path, made: Bytes, real: Bytes, *, seed: int = 0) -> None:
    """Write 20 real and 20 made pictures in random order, numbered in reading order from 1, and beside them the key (.json).

    Small pictures are enlarged four times, by repeating pixels.
    """
    order = np.random.default_rng(seed).permutation(2 * _OF_EACH)
    rows = np.concatenate([real[:_OF_EACH], made[:_OF_EACH]])[order]
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
