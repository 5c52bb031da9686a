"""The memorisation test: are fake rows copies of training rows? Two tests on training, held-out and fake rows.

**Exact copies**: the share of fake rows that equal a training row, compared with that of held-out rows.

**Near copies**: for each fake row, its nearest row among training rows T and held-out rows H together. If the fake
rows depend on T only through the distribution that T and H share, the labels T and H are exchangeable over the rows,
*given* the fake rows and their neighbours. So any function of the labels may be tested by permuting them, with rows (not
fake rows) as the unit: the p-value (1 + #{permuted >= observed}) / (1 + permutations) is exact. A binomial test over
the fake rows is not: at 10,000 fake rows it rejects 20 % of nulls at nominal 5 % (measured; shared design, judge.md
section 6).

The statistics are S_q = the number of fake rows whose nearest row is a training row, among the share q of fake rows that
are *relatively* nearest: smallest ratio of nearest to second nearest distance (q = 1, .25, .05, .01, the fake rows at
distance 0, and those at distance 0 from a row that occurs once). S_1 is the share of Platzer & Reutterer (2104.00635).
The small q detect a few noisy copies among many fresh fake rows, and in every region equally, because the ratio scales
with the local density (Bhattacharjee et al. 2302.13181 explain why a global distance does not). They are combined by
the largest standardised S_q, compared with its own value under the same permutations (min-p, Westfall & Young): one
exact p-value for the family.

T and H need not have the same size: a random subset of any fixed size is exchangeable. `share` is balanced to 1/2. But T
and H must have the same distribution. If they do not (other writers, another year), fresh fake rows from T's
distribution are nearer to T too; MNIST's own test part is such a case. So before nearness is called copying, a second
test must reject as well: D_q = S_q's share among the fake rows minus the same share among the *training rows*, each
against all other rows (at least the nearest quarter of them). Copies are nearer to T than T's rows are to one another;
fresh rows are not, whatever H is. Labels are permuted again: exact if T and H have the same distribution, centred at
zero if not.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from saddlepoint.data.tables.types import decimals_of, is_single_precision
from saddlepoint.errors import InputError
from saddlepoint.judging.feature_space import feature_space

NEAREST_SHARES = (1.0, 0.25, 0.05, 0.01)
FEWEST_ROWS = 10
FEWEST_NEAR = 5
EXACT_WEIGHT = 0.3


@dataclass(frozen=True, kw_only=True)
class MemorisationResult:
    """The result of the memorisation test.

    copying: p <= level.
    exact_copies, exact_share: number and share of fake rows that equal a training row.
    base_share: share of held-out rows that equal a training row.
    share: share of fake rows whose nearest row is a training row, balanced so that 1/2 is expected.
    p: of all tests together.
    control_p: of fake rows against training rows; computed only if the near-copy test rejects.
    level: of the test.
    closest: pairs (fake row, training row), relatively nearest first.
    n_train, n_held_out, n_fake: numbers of rows that the near-copy test used.
    sentence: the result as text.
    """

    copying: bool
    exact_copies: int
    exact_share: float
    base_share: float
    share: float
    p: float
    control_p: float | None
    level: float
    closest: tuple[tuple[int, int], ...]
    n_train: int
    n_held_out: int
    n_fake: int
    sentence: str

    def __str__(self) -> str:
        return self.sentence

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return {**asdict(self), "closest": [list(pair) for pair in self.closest]}


def memorisation_test(
    train: np.ndarray,
    held_out: np.ndarray,
    fake: np.ndarray,
    *,
    categorical: np.ndarray | None = None,
    permutations: int = 999,
    level: float = 0.01,
    max_rows: int = 10_000,
    random_state: int = 0,
) -> MemorisationResult:
    """Test whether fake rows are copies of training rows, exact or noisy.

    train, held_out, fake: numbers (n, d), NaN for null, or pictures (n, ...).
    categorical: bool (d,), True for columns of category codes.
    permutations: of the labels; the smallest p-value is 1 / (1 + permutations).
    level: of the whole test.
    max_rows: most training and most held-out rows of the near-copy test (fake rows: twice as many); more are
        sampled. Exact copies are counted in all rows.
    random_state: of permutations and samples.

    Raises InputError for fewer than 10 rows on a side, different widths, infinities, or too few permutations for the
    level.
    """
    sides = _checked(train, held_out, fake, categorical)
    if not 0 < level < 1 or (permutations + 1) * level * (1 - EXACT_WEIGHT) < 1:
        raise InputError(
            f"{permutations} permutations cannot reach the level {level:g}; give a level between 0 and 1 "
            f"and at least {int(np.ceil(1 / max(level * (1 - EXACT_WEIGHT), 1e-9))) - 1} permutations."
        )
    generator = np.random.default_rng(random_state)
    keys = [_keys(side) for side in sides]
    known = set(keys[0])
    copied = np.array([key in known for key in keys[2]])
    base = float(np.mean([key in known for key in keys[1]]))

    used = [
        np.sort(generator.permutation(len(side))[:most])
        for side, most in zip(sides, (max_rows, max_rows, 2 * max_rows), strict=True)
    ]
    counts, points, closest = _neighbours(sides, keys, used, categorical, generator, random_state)
    n_train, n_held_out = len(used[0]), len(used[1])
    p_near = _permutation_p(counts, n_train, permutations, generator)
    control_p = None
    if p_near / (1 - EXACT_WEIGHT) <= level:
        control_p = _control_p(counts, points, n_train, permutations, generator)
        p_near = max(p_near, control_p)
    p_exact = _exact_p(sides, keys)
    p = min(1.0, p_near / (1 - EXACT_WEIGHT), p_exact / EXACT_WEIGHT)
    at_train, at_held_out = counts[:n_train, 0].sum() / n_train, counts[n_train:, 0].sum() / n_held_out
    share = float(at_train / (at_train + at_held_out))
    return MemorisationResult(
        copying=p <= level,
        exact_copies=int(copied.sum()),
        exact_share=float(copied.mean()),
        base_share=base,
        share=share,
        p=p,
        control_p=control_p,
        level=level,
        closest=closest,
        n_train=n_train,
        n_held_out=n_held_out,
        n_fake=len(used[2]),
        sentence=_sentence(p, level, control_p, copied, base, share),
    )


def _checked(
    train: np.ndarray, held_out: np.ndarray, fake: np.ndarray, categorical: np.ndarray | None
) -> list[np.ndarray]:
    sides = [np.asarray(side) for side in (train, held_out, fake)]
    sides = [side[:, None] if side.ndim == 1 else side for side in sides]
    for side, name in zip(sides, ("training", "held-out", "fake"), strict=True):
        if side.ndim == 0 or len(side) < FEWEST_ROWS:
            given = 0 if side.ndim == 0 else len(side)
            raise InputError(
                f"There are {given} {name} rows; the memorisation test needs at least {FEWEST_ROWS}."
            )
        if side.shape[1:] != sides[0].shape[1:]:
            raise InputError(
                f"A {name} row has the shape {side.shape[1:]}, a training row {sides[0].shape[1:]}; "
                "give rows of one shape."
            )
        if np.isinf(side.astype(float, copy=False)).any():
            raise InputError(
                f"The {name} rows hold infinities; remove or replace them before the memorisation test."
            )
    if categorical is not None and np.shape(categorical) != sides[0].shape[1:]:
        raise InputError(
            f"categorical has {np.size(categorical)} entries, but a row has the shape {sides[0].shape[1:]}; "
            "give one entry per column."
        )
    if any(side.dtype != sides[0].dtype for side in sides):
        sides = [side.astype(float) for side in sides]
    return [side + np.zeros((), side.dtype) for side in sides]


def _keys(rows: np.ndarray) -> list[bytes]:
    # `_checked` added zero, so that -0.0 equals 0.0. NaN has many bit patterns: one stands for all of them here.
    if rows.dtype.kind == "f":
        rows = np.where(np.isnan(rows), np.nan, rows).astype(rows.dtype)
    return [row.tobytes() for row in rows]


def _neighbours(
    sides: list[np.ndarray],
    keys: list[list[bytes]],
    used: list[np.ndarray],
    categorical: np.ndarray | None,
    generator: np.random.Generator,
    random_state: int,
) -> tuple[np.ndarray, np.ndarray, tuple[tuple[int, int], ...]]:
    """Return how many fake rows have each row of T, then H, as nearest (one column per statistic), points, closest pairs."""
    from sklearn.neighbors import NearestNeighbors

    rows = np.concatenate([sides[0][used[0]], sides[1][used[1]]])
    row_keys = [keys[0][i] for i in used[0]] + [keys[1][i] for i in used[1]]
    # Identical rows share the fake rows nearest to them. Rows are shuffled, so that no tie favours training rows.
    places: dict[bytes, int] = {}
    order = generator.permutation(len(rows))
    for i in order:
        places.setdefault(row_keys[i], int(i))
    first = np.array(list(places.values()))
    number = {key: j for j, key in enumerate(places)}
    group = np.array([number[key] for key in row_keys])
    fakes = sides[2][used[2]]
    to_points = feature_space(rows[order], fakes, categorical, random_state=random_state)
    everywhere, queries = to_points(rows), to_points(fakes)
    points = everywhere[first]

    k = min(2, len(first))
    found = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(queries, return_distance=False)
    # scikit-learn's fast distances lose precision for small distances (cancellation), and those matter most here.
    distances = np.sqrt(((queries[:, None, :] - points[found]) ** 2).sum(2))
    swap = np.argsort(distances, axis=1, kind="stable")
    distances = np.take_along_axis(distances, swap, 1)
    nearest = np.take_along_axis(found, swap, 1)[:, 0]
    beyond = distances[:, -1]
    ratio = (
        np.divide(distances[:, 0], beyond, out=np.ones(len(beyond)), where=beyond > 0) if k > 1 else beyond
    )
    sizes = np.bincount(group, minlength=len(first))

    def attracted(chosen: np.ndarray) -> np.ndarray:
        taken: np.ndarray = (np.bincount(nearest[chosen], minlength=len(first)) / sizes)[group]
        return taken

    columns = []
    for q in NEAREST_SHARES:
        rank = int(np.ceil(q * len(fakes))) - 1
        if q == 1 or rank + 1 >= FEWEST_NEAR:
            columns.append(attracted(ratio <= np.partition(ratio, rank)[rank]))
    equal = distances[:, 0] == 0
    for chosen in (equal, equal & (sizes[nearest] == 1)):
        if chosen.any():
            columns.append(attracted(chosen))
    members = {int(group[i]): int(used[0][i]) for i in reversed(range(len(used[0])))}
    by_ratio = np.argsort(ratio, kind="stable")
    pairs = ((int(used[2][g]), members.get(int(nearest[g]))) for g in by_ratio[:64])
    closest = tuple((g, t) for g, t in pairs if t is not None)[:8]
    return np.column_stack(columns), everywhere, closest


def _permutation_p(
    counts: np.ndarray, n_train: int, permutations: int, generator: np.random.Generator
) -> float:
    drawn = np.empty((permutations + 1, counts.shape[1]))
    drawn[0], total = counts[:n_train].sum(0), counts.sum(0)
    fewer = 2 * n_train <= len(counts)  # sum the smaller part; the larger one is the total minus it
    for b in range(permutations):
        order = generator.permutation(len(counts))
        part = counts[order[:n_train] if fewer else order[n_train:]].sum(0)
        drawn[b + 1] = part if fewer else total - part
    return _largest_p(drawn)


def _largest_p(drawn: np.ndarray) -> float:
    """Return the min-p p-value; row 0 of `drawn` holds the observed statistics, the others permuted ones."""
    spread = drawn.std(0)
    largest = ((drawn - drawn.mean(0)) / np.where(spread > 0, spread, 1.0)).max(1)
    return float((largest >= largest[0] - 1e-9).mean())


def _control_p(
    counts: np.ndarray, points: np.ndarray, n_train: int, permutations: int, generator: np.random.Generator
) -> float:
    """Return the p-value of the hypothesis that fake rows are no nearer to training rows than these are to one another."""
    from sklearn.neighbors import NearestNeighbors

    # Shuffled, so that a tie between equal rows does not favour one part.
    order = generator.permutation(len(points))
    distances, found = NearestNeighbors(n_neighbors=2).fit(points[order]).kneighbors()
    beyond = distances[:, 1]
    ratio = np.divide(distances[:, 0], beyond, out=np.ones(len(beyond)), where=beyond > 0)
    nearest, counts, label = found[:, 0], counts[order], order < n_train
    # At least the nearest quarter of the training rows: fewer would be too noisy a reference.
    few = [ratio <= np.quantile(ratio, max(q, 0.25)) for q in NEAREST_SHARES]
    # The columns after the shares count exact copies; their reference is the rows that equal another row.
    few += [distances[:, 0] == 0] * (counts.shape[1] - len(few)) if counts.shape[1] > len(few) else []
    chosen = np.column_stack(few[: counts.shape[1]]).astype(float)
    attracted = counts.sum(0)
    drawn = np.empty((permutations + 1, counts.shape[1]))
    both = np.concatenate([chosen, counts], axis=1)
    for b in range(permutations + 1):
        own, taken = np.split(label.astype(float) @ both, [chosen.shape[1]])
        near_training = (label & label[nearest]).astype(float) @ chosen
        own_share = np.divide(near_training, own, out=np.full(len(own), label.mean()), where=own > 0)
        drawn[b] = taken / attracted - own_share
        label = generator.permutation(label)
    return _largest_p(drawn)


def _exact_p(sides: list[np.ndarray], keys: list[list[bytes]]) -> float:
    """Return the p-value of the exact copies if no two real rows, and no held-out row and fake row, are equal.

    Let any two rows be equal at an unknown rate. The copied training rows (c of them), the equal pairs among real
    rows and those of held-out rows with fake rows are then Poisson, with means a, a r, a s of known ratio, and p =
    max over a of P(Poisson(a) >= c) exp(-a (r + s)): five copies are enough. One is enough if a column is so fine (no
    ties, no decimal grid) that equal cells cannot be chance: p = n m 1e-12 (1e-6 in single precision). Returns 1 if
    real rows repeat: then the permutation test at distance 0 decides.
    """
    from scipy.stats import poisson

    real, fakes = set(keys[0]) | set(keys[1]), set(keys[2])
    copies = len(set(keys[0]) & fakes)
    n_train, n_held_out, n_fake = (len(side) for side in sides)
    if not copies or len(real) < n_train + n_held_out or set(keys[1]) & fakes:
        return 1.0
    ratio = (n_train + n_held_out) * (n_train + n_held_out - 1) / 2 / (
        n_train * n_fake
    ) + n_held_out / n_train
    means = np.geomspace(1e-3, 1e3, 2000)
    worst = float((poisson.sf(copies - 1, means) * np.exp(-means * ratio)).max())
    flat = np.concatenate([side.reshape(len(side), -1) for side in sides[:2]])
    if flat.dtype.kind != "f":
        return worst
    fine = sorted(_coincidence(flat[:, j]) for j in range(flat.shape[1]))[:2]
    return min(worst, float(np.prod(fine)) * n_train * n_fake)


def _coincidence(cells: np.ndarray) -> float:
    """Return the probability that two cells are equal by chance: 1e-12 for a fine column (1e-6: single precision), else 1."""
    single = is_single_precision(cells)
    precision = np.float32 if single else np.float64
    if len(np.unique(cells)) < len(cells) or decimals_of(cells, precision=precision) is not None:
        return 1.0
    return 1e-6 if single else 1e-12


def _sentence(
    p: float, level: float, control_p: float | None, copied: np.ndarray, base: float, share: float
) -> str:
    exact = (
        f"{int(copied.sum()):,} of {len(copied):,} fake rows ({copied.mean():.2%}) equal a training row, "
        f"and {base:.2%} of held-out rows do"
    )
    near = f"{share:.3f} of the fake rows are nearest to a training row, where 0.500 is expected"
    chance = f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
    if p <= level and (control_p is None or control_p <= level):
        return f"Copies found: {exact}; {near} ({chance}, including the tests on the relatively nearest fake rows)."
    shifted = (
        f"Nearness ({near}) is no proof: training rows are as near to one another, so the held-out rows "
        "may have another distribution; hold rows out at random (saddlepoint split)."
    )
    if p <= level:
        return f"Copies found: {exact} ({chance}). {shifted}"
    nearness = f"; {near} ({chance})." if control_p is None else f". {shifted}"
    return f"No copies found by the memorisation test: {exact}{nearness}"
