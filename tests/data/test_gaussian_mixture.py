"""Rows in charts: the law of every encoder, the number of charts, and what local coordinates are."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_digits

from saddlepoint.data.encoders import encoder_from_dict
from saddlepoint.data.encoders.gaussian_mixture import MixtureEncoder
from saddlepoint.errors import StoredFileError


def ring(n, seed, width=0.05):
    random = np.random.default_rng(seed)
    angle = random.integers(8, size=n) * np.pi / 4
    return np.column_stack([np.cos(angle), np.sin(angle)]) + width * random.normal(size=(n, 2))


def normal(n, seed, width=3):
    return np.random.default_rng(seed).normal(size=(n, width))


@pytest.fixture(scope="module")
def on_ring():
    return MixtureEncoder.fit(ring(3000, 0), ring(500, 1), seed=0)


ROWS = {
    "ring": ring(1000, 0),
    "one column": normal(400, 0, 1),
    "one column far away": 1e9 + normal(400, 0, 1),
    "more columns than rows": normal(60, 0, 80),
    "whole numbers": np.random.default_rng(0).integers(0, 5, size=(500, 4)),
    "digits": load_digits().data[:600],
    "integers of large steps": np.random.default_rng(0).integers(0, 3, size=(300, 2)) * 1_000_000,
    "booleans": np.random.default_rng(0).random((300, 3)) < [0.1, 0.5, 0.9],
}


@pytest.mark.parametrize("name", ROWS)
def test_decoding_gives_back_what_was_encoded(name):
    rows = ROWS[name]
    encoder = MixtureEncoder.fit(rows, rows[::5], seed=0)
    encoded = encoder.encode(rows)
    assert encoded.shape == (len(rows), *encoder.shape)
    assert encoded.dtype == torch.float32
    code = encoded[:, : encoder.components]
    assert (code.sum(1) == 1).all()
    assert set(code.unique().tolist()) <= {0.0, 1.0}
    back = encoder.decode(encoded)
    assert back.dtype == rows.dtype
    if encoder.points.columns[0].whole or rows.dtype.kind != "f":
        np.testing.assert_array_equal(back, rows)
    else:
        np.testing.assert_allclose(back, rows, rtol=0, atol=2e-5 * rows.std(0).max())


def test_the_number_of_charts_is_found_on_rows_that_train_nothing(on_ring):
    assert on_ring.components in (8, 16)
    assert MixtureEncoder.fit(normal(3000, 0), normal(500, 1), seed=0).components == 1
    assert [components for components, _ in on_ring.compared][:4] == [1, 2, 4, 8]
    assert (
        MixtureEncoder.fit(ring(3000, 0), None, seed=0).components == 1
    )  # nobody to ask: no structure is claimed


def test_in_the_charts_of_a_mixture_rows_are_standard_normal(on_ring):
    """Kolmogorov-Smirnov at 1e-4 for each coordinate, fixed seed; codes against their weights by chi-squared."""
    encoded = on_ring.encode(ring(4000, 2)).double().numpy()
    code, local = encoded[:, : on_ring.components], encoded[:, on_ring.components :]
    for axis in range(2):
        assert stats.kstest(local[:, axis], "norm").pvalue > 1e-4
    counts, expected = code.sum(0), on_ring.shares[0] * len(code)
    some = expected > 5
    assert (
        stats.chisquare(counts[some], expected[some] * counts[some].sum() / expected[some].sum()).pvalue
        > 1e-4
    )


def test_whole_numbers_are_spread_over_their_step_so_that_no_lattice_shows():
    rows = np.random.default_rng(0).integers(0, 4, size=(2000, 2))
    encoder = MixtureEncoder.fit(rows, rows[::5], seed=0)
    encoded = encoder.encode(rows)
    assert len(np.unique(encoded[:, -1].numpy().round(4))) > 1000


def test_each_class_has_its_own_weights():
    rows = ring(4000, 3)
    right = (rows[:, 0] > 0.3).astype(int)
    encoder = MixtureEncoder.fit(rows, ring(500, 1), codes=right, classes=2, seed=0)
    assert encoder.shares.shape == (2, encoder.components)
    np.testing.assert_allclose(encoder.shares.sum(1), 1)
    is_right = encoder.means[:, 0] * rows[:, 0].std() > 0.3
    assert encoder.shares[1, is_right].sum() > 0.99
    assert encoder.shares[0, is_right].sum() < 0.01


@pytest.mark.parametrize(
    "damage",
    [
        {"means": None},
        {"factors": {"shape": [1], "float64": "AAAAAAAA8D8="}},
        {"shares": {"shape": [1, 8], "float64": "not base64"}},
        {"points": {"kind": "points"}},
        {"compared": [["many", 1.0]]},
    ],
)
def test_damaged_charts_are_refused(on_ring, damage):
    with pytest.raises(StoredFileError, match="damaged"):
        encoder_from_dict({**on_ring.to_dict(), **damage})
