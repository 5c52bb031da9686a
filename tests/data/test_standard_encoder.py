"""Laws of the points encoder: what goes in comes out, whatever the scale."""

from __future__ import annotations

import json

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from saddlepoint.data.encoders.standard import PointsEncoder
from saddlepoint.errors import InputError, StoredFileError

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def round_trip(rows, dtype=torch.float32):
    encoder = PointsEncoder.fit(rows)
    restored = PointsEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert restored == encoder
    return encoder, restored.decode(encoder.encode(rows, dtype=dtype))


def varies(rows):
    return bool((rows != rows[:1]).any())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data(), dtype=st.sampled_from([*INTEGERS, "bool"]))
def test_whole_numbers_of_every_dtype_are_exact(data, dtype):
    rows = data.draw(hnp.arrays(dtype, st.tuples(st.integers(2, 12), st.integers(1, 4))).filter(varies))
    if dtype != "bool" and np.iinfo(dtype).bits > 16:
        # Beyond 2^23 from the mean float32 cannot tell neighbours apart; here ranges stay below that.
        rows = (rows.astype(object) // 2 ** (np.iinfo(dtype).bits - 22)).astype(dtype)
        if not varies(rows):
            rows[0, 0] ^= rows.dtype.type(1)
    _, back = round_trip(rows)
    assert back.dtype == rows.dtype
    np.testing.assert_array_equal(back, rows)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
@pytest.mark.parametrize("place", ["low", "high", "2^61"])
def test_neighbours_near_the_ends_of_64_bits_are_exact(dtype, place):
    info = np.iinfo(dtype)
    start = {"low": info.min, "high": info.max - 99, "2^61": 2**61}[place]
    rows = np.array([[start + i] for i in range(100)], dtype=dtype)
    _, back = round_trip(rows)
    np.testing.assert_array_equal(back, rows)


def test_whole_numbers_over_a_wide_range_are_exact_in_float64_and_one_rounding_in_float32():
    rows = np.random.default_rng(1).integers(0, 2**40, (500, 2))
    encoder, wide = round_trip(rows, torch.float64)
    np.testing.assert_array_equal(wide, rows)
    narrow = encoder.decode(encoder.encode(rows))
    away = np.abs(rows - rows.mean(axis=0))
    assert (np.abs(narrow - rows) <= away * 2.0**-23 + 1).all()
    assert (narrow != rows).any()


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    data=st.data(),
    dtype=st.sampled_from(["float32", "float64"]),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1000.0, 1e30]),
    shift=st.sampled_from([0.0, 1.0, 1e9]),
)
def test_floats_come_back_to_one_float32_rounding_at_every_scale(data, dtype, scale, shift):
    unit = data.draw(
        hnp.arrays("float64", st.tuples(st.integers(2, 12), st.integers(1, 3)), elements=st.floats(-4, 4))
    )
    wide = (unit + shift) * scale
    assume(np.abs(wide).max() < np.finfo(dtype).max)
    rows = wide.astype(dtype)
    assume(varies(rows))
    encoder, back = round_trip(rows)
    assert back.dtype == rows.dtype
    centre = np.array([column.origin + column.mean for column in encoder.columns])
    away = np.abs(rows.astype(np.float64) - centre)
    # Half a unit in the last place of float32 for the standardised value, then of the rows' own dtype.
    allowed = away * 2.0**-24 * 1.01 + np.abs(rows) * np.finfo(dtype).eps + np.finfo(dtype).tiny
    # Where decimals are told, the nearest of their steps: half a step more at most.
    allowed = allowed + [
        0.0 if each.decimals is None else 0.51 * 10.0**-each.decimals for each in encoder.columns
    ]
    assert (np.abs(back.astype(np.float64) - rows) <= allowed).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e-3, 1.0, 1000.0, 1e30, 1e290])
@pytest.mark.parametrize("shift", [0.0, 3.0, 1e9])
def test_scale_and_shift_make_no_difference_to_the_game(scale, shift):
    unit = np.random.default_rng(0).standard_normal((400, 1))
    encoded = PointsEncoder.fit((unit + shift) * scale).encode((unit + shift) * scale).double()
    plain = PointsEncoder.fit(unit).encode(unit).double()
    torch.testing.assert_close(encoded, plain, rtol=0, atol=3e-7 + 2e-16 * shift)
    assert abs(float(encoded.mean())) < 1e-6
    assert float(encoded.std(correction=0)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint64", "bool"])
def test_ranges_are_the_ends_of_the_encoded_rows(dtype):
    rows = np.random.default_rng(1).integers(0, 2, size=(30, 3)).astype(dtype)
    rows[0], rows[1], rows[:, 1] = 0, 1, 1
    encoder = PointsEncoder.fit(rows)
    encoded = encoder.encode(rows, dtype=torch.float64)
    ends = torch.tensor(encoder.ranges, dtype=torch.float64).T
    torch.testing.assert_close(ends, torch.stack([encoded.amin(0), encoded.amax(0)]))


def test_constant_columns_are_left_out_and_restored_exactly():
    rows = np.array([[0.1, 1.0, 7.0], [0.1, 2.5, 7.0], [0.1, 3.0, 7.0]])
    encoder, back = round_trip(rows)
    assert encoder.shape == (1,)
    np.testing.assert_array_equal(back[:, [0, 2]], rows[:, [0, 2]])


def test_whole_columns_of_floats_are_rounded_and_kept_within_the_range_seen():
    rows = np.array([[1.0, 0.5], [2.0, 0.25], [6.0, 1.75]])
    encoder = PointsEncoder.fit(rows)
    assert [column.whole for column in encoder.columns] == [True, False]
    decoded = encoder.decode(torch.tensor([[-50.0, -50.0], [0.1, 0.1], [50.0, 50.0]]))
    assert decoded[0, 0] == 1.0
    assert decoded[2, 0] == 6.0
    assert decoded[1, 0] == round(decoded[1, 0])
    assert decoded[2, 1] > 1.75


@pytest.mark.parametrize("dtype", ["uint8", "int64", "uint64", "bool"])
def test_wild_numbers_decode_within_the_range_seen(dtype):
    rows = np.array([[0], [1], [1]], dtype=dtype)
    decoded = PointsEncoder.fit(rows).decode(torch.tensor([[-1e30], [1e30]]))
    np.testing.assert_array_equal(decoded, np.array([[0], [1]], dtype=dtype))


def test_floats_too_large_to_have_halves_are_not_called_whole():
    rows = np.array([[1.5e30], [2e30], [3e30]])
    assert not PointsEncoder.fit(rows).columns[0].whole


def test_neighbouring_floats_are_told_apart():
    rows = np.array([[1.0], [np.nextafter(1.0, 2.0)], [1.0]])
    np.testing.assert_array_equal(round_trip(rows)[1], rows)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    steps=st.lists(st.integers(-400_000, 400_000), min_size=3, max_size=30, unique=True),
    decimals=st.integers(1, 6),
    dtype=st.sampled_from(["float64", "float32"]),
)
def test_floats_of_few_decimals_are_exact(steps, decimals, dtype):
    # A float32 tells decimals from its own spacing up to some 20,000 steps.
    steps = np.array(steps) // (1 if dtype == "float64" else 20)
    assume(len(set(steps)) > 1)
    rows = (steps[:, None] / 10.0**decimals).astype(dtype)
    encoder, back = round_trip(rows)
    assume(not encoder.columns[0].whole)
    assert encoder.columns[0].decimals <= decimals
    assert back.dtype == rows.dtype
    np.testing.assert_array_equal(back, rows)


