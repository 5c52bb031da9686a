"""Inputs of the judge: opens two samples of any form as arrays on one number grid, and judges them.

Files, frames and arrays are accepted. Both tables are read by the schema of the real one, so that they share one code
per category. Both sides are rounded to the grid of the real values before they are judged; a difference of format is
reported as a note of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from saddlepoint.aliases import JUDGED_KINDS
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.opening import open_source
from saddlepoint.data.tables.read import ReadTable, frame_of, read_table, table_suffix, to_frame
from saddlepoint.data.tables.schema import NumericTable, Schema, infer
from saddlepoint.errors import InputError, nearest
from saddlepoint.judging.c2st.ensemble import Pool
from saddlepoint.judging.c2st.quantise import quantise
from saddlepoint.judging.protocol import certify
from saddlepoint.judging.samples import check
from saddlepoint.judging.verdict import Verdict

Array = npt.NDArray[Any]


def judge(
    real: Any,
    fake: Any,
    *,
    train: Any = None,
    groups: Any = None,
    held_out: str | bool = "unknown",
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
    names: Sequence[str] | None = None,
    categorical: Any = None,
    confidence: float = 0.95,
    random_state: int | None = 0,
    pool: Pool = "full",
    control: bool = True,
    metrics: str | Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
) -> Verdict:
    """Return the verdict on fake rows: a certified lower bound for their distance JSD(p_data, p_g) from real rows, in nats.

    The bound satisfies P(bound > JSD) <= 1 - confidence.

    real, fake: a file (.csv, .tsv, .parquet, .feather, .npy, .npz, idx, a folder or .zip of pictures), a pandas, polars or
        pyarrow frame, or an array of numbers (n, d) or pictures (n, height, width[, channels]).
    train: the rows that the generator was trained on, in any of these forms; fake rows are then tested for copies of them.
    groups: one label per real row, or the name of a column; rows of one group stay together.
    held_out: "declared" or True (the real rows were kept from the generator), "no" or False (they were not), or "unknown";
        the bound holds only for rows that the generator never saw.
    columns: column types that replace those inferred from a table, as {"age": "integer"}.
    kind: for arrays: "points", "tables" or "pictures".
    names: for arrays: one name per column.
    categorical: for arrays: mask of the columns that hold category codes (NaN is then a null).
    confidence: of the bound, at least 0.5 and less than 1.
    random_state: a whole number from 0 on; the same number gives the same verdict; None: a new one each time.
    pool: "full", or "quick" (fewer referees: a weaker bound, just as valid).
    control: also judge real rows against real rows.
    metrics: figures reported beside the bound: "neighbours" (precision, recall, density, coverage), "mmd", or "all".
    progress: called with a few words before each step.

    Raises:
        InputError: the rows cannot be read or compared; the message names the columns or shapes.
    """
    pair = open_pair(
        real,
        fake,
        train=train,
        groups=groups,
        columns=columns,
        kind=kind,
        names=names,
        categorical=categorical,
    )
    return judge_pair(
        pair,
        held_out=held_out,
        confidence=confidence,
        random_state=random_state,
        pool=pool,
        control=control,
        metrics=metrics,
        progress=progress,
    )


def judge_pair(pair: Pair, **options: Any) -> Verdict:
    """Return the verdict on an opened pair; options as for `judge`. What was found while opening is among its notes."""
    verdict = certify(
        pair.real,
        pair.fake,
        train=pair.train,
        groups=pair.groups,
        kind=pair.kind,
        names=pair.names,
        categorical=pair.categorical,
        dates=() if pair.kinds is None else [kind == "date-time" for kind in pair.kinds],
        **options,
    )
    first = 0 if verdict.jsd_lower is not None else 1  # the reason for a missing bound stays first
    return replace(verdict, notes=(*verdict.notes[:first], *pair.notes, *verdict.notes[first:]))


def open_pair(
    real: Any,
    fake: Any,
    *,
    train: Any = None,
    groups: Any = None,
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
    names: Sequence[str] | None = None,
    categorical: Any = None,
) -> Pair:
    """Return both samples as numbers on the grid of the real values; arguments and errors as for `judge`."""
    kind = JUDGED_KINDS.get(kind, kind) if isinstance(kind, str) else kind
    sides = {"real": _open(real, "real"), "fake": _open(fake, "fake")}
    if train is not None:
        sides["training"] = _open(train, "training")
    sources = {"real": real, "fake": fake, "training": train}
    unnamed = _unnamed(sources, sides)
    if any(isinstance(side, pd.DataFrame) for side in sides.values()):
        if kind is not None or names is not None or categorical is not None:
            raise InputError(
                "kind=, names= and categorical= describe arrays, but a table was given; give its column types as columns=."
            )
        pair = _of_tables(sides, groups, columns)
        return replace(pair, notes=(*unnamed, *pair.notes))
    if columns:
        raise InputError(
            "columns= gives the types of a table's columns, but these rows are not a table; leave it out."
        )
    arrays = {name: side for name, side in sides.items() if not isinstance(side, pd.DataFrame | ReadTable)}
    return _of_arrays(arrays, groups, kind=kind, names=names, categorical=categorical)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two opened samples of one kind on one number grid, with notes on how they were read.

    For tables, `kinds` are the column types of the schema and `categories` the word of each code (None for numbers).
    """

    real: Array
    fake: Array
    train: Array | None
    groups: Array | None
    kind: str | None = None
    names: tuple[str, ...] | None = None
    categorical: Array | None = None
    levels: int = 255
    notes: tuple[str, ...] = ()
    kinds: tuple[str, ...] | None = None
    categories: tuple[tuple[str, ...] | None, ...] | None = None


