"""What every column holds to: its cells come back in their own type, and whatever a generator makes is of the column."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from saddlepoint.data.encoders import encoder_from_dict
from saddlepoint.data.tables.numeric import cells_of
from saddlepoint.data.tables.read import frame_of
from saddlepoint.data.tables.schema import infer
from saddlepoint.data.transforms.table import _TRANSFORMERS, TableTransformer

N = 400


def columns_of_every_kind() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    words = rng.choice(["a", "b", "c c", 'ü,"x"', "=1+1"], N)
    days = pd.Timestamp("2021-03-01") + pd.to_timedelta(rng.integers(0, 400 * 86400, N), unit="s")
    return {
        "words": words,
        "words with gaps": pa.array(np.where(rng.random(N) < 0.2, None, words).tolist(), pa.string()),
        "few whole": pa.array(rng.integers(0, 5, N), pa.int8()),
        "whole": pa.array(rng.integers(-1000, 1000, N), pa.int16()),
        "whole with gaps": pa.array([None if u < 0.3 else int(1e4 * u) for u in rng.random(N)], pa.int64()),
        "beyond 2^53": pa.array(2**60 + 7 * rng.integers(0, 10**6, N), pa.int64()),
        "unsigned": pa.array((2**64 - 1 - rng.integers(0, 10**6, N).astype(np.uint64)).tolist(), pa.uint64()),
        "whole range": pa.array([-(2**63), 2**63 - 1] * (N // 2), pa.int64()),
        "cents": np.round(rng.lognormal(3, 1, N), 2),
        "spikes": np.where(rng.random(N) < 0.6, 0.0, np.round(rng.random(N), 3)),
        "real": rng.normal(size=N),
        "single": pa.array(rng.normal(size=N).astype(np.float32)),
        "real with gaps": np.where(rng.random(N) < 0.1, np.nan, rng.normal(size=N)),
        "true": rng.random(N) < 0.3,
        "true with gaps": pa.array([None, True, False, True] * (N // 4)),
        "moments": days.to_numpy(),
        "zoned": pa.array(days.as_unit("us").asi8, pa.timestamp("us", tz="Europe/Berlin")),
        "days": pa.array([each.date() for each in days], pa.date32()),
        "days with gaps": pa.array([None if i % 7 == 0 else each.date() for i, each in enumerate(days)]),
        "months": pa.array([date(2000 + i % 30, 1 + i % 12, 15) for i in range(N)]),
        "clock": pa.array([time(i % 24, i * 7 % 60) for i in range(N)]),
        "written": days.strftime("%d.%m.%Y %H:%M"),
        "written plainly": [f"{each.month}/{each.day}/{each.year}" for each in days],
        "decimal": pa.array(
            [Decimal(int(each)) / 100 for each in rng.integers(0, 9999, N)], pa.decimal128(9, 2)
        ),
        "categories": pd.Categorical(rng.choice(["low", "high"], N), ["low", "middle", "high"], ordered=True),
        "same": ["x"] * N,
        "nothing": pa.nulls(N),
        "key": [f"PC {i:05d}" for i in rng.permutation(20_000)[:N]],
        "key with gaps": pa.array([None if i % 5 == 0 else f"u-{7 * i}" for i in range(N)]),
    }


COLUMNS = columns_of_every_kind()
KEYS = ("key", "key with gaps")


def fitted(columns: dict[str, Any]) -> tuple[pd.DataFrame, TableTransformer]:
    frame = frame_of(pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()}))
    return frame, TableTransformer.fit(frame, infer(frame))


@pytest.fixture(scope="module", params=COLUMNS)
def column(request: pytest.FixtureRequest) -> tuple[str, pd.DataFrame, TableTransformer]:
    return request.param, *fitted({request.param: COLUMNS[request.param], "other": np.arange(N) % 3})


def test_every_transformer_is_held_to_the_contract() -> None:
    used = {type(each) for each in fitted(COLUMNS)[1].transformers}
    assert used == set(_TRANSFORMERS.values())


def test_cells_come_back_in_their_own_type(column: tuple[str, pd.DataFrame, TableTransformer]) -> None:
    name, frame, encoder = column
    encoder = encoder_from_dict(json.loads(json.dumps(encoder.to_dict())))
    encoded = encoder.encode(frame)
    assert encoded.shape == (N, *encoder.shape)
    assert encoded.dtype == torch.float32
    assert bool(encoded.isfinite().all())
    back = encoder.decode(encoded)
    assert back.dtypes.equals(frame.dtypes)
    pd.testing.assert_series_equal(back[name].isna(), frame[name].isna())
    if name not in KEYS:
        pd.testing.assert_frame_equal(back, frame)


def test_a_transformer_is_its_json_and_has_a_code_for_each_block(
    column: tuple[str, pd.DataFrame, TableTransformer],
) -> None:
    name, frame, encoder = column
    for each in encoder.transformers:
        if each.name != name:
            continue
        again = type(each).from_dict(json.loads(json.dumps(each.to_dict())))
        assert again.to_dict() == each.to_dict()
        for field in dataclasses.fields(each):
            if isinstance(getattr(each, field.name), str | bool | int | float | None):
                assert getattr(again, field.name) == getattr(each, field.name), field.name
        assert again.describe() == each.describe()
        codes, restored = (one.codes(cells_of(frame, name)) for one in (each, again))
        assert len(codes) == len(each.feature_blocks)
        for block, code, other in zip(each.feature_blocks, codes, restored, strict=True):
            assert code.dtype == np.int32
            assert code.min() >= 0
            assert code.max() < len(block.tables()[0])
            np.testing.assert_array_equal(code, other)


def test_whatever_a_generator_makes_is_of_the_column(
    column: tuple[str, pd.DataFrame, TableTransformer], drawn: Callable[..., torch.Tensor]
) -> None:
    name, frame, encoder = column
    made = encoder.decode(drawn(encoder, 500))
    assert made.dtypes.equals(frame.dtypes)
    assert made[name].isna().any() == frame[name].isna().any()
    if name in KEYS:
        assert made[name].dropna().is_unique
        assert not set(made[name].dropna()) & set(frame[name].dropna())
        return
    seen, new = (pa.chunked_array([pa.array(side[name].dropna())]) for side in (frame, made))
    if not pa.types.is_null(seen.type):
        seen, new = (
            side.cast(side.type.value_type) if pa.types.is_dictionary(side.type) else side
            for side in (seen, new)
        )
        if not pa.types.is_boolean(seen.type) and "written" not in name:
            assert pa.compute.min(new).as_py() >= pa.compute.min(seen).as_py()
            assert pa.compute.max(new).as_py() <= pa.compute.max(seen).as_py()
    if encoder.kinds[name] in ("categorical", "boolean"):
        assert set(made[name].dropna()) <= set(frame[name].dropna())
    if name == "cents":
        np.testing.assert_array_equal(made[name], made[name].astype(float).round(2))
    if "written" in name:
        again = infer(made)
        assert again.column(name).date_format == infer(frame).column(name).date_format


def test_a_whole_table_comes_back_in_order_and_parts_are_decoded_as_the_whole_is(
    drawn: Callable[..., torch.Tensor],
) -> None:
    """Identifiers too, whose random stream is keyed by all numbers together."""
    frame, encoder = fitted(COLUMNS)
    back = encoder.decode(encoder.encode(frame))
    assert list(back.columns) == list(frame.columns)
    pd.testing.assert_frame_equal(back.drop(columns=list(KEYS)), frame.drop(columns=list(KEYS)))
    rows = drawn(encoder, 500)
    pd.testing.assert_frame_equal(encoder.decode_chunks(torch.split(rows, 130)), encoder.decode(rows))
