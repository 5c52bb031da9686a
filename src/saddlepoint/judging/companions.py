"""Companions of a verdict, on request: the figures that others report, each with its protocol, its rows and its error.

None of them is a bound for anything, and all hang on coordinates, so each says in which ones it was measured: columns
standardised (categories one-hot, pictures in principal components of their pixels), with means and scales of the real rows;
of both samples together for the two tests, which permute labels. FID and KID are what these figures are called on the
features of Inception's network alone; ours are the same formulas on other features, and are called by the formula's name.

Errors are delete-half jackknife ones: the standard deviation over halves of both samples, drawn without replacement (drawing
again with it would make neighbours of a row and its copy); that of recall is rather too large. "one law": what the same rows
give when their labels are drawn anew, since precision, coverage and the Frechet distance of few rows lie away from 1 and 0
even then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saddlepoint.errors import InputError, nearest
from saddlepoint.judging import companion_statistics as statistics
from saddlepoint.judging.companion_statistics import Floats, Whole
from saddlepoint.judging.copy_space import PICTURE_COMPONENTS, space_of
from saddlepoint.judging.samples import Samples
from saddlepoint.names import COMPANIONS

MOST_ROWS = {"neighbours": 3000, "energy": 2000, "mmd": 2000, "frechet": 10_000, "kernel": 2000}
PERMUTATIONS, HALVES, RELABELLED = 499, 20, 4


@dataclass(frozen=True, kw_only=True)
class Companion:
    """One figure: its value and standard error on so many rows of each sample, in which coordinates, and how it was got.

    one_law: what the same rows give under labels drawn anew (None: 0, the figure is unbiased). p: of the hypothesis that both
    samples have one law, by permutation (None: no test).
    """

    name: str
    value: float
    error: float
    rows: int
    features: str
    protocol: str
    one_law: float | None = None
    p: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def chosen_of(also: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of companions, each once, in our order; "all" stands for every one, and commas part them.

    Raises:
        InputError: a name is unknown.
    """
    given = [also] if isinstance(also, str) else list(also)
    wanted = {name.strip() for each in given for name in str(each).split(",") if name.strip()}
    for name in sorted(wanted - {*COMPANIONS, "all"}):
        allowed = f"Allowed are {', '.join(COMPANIONS)}, or all."
        if name.lower() in ("fid", "kid"):
            ours = {"fid": "frechet", "kid": "kernel"}[name.lower()]
            raise InputError(
                f"{name.upper()} is measured on the features of Inception's network, which is no part of this package; "
                f"{ours} is the same formula on coordinates that are named beside it. {allowed}"
            )
        raise InputError(f"Unknown companion {name!r}{nearest(name, COMPANIONS) or '.'} {allowed}")
    return COMPANIONS if "all" in wanted else tuple(name for name in COMPANIONS if name in wanted)


def companions(
    samples: Samples, chosen: Sequence[str], *, groups: NDArray[Any] | None = None, seed: int = 0
) -> tuple[Companion, ...]:
    """Return the chosen figures of two samples, on as many rows of each; of groups one row each is taken."""
    rng = np.random.default_rng(seed)
    real, fake = rng.permutation(len(samples.real)), rng.permutation(len(samples.fake))
    if groups is not None:
        real = rng.permutation(real[np.unique(np.asarray(groups)[real], return_index=True)[1]])
    found: list[Companion] = []
    for name in chosen:
        rows = min(len(real), len(fake), MOST_ROWS[name])
        pair = samples.real[real[:rows]], samples.fake[fake[:rows]]
        found += _MEASURED[name](_Measured(samples, pair, seed))
    return tuple(found)


