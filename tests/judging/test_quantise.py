import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from saddlepoint.errors import InputError
from saddlepoint.judging.c2st.quantise import quantise


def column(*values):
    return np.array(values, dtype=float)[:, None]


tables = hnp.arrays(
    float,
    st.tuples(st.integers(1, 12), st.just(2)),
    elements=st.one_of(
        st.integers(-(10**6), 10**6).map(float),
        st.floats(-1e6, 1e6).map(lambda x: round(x, 2)),
        st.floats(allow_nan=True, allow_infinity=True),
    ),
)


@settings(max_examples=150, deadline=None)
@given(tables, tables)
def test_twice_is_once_and_real_values_move_by_float_noise_only(real, fake):
    first = quantise(real, fake)
    again = quantise(first[0], first[1])
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not any(finding.share for finding in again[2])
    # 2e-6: data that are float32 numbers (k / 2^m) may be written by float32's decimals.
    np.testing.assert_allclose(first[0], real, rtol=2e-6, atol=0)
    np.testing.assert_array_equal(np.isnan(first[1]), np.isnan(fake))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 6), st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=30))
def test_data_on_their_own_grid_are_unchanged_and_nothing_is_found(decimals, whole):
    real = column(*[float(f"{n}e-{decimals}") for n in whole])
    on_real, on_fake, findings = quantise(real, real[::-1].copy())
    np.testing.assert_array_equal(on_real, real)
    np.testing.assert_array_equal(on_fake, real[::-1])
    assert findings == ()


def test_float_noise_is_neither_found_nor_left_for_a_referee_to_see():
    real, fake, findings = quantise(column(0.3, 0.1, 0.7), column(0.1 + 0.2, 0.1, 0.7))
    assert findings == ()
    assert real[0, 0] == fake[0, 0] == 0.3


def test_decimals_of_a_column_are_the_fakes_too():
    real, fake, findings = quantise(column(1.25, 3.5, 2.0), column(1.257, 3.5, 2.123, np.nan), names=("pay",))
    np.testing.assert_array_equal(fake[:, 0], [1.26, 3.5, 2.12, np.nan])
    np.testing.assert_array_equal(real[:, 0], [1.25, 3.5, 2.0])
    assert (findings[0].column, findings[0].data, findings[0].fake) == ("pay", "2 decimals", "3 decimals")
    assert findings[0].share == pytest.approx(2 / 3)
    for part in ("'pay'", "2 decimals", "3 decimals", "66.7%"):
        assert part in findings[0].sentence


def test_whole_numbers_hundreds_and_continuous_columns():
    generator = np.random.default_rng(0)
    real = np.column_stack(
        [generator.integers(0, 50, 40), generator.integers(0, 50, 40) * 100, generator.normal(size=40)]
    )
    fake = real[::-1] + generator.normal(size=real.shape)
    _, on_grid, findings = quantise(real.astype(float), fake, names=("age", "gain", "x"))
    np.testing.assert_array_equal(on_grid[:, 0], np.rint(fake[:, 0]))
    np.testing.assert_array_equal(on_grid[:, 1], np.rint(fake[:, 1] / 100) * 100)
    np.testing.assert_array_equal(on_grid[:, 2], fake[:, 2])
    assert [(finding.column, finding.data) for finding in findings] == [
        ("age", "whole numbers"),
        ("gain", "multiples of 100"),
    ]
    assert findings[0].share == 1.0
    assert "more than 12 decimals" in findings[0].fake


def test_few_values_make_no_coarse_grid():
    _, fake, findings = quantise(column(0, 10, 20, 10), column(3, 10, 17, 0))
    assert findings == ()
    np.testing.assert_array_equal(fake[:, 0], [3, 10, 17, 0])


def test_dates_of_whole_days_and_categories_left_alone():
    day = 86400.0
    real = np.column_stack([np.arange(5) * day, np.arange(5)])
    fake = np.column_stack([np.arange(5) * day + 30_000, np.arange(5) + 0.5])
    _, on_grid, findings = quantise(
        real, fake, kinds=("date-time", "categorical"), categorical=np.array([False, True]), names=("at", "c")
    )
    assert (on_grid[:, 0] % day == 0).all()
    np.testing.assert_array_equal(on_grid[:, 1], fake[:, 1])
    assert [(f.column, f.data) for f in findings] == [("at", "whole days")]


def test_coarser_fakes_are_said_and_left():
    generator = np.random.default_rng(0)
    real = np.round(generator.normal(size=(100, 1)), 2)
    fake = np.round(generator.normal(size=(100, 1)), 0)
    _, on_grid, findings = quantise(real, fake)
    np.testing.assert_array_equal(on_grid, fake)
    assert findings[0].share == 0
    assert "coarser" in findings[0].sentence
    assert quantise(real, np.round(fake[:1], 0))[2] == ()


def test_single_precision_written_as_double_is_one_grid():
    real = np.round(np.random.default_rng(0).normal(size=(50, 1)), 1).astype(np.float32).astype(float)
    on_real, on_fake, findings = quantise(real, np.round(real, 1))
    np.testing.assert_array_equal(on_real, on_fake)
    assert findings == ()


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, size=(20, 4, 4, 1)).astype(np.uint8)


def test_pictures_on_their_levels_pass(pictures):
    real, fake, findings = quantise(pictures, pictures[::-1])
    np.testing.assert_array_equal(real, pictures)
    np.testing.assert_array_equal(fake, pictures[::-1])
    assert findings == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_pictures_come_to_eight_bits(pictures, dtype):
    _, fake, findings = quantise(pictures, (pictures / 255).astype(dtype))
    np.testing.assert_array_equal(fake, pictures)
    assert findings[0].share == 0
    assert "[0, 1]" in findings[0].fake
    _, fake, findings = quantise(pictures, np.minimum(pictures + 0.3, 255).astype(dtype))
    np.testing.assert_array_equal(fake, pictures)
    assert findings[0].share > 0.9
    assert "The pixels" in findings[0].sentence


def test_two_level_data_make_two_level_fakes(pictures):
    binary = (pictures > 127).astype(np.uint8) * 255
    _, fake, findings = quantise(binary, pictures)
    assert set(np.unique(fake)) == {0, 255}
    assert findings[0].data == "levels in steps of 255"


def test_other_largest_levels_are_told(pictures):
    real = pictures % 17
    _, fake, _ = quantise(real, real / 16, levels=16)
    np.testing.assert_array_equal(fake, real)


def test_float_pictures_on_levels(pictures):
    real, fake, findings = quantise(pictures / 255, np.clip(pictures / 255 + 0.001, 0, 1))
    np.testing.assert_allclose(real, pictures / 255)
    np.testing.assert_array_equal(real, fake)
    assert findings[0].data == "levels of 1/255"
    free = np.random.default_rng(1).normal(size=(5, 3, 3))
    assert quantise(free, free)[0] is free


def test_refused(pictures):
    with pytest.raises(InputError, match=r"\(2,\).*\(3,\)"):
        quantise(np.zeros((4, 2)), np.zeros((4, 3)))
    with pytest.raises(InputError, match="fake pictures"):
        quantise(pictures, np.full(pictures.shape, np.nan))
