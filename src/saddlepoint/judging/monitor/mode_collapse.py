"""The coverage test for mode collapse: regions of the data where a generator has (almost) no samples, or far too narrow ones.

Regions are found once, on training rows: k-means cells in the coordinates of `feature_space`, and *groups* of cells between
which the density does not drop (two neighbouring cells belong together unless there is a gap between their centres). So
separate modes are one group each, and one connected cloud is a single group, which is also tested cell by cell. Two modes may
touch: each group is also tested in two halves, which a mode that is only too narrow fills equally.

**Missing.** r of n real rows and f of m fakes are in a region. Under the hypothesis that its fake share is at least a third
of its real share, f given r + f is at least binomial with probability (m/3)/(n + m/3): an exact p-value for rows that did not
choose the regions. The training rows did, but are counted with the others: that changes a share by a few per cent, while the
hypothesis leaves a factor of three (a mode with 8 expected held-out rows has too often only 4).

**Narrow.** For a group, squared distances are taken from its mean, scaled by its own standard deviations. Under the
hypothesis that the fakes are at least 0.7 times as wide, log(mean square of fakes / of real rows) - 2 log 0.7 is above 0 up
to noise, whose variance is the sum of both means' relative variances: Welch's one-sided t-test.

Both hypotheses leave a margin (a third of the share, 0.7 of the width): a generator that is only inexact raises no alarm. A
quarter of a check's level is divided evenly over the regions for "missing", three quarters over the groups for the harder test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.stats import binom, t

from saddlepoint.judging.classifiers.points import Floats, k_means

SHARE, WIDTH = 1 / 3, 0.7
MOST_CELLS, ROWS_A_CELL, NEAR = 64, 40, 5
LARGE = 0.25  # share of all cells, from which a group counts as large
FEWEST_IN_GROUP = 30
NARROW_LEVEL = 0.75
_GAP = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """One region: a cell or a group of cells.

    members: cell numbers.
    centre: mean of its training rows, in coordinates.
    example: number of the training row nearest to the centre.
    spread: for a group, its standard deviation in each coordinate; None for a part of a group.
    square: for a group, the mean squared distance from the centre in these units.
    noise: for a group, the relative variance of that mean.
    rows: for a group, the number of rows behind that mean.
    """

    members: tuple[int, ...]
    centre: Floats
    example: int
    spread: Floats | None = None
    square: float = 0.0
    noise: float = 0.0
    rows: int = 0

    def squares(self, rows: Floats) -> Floats:
        """Return the squared distances of rows from the centre, in units of the region's own spread."""
        scale = self.spread if self.spread is not None else 1.0
        return np.asarray((((rows - self.centre) / scale) ** 2).sum(1))

    def narrow_p(self, fakes: Floats) -> float:
        """Return the p-value of the hypothesis that fakes in the region are at least 0.7 times as wide as its rows."""
        if self.spread is None or len(fakes) < 2:
            return 1.0
        squares = self.squares(fakes)
        mean = max(float(squares.mean()), 1e-12)
        noise = float(squares.var(ddof=1)) / (len(squares) * mean**2)
        both = max(self.noise + noise, 1e-12)
        freedom = both**2 / max(self.noise**2 / (self.rows - 1) + noise**2 / (len(squares) - 1), 1e-24)
        excess = math.log(mean / self.square) - 2 * math.log(WIDTH)
        return float(t.cdf(excess / math.sqrt(both), freedom))


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm about a region: kind ("missing" or "narrow"), its number, shares of real and fake rows, the p-value."""

    kind: str
    region: int
    real_share: float
    fake_share: float
    p: float


class CoverageTest:
    """The coverage test, with regions of the training rows, for repeated use on samples.

    train: coordinates of training rows, (n, d).
    validation: coordinates of validation rows (monitor), (k, d).
    seed: of k-means.
    """

    def __init__(self, train: Floats, validation: Floats, *, seed: int = 0) -> None:
        self.cells = k_means(train, max(2, min(MOST_CELLS, len(train) // ROWS_A_CELL)), seed)
        placed = self.cells.predict(train)
        n_cells = self.cells.n_clusters
        groups = _groups(self.cells.cluster_centers_, train, placed)
        # In a separate mode a thin cell means another width, not a hole: only large groups are tested cell by cell.
        large = np.bincount(groups)[groups] > LARGE * n_cells
        rows = np.concatenate([train, validation])
        cell_of = np.concatenate([placed, self.cells.predict(validation)])
        self.regions = [_region(train, placed, (int(cell),)) for cell in np.flatnonzero(large)]
        for group in range(groups.max() + 1):
            self.regions += _halves(
                self.cells.cluster_centers_, train, placed, np.flatnonzero(groups == group), seed
            )
        for group in range(groups.max() + 1):
            members = tuple(int(cell) for cell in np.flatnonzero(groups == group))
            inside = int(np.isin(placed, members).sum())
            if inside >= FEWEST_IN_GROUP:
                region = _region(train, placed, members)
                self.regions.append(measure_spread(region, rows[np.isin(cell_of, members)]))
        self.real = np.bincount(cell_of, minlength=n_cells)

    @property
    def tests(self) -> int:
        """The number of tests per check."""
        return len(self.regions) + sum(region.spread is not None for region in self.regions)

    def find_alarms(self, fake: Floats, *, alpha: float) -> list[Alarm]:
        """Return the alarms for fakes (m, d), smallest p-value first; level alpha jointly over all tests.

        There is at most one alarm for a group and its parts: a cell is left out if its whole group has one.
        """
        placed = self.cells.predict(fake)
        counts = np.bincount(placed, minlength=self.cells.n_clusters)
        n, m = int(self.real.sum()), len(fake)
        groups = sum(region.spread is not None for region in self.regions)
        levels = {
            "missing": alpha * (1 - NARROW_LEVEL) / max(1, len(self.regions)),
            "narrow": alpha * NARROW_LEVEL / max(1, groups),
        }
        found: list[Alarm] = []
        for number in range(len(self.regions) - 1, -1, -1):  # groups before single cells
            region = self.regions[number]
            if any(set(region.members) <= set(self.regions[each.region].members) for each in found):
                continue
            members = list(region.members)
            r, f = int(self.real[members].sum()), int(counts[members].sum())
            p_missing = missing_p(r, n, f, m)
            p_narrow = region.narrow_p(fake[np.isin(placed, members)])
            p_values = {"missing": p_missing, "narrow": p_narrow}
            kind = min(p_values, key=lambda each: p_values[each] / levels[each])
            p = p_values[kind]
            if p <= levels[kind]:
                found.append(Alarm(kind=kind, region=number, real_share=r / n, fake_share=f / m, p=p))
        return sorted(found, key=lambda each: each.p)


def missing_p(r: int, n: int, f: int, m: int) -> float:
    """Return the exact p-value of the hypothesis that the fake share (f of m) is at least a third of the real one (r of n)."""
    odds = SHARE * m
    return float(binom.cdf(f, r + f, odds / (n + odds)))


def _region(train: Floats, placed: NDArray[np.int64], members: tuple[int, ...]) -> Region:
    numbers = np.flatnonzero(np.isin(placed, members))
    centre = train[numbers].mean(0)
    example = int(numbers[np.linalg.norm(train[numbers] - centre, axis=1).argmin()])
    return Region(members=members, centre=centre, example=example)


def _halves(
    centres: Floats, train: Floats, placed: NDArray[np.int64], cells: NDArray[np.int64], seed: int
) -> list[Region]:
    """Return the two halves of a group as regions of whole cells; empty if a half would hold too few rows."""
    rows = np.isin(placed, cells)
    if len(cells) < 2 or rows.sum() < 2 * FEWEST_IN_GROUP:
        return []
    side = k_means(train[rows], 2, seed).predict(centres[cells])
    halves = [tuple(int(cell) for cell in cells[side == which]) for which in (0, 1)]
    if min(int(np.isin(placed, half).sum()) for half in halves) < FEWEST_IN_GROUP:
        return []
    return [_region(train, placed, half) for half in halves]


def measure_spread(region: Region, rows: Floats) -> Region:
    """Return a group with the figures that the test for "narrow" needs, from all its real rows."""
    spread = np.maximum(rows.std(0), 1e-3 * max(1e-9, float(rows.std(0).max())))
    region = replace(region, spread=spread, rows=len(rows))
    squares = region.squares(rows)
    mean = max(float(squares.mean()), 1e-12)
    return replace(region, square=mean, noise=float(squares.var(ddof=1)) / (len(rows) * mean**2))


def _groups(centres: Floats, rows: Floats, placed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the group of each cell: neighbours belong together unless the density drops between their centres."""
    n_cells = len(centres)
    away = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(away, np.inf)
    one, other = [], []
    for cell in range(n_cells):
        for near in np.argsort(away[cell])[: min(NEAR, n_cells - 1)]:
            if _joined(rows[placed == cell], rows[placed == near], centres[cell], centres[near]):
                one.append(cell)
                other.append(int(near))
    links = coo_matrix(
        (np.ones(len(one)), (np.array(one, int), np.array(other, int))), shape=(n_cells, n_cells)
    )
    return np.asarray(connected_components(links, directed=False)[1])


def _joined(first: Floats, second: Floats, start: Floats, end: Floats) -> bool:
    """Return whether rows half-way between two centres are at least half as dense as around the sparser centre."""
    line = end - start
    length = float(line @ line)
    if length == 0 or min(len(first), len(second)) == 0:
        return True
    along = (np.concatenate([first, second]) - start) @ line / length
    ends = [int((np.abs(along - at) < 0.1).sum()) for at in (0.0, 1.0)]
    return bool((np.abs(along - 0.5) < 0.1).sum() >= _GAP * min(ends))
