"""Files written from a run folder or a saved model: samples, films of noise interpolation, completed tables.

A film is a closed walk through noise space; each of its frames is itself a sample. A completed table has its missing cells
drawn given the known cells of their row.
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
from saddlepoint.data.tables.read import frame_of
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.data.write import FEWEST_FRAMES, check_target, write_film, write_samples
from saddlepoint.errors import InputError
from saddlepoint.model import Model
from saddlepoint.runs.folder import RunFolder

FRAMES_BETWEEN = 20


def walk(model: Model, frames: int, seed: int) -> Tensor:
    """Return z of a closed walk through noise space, (frames, noise_width), with a random draw every 20 frames (at least 2).

    Between two draws a and b, normal noise is cos(t) a + sin(t) b, 0 <= t <= pi/2, which is N(0, I) at every t if a and b
    are. Other noise is interpolated linearly, which stays within its range.
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
        InputError: the path is neither.
        StoredFileError: the model is damaged.
    """
    if (path / "settings.json").is_file():
        if not (path / "model" / "model.json").is_file():
            raise InputError(
                f"The run in {path} has not saved a model yet: let it train until its first save."
            )
        return Model.load(path / "model")
    return Model.load(path)


def label_of(path: Path) -> str | None:
    """Return the name of a run's label column (--label), or None."""
    if not (path / "settings.json").is_file():
        return None
    label = RunFolder.open(path).settings().get("source", {}).get("label")
    return None if label is None else str(label)


def condition_of(run: Path, model: Model, given: list[str]) -> Any:
    """Return the argument `given` of `Model.draw`: a class, or conditions on the columns of a table.

    run: the run folder, which knows the label's name.
    model: its model.
    given: the values of --given.

    Raises:
        InputError: they are neither.
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
    if not equals:  # there is one label, so a value alone is unambiguous
        name, value = "class", name
    ways = " or ".join(f"--given {each}=VALUE" for each in dict.fromkeys(names))
    if name not in names or not value:
        raise InputError(f"--given {given[0]!r} is not understood; write {ways}.")
    if len(given) > 1:
        raise InputError(
            f"--given names {len(given)} classes ({', '.join(given)}), but a file holds samples of one class, or of all in "
            f"their proportions: give one {ways} per file, or none."
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
    """Draw n samples and write them to a file; return a sentence on what was written.

    A .gif gets a film of n frames: a walk through noise space from sample to sample, within one class.

    run: the run folder, or a saved model.
    out: the file; its suffix is the format.
    n: number of samples or frames.
    seed: for the same samples again; None draws a fresh one.
    given: "class=7", or conditions on the columns of a table.
    base: sample the start of training (mixture or MADE) in place of the trained generator.
    escape_formulas: as for `write_samples`.

    Raises:
        InputError: n, the seed, the class or the file's suffix is not allowed.
        StoredFileError: the model is damaged, or the file cannot be written.
    """
    if seed is not None and seed < 0:
        raise InputError(f"seed is {seed}; give a whole number, 0 or more.")
    model = load_model(run).base() if base else load_model(run)
    like = model.like
    check_target(out, like.kind)
    used = compute.fresh_seed() if seed is None else seed
    condition = None if given is None else condition_of(run, model, given)
    if out.suffix.lower() == ".gif":
        return f"{_film(model, out, n, used, condition)}, written to {out} (again: --seed {used})"
    rows, classes = model.draw(n, given=condition, random_state=used)
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
            f"A film of {frames} frames is too short to show a walk from sample to sample; ask for {FEWEST_FRAMES} or more."
        )
    codes = model.codes(1, given, seed)
    drawn_class = None if codes is None or model.classes is None else model.classes[int(codes[0])]
    rows, _ = model.draw(noise=walk(model, frames, seed).numpy(), given=drawn_class, random_state=seed)
    return write_film(out, rows, model.like) + ("" if drawn_class is None else f" of class {drawn_class}")


def complete_to_file(
    run: Path,
    table: Path,
    out: Path,
    *,
    columns: Sequence[str] | None = None,
    seed: int | None = None,
    escape_formulas: bool = False,
) -> str:
    """Fill in the missing cells of a table file and write the result; return a sentence on what was written.

    run: the run folder of a table, or a saved model.
    table: the file with missing cells.
    out: the file to write.
    columns: the columns to fill in; None fills all except identifiers.
    seed: for the same values again; None draws a fresh one.
    escape_formulas: as for `write_samples`.

    Raises:
        InputError: the run did not learn a table, or the file cannot be read, has columns or values that training did not
            see, or has no missing cells.
        StoredFileError: the model is damaged, or the file cannot be written.
    """
    if seed is not None and seed < 0:
        raise InputError(f"seed is {seed}; give a whole number, 0 or more.")
    model = load_model(run)
    check_target(out, "tables")
    if model.like.kind != "tables":
        raise InputError(
            f"{run} learnt {model.like.kind}, but only cells of a table can be filled in; give the run of a table."
        )
    frame = frame_of(table)
    used = compute.fresh_seed() if seed is None else seed
    rows = model.complete(frame, columns=columns, random_state=used)
    here = [name for name in rows.columns if name in frame.columns]
    before, after = int(frame[here].isna().sum().sum()), int(rows[here].isna().sum().sum())
    absent = [str(name) for name in rows.columns if name not in frame.columns]
    filled = before - after + len(rows) * len(absent)
    if filled == 0:
        raise InputError(f"{table} has no missing cell to fill in; there is nothing to write.")
    written = write_samples(out, rows, model.like, escape_formulas=escape_formulas)
    counted = f"{filled:,} cell{'s' * (filled > 1)} filled in" + (
        f", {', '.join(absent)} entirely" if absent else ""
    )
    empty = [str(name) for name in here if rows[name].isna().any()]
    clipped = out_of_range(model.encoder, frame) if isinstance(model.encoder, TableTransformer) else ()
    outside = (
        f"; outside the training range, so clipped to it as conditions: {', '.join(clipped)}"
        if clipped
        else ""
    )
    left = f"; {after:,} left empty in {', '.join(empty)}" if empty else ""
    return f"{counted}{left}{outside}; {written}, written to {out} (again: --seed {used})"