def _open(source: Any, side: str) -> pd.DataFrame | ReadTable | Dataset | Array:
    if isinstance(source, Dataset):
        return source.rows if source.kind == "tables" else source
    if isinstance(source, str | os.PathLike):
        if table_suffix(source) is not None and Path(source).is_file():
            return read_table(source)
        return open_source(source)
    if (
        isinstance(source, np.ndarray | list | tuple)
        or not hasattr(source, "columns")
        or hasattr(source, "fit")
    ):
        if hasattr(source, "sample") and not hasattr(source, "__array__"):
            raise InputError(
                f"The {side} rows are a {type(source).__name__}, which is a generator; "
                f"give rows drawn from it, for instance gan.sample(2000)."
            )
        return np.asarray(source)
    return frame_of(source, name=f"the {side} table")


def _unnamed(sources: dict[str, Any], sides: dict[str, Any]) -> list[str]:
    """Put frames in place of the files read, and return a note on each file without a header line.

    A first line of numbers is read as names if another side's columns have these names or its first line is the same.
    """
    files = {name: side for name, side in sides.items() if isinstance(side, ReadTable)}
    sides |= {name: to_frame(file.table) for name, file in files.items()}
    firsts = {
        name: tuple(map(float, sides[name].iloc[0])) for name, file in files.items() if file.header == "data"
    }
    notes = []
    for name, first in firsts.items():
        others = [side for other, side in sides.items() if other != name and isinstance(side, pd.DataFrame)]
        same = [other for other in firsts if other != name and firsts[other] == first]
        if len(set(first)) == len(first) and (same or any(_reads_as(side, first) for side in others)):
            sides[name] = to_frame(read_table(sources[name], header=True).table)
            notes.append(
                f"The first line of {os.fspath(sources[name])}, numbers only, was read as column names, because another "
                f"side has the same."
            )
        else:
            notes.append(
                f"{os.fspath(sources[name])} has no header line; its columns were named column_1 to "
                f"column_{len(first)}."
            )
    return notes


def _reads_as(frame: pd.DataFrame, first: tuple[float, ...]) -> bool:
    """Return whether a frame's column names, read as numbers, equal a first line."""
    try:
        return tuple(float(name) for name in frame.columns) == first
    except ValueError:
        return False