def test_samples_of_money_come_in_cents_and_other_floats_as_they_are():
    rows = np.column_stack([[14599.39, 22095.15, 310.0, 8000.5], [0.1, 1 / 3, 2.5, 7.0]])
    encoder, back = round_trip(rows)
    assert [column.decimals for column in encoder.columns] == [2, None]
    np.testing.assert_array_equal(back[:, 0], rows[:, 0])
    drawn = encoder.decode(torch.randn(500, 2))
    np.testing.assert_array_equal(drawn[:, 0], np.round(drawn[:, 0], 2))
    assert not (drawn[:, 1] == np.round(drawn[:, 1], 6)).all()
    assert encoder.decode(torch.full((1, 2), 3e38))[0, 0] > 1e40


def test_single_precision_among_doubles_stays_single():
    rows = np.column_stack([np.float32([0.1, 0.2, 0.35]).astype(float), [0.5, 1 / 3, 7.0]])
    encoder, back = round_trip(rows)
    assert (encoder.columns[0].decimals, encoder.columns[0].single) == (2, True)
    np.testing.assert_array_equal(back[:, 0], rows[:, 0])


def test_sums_of_decimals_come_back_without_their_float_noise():
    rows = np.array([[0.1 + 0.2], [0.7], [5.5]])
    assert round_trip(rows)[1][0, 0] == 0.3


def test_an_encoder_stored_before_decimals_were_known_is_read_and_rounds_nothing():
    stored = PointsEncoder.fit(np.array([[0.25], [0.5], [1.75]])).to_dict()
    for column in stored["columns"]:
        del column["decimals"], column["single"]
    encoder = PointsEncoder.from_dict(stored)
    assert encoder.columns[0].decimals is None
    assert encoder.decode(torch.tensor([[0.1]]))[0, 0] != round(
        encoder.decode(torch.tensor([[0.1]]))[0, 0], 2
    )


def test_names_are_kept():
    encoder = PointsEncoder.fit(np.eye(2), names=("a", "b"))
    assert PointsEncoder.from_dict(encoder.to_dict()).names == ("a", "b")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (np.ones((5, 2)), "every column is constant"),
        (np.zeros((0, 2)), r"non-empty 2-D array of numbers, not \(0, 2\) float64"),
        (np.array([["a"], ["b"]]), "<U1"),
        (np.array([[1.0], [np.nan]]), "NaN, infinity or numbers beyond 1e\\+300"),
        (np.array([[1.0], [1e301]]), "beyond 1e\\+300"),
    ],
)
def test_rows_that_cannot_be_fitted(rows, sentence):
    with pytest.raises(InputError, match=sentence):
        PointsEncoder.fit(rows)


def test_names_of_another_number_are_refused():
    with pytest.raises(InputError, match="1 column names for 2 columns"):
        PointsEncoder.fit(np.eye(2), names=("a",))


def test_another_width_or_numbers_not_finite_are_refused():
    encoder = PointsEncoder.fit(np.eye(3))
    with pytest.raises(InputError, match=r"3 columns .* \(4, 2\)"):
        encoder.encode(np.zeros((4, 2)))
    with pytest.raises(InputError, match="NaN, infinity"):
        encoder.encode(np.full((1, 3), np.nan))


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("dtype"),
        lambda d: d.update(dtype="object"),
        lambda d: d["columns"][0].pop("mean"),
        lambda d: d["columns"][0].update(scale=float("nan")),
        lambda d: d["columns"][0].update(extra=1),
        lambda d: d["columns"][0].update(decimals=99),
        lambda d: d.update(columns=3),
    ],
)
def test_a_damaged_encoder_is_named(damage):
    stored = PointsEncoder.fit(np.eye(2)).to_dict()
    damage(stored)
    with pytest.raises(StoredFileError, match="stored points encoder is damaged"):
        PointsEncoder.from_dict(stored)
