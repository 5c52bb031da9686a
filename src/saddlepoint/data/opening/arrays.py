"""Opens arrays in memory: points (n,), (n, d) or pictures (n, H, W), (n, H, W, C), (n, C, H, W)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from saddlepoint.data.dataset import Dataset
from saddlepoint.errors import InputError

FEWEST_ROWS = "at least 2 are needed, and some hundreds to learn from"
FEW_LEVELS = 16
"""Whole-number pictures without a value above this are read as having their largest value as the top grey level."""

_ON_GRID = 0.01
"""Fractions this close to a grey level (in levels) count as that level: float16 is no more precise."""

_NOT_NUMBERS = {
    "O": "Python objects",
    "U": "text",
    "S": "bytes",
    "M": "dates",
    "m": "time spans",
    "c": "complex numbers",
    "V": "records",
}


def dataset_from_array(
    values: Any,
    *,
    name: str = "array",
    form: str = "array",
    labels: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
    levels: int | None = None,
) -> Dataset:
    """Return an array as a Dataset.

    Args:
        values: points (n,) or (n, d), or pictures (n, H, W), (n, H, W, C) or (n, C, H, W).
        name: what messages call the array.
        form: the format it was read from.
        labels: (n,) class of each row, or None.
        groups: (n,) group of each row, or None.
        levels: largest grey level of pictures; None: 255, or the largest value if none is above 16.

    Raises:
        InputError: an empty array, one row, values that are not finite numbers, a shape that is neither points
            nor pictures, grey levels out of range, or labels of another length.
    """
    array = plain_numbers(values, name)
    if array.ndim == 0:
        raise InputError(f"{name} is a single number; give an array of at least 2 rows.")
    if array.ndim > 4:
        raise InputError(f"{name} has shape {array.shape}; give points (n, d) or pictures (n, H, W, C).")
    if array.size == 0:
        raise InputError(f"{name} is empty (shape {array.shape}); give at least 2 rows of at least 1 number.")
    if len(array) < 2:
        raise InputError(f"{name} holds one row; {FEWEST_ROWS}.")
    check_finite(array, name)
    common: dict[str, Any] = {
        "name": name,
        "form": form,
        "labels": one_per_row(labels, len(array), name, "labels"),
        "groups": one_per_row(groups, len(array), name, "groups"),
        "dtype": array.dtype.name,
    }
    if array.ndim <= 2:
        if levels is not None:
            raise InputError(f"{name} holds points, shape {array.shape}; levels are for pictures only.")
        rows = np.ascontiguousarray(array.reshape(len(array), -1))
        return Dataset(kind="points", rows=rows, shape=array.shape[1:], **common)
    notes: list[str] = []
    pictures = _channels_last(array, name, notes)
    grey, top, fractions = _grey_levels(pictures, name, levels, notes)
    shape = array.shape[1:]
    return Dataset(
        kind="pictures", rows=grey, shape=shape, levels=top, fractions=fractions, notes=tuple(notes), **common
    )


def plain_numbers(values: Any, name: str) -> npt.NDArray[Any]:
    """Return array-like values as a numpy array of booleans, integers or floats of at most 64 bits, native byte order."""
    if np.ma.isMaskedArray(values) and np.ma.getmaskarray(values).any():
        count = int(np.ma.getmaskarray(values).sum())
        raise InputError(f"{name} has {count:,} masked cells; fill them in or leave these rows out.")
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError):
        raise InputError(
            f"{name} ({type(values).__name__}) cannot be read as an array; "
            "give numbers, with all rows of the same length."
        ) from None
    if array.dtype.kind not in "biuf":
        what = _NOT_NUMBERS.get(array.dtype.kind, "text")
        raise InputError(
            f"{name} holds {what} (dtype {array.dtype}); only numbers can be learnt; convert it first."
        )
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def check_finite(rows: npt.NDArray[Any], name: str) -> None:
    """Raise InputError if an array holds NaN or infinity, with the indices of the first three."""
    if rows.dtype.kind != "f":
        return
    places: list[str] = []
    total = 0
    for start in range(0, len(rows), 65536):
        bad = np.argwhere(~np.isfinite(rows[start : start + 65536]))
        total += len(bad)
        for place in bad[: 3 - len(places)]:
            index = [start + int(place[0]), *(int(axis) for axis in place[1:])]
            places.append(f"{index} ({rows[tuple(index)]:g})".replace("(nan)", "(NaN)"))
    if total:
        raise InputError(
            f"{name} holds {total:,} value{'s' * (total > 1)} that {'are' if total > 1 else 'is'} "
            f"NaN or infinite, "
            f"first at index {', '.join(places)}; fill in or leave out these rows."
        )


def one_per_row(values: Any, n: int, name: str, word: str) -> npt.NDArray[Any] | None:
    """Return labels or groups as a 1-D array of n numbers or texts; InputError for anything else."""
    if values is None:
        return None
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind == "T" or (
        array.dtype.kind == "O" and all(isinstance(value, str) for value in array.ravel())
    ):
        array = array.astype(np.str_)
    if array.dtype.kind not in "biufU":
        raise InputError(f"{name}: {word} must be numbers or texts, not dtype {array.dtype}.")
    if array.ndim != 1:
        raise InputError(
            f"{name}: {word} must be one value for each row, not an array of shape {array.shape}."
        )
    if len(array) != n:
        raise InputError(f"{name}: {len(array):,} {word} for {n:,} rows; give one for each row.")
    check_finite(array, f"{name} ({word})")
    return array


def _channels_last(array: npt.NDArray[Any], name: str, notes: list[str]) -> npt.NDArray[Any]:
    """Return pictures as (n, H, W, C), and add to `notes` what was inferred."""
    shape = array.shape
    if array.ndim == 3:
        if shape[2] <= 4 and min(shape[:2]) > 4:
            raise InputError(
                f"{name} has shape {shape}, which is the shape of one picture; give (n, H, W, C), "
                "or (n, H, W, 1) if these really are grey pictures of this width."
            )
        return array[..., None]
    if shape[3] <= 4:
        if shape[1] <= 4:
            notes.append(f"shape {shape} was read as (n, H, W, C): {shape[3]} channels last")
        return array
    if shape[1] <= 4:
        notes.append(f"shape {shape} was read as (n, C, H, W): {shape[1]} channels first")
        return np.moveaxis(array, 1, 3)
    raise InputError(
        f"{name} has shape {shape}: neither the last nor the second axis can be 1 to 4 channels; "
        "give pictures as (n, H, W, C) or (n, C, H, W)."
    )


def _grey_levels(
    pictures: npt.NDArray[Any], name: str, levels: int | None, notes: list[str]
) -> tuple[npt.NDArray[np.uint8], int, bool]:
    """Return pictures as contiguous uint8, their largest grey level, and whether they were fractions in [0, 1]."""
    if levels is not None and not 1 <= levels <= 255:
        raise InputError(f"levels is {levels}; the largest grey level must be 1 to 255.")
    low, high = pictures.min().item(), pictures.max().item()
    # In parts, to avoid a float64 copy of the whole array.
    out = np.empty(pictures.shape, dtype=np.uint8)
    starts = range(0, len(pictures), 1024)
    whole = pictures.dtype.kind in "biu" or all(
        bool((pictures[start : start + 1024] == np.rint(pictures[start : start + 1024])).all())
        for start in starts
    )
    fractions = not whole and low >= 0 and high <= 1
    if not fractions and not (whole and low >= 0 and high <= 255):
        raise InputError(
            f"{name} holds pictures with values from {low:g} to {high:g} (dtype {pictures.dtype}); "
            "allowed are fractions in [0, 1] or whole numbers 0..255."
        )
    if fractions:
        top = levels or _levels_of_fractions(pictures[:256])
        exact = True
        for start in starts:
            grey = pictures[start : start + 1024].astype(np.float64) * top
            out[start : start + 1024] = np.rint(grey)
            exact &= bool((np.abs(grey - out[start : start + 1024]) < _ON_GRID).all())
        verb = "were read as" if exact else "were rounded to"
        notes.append(f"fractions in [0, 1] {verb} {top + 1} grey levels")
        return out, top, True
    top = levels if levels is not None else int(high) if 1 <= high <= FEW_LEVELS else 255
    if high > top:
        raise InputError(
            f"{name} has grey level {high:g}, but levels={top} was given; give levels={high:g} or more."
        )
    if levels is None and top != 255:
        notes.append(
            f"no value is above {top}, so the grey levels were taken to be 0..{top} (if not, give levels=255)"
        )
    for start in starts:
        out[start : start + 1024] = pictures[start : start + 1024]
    return out, top, False


def _levels_of_fractions(pictures: npt.NDArray[Any]) -> int:
    """Return the largest level whose multiples the fractions are, so that samples get the same values; 255 if none fits."""
    values = np.unique(pictures).astype(np.float64)
    if len(values) <= 256:
        for top in (255, *range(1, 255)):
            if bool((np.abs(values * top - np.rint(values * top)) < _ON_GRID).all()):
                return int(top)
    return 255