class _Measured:
    """As many real as fake rows in coordinates, with halves of both and labels drawn anew."""

    def __init__(self, samples: Samples, pair: tuple[NDArray[Any], NDArray[Any]], seed: int) -> None:
        self._samples, self._pair, self._seed = samples, pair, seed
        self.n = len(pair[0])
        self.rng = np.random.default_rng([seed, self.n])
        half = self.n // 2
        self.halves = [
            (self.rng.permutation(self.n)[:half], self.n + self.rng.permutation(self.n)[:half])
            for _ in range(HALVES)
        ]

    def rows(self, *, pooled: bool) -> Floats:
        """Return both samples in coordinates (2 n, width), the real one first."""
        real, fake = self._pair
        mask = self._samples.categorical if self._samples.kind == "table" else None
        by = np.concatenate(self._pair) if pooled else real
        space = space_of(by, np.concatenate(self._pair), mask, random_state=self._seed)
        return np.concatenate([space(real), space(fake)])

    def features(self, *, pooled: bool = False) -> str:
        """Return in words what the coordinates are."""
        if self._samples.kind == "pictures":
            pixels = int(np.prod(self._pair[0].shape[1:]))
            few = min(PICTURE_COMPONENTS, pixels, self.n)
            said = "pixels" if pixels <= 2 * few else f"{few} principal components of the pixels"
        else:
            columns = len(self._samples.names)
            said = f"{columns} standardised column{'s' if columns > 1 else ''}"
            said += ", categories one-hot" if self._samples.categorical.any() else ""
        return said + (", scales of both samples" if pooled else "")

    def spread(self, figure: Callable[[Whole, Whole], Any]) -> Any:
        """Return the delete-half jackknife error of a figure of row numbers."""
        return np.std([figure(*half) for half in self.halves], axis=0, ddof=1)

    def relabelled(self, figure: Callable[[Whole, Whole], Any]) -> Any:
        """Return the mean of a figure of row numbers under labels drawn anew."""
        orders = [self.rng.permutation(2 * self.n) for _ in range(RELABELLED)]
        return np.mean([figure(order[: self.n], order[self.n :]) for order in orders], axis=0)

    def tested(self, name: str, kernel: Floats, protocol: str, *, pooled: bool) -> Companion:
        """Return a U-statistic of a kernel, and where labels may be permuted (pooled coordinates) its p-value."""
        marks = [np.zeros((2 * self.n, HALVES), dtype=bool) for _ in range(2)]
        for place, half in enumerate(self.halves):
            for mark, numbers in zip(marks, half):
                mark[numbers, place] = True
        ours = np.arange(2 * self.n) < self.n
        p = None
        if pooled:
            protocol += f", {PERMUTATIONS} permutations"
            p = statistics.permutation_p(kernel, self.n, permutations=PERMUTATIONS, rng=self.rng)
        return Companion(
            name=name,
            value=float(statistics.u_statistics(kernel, ours[:, None])[0]),
            error=float(statistics.u_statistics(kernel, *marks).std(ddof=1)),
            rows=self.n,
            features=self.features(pooled=pooled),
            protocol=protocol,
            p=p,
        )


def _neighbours(measured: _Measured) -> list[Companion]:
    apart = statistics.distances(measured.rows(pooled=False))

    def figure(real: Whole, fake: Whole) -> Floats:
        return statistics.neighbour_figures(apart, real, fake)

    ours = np.arange(2 * measured.n)
    values = figure(ours[: measured.n], ours[measured.n :])
    errors, same = measured.spread(figure), measured.relabelled(figure)
    source = {
        "precision": f"k = {statistics.PRECISION_K}, Kynkäänniemi et al. 2019",
        "recall": f"k = {statistics.PRECISION_K}, Kynkäänniemi et al. 2019",
        "density": f"k = {statistics.COVERAGE_K}, Naeem et al. 2020",
        "coverage": f"k = {statistics.COVERAGE_K}, Naeem et al. 2020",
    }
    return [
        Companion(
            name=name,
            value=float(values[place]),
            error=float(errors[place]),
            rows=measured.n,
            features=measured.features(),
            protocol=how,
            one_law=float(same[place]),
        )
        for place, (name, how) in enumerate(source.items())
    ]


def _energy(measured: _Measured) -> list[Companion]:
    kernel = -statistics.distances(measured.rows(pooled=True))
    return [measured.tested("energy distance", kernel, "unbiased", pooled=True)]


def _mmd(measured: _Measured) -> list[Companion]:
    kernel = statistics.gaussian_kernel(statistics.distances(measured.rows(pooled=True)))
    widths = ", ".join(f"{width:g}" for width in statistics.BANDWIDTHS)
    how = f"unbiased, Gaussian kernels of {widths} times the median distance"
    return [measured.tested("MMD^2", kernel, how, pooled=True)]


def _kernel(measured: _Measured) -> list[Companion]:
    kernel = statistics.cubic_kernel(measured.rows(pooled=False))
    name = f"kernel distance on {measured.features()}"
    return [measured.tested(name, kernel, "unbiased, cubic kernel", pooled=False)]


def _frechet(measured: _Measured) -> list[Companion]:
    rows = measured.rows(pooled=False)

    def figure(real: Whole, fake: Whole) -> float:
        return statistics.frechet(rows[real], rows[fake])

    ours = np.arange(2 * measured.n)
    return [
        Companion(
            name=f"Frechet distance on {measured.features()}",
            value=figure(ours[: measured.n], ours[measured.n :]),
            error=float(measured.spread(figure)),
            rows=measured.n,
            features=measured.features(),
            protocol="of the Gaussians with the samples' moments",
            one_law=float(measured.relabelled(figure)),
        )
    ]


_MEASURED: dict[str, Callable[[_Measured], list[Companion]]] = {
    "neighbours": _neighbours,
    "energy": _energy,
    "mmd": _mmd,
    "frechet": _frechet,
    "kernel": _kernel,
}
