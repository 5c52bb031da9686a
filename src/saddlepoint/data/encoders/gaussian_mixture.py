"""Gaussian-mixture encoder: each row as (one-hot mixture component, whitened offset within that component).

The mixture p(x) = sum_c w_c N(x; m_c, L_c L_c') is fitted to the standardised rows. A row x becomes the one-hot code of a
component c, drawn from the posterior p(c | x), and the whitened offset u = L_c^-1 (x - m_c). If the data were distributed as
the mixture, c would follow its weights and u a standard normal; the players have to learn only how the data differ from that.
Within a component every scale is about 1, however narrow the component is. Compare mode-specific normalisation in CTGAN (Xu et
al. 2019, arXiv 1907.00503).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from saddlepoint import compute
from saddlepoint.data.encoders.standard import PointsColumn, PointsEncoder
from saddlepoint.data.packed import packed, unpacked
from saddlepoint.errors import InputError, StoredFileError

Floats = npt.NDArray[np.float64]

ROWS_TO_CHOOSE, ROWS_TO_FIT, ROWS_TO_COMPARE = 8_000, 20_000, 4_000
MOST_COMPONENTS, LARGEST_NUMBERS = 128, 100_000
"""Upper limits of K and of K d^2, so that the mixture is not larger than the players."""
GAIN, ERRORS = 0.02, 2.0
"""A mixture replaces another one if its gain on held-out rows is above 0.02 nats a row, and above 2 standard errors."""
RIDGES = (1e-6, 1e-4, 1e-2, 1e-1)
_ROWS_A_COMPONENT = 10
_COARSE = 1e-3
_JITTER = 0.98
_CHUNK = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class MixtureEncoder:
    """Rows (n, d) <-> one-hot component and whitened offset (n, K + width), in float32.

    Whole numbers and decimals with a coarse step are spread uniformly over their step before encoding, so that no
    discriminator can recognise real rows by their lattice; decoding rounds them back, exactly.

    points: the standardising encoder, applied first.
    shares: the components' weights, one row for each class (C, K); C = 1 without classes.
    means: of the components (K, width).
    factors: lower triangular factors L_c of the covariances (K, width, width).
    compared: ((components, log-likelihood in nats a held-out row), ...), from which K was chosen.
    """

    points: PointsEncoder
    shares: Floats
    means: Floats
    factors: Floats
    compared: tuple[tuple[int, float], ...]

    @classmethod
    def fit(
        cls,
        rows: npt.NDArray[Any],
        held_out: npt.NDArray[Any] | None,
        *,
        names: Sequence[str] | None = None,
        codes: npt.NDArray[Any] | None = None,
        classes: int = 0,
        seed: int = 0,
        most: int = MOST_COMPONENTS,
    ) -> MixtureEncoder:
        """Fit the mixture; K is the number of components with the best likelihood of the held-out rows (1 without these).

        rows: training rows (n, d).
        held_out: rows (m, d) to choose K by, or None.
        names: of the columns.
        codes: the class of each row (n,), or None.
        classes: number of classes.
        seed: of the random draws.
        most: at most this many components.

        Raises:
            InputError: as PointsEncoder.fit does.
        """
        points = PointsEncoder.fit(rows, names=names)
        order = compute.numpy_generator(seed, "charts").permutation(len(rows))[:ROWS_TO_FIT]
        x = _spread(points, rows[order], seed)
        mixture, compared = _choose(
            x, None if held_out is None else _spread(points, held_out, seed + 1), seed, most
        )
        encoder = cls(
            points=points,
            shares=np.asarray(mixture.weights_)[None],
            means=mixture.means_,
            factors=np.linalg.cholesky(mixture.covariances_),
            compared=compared,
        )
        if codes is None:
            return encoder
        posterior = np.exp(encoder._log_posterior(x))
        counts = np.stack([posterior[codes[order] == code].sum(0) for code in range(classes)])
        # A class without rows among those fitted gets the weights of all rows.
        counts = counts + 1e-3 * encoder.shares
        return replace(encoder, shares=counts / counts.sum(1, keepdims=True))

    @property
    def kind(self) -> str:
        """Return "points"."""
        return "points"

    @property
    def components(self) -> int:
        """Return K, the number of components."""
        return len(self.means)

    @property
    def shape(self) -> tuple[int]:
        """Return (K + width,)."""
        return (self.components + self.means.shape[1],)

    @property
    def mean_encoded(self) -> torch.Tensor:
        """Return the mean of encoded rows: the components' weights, and zeros."""
        mean = np.concatenate([self.shares.mean(0), np.zeros(self.means.shape[1])])
        return torch.from_numpy(mean).float()

    def encode(self, rows: npt.NDArray[Any], *, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return rows (n, d) as (n, K + width); components are drawn from a fixed random stream."""
        x = _spread(self.points, rows, 0)
        draws = compute.numpy_generator(0, "charts of rows").random(len(x))
        # Allocated in the dtype asked for: with a million rows, a float64 copy would be the largest array in memory.
        encoded = torch.zeros(len(x), self.shape[0], dtype=dtype)
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            heights = np.cumsum(np.exp(self._log_posterior(x[part])), axis=1)
            codes = (heights < draws[part, None] * heights[:, -1:]).sum(1)
            encoded[np.arange(len(x))[part], codes] = 1.0
            for code in np.unique(codes):
                of_component = start + np.flatnonzero(codes == code)
                away = x[of_component] - self.means[code]
                local = solve_triangular(self.factors[code], away.T, lower=True).T
                encoded[of_component, self.components :] = torch.from_numpy(local).to(dtype)
        return encoded

    def decode(self, encoded: torch.Tensor) -> npt.NDArray[Any]:
        """Return encoded rows (n, K + width) as rows (n, d): x = m_c + L_c u, with c the largest of the K code entries.

        Raises:
            InputError: for another width, or for numbers that are not finite.
        """
        if encoded.ndim != 2 or encoded.shape[1] != self.shape[0]:
            raise InputError(f"encoded rows of width {self.shape[0]} are needed, not {tuple(encoded.shape)}.")
        rows = encoded.detach().to("cpu")
        codes = rows[:, : self.components].argmax(1).numpy()
        local = rows[:, self.components :].double().numpy()
        # numpy sorts 16-bit whole numbers by radix sort, which is faster.
        order = np.argsort(codes.astype(np.uint16), kind="stable")
        ends = np.cumsum(np.bincount(codes, minlength=self.components))
        by_component, x = local[order], self.means[codes]
        placed = [
            part @ factor.T
            for part, factor in zip(np.split(by_component, ends[:-1]), self.factors, strict=True)
        ]
        x[order] += np.concatenate(placed)
        return self.points.decode(torch.from_numpy(x))

    def draw(self, count: int, *, seed: int) -> npt.NDArray[Any]:
        """Return samples (count, d) of the mixture itself."""
        stream = compute.numpy_generator(seed, "rows of charts")
        codes = stream.choice(self.components, count, p=self.shares.mean(0) / self.shares.mean(0).sum())
        local = stream.standard_normal((count, self.means.shape[1]))
        return self.decode(torch.from_numpy(np.column_stack([np.eye(self.components)[codes], local])))

    def to_dict(self) -> dict[str, Any]:
        """Return the encoder as JSON values; the arrays as base64 of little-endian float64."""
        arrays = {name: _packed(getattr(self, name)) for name in ("shares", "means", "factors")}
        return {
            "kind": "mixture",
            "points": self.points.to_dict(),
            "compared": [list(each) for each in self.compared],
            **arrays,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> MixtureEncoder:
        """Restore what `to_dict` returned; StoredFileError if something is missing or does not fit."""
        try:
            points = PointsEncoder.from_dict(stored["points"])
            width = points.shape[0]
            shares = _unpacked(stored["shares"])
            components = shares.shape[1]
            means, factors = _unpacked(stored["means"]), _unpacked(stored["factors"])
            if means.shape != (components, width) or factors.shape != (components, width, width):
                raise ValueError("arrays of the wrong shape")
            compared = tuple((int(count), float(nats)) for count, nats in stored["compared"])
            return cls(points=points, shares=shares, means=means, factors=factors, compared=compared)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise StoredFileError(f"the stored mixture encoder is damaged ({error!r}).") from None

    def _log_posterior(self, x: Floats) -> Floats:
        """Return log p(c | x) of standardised rows, (n, K)."""
        logs = np.empty((len(x), self.components))
        weights = np.log(np.maximum(self.shares.mean(0), 1e-300))
        for code, (mean, factor) in enumerate(zip(self.means, self.factors, strict=True)):
            local = solve_triangular(factor, (x - mean).T, lower=True)
            logs[:, code] = weights[code] - 0.5 * (local**2).sum(0) - np.log(np.diagonal(factor)).sum()
        posterior: Floats = logs - logsumexp(logs, axis=1, keepdims=True)
        return posterior


def _spread(points: PointsEncoder, rows: npt.NDArray[Any], seed: int) -> Floats:
    """Return standardised rows, with whole numbers and decimals of a coarse step spread uniformly over it."""
    x: Floats = points.encode(rows, dtype=torch.float64).numpy()
    varying = [column for column in points.columns if not column.constant]
    steps = np.array([_step(column) / column.scale for column in varying])
    steps[steps < _COARSE] = 0.0
    if steps.any():
        x = x + _JITTER * steps * (compute.numpy_generator(seed, "spread").random(x.shape) - 0.5)
    return x


def _step(column: PointsColumn) -> float:
    """Return the step of a column's lattice, in the column's own units; 0 where it has none."""
    if column.whole:
        return 1.0
    return 0.0 if column.decimals is None else 10.0**-column.decimals


def _choose(
    x: Floats, held_out: Floats | None, seed: int, most: int
) -> tuple[Any, tuple[tuple[int, float], ...]]:
    """Return the fitted mixture and `compared`: K doubles as long as the held-out likelihood grows."""
    few, width = x[:ROWS_TO_CHOOSE], x.shape[1]
    compared: list[tuple[int, float]] = []
    best: tuple[Floats, Any] | None = None
    components = 1
    least = 0 if held_out is not None else 2
    while components == 1 or (
        len(few) >= _ROWS_A_COMPONENT * components
        and components <= min(most, MOST_COMPONENTS)
        and components * width**2 <= LARGEST_NUMBERS
    ):
        nats: Floats | None = None
        # The fewer rows a component has, the larger its ridge must be: a ridge found too small is not tried again.
        for place in range(least, len(RIDGES)):
            if (mixture := _fitted(few, components, RIDGES[place], seed)) is None:
                continue
            score = np.zeros(1) if held_out is None else mixture.score_samples(held_out[:ROWS_TO_COMPARE])
            if nats is not None and not _better(score, nats):
                break
            nats, least = score, place
            if best is None or _better(score, best[0]):
                best = score, mixture
        compared.append((components, -np.inf if nats is None else round(float(nats.mean()), 4)))
        if held_out is None or (best is not None and components >= 4 * best[1].n_components):
            break
        components *= 2
    if best is None:
        raise InputError(
            "The covariance of the columns is singular: leave out columns that repeat other columns."
        )
    mixture = best[1]
    if len(x) > len(few):
        mixture.set_params(warm_start=True)
        _fit_without_warnings(mixture, x)
    return mixture, tuple(compared)


def _better(one: Floats, other: Floats) -> bool:
    """Return whether `one` is significantly better than `other`: log-likelihoods (rows,) in nats, compared row by row."""
    gains = one - other
    error = gains.std(ddof=1) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0
    return bool(gains.mean() > max(GAIN, ERRORS * error))


def _fitted(x: Floats, components: int, ridge: float, seed: int) -> Any:
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(components, reg_covar=ridge, max_iter=15, random_state=seed % 2**32)
    try:
        return _fit_without_warnings(mixture, x)
    except ValueError:  # a covariance that is not positive definite: this ridge is too small
        return None


def _fit_without_warnings(mixture: Any, x: Floats) -> Any:
    with warnings.catch_warnings():
        # Fifteen steps need not converge: the held-out rows decide which fit is best.
        warnings.simplefilter("ignore")
        return mixture.fit(x)


def _packed(values: Floats) -> dict[str, Any]:
    return {"shape": list(values.shape), "float64": packed(values)["base64"]}


def _unpacked(stored: Mapping[str, Any]) -> Floats:
    values = unpacked({"dtype": "float64", "base64": stored["float64"]})
    if not np.isfinite(values).all():
        raise ValueError("a number that is not finite")
    return values.reshape([int(size) for size in stored["shape"]])
