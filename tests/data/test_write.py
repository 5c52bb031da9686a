"""Grids and films of small pictures are large enough to look at, and every pixel stays what it was."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from saddlepoint.data.opening import open_source
from saddlepoint.data.write import write_film, write_samples


@pytest.mark.parametrize(
    ("n", "sides", "grid", "film"),
    [(100, (8, 8), 16, 50), (100, (28, 28), 4, 14), (9, (112, 92), 1, 3), (200, (3, 300), 1, 1)],
)
def test_small_pictures_are_enlarged_by_a_whole_factor(tmp_path, n, sides, grid, film):
    rows = np.random.default_rng(0).integers(0, 256, (n, *sides, 1), dtype=np.uint8)
    like = open_source(rows, name="X")
    write_samples(tmp_path / "grid.png", rows, like)
    with Image.open(tmp_path / "grid.png") as picture:
        sheet = np.asarray(picture)
    height, width = sides
    first = sheet[: grid * height, : grid * width]
    np.testing.assert_array_equal(first, rows[0, ..., 0].repeat(grid, 0).repeat(grid, 1))
    np.testing.assert_array_equal(
        sheet[: grid * height : grid, grid * width :: grid][:, :width], rows[1, ..., 0]
    )
    write_film(tmp_path / "film.gif", rows[:4], like)
    with Image.open(tmp_path / "film.gif") as picture:
        assert picture.size == (film * width, film * height)
