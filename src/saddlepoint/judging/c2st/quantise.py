"""Number grids: both sides are rounded to the real side's grid before the test; a difference of format is a note.

A classifier recognises 39.0004 against 39 at once, and the bound then saturates at log 2 for a reason that says nothing
about what was learnt. So both sides pass through one channel: round to the grid that *all* real values lie on (decimals
of a column, whole numbers, hundreds, seconds or days of a date; levels of a picture). A channel applied to both sides
never raises the divergence (data processing), so the bound that follows holds for the generator's own output too.

Real values already lie on the grid except for rounding errors: 0.1 + 0.2 and 0.3 become one number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saddlepoint.data.tables.types import MOST_DECIMALS, decimals_of, is_single_precision, rounded_to
from saddlepoint.errors import InputError

COARSEST = -9
FEWEST_FOR_COARSE = 10
DATE_STEPS = (
    (86400.0, "whole days"),
    (3600.0, "whole hours"),
    (60.0, "whole minutes"),
    (1.0, "whole seconds"),
)
FORMAT_CELLS = 20_000
SURELY_COARSER = 1e-6


@dataclass(frozen=True, kw_only=True)
class FormatFinding:
    """A column (or the pixels) whose number format differs between data and fake rows.

    column: its name, or "pixels".
    data, fake: the formats, as text.
    share: share of the fake cells, without nulls, that were off the data's grid and have been rounded to it.
    """

    column: str
    data: str
    fake: str
    share: float

    @property
    def sentence(self) -> str:
        """Return the finding as text."""
        where = "The pixels" if self.column == "pixels" else f"Column {self.column!r}"
        share = f"{self.share:.1%}" if self.share >= 0.001 else "under 0.1%"
        done = (
            f"{share} of the fake cells were off the data's grid and were rounded to it before judging"
            if self.share
            else "coarser; left as it is"
        )
        return f"{where}: {self.data} in the data, {self.fake} in the fake rows ({done})."


def quantise(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    categorical: np.ndarray | None = None,
    names: tuple[str, ...] | None = None,
    kinds: tuple[str, ...] | None = None,
    levels: int = 255,
) -> tuple[np.ndarray, np.ndarray, tuple[FormatFinding, ...]]:
    """Return both sides on the real side's grid, and the differences of format.

    Ranges, categories, nulls and infinities are not changed. Idempotent; real values change by rounding errors at most.

    real, fake: rows (n, d) float64, NaN for null, or pictures (n, H, W[, C]) of uint8 or floats.
    categorical: bool (d,), True for columns of category codes.
    names: of the columns.
    kinds: of the columns; "date-time" has grids of its own.
    levels: the largest level of the pictures.

    Raises InputError for sides of different widths.
    """
    real, fake = np.asarray(real), np.asarray(fake)
    if real.shape[1:] != fake.shape[1:]:
        raise InputError(
            f"A real row has the shape {real.shape[1:]}, a fake row {fake.shape[1:]}; give rows of one shape."
        )
    if real.ndim > 2:
        return _pictures(real, fake, levels)
    real, fake = np.array(real, dtype=float, ndmin=2), np.array(fake, dtype=float, ndmin=2)
    findings = []
    for j in range(real.shape[1]):
        if categorical is not None and categorical[j]:
            continue
        name = names[j] if names is not None else f"column {j + 1}"
        step, description = _grid_of(real[:, j], date=kinds is not None and kinds[j] == "date-time")
        if description is None:
            continue
        finding = _compare_formats(name, real[:, j], fake[:, j], step, description)
        real[:, j], fake[:, j] = _rounded(real[:, j], step), _rounded(fake[:, j], step)
        if finding is not None:
            findings.append(finding)
    return real, fake, tuple(findings)


def _grid_of(values: np.ndarray, *, date: bool) -> tuple[float | int, str | None]:
    """Return the grid as a step (float, dates) or decimals (int), and its description; None without a grid."""
    finite = np.unique(values[np.isfinite(values)])
    if not len(finite):
        return 0, None
    if date:
        for step, description in DATE_STEPS:
            if (finite % step == 0).all():
                return step, description
    coarse = len(finite) >= FEWEST_FOR_COARSE and bool((finite == np.rint(finite)).all())
    decimals = decimals_of(finite, least=COARSEST if coarse else 0)
    if decimals is None and is_single_precision(finite):
        # Single precision stored as double: 0.1 is 0.10000000149.
        decimals = decimals_of(finite, precision=np.float32)
    return decimals or 0, None if decimals is None else _describe(decimals)


def _describe(decimals: int) -> str:
    if decimals < 0:
        return f"multiples of {10**-decimals:,}"
    return "whole numbers" if decimals == 0 else f"{decimals} decimal{'s' * (decimals > 1)}"


def _rounded(values: np.ndarray, grid: float | int) -> np.ndarray:
    if isinstance(grid, float):
        return np.asarray(np.rint(values / grid) * grid)
    return rounded_to(values, grid)


def _compare_formats(
    name: str, real: np.ndarray, fake: np.ndarray, grid: float | int, description: str
) -> FormatFinding | None:
    finite = fake[np.isfinite(fake)]
    off = _off(finite, grid, real)
    decimals = decimals_of(finite[:FORMAT_CELLS])
    found = f"more than {MOST_DECIMALS} decimals" if decimals is None else _describe(decimals)
    if off.any():
        return FormatFinding(column=name, data=description, fake=found, share=float(off.mean()))
    if isinstance(grid, int) and decimals is not None and decimals < grid:
        present = real[np.isfinite(real)]
        finer = float(_off(present, decimals, real).mean())
        if len(finite) * np.log1p(-min(finer, 1 - 1e-9)) < np.log(SURELY_COARSER):
            return FormatFinding(column=name, data=description, fake=found, share=0.0)
    return None


def _off(values: np.ndarray, grid: float | int, real: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(values - _rounded(values, grid)) > 4 * _precision(real) * np.abs(values))


def _precision(real: np.ndarray) -> float:
    finite = real[np.isfinite(real)]
    single = is_single_precision(finite) and bool((finite != np.rint(finite)).any())
    return float(np.finfo(np.float32 if single else np.float64).eps)


def _pictures(
    real: np.ndarray, fake: np.ndarray, top: int
) -> tuple[np.ndarray, np.ndarray, tuple[FormatFinding, ...]]:
    """Return pictures at the real side's levels: steps of uint8 (also 0 and 255 only), or floats k / levels."""
    for side, name in ((real, "real"), (fake, "fake")):
        if side.dtype != np.uint8 and not np.isfinite(side).all():
            raise InputError(f"The {name} pictures hold values that are not finite; remove or replace them.")
    if real.dtype == np.uint8:
        return _to_levels(real, fake, top)
    steps = next((m for m in (1, 15, 16, 255, 65535) if _lies_on(real, m)), None)
    if steps is None:
        return real, fake, ()
    values = fake.astype(float) / top if fake.dtype == np.uint8 else fake.astype(float)
    # A thousandth of a level is the rounding error of single precision after dividing and multiplying by 255.
    off = float((np.abs(values * steps - np.rint(values * steps)) > 1e-3).mean())
    fake_format = f"whole levels, read as level / {top}" if fake.dtype == np.uint8 else "floats in between"
    finding = FormatFinding(column="pixels", data=f"levels of 1/{steps}", fake=fake_format, share=off)
    on_grid = [(np.rint(side * steps) / steps).astype(real.dtype) for side in (real.astype(float), values)]
    return on_grid[0], on_grid[1], (finding,) if off or fake.dtype == np.uint8 else ()


