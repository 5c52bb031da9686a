"""GAN metrics beside the certified bound: precision, recall, density, coverage and MMD.

None of them is a bound. Each is reported with its protocol, its number of rows and its standard error.

Neighbours. x_i is covered by samples in its ball, whose radius r_k(x_i) is the distance to its k-th nearest other row.
    precision   share of fakes inside the ball of any real row      recall     share of real rows inside the ball of any fake
    density     (1/kM) sum_ij 1[y_j in ball(x_i)]                   coverage   share of real rows whose ball holds a fake
Kynkäänniemi et al. 2019 (arXiv 1904.06991); Naeem et al. 2020 (arXiv 2002.09797).

Maximum mean discrepancy (Gretton et al. 2012, JMLR 13), an unbiased U-statistic with an exact permutation test:
    MMD^2       E k(X,X') + E k(Y,Y') - 2 E k(X,Y)

Coordinates. All metrics depend on the coordinates, so each names its own: standardised columns (categories one-hot, pictures
in principal components of their pixels), with means and scales of the real rows; of both samples together for MMD, whose
test permutes labels. FID and KID need the Inception network's features, which are not part of this package.

Errors are delete-half jackknife errors: the standard deviation over halves of both samples, drawn without replacement (with
replacement, a row and its copy would be neighbours); that of recall is somewhat too large. Beside a metric that is biased
is its value on the same rows under permuted labels: precision and coverage of few rows differ from 1 even if both
samples have the same distribution.

Fine detail of pictures: the power in the top octave of their spectrum, 0.25 to 0.5 cycles per pixel along either side. A
picture enlarged from half its size has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

from saddlepoint.errors import InputError, nearest
from saddlepoint.judging.feature_space import PICTURE_COMPONENTS, feature_space
from saddlepoint.judging.samples import Samples
from saddlepoint.names import METRICS

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
PRECISION_K, COVERAGE_K = 3, 5
BANDWIDTHS = (0.5, 1.0, 2.0)


def neighbour_figures(apart: Floats, real: Whole, fake: Whole) -> Floats:
    """Return precision, recall, density and coverage, shape (4,).

    apart: matrix of distances (n, n).
    real, fake: row numbers in it.
    """
    within_real = _radii(apart, real, (PRECISION_K, COVERAGE_K))
    (fake_radius,) = _radii(apart, fake, (PRECISION_K,))
    across = apart[np.ix_(real, fake)]
    precision = (across <= within_real[0][:, None]).any(0).mean()
    recall = (across <= fake_radius).any(1).mean()
    inside = across <= within_real[1][:, None]
    return np.array([precision, recall, inside.sum() / (COVERAGE_K * len(fake)), inside.any(1).mean()])


def _radii(apart: Floats, rows: Whole, ks: tuple[int, ...]) -> list[Floats]:
    """Return for each k the distance of each row to its k-th nearest other row (number 0 is the row itself)."""
    own = np.partition(apart[np.ix_(rows, rows)], ks, axis=1)
    return [own[:, k] for k in ks]


def expected_coverage(n: int, m: int) -> float:
    """Return the expected coverage of n real rows by m fakes of the same continuous distribution.

    A ball holds no fake if the k nearest of the other n - 1 + m rows are all real.
    """
    steps = np.arange(COVERAGE_K)
    return float(1 - np.prod((n - 1 - steps) / (n + m - 1 - steps)))


def distances(rows: Floats) -> Floats:
    """Return all Euclidean distances, (n, n)."""
    return np.asarray(squareform(pdist(rows)))


def gaussian_kernel(apart: Floats) -> Floats:
    """Return the mean of three Gaussian kernels, with half, once and twice the median distance as bandwidth.

    The median is over all rows, without their labels: only then may labels be permuted.
    """
    median = float(np.median(apart[np.triu_indices(len(apart), 1)])) or 1.0
    squares = -0.5 * (apart / median) ** 2
    return np.asarray(sum(np.exp(squares / width**2) for width in BANDWIDTHS) / len(BANDWIDTHS))


def u_statistics(kernel: Floats, real: NDArray[np.bool_], fake: NDArray[np.bool_] | None = None) -> Floats:
    """Return mean k(X,X') + mean k(Y,Y') - 2 mean k(X,Y) without diagonals for each labelling, (labellings,).

    kernel: (n, n), symmetric.
    real: bool (n, labellings).
    fake: likewise; all other rows if not given.
    """
    ours = real.astype(np.float64)
    theirs = 1 - ours if fake is None else fake.astype(np.float64)
    n, m = ours.sum(0), theirs.sum(0)
    one, two = kernel @ ours, kernel @ theirs
    diagonal = np.diag(kernel)
    within = ((ours * one).sum(0) - diagonal @ ours) / (n * (n - 1))
    beside = ((theirs * two).sum(0) - diagonal @ theirs) / (m * (m - 1))
    return np.asarray(within + beside - 2 * (ours * two).sum(0) / (n * m))


def permutation_p(kernel: Floats, n: int, *, permutations: int, rng: np.random.Generator) -> float:
    """Return the permutation p-value, with P(p <= a) <= a; the given labelling counts as one permutation.

    kernel: (rows, rows); its first n rows are the real ones.
    """
    marks = np.zeros((len(kernel), permutations + 1), dtype=bool)
    marks[:n] = True
    marks[:, 1:] = rng.permuted(marks[:, 1:], axis=0)
    found = u_statistics(kernel, marks)
    return float((found >= found[0] - 1e-12 * np.abs(kernel).max()).mean())


TOP = 0.25


def top_octave(pictures: npt.NDArray[Any]) -> float:
    """Return the mean power of pictures (n, H, W, C) at frequencies of at least 0.25 cycles per pixel along either side.

    In squared units of the pictures per pixel: white noise of variance v has about v / 4 below and 3 v / 4 above. Each
    picture's mean is subtracted, and a Hann window removes the jump at its border, which is not detail.
    """
    _, height, width, _ = pictures.shape
    window = _hann(height)[:, None] * _hann(width)
    window /= np.sqrt(np.mean(np.square(window)))
    high = np.maximum(np.abs(np.fft.fftfreq(height))[:, None], np.abs(np.fft.fftfreq(width))) >= TOP
    total = 0.0
    for picture in pictures:
        grey = picture.astype(np.float64)
        grey -= np.average(grey, axis=(0, 1), weights=np.square(window))
        power = np.square(np.abs(np.fft.fft2(grey * window[..., None], axes=(0, 1))))
        total += float(power[high].sum()) / (height * width) ** 2 / grey.shape[2]
    return total / len(pictures)


def _hann(side: int) -> npt.NDArray[np.float64]:
    return np.square(np.sin(np.pi * (np.arange(side) + 0.5) / side))


MOST_ROWS = {"neighbours": 3000, "mmd": 2000}
PERMUTATIONS, HALVES, RELABELLED = 499, 20, 4


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric.

    name: as printed.
    value, error: the metric and its standard error.
    rows: rows of each sample.
    features: the coordinates, as text.
    protocol: how it was computed.
    same_distribution: value on the same rows under permuted labels (None: 0, the metric is unbiased).
    p: permutation p-value of the hypothesis that both samples have the same distribution (None: no test).
    """

    name: str
    value: float
    error: float
    rows: int
    features: str
    protocol: str
    same_distribution: float | None = None
    p: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def chosen_of(metrics: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of the chosen metrics, each once, in the order of METRICS; "all" means every one.

    metrics: names, or names separated by commas.

    Raises:
        InputError: a name is unknown.
    """
    given = [metrics] if isinstance(metrics, str) else list(metrics)
    wanted = {name.strip() for each in given for name in str(each).split(",") if name.strip()}
    for name in sorted(wanted - {*METRICS, "all"}):
        allowed = f"Allowed are {', '.join(METRICS)}, or all."
        if name.lower() in ("fid", "kid"):
            raise InputError(
                f"{name.upper()} is measured on features of the Inception network, which is not part of this package. {allowed}"
            )
        raise InputError(f"Unknown metric {name!r}{nearest(name, METRICS) or '.'} {allowed}")
    return METRICS if "all" in wanted else tuple(name for name in METRICS if name in wanted)


def measure_metrics(
    samples: Samples, chosen: Sequence[str], *, groups: NDArray[Any] | None = None, seed: int = 0
) -> tuple[Metric, ...]:
    """Return the chosen metrics of two samples, on equally many rows of each.

    samples: the two samples.
    chosen: names of metrics.
    groups: one label per real row; one row per group is used.
    seed: of rows, halves and permutations.
    """
    rng = np.random.default_rng(seed)
    real, fake = rng.permutation(len(samples.real)), rng.permutation(len(samples.fake))
    if groups is not None:
        real = rng.permutation(real[np.unique(np.asarray(groups)[real], return_index=True)[1]])
    found: list[Metric] = []
    for name in chosen:
        rows = min(len(real), len(fake), MOST_ROWS[name])
        pair = samples.real[real[:rows]], samples.fake[fake[:rows]]
        found += _MEASURES[name](_Comparison(samples, pair, seed))
    return tuple(found)


class _Comparison:
    """Equally many real and fake rows in coordinates, with random halves for errors and permuted labels."""

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
        """Return both samples in coordinates (2 n, width), real rows first; pooled: scales of both samples."""
        real, fake = self._pair
        mask = self._samples.categorical if self._samples.kind == "tables" else None
        by = np.concatenate(self._pair) if pooled else real
        space = feature_space(by, np.concatenate(self._pair), mask, random_state=self._seed)
        return np.concatenate([space(real), space(fake)])

    def features(self, *, pooled: bool = False) -> str:
        """Return a description of the coordinates."""
        if self._samples.kind == "pictures":
            pixels = int(np.prod(self._pair[0].shape[1:]))
            components = min(PICTURE_COMPONENTS, pixels, self.n)
            description = (
                "pixels" if pixels <= 2 * components else f"{components} principal components of the pixels"
            )
        else:
            columns = len(self._samples.names)
            description = f"{columns} standardised column{'s' if columns > 1 else ''}"
            description += ", categories one-hot" if self._samples.categorical.any() else ""
        return description + (", scales of both samples" if pooled else "")

    def standard_error(self, figure: Callable[[Whole, Whole], Any]) -> Any:
        """Return the delete-half jackknife error of a function of (real, fake) row numbers."""
        return np.std([figure(*half) for half in self.halves], axis=0, ddof=1)

    def mean_relabelled(self, figure: Callable[[Whole, Whole], Any]) -> Any:
        """Return the mean of a function of (real, fake) row numbers under permuted labels."""
        orders = [self.rng.permutation(2 * self.n) for _ in range(RELABELLED)]
        return np.mean([figure(order[: self.n], order[self.n :]) for order in orders], axis=0)


def _neighbours(comparison: _Comparison) -> list[Metric]:
    apart = distances(comparison.rows(pooled=False))

    def figure(real: Whole, fake: Whole) -> Floats:
        return neighbour_figures(apart, real, fake)

    ours = np.arange(2 * comparison.n)
    values = figure(ours[: comparison.n], ours[comparison.n :])
    errors, same = comparison.standard_error(figure), comparison.mean_relabelled(figure)
    source = {
        "precision": f"k = {PRECISION_K}, Kynkäänniemi et al. 2019",
        "recall": f"k = {PRECISION_K}, Kynkäänniemi et al. 2019",
        "density": f"k = {COVERAGE_K}, Naeem et al. 2020",
        "coverage": f"k = {COVERAGE_K}, Naeem et al. 2020",
    }
    return [
        Metric(
            name=name,
            value=float(values[place]),
            error=float(errors[place]),
            rows=comparison.n,
            features=comparison.features(),
            protocol=how,
            same_distribution=float(same[place]),
        )
        for place, (name, how) in enumerate(source.items())
    ]


def _mmd(comparison: _Comparison) -> list[Metric]:
    kernel = gaussian_kernel(distances(comparison.rows(pooled=True)))
    n = comparison.n
    halves = [np.zeros((2 * n, HALVES), dtype=bool) for _ in range(2)]
    for place, half in enumerate(comparison.halves):
        for mark, numbers in zip(halves, half):
            mark[numbers, place] = True
    widths = ", ".join(f"{width:g}" for width in BANDWIDTHS)
    return [
        Metric(
            name="MMD^2",
            value=float(u_statistics(kernel, (np.arange(2 * n) < n)[:, None])[0]),
            error=float(u_statistics(kernel, *halves).std(ddof=1)),
            rows=n,
            features=comparison.features(pooled=True),
            protocol=f"unbiased, Gaussian kernels of {widths} times the median distance, {PERMUTATIONS} permutations",
            p=permutation_p(kernel, n, permutations=PERMUTATIONS, rng=comparison.rng),
        )
    ]


_MEASURES: dict[str, Callable[[_Comparison], list[Metric]]] = {"neighbours": _neighbours, "mmd": _mmd}
