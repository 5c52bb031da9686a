"""Splits of the rows: to fit the referees (50 %), to select a combination (20 %), to evaluate once (30 %).

Evaluate rows come in *blocks* of `reals` real and `fakes` fake rows (one of the two numbers is 1). So the larger side
lowers the variance, while each block gives one independent bounded payoff.

Rows of one group stay in one split. In the select and evaluate splits a group counts as one observation: one row of it,
drawn at random, represents it. So the distribution judged is that of a random row of a random group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saddlepoint.errors import InputError
from saddlepoint.judging.c2st import betting_bound

Indices = NDArray[np.int64]
SELECT, EVALUATE = 0.2, 0.3
MOST_PER_BLOCK = 4
MOST_FAKES_TO_FIT = 40_000  # unless there are more real fit rows; more fake rows add time, not power
NEARLY = 1.02  # blocks of two also if the larger side is up to 2 % short of twice as many rows
FEWEST_BLOCKS = 9  # the fewest blocks whose floor at 95 % is below log 2, the largest possible JSD


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """Row indices of one sample: fit, select and evaluate; the last two in blocks."""

    fit: Indices
    select: Indices
    evaluate: Indices


@dataclass(frozen=True, kw_only=True, eq=False)
class Splits:
    """The splits of both samples, in blocks of `reals` real rows and `fakes` fake rows."""

    real: Side
    fake: Side
    reals: int
    fakes: int

    @property
    def n_select(self) -> int:
        """The number of select blocks."""
        return len(self.real.select) // self.reals

    @property
    def n_evaluate(self) -> int:
        """The number of evaluate blocks."""
        return len(self.real.evaluate) // self.reals


def split(n_real: int, n_fake: int, *, groups: Any = None, alpha: float, rng: np.random.Generator) -> Splits:
    """Return random splits of n_real and n_fake rows; rows of one group stay together.

    Fake rows per block: min(4, n_fake // n_real), also if up to 2 % of a multiple are missing; if there are fewer fake
    than real rows, real rows per block likewise.

    groups: one label per real row, or None.
    alpha: level of the bound, to decide whether the rows are enough.
    rng: source of the random order.

    Raises InputError for too few rows to certify any JSD.
    """
    units = np.arange(n_real) if groups is None else _codes(groups, n_real)
    n_units = int(units.max()) + 1
    fakes = max(1, min(MOST_PER_BLOCK, int(NEARLY * n_fake / n_units)))
    reals = max(1, min(MOST_PER_BLOCK, int(NEARLY * n_units / n_fake)))
    blocks = min(n_units // reals, n_fake // fakes)
    n_evaluate, n_select = int(blocks * EVALUATE), int(blocks * SELECT)
    _enough(n_real, n_units, n_fake, n_evaluate, alpha=alpha)
    order = rng.permutation(n_units)
    evaluate, select, fit = np.split(order, [n_evaluate * reals, (n_evaluate + n_select) * reals])
    most = max(len(fit), min(MOST_PER_BLOCK * len(fit), MOST_FAKES_TO_FIT))
    evaluate_fake, select_fake, fit_fake = np.split(
        rng.permutation(n_fake), [n_evaluate * fakes, (n_evaluate + n_select) * fakes]
    )
    shuffled = rng.permutation(n_real)
    one_of = np.empty(n_units, dtype=np.int64)
    one_of[units[shuffled]] = shuffled
    in_fit = np.zeros(n_units, dtype=bool)
    in_fit[fit] = True
    fit_real = shuffled[in_fit[units[shuffled]]]
    return Splits(
        real=Side(
            fit=fit_real[: max(2000, MOST_PER_BLOCK * len(fit_fake))],
            select=one_of[select],
            evaluate=one_of[evaluate],
        ),
        fake=Side(fit=fit_fake[:most], select=select_fake, evaluate=evaluate_fake),
        reals=reals,
        fakes=fakes,
    )


def _codes(groups: Any, n_real: int) -> Indices:
    groups = np.asarray(groups)
    if groups.shape != (n_real,):
        raise InputError(
            f"The groups have shape {groups.shape}; {n_real} real rows need ({n_real},), one label per row."
        )
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _enough(n_real: int, n_units: int, n_fake: int, n_evaluate: int, *, alpha: float) -> None:
    if n_evaluate >= FEWEST_BLOCKS:
        return
    could = betting_bound.floor(n_evaluate, alpha=alpha)
    grouped = f" in {n_units} groups" if n_units != n_real else ""
    most = "nothing at all" if could >= np.log(2) else f"only a JSD above {could:.2f} nats, of at most 0.69"
    raise InputError(
        f"{n_real} real rows{grouped} and {n_fake} fake rows are too few to judge: {n_evaluate} would "
        f"be left to evaluate, and they could certify {most}. Give at least "
        f"{int(np.ceil(FEWEST_BLOCKS / EVALUATE))} of each, better 2,000."
    )


def copies_as_groups(rows: NDArray[Any]) -> tuple[Indices | None, int]:
    """Return group codes that keep identical real rows together, and the number of rows that repeat an earlier one.

    Only if two equal rows cannot be two independent draws (`cannot_repeat`). Rows of categories and rounded numbers
    repeat by chance; grouping those would give the splits different distributions (all ones in one split, all zeros in
    another), so they are not grouped: (None, 0).
    """
    if not cannot_repeat(rows):
        return None, 0
    first, codes = np.unique(row_keys(rows), return_index=True, return_inverse=True)[1:]
    repeated = len(rows) - len(first)
    return (codes.astype(np.int64) if repeated else None), repeated


def cannot_repeat(rows: NDArray[Any]) -> bool:
    """Return whether equal rows cannot be independent draws: pictures, and rows with numbers of more than six decimals."""
    if rows.ndim > 2:
        return True
    with np.errstate(invalid="ignore"):
        fine = np.abs(rows - np.round(rows, 6)) > 1e-9 * np.abs(rows)
    return bool(np.any(np.mean(fine, axis=0) > 0.5))


def row_keys(rows: NDArray[Any]) -> NDArray[Any]:
    """Return one comparable key per row; keys are equal only for rows equal in every byte."""
    flat = np.ascontiguousarray(rows.reshape(len(rows), -1))
    return flat.view(np.dtype(f"S{flat.dtype.itemsize * flat.shape[1]}")).ravel()
