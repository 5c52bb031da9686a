"""How many digits behind the point write a column of numbers, and rounding to so many."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_DECIMALS = 12


def decimals_of(values: np.ndarray, *, precision: Any = np.float64, least: int = 0) -> int | None:
    """Return the fewest digits behind the point (at least `least`) that write every finite value, or None.

    A value v counts as written by p digits when |v - round(v, p)| <= 4 eps |v|: 0.1 + 0.2 has one decimal.
    None when no p <= 12 does, or when the steps 10^-p are too fine for the float's own spacing to tell.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    noise = 4 * float(np.finfo(precision).eps) * np.abs(finite)
    few = finite[:1000]
    for digits in range(least, MOST_DECIMALS + 1):
        if 10.0**-digits < 100 * noise.max():
            # Steps this fine are not seen in the largest values; whole numbers alone are certain even there.
            return 0 if digits <= 0 and bool((finite == np.rint(finite)).all()) else None
        if (np.abs(few - np.round(few, digits)) <= noise[:1000]).all() and (
            np.abs(finite - np.round(finite, digits)) <= noise
        ).all():
            return digits
    return None


def is_single_precision(values: np.ndarray) -> bool:
    """Return whether every finite value is a float32 number, as in a table stored in single precision."""
    finite = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        return bool((finite.astype(np.float32) == finite).all())


def rounded_to(values: np.ndarray, decimals: int) -> np.ndarray:
    """Return values, any shape, rounded to so many digits behind the point (below 0: to tens, hundreds, ...).

    Beyond 2^52 steps of 10^-decimals a float is on the grid as well as it can be, and stays as it is.
    """
    near = np.abs(values) < 2.0**52 / 10.0**decimals  # rounding would overflow beyond
    return np.where(near, np.round(np.where(near, values, 0.0), decimals), values)
