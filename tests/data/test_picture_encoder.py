"""Laws of the pictures encoder: an exact round trip at every number of levels."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from saddlepoint.data.encoders import encoder_from_dict, fit_encoder
from saddlepoint.data.encoders.picture import PicturesEncoder, margin_of
from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError, StoredFileError


@pytest.mark.parametrize("low", [0, -1])
@pytest.mark.parametrize("levels", [1, 2, 15, 16, 100, 255])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_grey_level_comes_back(low, levels, dtype):
    rows = np.arange(levels + 1, dtype=np.uint8).reshape(-1, 1, 1, 1)
    encoder = PicturesEncoder.fit(rows, levels=levels, low=low)
    encoded = encoder.encode(rows, dtype=dtype)
    assert encoded.dtype == dtype
    assert float(encoded.min()) == low
    assert float(encoded.max()) == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(encoder.decode(encoded), rows)


def test_formula_and_order_of_axes():
    rows = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    encoded = PicturesEncoder.fit(rows, low=-1).encode(rows)
    assert encoded.shape == (3, 3, 4, 5)
    assert float(encoded[1, 2, 3, 4]) == pytest.approx(-1 + 2 * int(rows[1, 3, 4, 2]) / 255, abs=1e-6)


def test_decoding_rounds_and_clips():
    encoder = PicturesEncoder(height=1, width=4, channels=1, low=-1)
    decoded = encoder.decode(torch.tensor([[[[-3.0, -1 + 1.4 / 127.5, 0.999, 5.0]]]]))
    assert decoded.ravel().tolist() == [0, 1, 255, 255]


@pytest.mark.parametrize(
    "damage", [{"levels": 0}, {"low": 7}, {"height": "8"}, {"mean": [0.5]}, {"channels": 9}]
)
def test_a_damaged_encoder_is_named(damage):
    stored = PicturesEncoder(height=8, width=8, channels=1).to_dict() | damage
    with pytest.raises(StoredFileError, match="stored pictures encoder is damaged"):
        encoder_from_dict(stored)


def test_other_pictures_are_refused():
    encoder = PicturesEncoder(height=2, width=3, channels=1, levels=16)
    with pytest.raises(InputError, match=r"\(n, 2, 3, 1\) uint8 .* \(1, 3, 2, 1\) uint8"):
        encoder.encode(np.zeros((1, 3, 2, 1), np.uint8))
    with pytest.raises(InputError, match=r"grey level 17 .* 0\.\.16"):
        encoder.encode(np.full((1, 2, 3, 1), 17, np.uint8))
    with pytest.raises(InputError, match="low is 1"):
        PicturesEncoder(height=2, width=3, channels=1, low=1)
    with pytest.raises(InputError, match=r"not \(3, 2\) float64"):
        PicturesEncoder.fit(np.zeros((3, 2)))


@pytest.mark.parametrize("low", [0, -1])
@pytest.mark.parametrize("levels", [2, 16, 255])
@pytest.mark.parametrize("margin", [0.01, 0.2])
def test_a_margin_sets_black_and_white_apart_and_every_level_comes_back(low, levels, margin):
    rows = np.arange(levels + 1, dtype=np.uint8).reshape(-1, 1, 1, 1)
    encoder = PicturesEncoder.fit(rows, levels=levels, low=low, margin=margin)
    encoded = encoder.encode(rows)
    np.testing.assert_array_equal(encoder.decode(encoded), rows)
    fractions = (encoded.double().flatten() - low) / (1 - low)
    assert fractions[0] == 0
    assert fractions[-1] == 1
    inside = margin + (1 - 2 * margin) * np.arange(1, levels) / levels
    np.testing.assert_allclose(fractions[1:-1], inside, atol=1e-6)
    torch.testing.assert_close(encoder.mean_encoded, encoded.mean(0), rtol=0, atol=2e-6)
    # What comes near an end, nearer than the margin, is that end.
    near = torch.tensor([0.99 * margin, 1 - 0.99 * margin]).reshape(2, 1, 1, 1) * (1 - low) + low
    assert encoder.decode(near).flatten().tolist() == [0, levels]
    assert encoder_from_dict(json.loads(json.dumps(encoder.to_dict()))) == encoder


def test_a_margin_is_given_where_many_numbers_lie_at_the_ends_of_many_levels():
    random = np.random.default_rng(0)
    grey = random.integers(1, 255, (50, 8, 8, 1)).astype(np.uint8)
    inked = np.where(random.random(grey.shape) < 0.2, 0, grey).astype(np.uint8)
    assert margin_of(grey, 255) == 0
    assert margin_of(inked, 255) == pytest.approx(0.018, abs=1e-4)
    assert margin_of(inked // 16, 16) == 0  # half a level is as much
    dataset = open_source(inked, name="X")
    assert fit_encoder(dataset).margin == 0
    assert fit_encoder(dataset, ends=True).margin == margin_of(inked, 255)


def test_a_margin_out_of_range_is_refused():
    with pytest.raises(InputError, match=r"margin is 0.3; .* 1/4"):
        PicturesEncoder(height=2, width=2, channels=1, margin=0.3)
