"""What every encoder holds to: rows come back as they went in, from JSON as from memory, in the width that it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from saddlepoint.data.encoders import _ENCODERS, encoder_from_dict, fit_encoder
from saddlepoint.data.encoders.gaussian_mixture import MixtureEncoder
from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError, StoredFileError

N = 120


def _numbers() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, 3)) * [1.0, 1e-6, 1e9]


def _counts() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5, size=(N, 4))


def _pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(N, 4, 6, 3), dtype=np.uint8)


def _table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = {"word": rng.choice(["a", "b"], N), "n": rng.integers(0, 900, N), "x": rng.normal(size=N)}
    return pd.DataFrame(frame | {"same": 1})


def _of(rows: Any, **options: Any) -> tuple[Any, Any]:
    dataset = open_source(rows, name="X")
    return dataset.rows, fit_encoder(dataset, **options)


def _mixture(rows: np.ndarray) -> tuple[Any, Any]:
    return rows, MixtureEncoder.fit(rows, rows[::5], seed=0)


CASES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "points": lambda: _of(_numbers()),
    "points, whole": lambda: _of(_counts()),
    "mixture": lambda: _mixture(_numbers()),
    "mixture, whole": lambda: _mixture(_counts()),
    "pictures": lambda: _of(_pictures()),
    "pictures, from -1, with ends": lambda: _of(_pictures() // 64 * 85, low=-1, ends=True),
    "tables": lambda: _of(_table()),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return CASES[request.param]()


def same(one: Any, two: Any) -> None:
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, two)
    else:
        assert one.dtype == two.dtype
        scale = 0.0 if one.dtype.kind in "iub" else np.abs(one).max(0) * 2e-5
        assert (np.abs(one.astype(float) - two.astype(float)) <= scale).all()


def test_every_kind_of_encoder_is_held_to_the_contract() -> None:
    assert {type(make()[1]) for make in CASES.values()} == set(_ENCODERS.values())
    assert {make()[1].to_dict()["kind"] for make in CASES.values()} == set(_ENCODERS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_come_back_in_their_own_types(case: tuple[Any, Any], dtype: torch.dtype) -> None:
    rows, encoder = case
    encoded = encoder.encode(rows, dtype=dtype)
    assert encoded.shape == (N, *encoder.shape)
    assert encoded.dtype == dtype
    assert bool(encoded.isfinite().all())
    same(rows, encoder.decode(encoded))


def test_the_mean_is_that_of_encoded_rows(case: tuple[Any, Any]) -> None:
    """Exact but for the components' draws and the scores of a table, which are standard normal: 5 standard errors."""
    rows, encoder = case
    mean = encoder.encode(rows).mean(0)
    assert encoder.mean_encoded.dtype == torch.float32
    drawn = type(encoder).__name__ in ("MixtureEncoder", "TableTransformer")
    torch.testing.assert_close(mean, encoder.mean_encoded, rtol=0, atol=5 / N**0.5 if drawn else 3e-6)


def test_json_restores_the_same_map(case: tuple[Any, Any]) -> None:
    rows, encoder = case
    again = encoder_from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert again.to_dict() == encoder.to_dict()
    assert (again.kind, again.shape) == (encoder.kind, encoder.shape)
    encoded = encoder.encode(rows)
    assert torch.equal(again.encode(rows), encoded)
    assert torch.equal(again.mean_encoded, encoder.mean_encoded)
    noisy = encoded + 0.1 * torch.randn(encoded.shape, generator=torch.Generator().manual_seed(0))
    one, two = encoder.decode(noisy), again.decode(noisy)
    assert one.equals(two) if isinstance(one, pd.DataFrame) else np.array_equal(one, two)


def test_another_width_and_numbers_that_are_none_are_refused(case: tuple[Any, Any]) -> None:
    _, encoder = case
    with pytest.raises(InputError):
        encoder.decode(torch.zeros(2, *encoder.shape[:-1], encoder.shape[-1] + 1))
    with pytest.raises(InputError, match="NaN or infinity cannot be decoded"):
        encoder.decode(torch.full((2, *encoder.shape), torch.nan))


def test_a_stored_encoder_that_lacks_a_part_is_refused(case: tuple[Any, Any]) -> None:
    stored = case[1].to_dict()
    refused = {}
    for key in stored.keys() - {"kind"}:
        try:
            encoder_from_dict({name: value for name, value in stored.items() if name != key})
        except StoredFileError as error:
            refused[key] = str(error)
    assert refused
    assert all("damaged" in sentence for sentence in refused.values())


@pytest.mark.parametrize("stored", [{}, {"kind": "sounds"}, [], None])
def test_an_unknown_kind_is_named_with_those_that_are_read(stored: Any) -> None:
    with pytest.raises(StoredFileError) as caught:
        encoder_from_dict(stored)
    kind = stored.get("kind") if isinstance(stored, dict) else None
    assert all(repr(each) in str(caught.value) for each in (kind, *_ENCODERS))
