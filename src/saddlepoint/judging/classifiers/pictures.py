"""Classifiers for pictures: a small convolutional network, a logistic regression on pooled pixels, and nearest neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch.nn import functional as F

from saddlepoint.judging.classifiers import networks, points
from saddlepoint.judging.classifiers.points import FitContext, Floats, Logit, Referee

LARGEST_SIDE = (
    64  # larger pictures are averaged down first; this is data processing, so the bound still holds
)


def pool(size: str) -> dict[str, Referee]:
    """Return the classifiers for pictures; the quick pool has no nearest neighbours and trains the network for less time."""
    members: dict[str, Referee] = {"network": network, "pooled": pooled}
    if size == "full":
        members["neighbours"] = neighbours
    return members


def encode(rows: NDArray[Any], *, side: int = LARGEST_SIDE) -> torch.Tensor:
    """Return pictures (n, H, W, C), levels 0 to 255, as float32 (n, C, h, w) in [-1, 1], averaged to at most `side` pixels."""
    out = torch.from_numpy(np.ascontiguousarray(rows)).permute(0, 3, 1, 2).float() / 127.5 - 1
    height, width = out.shape[2:]
    if max(height, width) > side:
        scale = side / max(height, width)
        out = F.adaptive_avg_pool2d(out, (max(1, round(height * scale)), max(1, round(width * scale))))
    return out.contiguous()


def network(real: NDArray[Any], fake: NDArray[Any], context: FitContext) -> Logit:
    """A small convolutional network with early stopping; it is trained on about 60,000 pictures of each side."""
    channels, height, width = encode(real[:1]).shape[1:]
    pictures_used = 20_000 if context.quick else 60_000
    epochs = int(np.clip(pictures_used / min(len(real), len(fake)), 4, 40))
    return networks.train(
        lambda: networks.convolutional(channels, height, width), encode, real, fake,
        seed=context.seed, epochs=epochs, batch=int(np.clip(len(real) // 12, 8, 128)),
    )  # fmt: skip


def pooled(real: NDArray[Any], fake: NDArray[Any], context: FitContext) -> Logit:
    """A logistic regression on pixels averaged to 8 x 8, their squares and the squared norm."""

    def shrink(rows: NDArray[Any]) -> Floats:
        pieces = [
            encode(rows[i : i + networks.CHUNK], side=8).flatten(1)
            for i in range(0, len(rows), networks.CHUNK)
        ]
        return np.asarray(torch.cat(pieces).numpy(), dtype=np.float64)

    logit = points.logistic(shrink(real), shrink(fake), context)
    return lambda rows: logit(shrink(rows))


def neighbours(real: NDArray[Any], fake: NDArray[Any], context: FitContext) -> Logit:
    """Nearest neighbours in the first 40 principal components of the pixels."""
    (real, fake), place = project(real, fake, seed=context.seed)
    logit = points.vote(real, fake, seed=context.seed)
    return lambda rows: logit(place(rows))


def project(
    real: NDArray[Any], fake: NDArray[Any], *, seed: int, most: int = 40
) -> tuple[tuple[Floats, Floats], Any]:
    """Return both sides in the first principal components of the fit rows' pixels (<= 32 x 32), and the projection."""

    def flat(rows: NDArray[Any]) -> Floats:
        return np.asarray(encode(rows, side=32).flatten(1).numpy())

    rows = np.concatenate([flat(real[:4000]), flat(fake[:4000])])
    axes = PCA(min(most, *rows.shape), svd_solver="randomized", random_state=seed).fit(rows)

    def apply(z: NDArray[Any]) -> Floats:
        pieces = [axes.transform(flat(z[i : i + networks.CHUNK])) for i in range(0, len(z), networks.CHUNK)]
        return np.concatenate(pieces).astype(np.float64)

    return (apply(real), apply(fake)), apply
