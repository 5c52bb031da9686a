"""The collapse alarm: regions of the data that a generator leaves (almost) empty, or fills far too narrowly.

Regions are found once, on training rows: k-means cells in the coordinates of `copy_space`, and *groups* of cells between
which the rows do not thin out (two neighbouring cells belong together unless a gap lies between their centres). So
separate modes are one group each, and one connected cloud is a single group, which is looked at cell by cell too. Two modes
may touch: each group is also looked at in two halves, which a mode that is merely too narrow fills alike.

Missing. r of n real rows and f of m fakes lie in a region. Under the hypothesis that its fake share is at least a third
of its real share, f given r + f is at least binomial with probability (m/3)/(n + m/3): an exact p-value for rows that did not
choose the regions. The training rows did, and are counted with the others all the same: that moves a share by some
per cent, where the hypothesis leaves a factor of three (of 8 held-back rows in a mode too often only 4 are drawn).

Narrow. For a group, squared distances are taken from its mean, scaled by its own spread. Under the hypothesis that the fakes
are at least 0.7 times as wide, log(mean square of fakes / of real rows) - 2 log 0.7 lies above 0 but for noise, whose
variance is the sum of both means' relative variances: Welch's one-sided t-test.

Both hypotheses leave room (a third of the share, 0.7 of the width): a generator that is merely not exact raises no
alarm. A quarter of the level of a look is spent evenly over the regions that may be missing, three over the harder test.
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
LARGE = 0.25  # of all cells, in one group
FEWEST_IN_GROUP = 30
NARROW_LEVEL = 0.75
_GAP = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """Cells of the data, as one: `members` are cell numbers, `centre` the mean of its training rows (coordinates).

    example: the training row (its number) nearest to the centre. Of a group: spread, its standard deviation by coordinate;
    square, the mean squared distance in these units; noise, the relative variance of that mean; rows, how many it is of.
    spread is None for a region that is a single cell of a larger group.
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
    """What was found in a region: kind "missing" or "narrow", its number, shares of real and fake rows, the p-value."""

    kind: str
    region: int
    real_share: float
    fake_share: float
    p: float


class CoverageTest:
    """Regions of the training rows, ready to be counted again and again.

    train: (n, d) coordinates; held: (k, d) coordinates of held-back rows.
    """

    def __init__(self, train: Floats, held: Floats, *, seed: int = 0) -> None:
        self.cells = k_means(train, max(2, min(MOST_CELLS, len(train) // ROWS_A_CELL)), seed)
        placed = self.cells.predict(train)
        many = self.cells.n_clusters
        groups = _groups(self.cells.cluster_centers_, train, placed)
        # Within a mode of its own a thin cell means another width, not a hole: only large groups are looked at cell by cell.
        large = np.bincount(groups)[groups] > LARGE * many
        rows, at = np.concatenate([train, held]), np.concatenate([placed, self.cells.predict(held)])
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
                self.regions.append(measured(region, rows[np.isin(at, members)]))
        self.real = np.bincount(at, minlength=many)

    @property
    def tests(self) -> int:
        """How many tests a look makes."""
        return len(self.regions) + sum(region.spread is not None for region in self.regions)

    def look(self, fake: Floats, *, alpha: float) -> list[Alarm]:
        """Return the alarms that fakes (m, d) raise, clearest first, one a region and its parts, all jointly at alpha.

        A cell is left out where its whole group is named.
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
            seen = {"missing": p_missing, "narrow": p_narrow}
            kind = min(seen, key=lambda each: seen[each] / levels[each])
            p = seen[kind]
            if p <= levels[kind]:
                found.append(Alarm(kind=kind, region=number, real_share=r / n, fake_share=f / m, p=p))
        return sorted(found, key=lambda each: each.p)


def missing_p(r: int, n: int, f: int, m: int) -> float:
    """Return the exact p-value of the hypothesis that the fake share (f of m) is at least a third of the real (r of n)."""
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
    """Return the two halves of a group as regions, of whole cells; nothing where one would hold too few rows."""
    rows = np.isin(placed, cells)
    if len(cells) < 2 or rows.sum() < 2 * FEWEST_IN_GROUP:
        return []
    side = k_means(train[rows], 2, seed).predict(centres[cells])
    halves = [tuple(int(cell) for cell in cells[side == which]) for which in (0, 1)]
    if min(int(np.isin(placed, half).sum()) for half in halves) < FEWEST_IN_GROUP:
        return []
    return [_region(train, placed, half) for half in halves]


def measured(region: Region, rows: Floats) -> Region:
    """Return a group with what "narrow" is measured by, from all its real rows."""
    spread = np.maximum(rows.std(0), 1e-3 * max(1e-9, float(rows.std(0).max())))
    region = replace(region, spread=spread, rows=len(rows))
    squares = region.squares(rows)
    mean = max(float(squares.mean()), 1e-12)
    return replace(region, square=mean, noise=float(squares.var(ddof=1)) / (len(rows) * mean**2))


def _groups(centres: Floats, rows: Floats, placed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the group of each cell: neighbours belong together unless the rows thin out between their centres."""
    many = len(centres)
    away = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(away, np.inf)
    one, other = [], []
    for cell in range(many):
        for near in np.argsort(away[cell])[: min(NEAR, many - 1)]:
            if _joined(rows[placed == cell], rows[placed == near], centres[cell], centres[near]):
                one.append(cell)
                other.append(int(near))
    links = coo_matrix((np.ones(len(one)), (np.array(one, int), np.array(other, int))), shape=(many, many))
    return np.asarray(connected_components(links, directed=False)[1])


def _joined(first: Floats, second: Floats, start: Floats, end: Floats) -> bool:
    """Tell whether rows are as dense half-way between two centres as about the thinner of them, or half as dense."""
    line = end - start
    length = float(line @ line)
    if length == 0 or min(len(first), len(second)) == 0:
        return True
    along = (np.concatenate([first, second]) - start) @ line / length
    ends = [int((np.abs(along - at) < 0.1).sum()) for at in (0.0, 1.0)]
    return bool((np.abs(along - 0.5) < 0.1).sum() >= _GAP * min(ends))
