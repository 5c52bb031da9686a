"""Large Parquet files: read in parts, fitted in passes, the same encoder as of the whole table where nothing is thinned."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from saddlepoint.data.encoders import encoder_from_dict, fit_encoder
from saddlepoint.data.opening import open_source
from saddlepoint.data.tables import parquet
from saddlepoint.data.tables.parquet import ParquetRows
from saddlepoint.data.tables.read import frame_of
from saddlepoint.data.tables.schema import infer
from saddlepoint.data.transforms import streaming
from saddlepoint.data.transforms.streaming import QuantileSketch, fit_streaming
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import InputError
from saddlepoint.fitting import FitOptions, prepare, restore

pytestmark = pytest.mark.usefixtures("quick_looks", "no_figures")

N = 3000


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MOST_CELLS", 1000)
    monkeypatch.setattr(parquet, "PART_ROWS", 257)
    monkeypatch.setattr(parquet, "MOST_IN_MEMORY", 400)
    monkeypatch.setattr(streaming, "SAMPLED_ROWS", 500)


def table(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    city = rng.choice(["Rome", "Oslo", "Lima", "Bern"], N, p=[0.6, 0.3, 0.097, 0.003])
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 90 * 86400, N), unit="s")
    return pd.DataFrame(
        {
            "id": np.arange(N) + 5,
            "city": pd.Categorical(city, ["Bern", "Lima", "Oslo", "Rome"]),
            "country": pd.Series(city).map({"Rome": "IT", "Oslo": "NO", "Lima": "PE", "Bern": "CH"}),
            "pay": np.where(rng.random(N) < 0.4, 0.0, np.round(rng.lognormal(7, 1, N), 2)),
            "age": rng.integers(18, 90, N).astype(np.int16),
            "child": pd.array(np.where(rng.random(N) < 0.3, None, rng.integers(0, 4, N)), dtype="Int64"),
            "start": start,
            "end": start + pd.to_timedelta(rng.integers(60, 7200, N), unit="s"),
            "same": "x",
        }
    )


def stored(frame: pd.DataFrame, folder: Path) -> ParquetRows:
    frame.to_parquet(folder / "rows.parquet", index=False, row_group_size=700)
    rows = ParquetRows.of(folder / "rows.parquet")
    assert rows is not None
    return rows


def same(one: TableTransformer, other: TableTransformer) -> bool:
    first, second = one.to_dict(), other.to_dict()
    return {**first, "rank_error": 0} == {**second, "rank_error": 0}


def test_the_encoder_of_passes_is_that_of_the_whole_table(tmp_path: Path) -> None:
    rows = stored(table(), tmp_path)
    frame = frame_of(tmp_path / "rows.parquet")
    whole = TableTransformer.fit(frame, infer(frame))
    found = fit_streaming(rows, name="rows")
    assert same(found, whole)
    assert found.rank_error < 0.002
    assert (found.to_codes(rows) == whole.to_codes(frame)).all()
    assert encoder_from_dict(found.to_dict()).to_dict() == found.to_dict()


def test_what_a_look_takes_for_granted_is_checked_in_every_row(tmp_path: Path) -> None:
    frame = table()
    odd = [row for row in range(2000, 2990) if row not in set(np.linspace(0, N - 1, 500).astype(int))][:4]
    frame["whole"] = frame["age"].astype(float)
    frame.loc[odd[0], "same"] = "y"
    frame.loc[odd[1], "country"] = "IT" if frame.loc[odd[1], "city"] != "Rome" else "NO"
    frame.loc[odd[2], "end"] = frame.loc[odd[2], "start"] - pd.Timedelta("1h")
    frame.loc[odd[3], "whole"] = 33.5
    rows = stored(frame, tmp_path)
    found = fit_streaming(rows, name="rows")
    assert found.constants == {}
    assert [(each.name, each.of) for each in found.dependencies] == [("age", "whole")]
    assert found.kinds["whole"] == "numeric"
    plain = frame_of(frame)
    back = found.decode(found.encode(plain))
    assert back["end"].equals(plain["end"])
    assert back["country"].equals(plain["country"])
    assert back["whole"].equals(plain["whole"])


def test_rows_are_taken_in_any_order_and_parts_stay_in_the_file(tmp_path: Path) -> None:
    rows = stored(table(), tmp_path)
    frame = frame_of(tmp_path / "rows.parquet")
    order = np.random.default_rng(0).permutation(N)[:90]
    pd.testing.assert_frame_equal(rows.iloc[order], frame.iloc[order].reset_index(drop=True))
    some = rows.take(np.arange(0, N, 3))
    assert isinstance(some, ParquetRows)
    assert some.shape == (1000, 9)
    pd.testing.assert_frame_equal(
        pd.concat(list(some.parts()), ignore_index=True), frame.iloc[::3].reset_index(drop=True)
    )
    again = some.take(np.arange(5, 45))
    assert isinstance(again, pd.DataFrame)
    pd.testing.assert_frame_equal(again, frame.iloc[15:135:3].reset_index(drop=True))
    assert some.fingerprint() != rows.fingerprint()


def test_a_text_of_many_values_that_repeat_in_the_file_is_no_key(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"user-{i:04d}" for i in range(400)])[rng.integers(0, 400, N)]
    keys = [f"{i:08x}" for i in rng.permutation(10**6)[:N]]
    rows = stored(pd.DataFrame({"word": words, "key": keys, "x": rng.normal(size=N)}), tmp_path)
    dataset = open_source(tmp_path / "rows.parquet")
    kinds = {column.name: column.kind for column in dataset.schema.columns}
    assert kinds == {"word": "categorical", "key": "identifier", "x": "numeric"}
    encoder = fit_encoder(dataset)
    made = encoder.decode(encoder.encode(rows.iloc[np.arange(50)]))
    assert not set(made["key"]) & set(keys)
    counts = pd.Series(words).value_counts()
    block = next(transformer for transformer in encoder.transformers if transformer.name == "word").block
    assert sorted(block.counts.tolist()) == sorted(counts.tolist())


def test_a_run_reads_in_parts_and_goes_on_with_the_same_rows(tmp_path: Path) -> None:
    stored(table(), tmp_path)
    dataset = open_source(tmp_path / "rows.parquet")
    assert dataset.notes[0].startswith("read in parts")
    preparation = prepare(dataset, FitOptions(rounds=3))
    assert isinstance(preparation.train.rows, ParquetRows)
    assert len(preparation.train) + len(preparation.monitor) + len(preparation.vault) == N
    assert isinstance(preparation.train.in_memory().rows, pd.DataFrame)
    assert len(preparation.train.in_memory()) == 400
    fit = preparation.fit()
    list(fit.play())
    made = fit.model().sample(40, random_state=0)
    assert list(made.columns) == list(table().columns)
    again = restore(open_source(tmp_path / "rows.parquet"), preparation.to_dict())
    assert again.encoder.to_dict() == preparation.encoder.to_dict()
    table(seed=1).to_parquet(tmp_path / "rows.parquet", index=False)
    with pytest.raises(InputError, match="no longer holds the rows"):
        restore(open_source(tmp_path / "rows.parquet"), preparation.to_dict())


def test_what_needs_all_rows_at_once_is_refused(tmp_path: Path) -> None:
    stored(table(), tmp_path)
    with pytest.raises(InputError, match="3,000 rows of 9 columns, and a label column"):
        open_source(tmp_path / "rows.parquet", label="city")
    frame = table()
    frame.loc[2500, "pay"] = np.inf
    rows = stored(frame, tmp_path)
    with pytest.raises(InputError, match="'pay' holds infinite cells"):
        fit_streaming(rows, name="rows")


@pytest.mark.parametrize("law", ["normal", "lognormal", "integers", "sorted"])
def test_a_thinned_summary_keeps_ranks_within_its_stated_error(
    law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "MOST_VALUES", 400)
    rng = np.random.default_rng(0)
    values = {
        "normal": rng.normal(size=40_000),
        "lognormal": np.round(rng.lognormal(0, 2, 40_000), 3),
        "integers": rng.integers(0, 2000, 40_000),
        "sorted": np.sort(rng.normal(size=40_000)),
    }[law]
    values[:3000] = values[0]
    summary = QuantileSketch()
    for part in np.array_split(values, 13):
        summary.add(part)
    assert summary.values is not None
    assert summary.total == len(values)
    assert len(summary.values) <= 400
    assert (summary.values[0], summary.values[-1]) == (values.min(), values.max())
    true = np.searchsorted(np.sort(values), summary.values, side="right")
    off = np.abs(np.cumsum(summary.counts) - true).max()
    assert off <= summary.error <= 0.2 * len(values)
    spike = np.flatnonzero(summary.values == values[0])
    assert abs(int(summary.counts[spike[0]]) - int((values == values[0]).sum())) <= summary.error


def test_words_among_numbers_are_told_and_refused_as_numbers(tmp_path: Path) -> None:
    frame = table().assign(size=[f"{i % 400}" for i in range(N)])
    odd = next(row for row in range(2000, N) if row not in set(np.linspace(0, N - 1, 500).astype(int)))
    frame.loc[odd, "size"] = "about 7"  # the look does not meet it
    stored(frame, tmp_path)
    unseen = open_source(tmp_path / "rows.parquet", columns={"size": "numeric"})
    with pytest.raises(InputError, match=r"'size' .* 'about 7', .*--column size=categorical"):
        prepare(unseen, FitOptions())
    frame.loc[0, "size"] = "12x"
    stored(frame, tmp_path)
    (note,) = open_source(tmp_path / "rows.parquet").notes[1:]
    assert re.search("'size' .* categorical, .* 1 of 500 sampled rows .* '12x'", note)
    with pytest.raises(InputError, match="holds '12x', which is not a number"):
        open_source(tmp_path / "rows.parquet", columns={"size": "numeric"})
