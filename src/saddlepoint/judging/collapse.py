"""The collapse alarm: regions of the data that a generator leaves (almost) empty, or fills far too narrowly.

Regions are found once, on training rows: k-means cells in the coordinates of `copy_space`, and *groups* of cells between
which the rows do not thin out (two neighbouring cells belong together unless a gap lies between their centres). So
separate modes are one group each, and one connected cloud is a single group, which is looked at cell by cell too.

Missing. r of n held-back rows and f of m fakes lie in a region. Under the hypothesis that its fake share is at least a
quarter of its real share, f given r + f is at least binomial with probability (m/4)/(n + m/4): an exact p-value, whatever
the shares are.

Narrow. For a group, distances are taken from its mean, scaled by its own spread. Let r50 be the median distance of the
real rows, and tau the share of them within r50/0.7, which is the share of fakes within r50 if these were the real rows
shrunk to 0.7. The number of a group's fakes within r50 is tested against binomial(f, tau).

Both hypotheses leave room (a quarter of the share, 0.7 of the width): a generator that is merely not exact raises no
alarm. The level is spent evenly over all tests of a look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.stats import binom

from saddlepoint.judging.point_referees import Floats, k_means

SHARE, WIDTH = 0.25, 0.7
MOST_CELLS, ROWS_A_CELL, NEAR = 64, 40, 5
LARGE = 0.25  # of all cells, in one group
FEWEST_IN_GROUP = 30
_GAP = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """Cells of the data, as one: `members` are cell numbers, `centre` the mean of its training rows (coordinates).

    example: the training row (its number) nearest to the centre. spread, median, within: of a group, what "narrow" is
    measured by; None for a region that is a single cell of a larger group.
    """

    members: tuple[int, ...]
    centre: Floats
    example: int
    spread: Floats | None = None
    median: float = 0.0
    within: float = 0.0

    def distances(self, rows: Floats) -> Floats:
        """Return the distances of rows from the centre, in units of the region's own spread."""
        scale = self.spread if self.spread is not None else 1.0
        return np.asarray(np.linalg.norm((rows - self.centre) / scale, axis=1))


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """What was found in a region: kind "missing" or "narrow", its number, shares of real and fake rows, the p-value."""

    kind: str
    region: int
    real_share: float
    fake_share: float
    p: float


class Watch:
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
        self.regions = [_region(train, placed, (int(cell),), narrow=False) for cell in np.flatnonzero(large)]
        for group in range(groups.max() + 1):
            members = tuple(int(cell) for cell in np.flatnonzero(groups == group))
            inside = int(np.isin(placed, members).sum())
            if inside >= FEWEST_IN_GROUP:
                self.regions.append(_region(train, placed, members, narrow=True))
        self.held = np.bincount(self.cells.predict(held), minlength=many)

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
        n, m = int(self.held.sum()), len(fake)
        level = alpha / self.tests
        found: list[Alarm] = []
        for number in range(len(self.regions) - 1, -1, -1):  # groups before single cells
            region = self.regions[number]
            if any(set(region.members) <= set(self.regions[each.region].members) for each in found):
                continue
            members = list(region.members)
            r, f = int(self.held[members].sum()), int(counts[members].sum())
            p_missing = missing_p(r, n, f, m)
            p_narrow = 1.0
            if region.spread is not None and f > 0:
                close = int((region.distances(fake[np.isin(placed, members)]) <= region.median).sum())
                p_narrow = float(binom.sf(close - 1, f, region.within))
            p, kind = min((p_missing, "missing"), (p_narrow, "narrow"))
            if p <= level:
                found.append(Alarm(kind=kind, region=number, real_share=r / n, fake_share=f / m, p=p))
        return sorted(found, key=lambda each: each.p)


def missing_p(r: int, n: int, f: int, m: int) -> float:
    """Return the exact p-value of the hypothesis that the fake share (f of m) is at least a quarter of the real (r of n)."""
    odds = SHARE * m
    return float(binom.cdf(f, r + f, odds / (n + odds)))


def _region(train: Floats, placed: NDArray[np.int64], members: tuple[int, ...], *, narrow: bool) -> Region:
    numbers = np.flatnonzero(np.isin(placed, members))
    rows = train[numbers]
    centre = rows.mean(0)
    example = int(numbers[np.linalg.norm(rows - centre, axis=1).argmin()])
    region = Region(members=members, centre=centre, example=example)
    if not narrow:
        return region
    spread = np.maximum(rows.std(0), 1e-3 * max(1e-9, float(rows.std(0).max())))
    region = Region(members=members, centre=centre, example=example, spread=spread)
    away = region.distances(rows)
    median = float(np.median(away))
    within = float((away <= median / WIDTH).mean())
    return Region(
        members=members,
        centre=centre,
        example=example,
        spread=spread,
        median=median,
        within=min(within, 1 - 1 / len(rows)),
    )


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