def _of_arrays(
    sides: dict[str, Dataset | Array],
    groups: Any,
    *,
    kind: str | None,
    names: Sequence[str] | None,
    categorical: Any,
) -> Pair:
    rows = {name: side.rows if isinstance(side, Dataset) else side for name, side in sides.items()}
    real = sides["real"]
    if isinstance(groups, str):
        raise InputError(
            f"groups={groups!r} names a column, but these rows are not a table; give one label per row."
        )
    levels = real.levels if isinstance(real, Dataset) else 255
    if names is None and isinstance(real, Dataset):
        names = real.columns
    options = {"kind": kind, "names": names, "categorical": categorical}
    check(rows["real"], _quantised(rows["fake"], like=rows["real"]), **options)
    gridded, fake, findings = quantise(
        _columns(rows["real"]),
        _columns(rows["fake"]),
        categorical=None if categorical is None else np.asarray(categorical, dtype=bool),
        names=None if names is None else tuple(names),
        levels=levels,
    )
    return Pair(
        real=gridded,
        fake=fake,
        train=rows.get("training"),
        groups=None if groups is None else np.asarray(groups),
        kind=kind,
        names=None if names is None else tuple(names),
        categorical=categorical,
        levels=levels,
        notes=tuple(finding.sentence for finding in findings),
    )


def _columns(rows: Array) -> Array:
    return rows.reshape(-1, 1) if rows.ndim == 1 else rows


def _quantised(fake: Array, *, like: Array) -> Array:
    """Return zeros of 8 bits in place of float pictures, for the check of shapes; `quantise` converts the values later."""
    pictures = like.dtype == np.uint8 and fake.ndim == like.ndim and fake.ndim > 2
    return np.zeros(fake.shape, dtype=np.uint8) if pictures and fake.dtype.kind == "f" else fake


def _of_tables(sides: dict[str, Any], groups: Any, columns: Mapping[str, str] | None) -> Pair:
    frames = {name: _as_frame(side, name, like=sides["real"]) for name, side in sides.items()}
    real = frames["real"]
    if isinstance(groups, str):
        if groups not in real.columns:
            known = tuple(str(name) for name in real.columns)
            raise InputError(f"There is no column {groups!r} to group by{nearest(groups, known) or '.'}")
        labels = real[groups].to_numpy()
        frames = {name: frame.drop(columns=groups, errors="ignore") for name, frame in frames.items()}
        groups = labels
    schema = infer(frames["real"], columns, name="the real table")
    first, second = schema.matrices(frames["real"], frames["fake"])
    names, left_out = _column_names(first)
    values, fakes, findings = quantise(
        first.values, second.values, categorical=first.categorical, names=names, kinds=first.kinds
    )
    train = None
    if "training" in frames:
        train = _training(schema, frames)
    only_numbers = not first.categorical.any() and not np.isnan(values).any() and not np.isnan(fakes).any()
    notes = [finding.sentence for finding in findings]
    notes += left_out
    return Pair(
        real=values,
        fake=fakes,
        train=train,
        groups=None if groups is None else np.asarray(groups),
        names=names,
        categorical=None if only_numbers else first.categorical,
        notes=tuple(notes),
        kinds=first.kinds,
        categories=first.categories,
    )


def _column_names(matrix: NumericTable) -> tuple[tuple[str, ...], list[str]]:
    """Return the names of the judged columns, and a note on each column that is not judged, or only in part."""
    reasons = dict(matrix.left_out)
    names = tuple(f"{name} (missing or not)" if name in reasons else name for name in matrix.names)
    notes = [
        f"Column {name!r} is judged only by which cells are missing: {reason}."
        if name in matrix.names
        else f"Column {name!r} is not judged: {reason}."
        for name, reason in matrix.left_out
    ]
    return names, notes


def _training(schema: Schema, frames: dict[str, pd.DataFrame]) -> Array:
    """Return the training rows in the category codes that real and fake rows share."""
    both = pd.concat([frames["fake"], frames["training"]], ignore_index=True)
    return np.asarray(schema.matrices(frames["real"], both)[1].values[len(frames["fake"]) :])


def _as_frame(side: Any, name: str, *, like: Any) -> pd.DataFrame:
    if isinstance(side, pd.DataFrame):
        return side
    rows = side.rows if isinstance(side, Dataset) else side
    other = f"pictures of shape {rows.shape[1:]}" if rows.ndim > 2 else f"an array of shape {rows.shape}"
    if isinstance(like, pd.DataFrame) and rows.ndim == 2 and rows.shape[1] == like.shape[1]:
        return pd.DataFrame(rows, columns=like.columns)
    raise InputError(f"The {name} rows are {other} and the others a table; give rows of one kind.")
