import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from PIL import Image

from saddlepoint.drawing.pictures import (
    TILE,
    WIDTH,
    Scale,
    evenly,
    interpolation,
    sample_grid,
    scale_for,
    strip,
    tile,
)
from saddlepoint.drawing.style import to_png
from saddlepoint.errors import InputError


def dots(figure):
    with Image.open(io.BytesIO(to_png(figure))) as image:
        return packed(np.asarray(image.convert("RGB")))


def packed(colours):
    """One number a dot instead of three."""
    return colours.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)


def words(figure):
    return " | ".join(text.get_text() for text in figure.findobj(Text))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def rgb(picture):
    return picture[..., :3] if picture.shape[-1] == 3 else picture[..., :1].repeat(3, axis=-1)


def places(page, picture, k):
    """The upper left corners at which the picture stands in the page, enlarged k times, pixel by pixel."""
    block = packed(rgb(picture)).repeat(k, axis=0).repeat(k, axis=1)
    height, width = block.shape[:2]
    rows, columns = page.shape[0] - height + 1, page.shape[1] - width + 1
    corners = page[:rows, :columns] == block[0, 0]
    for y, x in ((0, width - 1), (height - 1, 0), (height - 1, width - 1), (height // 2, width // 3)):
        corners &= page[y : y + rows, x : x + columns] == block[y, x]
    found = zip(*np.nonzero(corners), strict=True)
    return [(y, x) for y, x in found if np.array_equal(page[y : y + height, x : x + width], block)]


@pytest.mark.parametrize(("height", "width", "channels", "n"), [(8, 8, 1, 7), (5, 9, 3, 5), (28, 28, 1, 12)])
def test_the_grid_holds_the_given_pictures_exactly_in_reading_order(height, width, channels, n):
    pictures = noise(n, height, width, channels)
    page = dots(sample_grid(pictures, columns=4))
    k = scale_for(height, width, across=4).enlarge
    found = [places(page, picture, k) for picture in pictures]
    assert [len(corners) for corners in found] == [1] * n
    corners = [corner for (corner,) in found]
    assert corners == sorted(corners)
    assert len({y for y, _ in corners}) == -(-n // 4)
    assert len({x for _, x in corners}) == 4


def test_each_sample_stands_left_of_its_own_neighbour_on_one_row_and_the_figure_says_so():
    samples, nearest = noise(6, 8, 8, 1), noise(6, 8, 8, 3, seed=1)
    figure = sample_grid(samples, nearest, captions=[f"case {i}" for i in range(6)], columns=2)
    page, k = dots(figure), scale_for(8, 8, across=4).enlarge
    for left, right in zip(samples, nearest, strict=True):
        ((y, x),) = places(page, left, k)
        ((y2, x2),) = places(page, right, k)
        assert y == y2
        assert 8 * k < x2 - x < 8 * k + 40
    assert "left: a sample" in words(figure)
    assert "right: the training example nearest" in words(figure)
    assert all(f"case {i}" in words(figure) for i in range(6))


def test_the_strip_runs_from_left_to_right_in_time_and_downwards_in_noise():
    frames = noise(4, 3, 6, 6, 1)
    figure = strip(frames, [0, 10, 1000, 20000])
    page, k = dots(figure), scale_for(6, 6, across=4).enlarge
    corners = {(t, row): places(page, frames[t, row], k) for t in range(4) for row in range(3)}
    assert all(len(found) == 1 for found in corners.values())
    for (t, row), ((y, x),) in corners.items():
        assert y == corners[0, row][0][0]
        assert x == corners[t, 0][0][1]
    assert [corners[t, 0][0][1] for t in range(4)] == sorted(corners[t, 0][0][1] for t in range(4))
    assert [corners[0, row][0][0] for row in range(3)] == sorted(corners[0, row][0][0] for row in range(3))
    assert "round 0 | 10 | 1,000 | 20,000" in words(figure)


def test_a_long_strip_shows_the_first_and_the_last_moment_and_says_what_it_leaves_out():
    frames = noise(30, 12, 4, 4, 1)
    figure = strip(frames, list(range(0, 300, 10)))
    page, k = dots(figure), scale_for(4, 4, across=12).enlarge
    assert len(places(page, frames[0, 0], k)) == len(places(page, frames[29, 9], k)) == 1
    assert not places(page, frames[1, 0], k)
    assert not places(page, frames[0, 10], k)
    assert "12 of 30 moments are shown, evenly chosen." in words(figure)
    assert "The first 10 of 12 noise vectors are shown." in words(figure)


def test_an_interpolation_holds_every_step_in_order():
    frames = noise(2, 5, 7, 7, 3)
    figure = interpolation(frames)
    page, k = dots(figure), scale_for(7, 7, across=5).enlarge
    for row in range(2):
        corners = [places(page, frames[row, step], k)[0] for step in range(5)]
        assert len({y for y, _ in corners}) == 1
        assert [x for _, x in corners] == sorted(x for _, x in corners)
    assert "0 | 0.25 | 0.5 | 0.75 | 1" in words(figure)


@given(height=st.integers(1, 1024), width=st.integers(1, 1024), across=st.integers(1, 24))
def test_the_scale_is_the_largest_that_fits_and_one_number_for_both_sides(height, width, across):
    scale, room = scale_for(height, width, across=across), WIDTH // across
    if scale.enlarge > 1 or scale.reduce == 1:
        assert scale.enlarge * width <= room or scale.enlarge == 1
        k = scale.enlarge + 1
        assert k * max(height, width) > TILE or k * width > room
    else:
        assert -(-width // scale.reduce) <= room
        assert scale.enlarge == 1


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.integers(1, 4),
    k=st.integers(1, 5),
    r=st.integers(1, 7),
)
def test_a_tile_is_never_distorted(height, width, channels, k, r):
    picture = np.full((height, width, channels), 255, np.uint8)
    picture[..., 0] = 77
    assert tile(picture, Scale(enlarge=k)).shape == (k * height, k * width, 3)
    reduced = tile(picture, Scale(reduce=r))
    assert reduced.shape == (-(-height // r), -(-width // r), 3)
    assert (reduced[..., 0] == 77).all()


def test_a_transparent_picture_shows_the_board_and_an_opaque_one_nothing_of_it():
    clear, solid = np.zeros((4, 4, 4), np.uint8), np.full((4, 4, 2), 255, np.uint8)
    assert set(np.unique(tile(clear, Scale(enlarge=12)))) == {206, 238}
    assert set(np.unique(tile(solid, Scale(enlarge=12)))) == {255}


def test_reducing_takes_the_mean_of_each_block():
    picture = noise(6, 8, 1)
    means = picture.reshape(3, 2, 4, 2).mean(axis=(1, 3))
    assert np.abs(tile(picture, Scale(reduce=2))[..., 0] - means).max() <= 0.5


def test_the_sheet_grows_by_whole_rows():
    heights = [dots(sample_grid(noise(n, 8, 8, 1), columns=3)).shape[0] for n in (1, 3, 4, 6, 7)]
    steps = np.diff(heights)
    assert steps[0] == steps[2] == 0
    assert steps[1] == steps[3] > 8 * scale_for(8, 8, across=3).enlarge


@pytest.mark.parametrize(
    "shape", [(0, 8, 8, 1), (1, 1, 1, 3), (3, 1, 300, 1), (2, 300, 1, 4), (2, 900, 1000, 3), (5, 2, 2, 2)]
)
def test_any_size_gives_a_figure_of_sensible_size(shape):
    page = dots(sample_grid(noise(*shape), noise(*shape)))
    assert 200 < page.shape[1] < 2600
    assert 60 < page.shape[0] < 4000


def test_very_many_samples_are_cut_to_the_first_and_large_ones_reduced_and_both_said():
    figure = sample_grid(noise(130, 300, 300, 1))
    assert "The first 100 of 130 samples are shown." in words(figure)
    assert "Pictures are reduced 1:2 in height and width." in words(figure)
    assert "There are no samples to show." in words(sample_grid(noise(0, 8, 8, 1)))
    assert "There are no moments to show." in words(strip(noise(0, 2, 8, 8, 1), []))
    assert "There are no lines to show." in words(interpolation(noise(0, 4, 8, 8, 1)))


def test_hostile_captions_and_titles_are_drawn_as_they_are():
    odd = ["$x_{$", "\\frac", "名前", "<script>", "a\nb"]
    figure = sample_grid(noise(5, 8, 8, 1), captions=odd, title="$\\bad{")
    to_png(figure)
    assert "$x_{$ | \\frac | □□ | <script> | a b" in words(figure)
    assert "$\\bad{" in words(figure)


def test_pictures_of_another_shape_or_dtype_are_refused_with_both_named():
    with pytest.raises(
        InputError, match=r"samples has shape \(4, 8, 8\) and dtype uint8; .*\(n, height, width"
    ):
        sample_grid(noise(4, 8, 8))
    with pytest.raises(InputError, match=r"\(4, 8, 8, 1\) and dtype float64; .*uint8"):
        sample_grid(noise(4, 8, 8, 1) / 255)
    with pytest.raises(InputError, match=r"shape \(4, 8, 8, 5\)"):
        sample_grid(noise(4, 8, 8, 5))
    with pytest.raises(InputError, match=r"shape \(4, 0, 8, 1\)"):
        sample_grid(noise(4, 0, 8, 1))
    with pytest.raises(InputError, match=r"frames has shape \(4, 8, 8, 1\) .*\(t, n, height"):
        strip(noise(4, 8, 8, 1), [1])
    with pytest.raises(InputError, match="samples cannot be read as one array"):
        sample_grid([noise(4, 8, 8, 1), noise(4, 7, 8, 1)])


def test_counts_that_do_not_fit_are_refused_with_the_counts():
    with pytest.raises(InputError, match=r"nearest has shape \(3, 8, 8, 1\) and samples \(4, 8, 8, 1\)"):
        sample_grid(noise(4, 8, 8, 1), noise(3, 8, 8, 1))
    with pytest.raises(InputError, match="2 captions for 4 samples"):
        sample_grid(noise(4, 8, 8, 1), captions=["a", "b"])
    with pytest.raises(InputError, match="columns is 0; give 1 or more"):
        sample_grid(noise(4, 8, 8, 1), columns=0)
    with pytest.raises(InputError, match="1 rounds for 2 frames"):
        strip(noise(2, 1, 8, 8, 1), [5])


@given(count=st.integers(0, 3000), most=st.integers(2, 40))
def test_evenly_keeps_the_ends_the_order_and_the_number(count, most):
    chosen = evenly(count, most)
    assert len(chosen) == min(count, most)
    assert chosen == sorted(set(chosen))
    assert not count or (chosen[0] == 0 and chosen[-1] == count - 1)
