"""Metrics of generated pictures: class shares by a classifier trained here, distances on its features, spectral detail.

FID and inception scores are defined by one network trained on ImageNet. These are the same formulas on the features of a small
network trained on the set's own training pictures, so they have other names; they compare only the rows of one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from benchmarks.suites.picture_sets import Bytes
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from saddlepoint.judging.metrics import gan_metrics as statistics
from saddlepoint.judging.metrics.gan_metrics import Floats, top_octave

_CHUNK = 500
_MOST = 3_000
_FEATURES = 64
_LARGEST = 64
_CONSTANT = 1e-6


@dataclass(frozen=True, eq=False)
class Classifier:
    """A small convolutional classifier of a set's classes; `accuracy` is measured on pictures it was not trained on."""

    network: nn.Module
    classes: int
    accuracy: float

    def read(self, rows: Bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return features (n, 64) and class probabilities (n, classes)."""
        features, probabilities = [], []
        with torch.no_grad():
            for start in range(0, len(rows), _CHUNK):
                h = self.network[:-1](encoded(rows[start : start + _CHUNK]))  # type: ignore[index]
                features.append(h.double().numpy())
                probabilities.append(self.network[-1](h).double().softmax(1).numpy())  # type: ignore[index]
        return np.concatenate(features), np.concatenate(probabilities)


def encoded(rows: Bytes) -> Tensor:
    """Return pictures (n, H, W, C) as (n, C, H, W) between -1 and 1."""
    return torch.from_numpy(np.ascontiguousarray(rows.transpose(0, 3, 1, 2))).float() / 127.5 - 1


def classifier(
    rows: Bytes,
    classes: NDArray[np.int64],
    held_out: Bytes,
    held_out_classes: NDArray[np.int64],
    *,
    seed: int = 0,
    batches: int = 900,
) -> Classifier:
    """Return a classifier of pictures, trained by AdamW with a learning rate that falls to 0.

    rows: training pictures.
    classes: their classes.
    held_out: held-out pictures, on which its accuracy is measured.
    held_out_classes: their classes.
    seed: seed of weights and batches.
    batches: the number of batches of 100.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        count = int(classes.max()) + 1
        network = _network(rows.shape[1:], count)
        optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, batches)
        random = np.random.default_rng(seed)
        for _ in range(batches):
            chosen = random.integers(0, len(rows), 100)
            loss = functional.cross_entropy(
                network(encoded(rows[chosen])), torch.from_numpy(classes[chosen]), label_smoothing=0.0
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            falling.step()
    found = Classifier(network.eval(), count, 0.0)
    right = found.read(held_out)[1].argmax(1) == held_out_classes
    return Classifier(network, count, float(right.mean()))


def _network(shape: tuple[int, ...], classes: int) -> nn.Sequential:
    height, width, channels = shape
    layers: list[nn.Module] = []
    out = 16
    while max(height, width) > _LARGEST:
        layers.append(nn.AvgPool2d(2))
        height, width = height // 2, width // 2
    while max(height, width) > 5:
        layers += [nn.Conv2d(channels, out, 3, stride=2, padding=1), nn.BatchNorm2d(out), nn.LeakyReLU(0.1)]
        channels, height, width, out = out, -(-height // 2), -(-width // 2), min(64, 2 * out)
    layers += [
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(channels * height * width, _FEATURES),
        nn.LeakyReLU(0.1),
        nn.Linear(_FEATURES, classes),
    ]
    return nn.Sequential(*layers)


def by_class(judge: Classifier, samples: Bytes, held_out: Bytes) -> dict[str, Any]:
    """Return class shares and mean top probabilities of generated and held-out pictures, and distances on the features.

    worst_share is the largest |share / held-out share - 1| of a class. Distances with `_real` are those between two halves of
    the held-out pictures, a lower limit for every generator.
    """
    features, probabilities = judge.read(samples)
    real_features, real_probabilities = judge.read(held_out)
    shares, real_shares = (
        np.bincount(each.argmax(1), minlength=judge.classes) / len(each)
        for each in (probabilities, real_probabilities)
    )
    present = real_shares > 0
    return {
        "classifier_accuracy": judge.accuracy,
        "shares": [round(float(each), 4) for each in shares],
        "worst_share": float(np.abs(shares[present] / real_shares[present] - 1).max()),
        "classes_found": int((shares > 0).sum()),
        "top_probability": float(probabilities.max(1).mean()),
        "top_probability_real": float(real_probabilities.max(1).mean()),
        **distances(features, real_features),
    }


def distances(samples: NDArray[np.float64], held_out: NDArray[np.float64]) -> dict[str, float]:
    """Return Frechet and kernel distance, precision and recall of features, standardised by the held-out pictures.

    Features that are constant over the held-out pictures are left out.
    """
    n = min(len(samples), len(held_out), _MOST)
    mean, spread = held_out.mean(0), held_out.std(0)
    varies = spread > _CONSTANT * spread.max()
    samples, held_out = (
        (each[:, varies] - mean[varies]) / spread[varies] for each in (samples[:n], held_out[: 2 * n])
    )
    half = len(held_out) // 2
    kernel = cubic_kernel(np.concatenate([held_out[:n], samples]))
    is_real = (np.arange(2 * n) < n)[:, None]
    found = statistics.neighbour_figures(
        statistics.distances(np.concatenate([held_out[:n], samples])), np.arange(n), n + np.arange(n)
    )
    return {
        "frechet": frechet(held_out[:n], samples),
        "frechet_real": frechet(held_out[:half], held_out[half:]),
        "kernel": float(statistics.u_statistics(kernel, is_real)[0]),
        "precision": float(found[0]),
        "recall": float(found[1]),
        "features": n,
    }


def stacked_modes(judge: Classifier, samples: Bytes) -> dict[str, float]:
    """Return how many of the 1,000 modes of stacked digits are present, and KL(samples || uniform) in nats.

    A picture's mode is the classifier's digit in each of its three channels (PacGAN, arXiv 1712.04086, section 4.2).
    """
    digits = [
        judge.read(np.ascontiguousarray(samples[..., channel : channel + 1]))[1].argmax(1)
        for channel in range(3)
    ]
    modes = np.bincount(100 * digits[0] + 10 * digits[1] + digits[2], minlength=1000)
    share = modes[modes > 0] / len(samples)
    return {
        "modes": int((modes > 0).sum()),
        "kl": float((share * np.log(1000 * share)).sum()),
        "mode_samples": len(samples),
        "classifier_accuracy": judge.accuracy,
    }


def detail(samples: Bytes, train: Bytes) -> dict[str, float]:
    """Return the spectral power of generated pictures in the top octave, as a multiple of the training pictures'.

    octave_enlarged is the same for training pictures that were halved in size and enlarged again.
    """
    of_train = top_octave(train[:_MOST])
    return {
        "octave": top_octave(samples[:_MOST]) / of_train,
        "octave_enlarged": top_octave(_enlarged(train[:_MOST])) / of_train,
    }


def _enlarged(rows: Bytes) -> Bytes:
    sides = rows.shape[1:3]
    half = functional.interpolate(
        encoded(rows), size=[-(-side // 2) for side in sides], mode="bilinear", antialias=True
    )
    whole = functional.interpolate(half, size=list(sides), mode="bilinear")
    grey = ((whole + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(grey.permute(0, 2, 3, 1).numpy())


def frechet(one: Floats, other: Floats) -> float:
    """Return the Frechet distance of the Gaussians with the moments of two samples, each (n, d): arXiv 1706.08500."""
    means, covariances = zip(*((rows.mean(0), np.cov(rows, rowvar=False, ddof=1)) for rows in (one, other)))
    first, second = (np.atleast_2d(each) for each in covariances)
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    apart = ((means[0] - means[1]) ** 2).sum()
    return float(max(0.0, apart + np.trace(first) + np.trace(second) - 2 * cross))


def cubic_kernel(rows: Floats) -> Floats:
    """Return (x.y/d + 1)^3 for all pairs of rows (n, d), the kernel of KID: arXiv 1801.01401."""
    return np.asarray((rows @ rows.T / rows.shape[1] + 1) ** 3)