def _lies_on(pictures: np.ndarray, levels: int) -> bool:
    scaled = pictures.astype(float) * levels
    inside = bool(pictures.min() >= 0) and bool(pictures.max() <= 1)
    return inside and bool((np.abs(scaled - np.rint(scaled)) <= 1e-3).all())


def _to_levels(
    real: np.ndarray, fake: np.ndarray, top: int
) -> tuple[np.ndarray, np.ndarray, tuple[FormatFinding, ...]]:
    used = np.unique(real).astype(int)
    step = int(np.gcd.reduce(used)) or 1
    data_format = f"{len(used)} grey levels" if step == 1 else f"levels in steps of {step}"
    values, fake_format = fake.astype(float), "whole levels" if fake.dtype == np.uint8 else "floats"
    rescaled = fake.dtype != np.uint8 and values.min() >= 0 and values.max() <= 1 < used.max()
    if rescaled:
        values, fake_format = values * top, f"floats in [0, 1], read as level / {top}"
    on_grid = np.clip(np.rint(values / step) * step, 0, 255 // step * step)
    off = float((np.abs(on_grid - values) > 1e-3).mean())
    finding = FormatFinding(column="pixels", data=data_format, fake=fake_format, share=off)
    return real, on_grid.astype(np.uint8), (finding,) if off or rescaled else ()
