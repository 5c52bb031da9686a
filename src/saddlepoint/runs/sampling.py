"""From a run and a table with missing cells to a file of the table completed.

From a run folder or a saved model to a file of samples.

A walk through noise space as a film: from sample to sample and back to the first, every moment itself a sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saddlepoint import compute
from saddlepoint.data.imputation import out_of_range
from saddlepoint.data.tables.read import read_as_written
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.data.write import FEWEST_FRAMES, check_target, write_film, write_samples
from saddlepoint.errors import InputError
from saddlepoint.model import Model
from saddlepoint.runs.folder import RunFolder

FRAMES_BETWEEN = 20


def walk(model: Model, frames: int, seed: int) -> Tensor:
    """Return z of a closed walk, (frames, noise_width), past one draw every 20 frames, at least two in all.

    On the way from a to b normal noise goes along cos(t) a + sin(t) b, 0 <= t <= pi/2, which is N(0, I) at every t when a
    and b are; uniform noise goes straight, and stays within its range.
    """
    legs = max(2, round(frames / FRAMES_BETWEEN))
    ends = model.noise(legs, seed)
    place = torch.arange(frames) * (legs / frames)
    leg = place.floor().long()
    share = (place - leg)[:, None]
    a, b = ends[leg], ends[(leg + 1) % legs]
    if model.description["noise_distribution"] == "normal":
        return torch.cos(share * math.pi / 2) * a + torch.sin(share * math.pi / 2) * b
    return a.lerp(b, share)


def load_model(path: Path) -> Model:
    """Return the model of a run folder, or a saved model.

    Raises:
        InputError: there is neither.
        StoredFileError: it is damaged.
    """
    if (path / "settings.json").is_file():
        if not (path / "model" / "model.json").is_file():
            raise InputError(
                f"The run in {path} has not saved a model yet: let it train until its first save."
            )
        return Model.load(path / "model")
    return Model.load(path)


def label_of(path: Path) -> str | None:
    """Return the name of the label column that a run was told to learn by, or None."""
    if not (path / "settings.json").is_file():
        return None
    label = RunFolder.open(path).settings().get("source", {}).get("label")
    return None if label is None else str(label)


def condition_of(run: Path, model: Model, given: list[str]) -> Any:
    """Return what `Model.draw` takes as given: a class, or conditions on the columns of a table.

    Raises:
        InputError: it is neither.
    """
    names = ["class", *filter(None, [label_of(run)])]
    pairs = [each.partition("=") for each in given]
    if model.encoder.kind == "tables":
        if model.classes is None:
            return given
        classes = [value if equals else name for name, equals, value in pairs if not equals or name in names]
        rest = {name: value for name, equals, value in pairs if equals and name not in names}
        if len(classes) + len(rest) == len(given) and len(classes) <= 1:
            return {**rest, **({"class": classes[0]} if classes else {})}
    name, equals, value = pairs[0]
    if not equals:  # there is one label, so that a value alone is clear
        name, value = "class", name
    ways = " or ".join(f"--given {each}=VALUE" for each in dict.fromkeys(names))
    if name not in names or not value:
        raise InputError(f"--given {given[0]!r} is not understood; write {ways}.")
    if len(given) > 1:
        raise InputError(
            f"--given names {len(given)} classes ({', '.join(given)}), and one file is drawn from one of them, or from all "
            f"by their shares: give one {ways}, a file each, or none."
        )
    return value


def sample_to_file(
    run: Path,
    out: Path,
    *,
    n: int = 100,
    seed: int | None = None,
    given: list[str] | None = None,
    base: bool = False,
    escape_formulas: bool = False,
) -> str:
    """Draw n samples and write them; return in one sentence what was written.

    Into a .gif goes a film of n frames that walks through noise space from sample to sample, within one class.

    given: "class=7", or conditions on the columns of a table; base: of what the generator
    started from; escape_formulas: as for `write_samples`.

    Raises:
        InputError: n, the seed, the class or the file's suffix cannot be used.
        StoredFileError: the model is damaged, or the file cannot be written.
    """
    if seed is not None and seed < 0:
        raise InputError(f"seed is {seed}; give a whole number, 0 or more.")
    model = load_model(run).base() if base else load_model(run)
    like = model.like
    check_target(out, like.kind)
    used = compute.fresh_seed() if seed is None else seed
    wish = None if given is None else condition_of(run, model, given)
    if out.suffix.lower() == ".gif":
        return f"{_film(model, out, n, used, wish)}, written to {out} (again: --seed {used})"
    rows, classes = model.draw(n, given=wish, random_state=used)
    written = write_samples(
        out,
        rows,
        like,
        classes=None if classes is None else np.asarray(classes),
        escape_formulas=escape_formulas,
    )
    return f"{written}, written to {out} (again: --seed {used})"


def _film(model: Model, out: Path, frames: int, seed: int, given: Any) -> str:
    if frames < FEWEST_FRAMES:
        raise InputError(
            f"a film of {frames} frames shows no way from sample to sample; ask for {FEWEST_FRAMES} or more."
        )
    codes = model.codes(1, given, seed)
    same = None if codes is None or model.classes is None else model.classes[int(codes[0])]
    rows, _ = model.draw(noise=walk(model, frames, seed).numpy(), given=same, random_state=seed)
    return write_film(out, rows, model.like) + ("" if same is None else f" of class {same}")


def complete_to_file(
    run: Path,
    table: Path,
    out: Path,
    *,
    columns: Sequence[str] | None = None,
    seed: int | None = None,
    escape_formulas: bool = False,
) -> str:
    """Fill in the missing cells of a table file and write it; return in one sentence what was written.

    columns: those to fill in, all but identifiers if left out; escape_formulas: as for `write_samples`.

    Raises:
        InputError: the run is of no table, the file cannot be read, has columns or values that were not learnt, or nothing to
            fill in.
        StoredFileError: the model is damaged, or the file cannot be written.
    """
    if seed is not None and seed < 0:
        raise InputError(f"seed is {seed}; give a whole number, 0 or more.")
    model = load_model(run)
    check_target(out, "tables")
    if model.like.kind != "tables":
        raise InputError(
            f"{run} learnt {model.like.kind}, and only the cells of a table can be filled in; give a run of a table."
        )
    frame = read_as_written(table)[0]
    used = compute.fresh_seed() if seed is None else seed
    rows = model.complete(frame, columns=columns, random_state=used)
    here = [name for name in rows.columns if name in frame.columns]
    before, after = int(frame[here].isna().sum().sum()), int(rows[here].isna().sum().sum())
    absent = [str(name) for name in rows.columns if name not in frame.columns]
    filled = before - after + len(rows) * len(absent)
    if filled == 0:
        raise InputError(f"{table} has no missing cell to fill in; there is nothing to write.")
    written = write_samples(out, rows, model.like, escape_formulas=escape_formulas)
    said = f"{filled:,} cell{'s' * (filled > 1)} filled in" + (
        f", {', '.join(absent)} wholly" if absent else ""
    )
    empty = [str(name) for name in here if rows[name].isna().any()]
    wide = out_of_range(model.encoder, frame) if isinstance(model.encoder, TableTransformer) else ()
    outside = f"; outside what training saw, so taken for the nearest seen: {', '.join(wide)}" if wide else ""
    left = f"; {after:,} left empty in {', '.join(empty)}" if empty else ""
    return f"{said}{left}{outside}; {written}, written to {out} (again: --seed {used})"
