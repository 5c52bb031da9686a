"""The two samples of a test, checked before anything is fitted.

Kinds: ``points``, finite numbers (n, d); ``tables``, numbers (n, d) with a mask of the columns that hold category
codes, where NaN stands for null; ``pictures``, 8-bit levels (n, height, width, channels).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from saddlepoint.errors import InputError, nearest

Kind = Literal["points", "tables", "pictures"]
KINDS: tuple[Kind, ...] = ("points", "tables", "pictures")
Rows = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Two checked samples of one kind and width (or picture shape), with shared column names.

    `dates` marks the columns that hold seconds since 1970, UTC.
    """

    kind: Kind
    real: Rows
    fake: Rows
    names: tuple[str, ...]
    categorical: NDArray[np.bool_]
    dates: tuple[bool, ...] = ()


def check(
    real: Any,
    fake: Any,
    *,
    kind: str | None = None,
    names: Sequence[str] | None = None,
    categorical: Any = None,
    first: str = "real",
) -> Samples:
    """Return the two samples as arrays of one kind.

    kind, names, categorical: as in `protocol.certify`.
    first: what error messages call the first sample.

    Raises InputError for different widths or picture shapes, points against pictures, values that are not
    numbers, infinities (and NaN outside tables), a mask or names of another length.
    """
    real, fake = _array(real, first), _array(fake, "fake")
    kinds = (_kind(real, first, kind, categorical), _kind(fake, "fake", kind, categorical))
    if kinds[0] != kinds[1]:
        raise InputError(
            f"The {first} rows are of kind {kinds[0]} (shape {real.shape[1:]}) and the fake rows of kind {kinds[1]} "
            f"(shape {fake.shape[1:]}); give rows of one kind."
        )
    if kinds[0] == "pictures":
        return _pictures(real, fake, first)
    real, fake = _table(real), _table(fake)
    if real.shape[1] != fake.shape[1]:
        raise InputError(
            f"The {first} rows have {real.shape[1]} columns and the fake rows {fake.shape[1]}; "
            f"both need the same columns in the same order."
        )
    width = real.shape[1]
    if width == 0:
        raise InputError("The rows have no columns; at least one is needed.")
    names = (
        tuple(str(name) for name in names) if names is not None else tuple(f"x{i + 1}" for i in range(width))
    )
    if len(names) != width:
        raise InputError(f"{len(names)} names were given for {width} columns; give one name per column.")
    mask = np.zeros(width, dtype=bool) if categorical is None else np.asarray(categorical, dtype=bool)
    if mask.shape != (width,):
        raise InputError(f"The categorical mask has shape {mask.shape}; {width} columns need ({width},).")
    for side, rows in ((first, real), ("fake", fake)):
        _finite(side, rows, names, allow_nan=kinds[0] == "tables")
    return Samples(kind=kinds[0], real=real, fake=fake, names=names, categorical=mask)


def _array(rows: Any, side: str) -> Rows:
    array: Rows = np.asarray(rows)
    if array.dtype.kind not in "buif":
        raise InputError(f"The {side} rows are of type {array.dtype}; the judge needs numbers.")
    if array.ndim == 0 or len(array) == 0:
        raise InputError(f"There are no {side} rows.")
    return array


def _kind(rows: Rows, side: str, kind: str | None, categorical: Any) -> Kind:
    if kind is not None and kind not in KINDS:
        raise InputError(f"kind is {kind!r}{nearest(kind, KINDS) or '.'} Allowed are {', '.join(KINDS)}.")
    has_picture_shape = rows.ndim in (3, 4)
    if kind == "pictures" and not has_picture_shape:
        raise InputError(
            f"The {side} rows have shape {rows.shape}; pictures have shape (n, height, width[, channels])."
        )
    if kind in ("points", "tables") and rows.ndim > 2:
        raise InputError(
            f"The {side} rows have shape {rows.shape}; rows of kind {kind} have shape (n, columns)."
        )
    if has_picture_shape:
        return "pictures"
    if rows.ndim > 4:
        raise InputError(
            f"The {side} rows have shape {rows.shape}; give rows of numbers (n, columns) or pictures (n, height, "
            "width[, channels])."
        )
    return "tables" if kind == "tables" or (kind is None and categorical is not None) else "points"


def _pictures(real: Rows, fake: Rows, first: str) -> Samples:
    for side, rows in ((first, real), ("fake", fake)):
        if rows.dtype != np.uint8:
            raise InputError(
                f"The {side} pictures are of type {rows.dtype}; give 8-bit levels (uint8) on both sides."
            )
    real, fake = (rows[..., None] if rows.ndim == 3 else rows for rows in (real, fake))
    if real.shape[1:] != fake.shape[1:]:
        raise InputError(
            f"The {first} pictures have shape {real.shape[1:]} and the fake ones {fake.shape[1:]} "
            f"(height, width, channels); resize them to one shape first."
        )
    if 0 in real.shape:
        raise InputError(
            f"The pictures have shape {real.shape[1:]}; height, width and channels must be at least 1."
        )
    return Samples(kind="pictures", real=real, fake=fake, names=(), categorical=np.zeros(0, dtype=bool))


def _table(rows: Rows) -> NDArray[np.float64]:
    values: NDArray[np.float64] = rows.astype(np.float64)
    return values[:, None] if values.ndim == 1 else values


def _finite(side: str, rows: Rows, names: tuple[str, ...], *, allow_nan: bool) -> None:
    bad = np.isinf(rows) if allow_nan else ~np.isfinite(rows)
    if not bad.any():
        return
    where = np.argwhere(bad)
    row, column = where[0]
    hint = "" if allow_nan else "; NaN stands for null in tables only (kind='tables')"
    raise InputError(
        f"{len(where)} values of the {side} rows are not finite, the first in row {row}, column "
        f"{names[column]}{hint}. Remove them or fill them in."
    )
