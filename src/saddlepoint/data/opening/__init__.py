"""Opens the user's data as a `Dataset`: `digits`, an array, a frame, a file, a folder or a .zip of pictures.

`open_source` opens the rows to learn from. `open_holdout` opens held-out rows from a file of their own
(`--holdout FILE`), which must have the same kind and columns.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.opening.array_files import is_idx, open_idx, open_npy, open_npz
from saddlepoint.data.opening.arrays import dataset_from_array
from saddlepoint.data.opening.folders import open_folder, open_zip
from saddlepoint.data.opening.tables import is_frame, open_frame, open_table
from saddlepoint.data.pictures import SUFFIXES, TargetSize
from saddlepoint.data.tables.read import TABLE_SUFFIXES, table_suffix
from saddlepoint.data.untrusted import refuse_too_large
from saddlepoint.errors import InputError, nearest, unknown

EMBEDDED = ("digits",)
FILE_SUFFIXES = (".npy", ".npz", ".zip", ".gz", *TABLE_SUFFIXES)
ALLOWED = (
    "allowed are digits, a .npy, .npz, .csv, .tsv, .parquet or .feather file, an idx file (also .gz), "
    "a folder or a .zip of pictures"
)


def open_source(
    source: Any,
    *,
    label: Any = None,
    group: Any = None,
    key: str | None = None,
    levels: int | None = None,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    resolution: str | None = None,
    other_sizes: str | None = None,
) -> Dataset:
    """Open `source` and return its rows as a `Dataset`, ready to be encoded.

    Args:
        source: "digits" (8 x 8 pictures, scikit-learn), a path (an .npz may name its array: FILE.npz:key),
            an array in memory, or a pandas, polars or pyarrow frame.
        label: the class of each row: a column or .npz key by name, or the values themselves.
        group: the group of each row, likewise; a split never divides a group.
        key: the array of an .npz to open.
        levels: largest grey level of pictures; None: 255, or the largest value if none is above 16.
        columns: kinds of a table's columns in place of those inferred, {"age": "integer"}.
        resolution: the size that all pictures get, "64x48" (width x height); None: all must have the same size.
        other_sizes: what is done to pictures of any other size: "crop" (None), "pad" or "refuse".
        name: the data set's name; None: taken from the source.

    Raises:
        InputError: what was given, what is allowed, what to do.
    """
    try:
        target_size = TargetSize.parse(resolution, other_sizes)
        dataset = _open(
            source,
            called=name or "array",
            label=label,
            group=group,
            key=key,
            levels=levels,
            columns=columns,
            target_size=target_size,
        )
        if target_size is not None:
            dataset = replace(
                _sized(dataset, target_size), resolution=resolution, other_sizes=target_size.other_sizes
            )
    except InputError as error:
        if str(error).isprintable():
            raise
        # Names in the user's files may hold line ends and terminal control codes; a message stays one printable line.
        plain = (sign if sign.isprintable() else repr(sign)[1:-1] for sign in str(error))
        raise InputError("".join(plain)) from None
    return dataset if name is None else replace(dataset, name=name)


def _open(
    source: Any,
    *,
    called: str,
    label: Any,
    group: Any,
    key: str | None,
    levels: int | None,
    columns: Mapping[str, str] | None,
    target_size: TargetSize | None,
) -> Dataset:
    if not isinstance(source, (str, os.PathLike)):
        _refuse_options(called, "has no keys", key=key)
        if is_frame(source):
            _refuse_options("a frame", "holds points", levels=levels)
            return open_frame(source, label=label, group=group, columns=columns)
        _refuse_options(called, "is not a table", columns=columns or None)
        _refuse_names("an array in memory", label=label, group=group)
        return dataset_from_array(source, name=called, labels=label, groups=group, levels=levels)
    text = os.fspath(source)
    if not text:
        raise InputError(f"the source is an empty text; {ALLOWED}.")
    if source == "digits":
        _refuse_options("digits", "comes with its labels", label=label, group=group, key=key, levels=levels)
        _refuse_options("digits", "is not a table", columns=columns or None)
        return _digits()
    path = Path(text)
    if ".npz:" in text and not path.exists():
        stem, _, key = text.rpartition(":")
        path = Path(stem)
    _refuse_unreadable(path)
    suffix = ".idx" if is_idx(path) else table_suffix(path) or path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        _refuse_options(str(path), "is not a table", columns=columns or None)
    if path.is_dir():
        if suffix in FILE_SUFFIXES:
            raise InputError(f"{path} is a folder, although its name ends in {suffix}; name the file itself.")
        _refuse_options(str(path), "is a folder of pictures", key=key, levels=levels)
        _refuse_names(path, label=label, group=group)
        return open_folder(path, label=label, group=group, target_size=target_size)
    if suffix == ".npz":
        return open_npz(path, key=key, label=label, group=group, levels=levels)
    _refuse_options(str(path), "is not an .npz file", key=key)
    if suffix in TABLE_SUFFIXES:
        _refuse_options(str(path), "holds points", levels=levels)
        return open_table(path, label=label, group=group, columns=columns)
    if suffix in SUFFIXES:
        raise InputError(f"{path} is one picture; give the folder or a .zip that holds many.")
    if suffix not in (".npy", ".idx", ".zip"):
        raise InputError(f"{path} is of an unknown type (suffix {path.suffix!r}); {ALLOWED}.")
    _refuse_names(path, label=label, group=group)
    if suffix == ".zip":
        _refuse_options(str(path), "is a .zip of pictures", levels=levels)
        return open_zip(path, label=label, group=group, target_size=target_size)
    open_array = open_npy if suffix == ".npy" else open_idx
    return open_array(path, label=label, group=group, levels=levels)


def _sized(dataset: Dataset, target_size: TargetSize) -> Dataset:
    """Return pictures resized to the target size; those of a folder were resized as they were read."""
    if dataset.kind != "pictures":
        _refuse_options(
            dataset.name, f"holds {dataset.kind}", resolution=f"{target_size.width}x{target_size.height}"
        )
    rows = dataset.rows
    if rows.shape[1:3] == (target_size.height, target_size.width):
        return dataset
    refuse_too_large(dataset.name, len(rows) * target_size.width * target_size.height * rows.shape[3])
    sized = target_size.apply_to_all(rows, dataset.name)
    if dataset.levels != 255:  # Lanczos overshoots the lightest level
        np.minimum(sized, dataset.levels, out=sized)
    # Channels-first pictures keep that order of axes.
    last = len(dataset.shape) == 2 or dataset.shape == rows.shape[1:]
    height, width = target_size.height, target_size.width
    shape = (height, width, *dataset.shape[2:]) if last else (dataset.shape[0], height, width)
    return replace(dataset, rows=sized, shape=shape, notes=(*dataset.notes, target_size.describe(len(rows))))


def _digits() -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Dataset(
        name="digits",
        kind="pictures",
        rows=bunch.images.astype(np.uint8)[..., None],
        labels=bunch.target.astype(np.int64),
        levels=16,
        form="digits",
        shape=(8, 8),
        dtype="uint8",
    )


def _refuse_unreadable(path: Path) -> None:
    """Raise InputError for a path that is missing, empty or not readable."""
    try:
        missing, folder = not path.exists(), path.is_dir()
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} is not a path that can be opened ({error}).") from None
    if missing:
        hint = nearest(str(path), EMBEDDED)
        offer = f"{hint} {ALLOWED.capitalize()}" if hint else f"; {ALLOWED}"
        raise InputError(f"there is no file or folder {path}{offer}.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read: permission denied; change its permissions or copy it.")
    if not folder and path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes); give a file with at least 2 rows.")


def _refuse_names(called: object, *, label: Any, group: Any) -> None:
    """Raise InputError if a column name was given and the source has no named columns."""
    for word, value in (("label", label), ("group", group)):
        if isinstance(value, str):
            raise InputError(
                f"{called} has no named columns, so there is no {word} {value!r}; give the values, "
                f"one for each row."
            )


def _refuse_options(called: str, why: str, **options: Any) -> None:
    """Raise InputError if an option was given that has no effect on this source."""
    for word, value in options.items():
        if value is not None:
            raise InputError(f"{called} {why}; {word}={value!r} cannot be given with it.")


def open_holdout(source: Any, like: Dataset, *, label: Any = None, key: str | None = None) -> Dataset:
    """Open held-out rows to go with the training rows `like`; named columns may be in another order.

    Args:
        source: as for `open_source`; name a held-out array of the same file as FILE.npz:test_images.
        like: the rows to learn from.
        label: column or key of the labels, or the labels themselves, as for `open_source`.
        key: the array of an .npz to open.

    Raises:
        InputError: the rows have another kind, shape, columns or grey levels.
    """
    # A held-out part of a table is a table too, even if its own cells are all plain numbers.
    options: dict[str, Any] = {"label": label, "key": key}
    if like.kind == "tables":
        options["columns"] = {}
    if like.resolution is not None:
        options |= {"resolution": like.resolution, "other_sizes": like.other_sizes}
    held_out = open_source(source, **options)
    if held_out.kind != like.kind:
        raise InputError(
            f"the held-out {held_out.name} holds {held_out.kind}, but {like.name} holds {like.kind}; give the same kind."
        )
    if held_out.columns is not None and like.columns is not None:
        held_out = _in_order(held_out, like, held_out.columns, like.columns)
    if held_out.rows.shape[1:] != like.rows.shape[1:]:
        raise InputError(
            f"a row of the held-out {held_out.name} has shape {held_out.rows.shape[1:]}, but a row of {like.name} has "
            f"{like.rows.shape[1:]}; give rows of the same shape."
        )
    if held_out.fractions and held_out.levels != like.levels:
        held_out = open_source(source, **options, levels=like.levels)
    if held_out.kind == "pictures" and int(held_out.rows.max()) > like.levels:
        raise InputError(
            f"the held-out {held_out.name} has grey levels up to {int(held_out.rows.max())}, but {like.name} has levels "
            f"up to {like.levels}; give pictures of the same levels."
        )
    return replace(held_out, levels=like.levels)


def _in_order(held_out: Dataset, like: Dataset, columns: tuple[str, ...], wanted: tuple[str, ...]) -> Dataset:
    """Return the held-out rows with their columns in the order of `wanted`."""
    extra = [column for column in columns if column not in wanted]
    for column in wanted:
        if column not in columns:
            raise unknown(f"the held-out {held_out.name} has no column", column, columns, "It has")
    if extra:
        raise InputError(
            f"the held-out {held_out.name} has a column {extra[0]!r} that {like.name} does not have; leave it out."
        )
    order = [columns.index(column) for column in wanted]
    dtypes = None if held_out.dtypes is None else tuple(held_out.dtypes[index] for index in order)
    if held_out.kind == "tables":
        return replace(held_out, rows=held_out.rows[list(wanted)], columns=wanted, dtypes=dtypes)
    return replace(held_out, rows=held_out.rows[:, order], columns=wanted, dtypes=dtypes)
