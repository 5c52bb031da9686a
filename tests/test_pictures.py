"""Pictures of any shape, from end to end: learnt, sampled at exactly their size, saved and opened again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import saddlepoint as sp
from saddlepoint.networks import PictureGenerator


def blobs(n: int, height: int, width: int, channels: int) -> np.ndarray:
    """Return pictures of one bright blob each, its place and colour drawn anew."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    at = random.uniform(0.25, 0.75, (n, 2)) * [height, width]
    far = ((y - at[:, 0, None, None]) / height) ** 2 + ((x - at[:, 1, None, None]) / width) ** 2
    colour = random.uniform(120, 250, (n, 1, 1, channels))
    return (np.exp(-40 * far)[..., None] * colour).astype(np.uint8)


@pytest.mark.parametrize("shape", [(47, 31, 1), (64, 200, 3), (33, 33, 4)])
def test_any_shape_trains_and_samples_exactly_its_size(shape: tuple[int, ...], tmp_path: Path) -> None:
    pictures, kinds = blobs(60, *shape), np.arange(60) % 2
    gan = sp.GAN(capacity="small", rounds=2, batch=4, random_state=0).fit(pictures, kinds)
    assert isinstance(gan.model_.generator, PictureGenerator)
    rows = gan.sample(3, given=1, random_state=1)
    assert (rows.shape, rows.dtype) == ((3, *shape), np.uint8)
    gan.save(tmp_path / "model")
    np.testing.assert_array_equal(sp.load(tmp_path / "model").sample(3, given=1, random_state=1), rows)
