"""Encoder of rows of numbers: every column standardised, z = ((x - origin) - mean) / scale.

`origin` is close to the column's mean, in the column's own dtype, so that x - origin loses no precision: a column of mean 1e9
and standard deviation 1, or whole numbers near 1e18, are as easy to learn as a column around 0.

`smallest_scale` measures how close together rows are in the densest regions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from saddlepoint import compute
from saddlepoint.data.tables.types import MOST_DECIMALS, decimals_of, is_single_precision, rounded_to
from saddlepoint.errors import InputError, StoredFileError

_ROWS, _NEIGHBOUR_SHARE, _DENSEST = 4_000, 0.01, 0.1


def smallest_scale(rows: Tensor) -> float:
    """Return the 10 % quantile, over encoded rows (n, width), of the distance to the (n / 100)-th nearest other row.

    It is in standard deviations if the rows are standardised. At most 4,000 evenly spaced rows are used, so that the same
    rows always give the same scale. It is small for tight clusters and large for a single Gaussian.
    """
    some = rows[:: max(1, -(-len(rows) // _ROWS))].to(torch.float64)
    neighbour = max(1, round(_NEIGHBOUR_SHARE * len(some)))
    if len(some) <= neighbour:
        return 0.0
    distances = torch.cat(
        [torch.cdist(part, some).kthvalue(neighbour + 1, dim=1).values for part in torch.split(some, 500)]
    )
    return float(distances.quantile(_DENSEST))


LARGEST = 1e300
"""Beyond this, sums and differences of float64 overflow."""

_EXACT = 2.0**62
_DTYPES = (
    *("bool", "float16", "float32", "float64"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)


@dataclass(frozen=True, kw_only=True)
class PointsColumn:
    """One fitted column: constant (scale 0), whole numbers within low..high, or real numbers.

    origin: subtracted first, in the column's dtype.
    mean, scale: of x - origin.
    whole: whether all values are whole numbers.
    low, high: the range seen.
    decimals: number of decimals that represent every value exactly; None where no small number does.
    single: whether the values have single precision, whatever the dtype of the rows.
    """

    origin: int | float
    mean: float
    scale: float
    whole: bool
    low: int | float
    high: int | float
    decimals: int | None = None
    single: bool = False

    @property
    def constant(self) -> bool:
        """Return whether every row holds the same value, `origin`."""
        return self.scale == 0.0


@dataclass(frozen=True, kw_only=True)
class PointsEncoder:
    """Rows (n, d) <-> standardised float tensors (n, width), width = the number of columns that vary.

    Constant columns are not encoded, and are restored exactly. Whole-number columns (an integer or boolean dtype, or floats
    that are all whole) are decoded by rounding and clipped to the range seen. They are exact in float32 up to 2^23 away from
    the mean, and beyond that to one float32 rounding (encode with dtype=torch.float64 for more). Floats with few decimals are
    decoded by rounding to these, so they are exact within the same limit in units of 10^-decimals. Other floats come back to
    one float32 rounding of the standardised value.

    columns: the fitted columns.
    dtype: name of the rows' dtype.
    names: of the columns, or None.
    """

    columns: tuple[PointsColumn, ...]
    dtype: str
    names: tuple[str, ...] | None = None

    @classmethod
    def fit(cls, rows: npt.NDArray[Any], *, names: Sequence[str] | None = None) -> PointsEncoder:
        """Return the encoder of rows (n, d).

        Raises:
            InputError: unless rows are a finite, non-empty 2-D array of numbers with a column that varies.
        """
        if rows.ndim != 2 or rows.size == 0 or rows.dtype.name not in _DTYPES:
            raise InputError(f"rows must be a non-empty 2-D array of numbers, not {rows.shape} {rows.dtype}.")
        if names is not None and len(names) != rows.shape[1]:
            raise InputError(f"{len(names)} column names for {rows.shape[1]} columns; give one for each.")
        if rows.dtype.kind == "f" and not -LARGEST <= float(rows.min()) <= float(rows.max()) <= LARGEST:
            raise InputError(
                f"rows hold NaN, infinity or numbers beyond {LARGEST:g}; leave these rows out, or scale the column down."
            )
        fitted = tuple(_fit_column(rows[:, index]) for index in range(rows.shape[1]))
        if all(column.constant for column in fitted):
            raise InputError("every column is constant: all rows are the same, so there is nothing to learn.")
        return cls(columns=fitted, dtype=rows.dtype.name, names=None if names is None else tuple(names))

    @property
    def kind(self) -> str:
        """Return "points"."""
        return "points"

    @property
    def shape(self) -> tuple[int]:
        """Return (width,)."""
        return (len(self._varying),)

    @property
    def mean_encoded(self) -> torch.Tensor:
        """Return zeros (width,): the mean of standardised columns."""
        return torch.zeros(self.shape, dtype=torch.float32)

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """Return the encoded (lowest, highest) value of each column that varies."""
        ends = [[getattr(column, end) for column in self.columns] for end in ("low", "high")]
        low, high = self.encode(np.array(ends, dtype=self.dtype), dtype=torch.float64).tolist()
        return tuple(zip(low, high, strict=True))

    @cached_property
    def _varying(self) -> npt.NDArray[np.intp]:
        return np.flatnonzero([not column.constant for column in self.columns])

    def _of(self, field: str, dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
        return np.array([getattr(self.columns[index], field) for index in self._varying], dtype=dtype)

    def encode(self, rows: npt.NDArray[Any], *, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return rows (n, d) as a tensor (n, width); InputError for another width or NaN or infinity."""
        if rows.ndim != 2 or rows.shape[1] != len(self.columns):
            raise InputError(
                f"rows of {len(self.columns)} columns are needed, not an array of shape {rows.shape}."
            )
        varying = rows[:, self._varying]
        if np.dtype(self.dtype).kind in "iu" and varying.dtype.kind in "iub":
            centred = _difference(varying, self._of("origin", self.dtype))
        else:
            centred = varying.astype(np.float64) - self._of("origin")
        standard = (centred - self._of("mean")) / self._of("scale")
        if not bool(np.isfinite(standard).all()):
            raise InputError(
                "rows with NaN, infinity or numbers far beyond the training rows cannot be encoded."
            )
        return torch.from_numpy(standard).to(dtype)

    def decode(self, encoded: torch.Tensor) -> npt.NDArray[Any]:
        """Return a tensor (n, width) as rows (n, d) of the training rows' dtype.

        Raises:
            InputError: for another width, or for numbers that are not finite.
        """
        if encoded.ndim != 2 or encoded.shape[1] != self.shape[0]:
            raise InputError(f"encoded rows of width {self.shape[0]} are needed, not {tuple(encoded.shape)}.")
        encoded = encoded.detach().to(device="cpu", dtype=torch.float64)
        if not compute.all_finite(encoded):
            raise InputError("encoded rows with NaN or infinity cannot be decoded.")
        target = np.dtype(self.dtype)
        # torch broadcasts few columns over many rows several times faster than numpy.
        away = encoded * torch.from_numpy(self._of("scale")) + torch.from_numpy(self._of("mean"))
        if target.kind in "iu":
            low, high = self._of("low", target), self._of("high", target)
            return self._whole_rows(_sum(np.rint(away.numpy()), self._of("origin", target), low, high))
        values = (away + torch.from_numpy(self._of("origin"))).numpy()
        whole = self._of("whole", bool)
        if whole.any():
            values = np.where(whole, np.clip(np.rint(values), self._of("low"), self._of("high")), values)
        for at, index in enumerate(self._varying):
            decimals, single = self.columns[index].decimals, self.columns[index].single
            if decimals is not None:
                values[:, at] = rounded_to(values[:, at], decimals)
                if single:
                    largest = float(np.finfo(np.float32).max)
                    values[:, at] = np.clip(values[:, at], -largest, largest).astype(np.float32)
        if target.kind == "f" and target.itemsize < values.itemsize:
            limit = float(np.finfo(target).max)
            values = np.clip(values, -limit, limit)
        return self._whole_rows(values.astype(target, copy=False))

    def _whole_rows(self, varying: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return rows (n, d): the varying columns given (n, width), and the constant ones."""
        if varying.shape[1] == len(self.columns):
            return varying
        rows = np.empty((len(varying), len(self.columns)), dtype=varying.dtype)
        rows[:] = [column.origin for column in self.columns]
        rows[:, self._varying] = varying
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return the encoder as plain JSON values."""
        names = None if self.names is None else list(self.names)
        columns = [asdict(column) for column in self.columns]
        return {"kind": "points", "dtype": self.dtype, "names": names, "columns": columns}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> PointsEncoder:
        """Restore what `to_dict` returned; StoredFileError if something is missing or of the wrong type."""
        try:
            columns = tuple(PointsColumn(**column) for column in stored["columns"])
            for column in columns:
                if not np.isfinite([float(column.origin), column.mean, column.scale]).all():
                    raise ValueError("a number that is not finite")
                if column.decimals is not None and not 0 <= column.decimals <= MOST_DECIMALS:
                    raise ValueError(f"{column.decimals!r} decimals")
            if stored["dtype"] not in _DTYPES:
                raise ValueError(f"dtype {stored['dtype']!r}")
            names = None if stored["names"] is None else tuple(map(str, stored["names"]))
            return cls(columns=columns, dtype=stored["dtype"], names=names)
        except (KeyError, TypeError, ValueError) as error:
            raise StoredFileError(f"the stored points encoder is damaged ({error!r}).") from None


def _fit_column(values: npt.NDArray[Any]) -> PointsColumn:
    """Fit one column (n,): origin, mean of x - origin, population standard deviation, range."""
    low, high = values.min().item(), values.max().item()
    integer = values.dtype.kind in "iu"
    if low == high:
        return PointsColumn(origin=values[0].item(), mean=0.0, scale=0.0, whole=integer, low=low, high=high)
    origin: int | float
    if integer:
        middle = round(float(values.mean(dtype=np.float64)))
        origin = min(max(middle, low), high)
        away = _difference(values[:, None], np.array([origin], dtype=values.dtype))[:, 0]
    else:
        exponent = int(np.frexp(max(abs(low), abs(high)))[1])
        origin = float(np.ldexp(np.mean(np.ldexp(values.astype(np.float64), -exponent)), exponent))
        away = values.astype(np.float64) - origin
    # Divide by a power of two first: squares of 1e-200 or 1e200 are outside the range of float64.
    exponent = int(np.frexp(np.abs(away).max())[1])
    unit = np.ldexp(away, -exponent)
    mean, scale = float(np.ldexp(unit.mean(), exponent)), float(np.ldexp(unit.std(), exponent))
    whole = integer or values.dtype.kind == "b" or _all_whole(values)
    scale = max(scale, float(np.finfo(np.float64).smallest_subnormal))
    decimals, single = (None, False) if whole else _decimals(values, low, high)
    return PointsColumn(
        origin=origin,
        mean=mean,
        scale=scale,
        whole=whole,
        low=low,
        high=high,
        decimals=decimals,
        single=single,
    )


def _decimals(values: npt.NDArray[Any], low: float, high: float) -> tuple[int | None, bool]:
    """Return the number of decimals that represents all floats (n,), or None, and whether they have single precision."""
    wide = values.astype(np.float64)
    single = is_single_precision(wide)
    decimals = decimals_of(wide) if values.dtype == np.float64 else None
    if decimals is not None:
        single = False
    elif single:
        decimals = decimals_of(wide, precision=np.float32)
    if decimals:
        # A difference of one unit in the last place is float noise (0.1 + 0.2); a larger one is another number.
        moved = np.abs(rounded_to(wide, decimals) - wide)
        unit = np.spacing(np.abs(values.astype(np.float32 if single else np.float64))).astype(np.float64)
        # The step must not be finer than float32's rounding of a standardised value; 0.01 in a range of 90,000 is not.
        too_fine = 10.0**-decimals < 2.0**-24 * (float(wide.max()) - float(wide.min()))
        if too_fine or (moved > unit).any():
            return None, False
    # If rounding leaves only one number, all variation would be treated as float noise.
    if not decimals or round(float(low), decimals) == round(float(high), decimals):
        return None, False
    return decimals, single


def _all_whole(values: npt.NDArray[Any]) -> bool:
    """Return whether all floats are whole, and small enough that the dtype could also represent halves."""
    bound = 2.0 ** np.finfo(values.dtype).nmant
    return bool((np.abs(values) < bound).all() and (values == np.rint(values)).all())


def _difference(values: npt.NDArray[Any], origin: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return values - origin of whole numbers; exact where the difference is below 2^53, even if both are near 2^63."""
    rough = values.astype(np.float64) - origin.astype(np.float64)
    exact = (_bits(values) - _bits(origin)).view(np.int64)
    return np.where(np.abs(rough) < _EXACT, exact.astype(np.float64), rough)


def _sum(
    away: npt.NDArray[np.float64], origin: npt.NDArray[Any], low: npt.NDArray[Any], high: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Return origin + away clipped to low..high, in their dtype; exact where |away| < 2^53."""
    away = np.clip(away, -_difference(origin, low), _difference(high, origin))
    near = np.abs(away) < 2.0**53
    summed = _bits(origin) + np.where(near, away, 0.0).astype(np.int64).view(np.uint64)
    exact = summed if origin.dtype == np.uint64 else summed.view(np.int64)
    rough = origin.astype(np.float64) + away
    below, above = rough <= low.astype(np.float64), rough >= high.astype(np.float64)
    far = np.where(near | below | above, 0.0, rough).astype(exact.dtype)
    result = np.where(near, exact, np.where(below, low, np.where(above, high, far)))
    return np.clip(result, low, high).astype(origin.dtype)


def _bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Return whole numbers modulo 2^64, where differences and sums may wrap around and are still correct."""
    if values.dtype == np.uint64:
        return values
    return np.ascontiguousarray(values.astype(np.int64)).view(np.uint64)
