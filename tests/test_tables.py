"""Tables end to end: fit, sample, save, resume; the same form out as came in, the same bytes for the same seed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import saddlepoint as sp
from saddlepoint.cli import app
from saddlepoint.data.encoders import fit_encoder
from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError
from saddlepoint.fitting import FitOptions, prepare, restore
from saddlepoint.training import checkpoint

pytestmark = pytest.mark.usefixtures("quick_looks", "no_figures")

N = 200


def mixed(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    city = rng.choice(["Rome", "Oslo", "Lima"], N, p=[0.6, 0.3, 0.1])
    return pd.DataFrame(
        {
            "id": np.arange(N) + 1,
            "city": city,
            "country": pd.Series(city).map({"Rome": "IT", "Oslo": "NO", "Lima": "PE"}),
            "age": rng.integers(18, 90, N).astype(np.int16),
            "pay": np.where(rng.random(N) < 0.5, 0.0, np.round(rng.lognormal(7, 1, N), 2)),
            "child": pd.array(np.where(rng.random(N) < 0.3, None, rng.integers(0, 4, N)), dtype="Int64"),
            "paid": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 90 * 86400, N), unit="s"),
            "level": pd.Categorical(rng.choice(["low", "high"], N), ["low", "middle", "high"], ordered=True),
            "member": rng.random(N) < 0.4,
        }
    )


@pytest.fixture(scope="module")
def fitted() -> tuple[pd.DataFrame, sp.GAN]:
    frame = mixed()
    return frame, sp.GAN(rounds=30, random_state=0).fit(frame)


def test_samples_have_the_dtypes_order_and_category_sets_that_came_in(fitted) -> None:
    frame, gan = fitted
    made = gan.sample(500, random_state=1)
    assert list(made.columns) == list(frame.columns)
    pd.testing.assert_series_equal(made.dtypes, frame.dtypes)
    assert list(made["level"].cat.categories) == ["low", "middle", "high"]
    assert set(map(tuple, made[["city", "country"]].to_numpy())) <= {
        ("Rome", "IT"),
        ("Oslo", "NO"),
        ("Lima", "PE"),
    }
    assert not set(made["id"]) & set(frame["id"])
    assert made["pay"].equals(made["pay"].round(2))
    assert made["paid"].between(frame["paid"].min(), frame["paid"].max()).all()
    pd.testing.assert_frame_equal(gan.sample(50, random_state=3), gan.sample(50, random_state=3))


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_libraries_get_their_own_frame_back(library: str) -> None:
    import polars
    import pyarrow as pa

    plain = mixed().drop(columns=["child", "level"])
    frame = polars.from_pandas(plain) if library == "polars" else pa.Table.from_pandas(plain)
    made = sp.GAN(rounds=3, random_state=0).fit(frame).sample(20)
    assert type(made) is type(frame)
    assert made.schema == frame.schema


def test_a_saved_estimator_samples_the_same_rows(fitted, tmp_path: Path) -> None:
    frame, gan = fitted
    gan.save(tmp_path / "kept")
    again = sp.load(tmp_path / "kept")
    pd.testing.assert_frame_equal(again.sample(40, random_state=2), gan.sample(40, random_state=2))
    assert list(again.feature_names_in_) == list(frame.columns)
    np.testing.assert_array_equal(again.decision_function(frame), gan.decision_function(frame))


def test_a_table_has_no_parzen_score(fitted) -> None:
    frame, gan = fitted
    with pytest.raises(InputError, match="no score for a table"):
        gan.score_samples(frame)


def test_kinds_can_be_told_and_make_a_table_of_plain_numbers() -> None:
    frame = pd.DataFrame({"code": np.arange(N) % 7 * 100, "x": np.random.default_rng(0).normal(size=N)})
    gan = sp.GAN(rounds=3, random_state=0, columns={"code": "categorical"}).fit(frame)
    assert gan.model_.encoder.kinds == {"code": "categorical", "x": "numeric"}
    assert gan.sample(9).dtypes.equals(frame.dtypes)
    assert sp.GAN(rounds=3, random_state=0).fit(frame).model_.like.kind == "points"
    with pytest.raises(InputError, match="X is not a frame: leave columns out"):
        sp.GAN(columns={"code": "categorical"}).fit(frame.to_numpy())


def test_the_class_of_a_table_is_learnt_beside_it() -> None:
    frame = mixed()
    gan = sp.GAN(rounds=3, random_state=0).fit(frame.drop(columns="member"), frame["member"].astype(str))
    assert len(gan.sample(10, given="True")) == 10


def test_rounds_in_parts_are_rounds_at_once_and_the_choices_are_restored(tmp_path: Path) -> None:
    dataset = open_source(mixed())
    preparation = prepare(dataset, FitOptions(rounds=12, seed=3))
    whole = preparation.fit()
    list(whole.play())
    list(preparation.fit(tmp_path).play(until_round=5))
    second = restore(open_source(mixed()), preparation.to_dict()).fit(tmp_path)
    assert second.resume() == ()
    list(second.play())
    one, two = checkpoint.state_of(whole.game), checkpoint.state_of(second.game)
    assert all(torch.equal(one[name], two[name]) for name in one)
    with pytest.raises(InputError, match="no longer holds the rows"):
        restore(open_source(mixed(seed=1)), preparation.to_dict())


def call(*arguments: object) -> None:
    app([str(argument) for argument in arguments], standalone_mode=False)


def test_a_csv_in_a_csv_out_the_same_bytes_for_the_same_seed(tmp_path: Path, capsys) -> None:
    source = tmp_path / "people.csv"
    mixed().assign(paid=lambda frame: frame["paid"].dt.strftime("%d.%m.%Y")).to_csv(source, index=False)
    for name in ("one", "two"):
        call("train", source, "--rounds", 6, "--column", "age=categorical", "--out", tmp_path / name)
        call("sample", tmp_path / name, "-n", 50, "--seed", 4, "--out", tmp_path / f"{name}.csv")
    said = capsys.readouterr()
    assert "age      categorical" in said.err
    assert "a function of country, restored from it" in said.err
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    real, made = (pd.read_csv(path) for path in (source, tmp_path / "one.csv"))
    assert list(made.columns) == list(real.columns)
    assert made["paid"].str.fullmatch(r"[0-9]{2}\.[0-9]{2}\.2024").all()
    assert set(made["age"]) <= set(real["age"])
    call("sample", tmp_path / "one", "-n", 5, "--out", tmp_path / "some.parquet")
    assert len(pd.read_parquet(tmp_path / "some.parquet")) == 5
    call("judge", source, tmp_path / "one", "--quick")
    with pytest.raises(InputError, match=r"\.csv, \.tsv, \.parquet or \.feather"):
        call("sample", tmp_path / "one", "--out", tmp_path / "some.npy")
    with pytest.raises(InputError, match=r"'age' .* --column NAME=KIND"):
        call("train", source, "--column", "age", "--out", tmp_path / "three")


def test_the_few_cells_that_spoil_a_column_of_dates_are_named_or_taken_as_missing() -> None:
    days = pd.date_range("2019-01-01", periods=200).strftime("%Y-%m-%d").to_numpy(dtype=object, copy=True)
    days[31] = "2019-02-30"
    frame = pd.DataFrame({"day": days, "sex": ["m", "f"] * 100})
    odd = "1 cell that is not a date, '2019-02-30' in row 32"
    assert re.search(f"'day' .*categorical, .* {odd} .*--column day=date-time", open_source(frame).notes[-1])
    dataset = open_source(frame, columns={"day": "date-time"})
    assert f"'day' has {odd}" in dataset.notes[0]
    assert dataset.schema.column("day").date_format == "%Y-%m-%d"
    assert list(np.flatnonzero(dataset.rows["day"].isna())) == [31]


def test_what_is_not_learnt_is_told() -> None:
    frame = pd.DataFrame({"name": [f"Mrs {i} Ng" for i in range(60)], "sex": ["m", "f"] * 30, "none": None})
    dataset = open_source(frame)
    assert re.search("'name' .* identifier .*60 of 60 .*--column name=categorical", dataset.notes[-1])
    assert "empty" in {name: how for name, _, how in fit_encoder(dataset).describe()}["none"]


def test_the_few_cells_that_spoil_a_column_of_numbers_are_named_or_taken_as_missing() -> None:
    frame = pd.DataFrame({"age": [str(20 + i % 50) for i in range(200)], "sex": ["m", "f"] * 100})
    frame.loc[123, "age"] = "12x"
    odd = "1 cell that is not a number, '12x' in row 124"
    assert re.search(f"'age' .*categorical, .* {odd} .*--column age=numeric", open_source(frame).notes[-1])
    for kind in ("numeric", "integer"):
        dataset = open_source(frame, columns={"age": kind})
        assert f"'age' has {odd}" in dataset.notes[0]
        assert "column 'age' has missing cells" in dataset.notes[1]
        assert list(np.flatnonzero(dataset.rows["age"].isna())) == [123]
        assert dataset.rows["age"].drop(123).tolist() == [20 + i % 50 for i in range(200) if i != 123]
    codes = pd.DataFrame({"zip": [f"{i % 90:05d}" for i in range(200)], "x": np.arange(200) / 7})
    for kinds in ({"zip": "numeric"}, {"x": "numeric", "zip": "categorical"}):
        # What the column holds as text is no reason any more.
        (note,) = open_source(codes, columns=kinds).notes
        assert f"the kind of column {next(iter(kinds))!r} is given" in note
    # Where no fifth of the cells is left to be numbers, they are none.
    with pytest.raises(InputError, match=r"'sex' .* numbers, .* row 1 holds 'm'"):
        open_source(frame, columns={"sex": "numeric"})
