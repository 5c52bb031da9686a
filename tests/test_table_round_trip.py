"""Tables come out as they went in: every form, dtype, format, bound and share of missing cells; formulas are texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

import saddlepoint as sp
from saddlepoint.data.opening import open_source
from saddlepoint.data.write import escaped, write_samples
from saddlepoint.errors import InputError
from saddlepoint.fitting import FitOptions, prepare
from saddlepoint.model import Model

pytestmark = pytest.mark.usefixtures("quick_looks", "no_figures")

N, SAMPLES = 800, 6000


def arrow_table() -> pa.Table:
    rng = np.random.default_rng(0)
    words = rng.choice(["=1+2", "-x", "ä|b", "plain"], N)
    start = 1_700_000_000 + rng.integers(0, 60 * 86400, N)
    return pa.table(
        {
            "small": pa.array(rng.integers(-3, 9, N), pa.int8()),
            "large": pa.array(2**60 + rng.integers(0, 10**6, N), mask=rng.random(N) < 0.25),
            "unsigned": pa.array((2**64 - 1 - rng.integers(0, 99, N).astype("u8")).astype("u8"), pa.uint64()),
            "cents": pa.array(np.round(rng.gamma(2, 20, N), 2)),
            "tens": pa.array(rng.integers(1, 40, N) * 10.0, mask=rng.random(N) < 0.5),
            "single": pa.array(rng.normal(size=N).astype("f4")),
            "money": pa.array([f"{v / 100:.2f}" for v in rng.integers(0, 9999, N)]).cast(pa.decimal128(9, 2)),
            "word": pa.array(words, mask=rng.random(N) < 0.07),
            "level": pa.array(rng.choice(["low", "high"], N)).dictionary_encode(),
            "yes": pa.array(rng.random(N) < 0.1, mask=rng.random(N) < 0.3),
            "day": pa.array(rng.integers(18_000, 20_000, N), pa.int32()).cast(pa.date32()),
            "at": pa.array(start * 10**6, pa.timestamp("us", tz="UTC")),
            "clock": pa.array(rng.integers(0, 86_400, N), pa.int32()).cast(pa.time32("s")),
            "key": pa.array([f"K-{i:05d}" for i in rng.permutation(99_999)[:N]]),
            "nothing": pa.nulls(N, pa.string()),
        }
    )


TEXT = """when;where;zip;flag;rate;none
03.02.2024 07:05;Rome;00501;TRUE;0.50;
28.11.2023 23:59;Oslo;12345;FALSE;1.25;
01.01.2024 00:00;;00501;TRUE;;
"""


def model_of(source: Any) -> Model:
    preparation = prepare(open_source(source), FitOptions(rounds=1))
    fit = preparation.fit()
    list(fit.play())
    return fit.model()


@pytest.fixture(scope="module")
def learnt() -> tuple[pa.Table, Model, pd.DataFrame]:
    table = arrow_table()
    model = model_of(table)
    return table, model, model.sample(SAMPLES, random_state=0)


def test_types_bounds_and_steps_hold_in_every_column(learnt) -> None:
    table, _, made = learnt
    out = pa.Table.from_pandas(made, preserve_index=False)
    assert out.column_names == table.column_names
    for name in table.column_names:
        kind = table.schema.field(name).type
        got = out.schema.field(name).type
        assert got == kind or (kind == pa.string() and got in (pa.large_string(), pa.string())), name
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    for name in ("small", "large", "unsigned", "cents", "tens", "single", "money", "day", "at", "clock"):
        real, fake = frame[name].dropna(), made[name].dropna()
        assert real.min() <= fake.min() <= fake.max() <= real.max(), name
    assert set(made["word"].dropna()) == {"=1+2", "-x", "ä|b", "plain"}
    assert (made["tens"].dropna().to_numpy(dtype=float) % 10 == 0).all()
    cents = made["cents"].to_numpy(dtype=float)
    assert (cents == np.round(cents, 2)).all()
    assert made["nothing"].isna().all()
    assert made["key"].is_unique
    assert made["key"].str.fullmatch("K-[0-9]{5,}").all()


def test_shares_of_missing_cells_are_learnt() -> None:
    frame = arrow_table().to_pandas()[["large", "tens", "word", "yes"]]
    made = sp.GAN(rounds=200, random_state=0).fit(frame).sample(5000, random_state=0)
    for name in frame.columns:  # after a whole game within 1 %: docs/tables.md
        assert abs(made[name].isna().mean() - frame[name].isna().mean()) < 0.05, name


@pytest.mark.parametrize("form", ["pandas", "polars", "pyarrow"])
def test_frames_of_every_library_keep_their_schema(form: str) -> None:
    table = arrow_table().drop_columns(["money", "nothing"] if form == "polars" else ["nothing"])
    frame = {"pandas": table.to_pandas, "polars": lambda: pl.from_arrow(table), "pyarrow": lambda: table}[
        form
    ]()
    made = sp.GAN(rounds=1, random_state=0).fit(frame).sample(50, random_state=1)
    assert type(made) is type(frame)
    if form == "pandas":
        assert made.dtypes.equals(frame.dtypes)
    else:
        assert made.schema == frame.schema


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather"])
def test_files_of_every_form_are_read_back_as_the_form_that_came_in(
    suffix: str, learnt, tmp_path: Path
) -> None:
    table, model, _ = learnt
    rows = model.draw(80, random_state=2)[0]
    path = tmp_path / f"made{suffix}"
    write_samples(path, rows, model.like)
    back = open_source(path).rows
    assert list(back.columns) == table.column_names
    for name in ("small", "large", "unsigned", "cents", "word", "single"):
        assert back[name].isna().equals(rows[name].isna()), name
        assert list(back[name].dropna().astype(str)) == list(rows[name].dropna().astype(str)), name
    if suffix in (".parquet", ".feather"):
        read = parquet.read_table if suffix == ".parquet" else feather.read_table
        kinds = {
            name: read(str(path)).schema.field(name).type for name in ("day", "at", "level", "yes", "money")
        }
        assert kinds == {name: table.schema.field(name).type for name in kinds}


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_pandas_reads_samples_in_the_dtypes_of_the_file(suffix: str, tmp_path: Path) -> None:
    n = 120
    frame = pd.DataFrame(
        {
            "level": pd.Categorical(["lo", "hi", "lo"] * 40, ["lo", "mid", "hi"], ordered=True),
            "child": pd.array([None, 1, 2] * 40, dtype="Int64"),
            "sure": pd.array([None, True, False] * 40, dtype="boolean"),
            "word": pd.array(["a", "b", None] * 40, dtype="string"),
            "pay": np.arange(n) / 4,
            "at": pd.date_range("2024-01-01", periods=n, tz="Europe/Rome"),
        }
    )
    read, write = (
        (pd.read_parquet, frame.to_parquet) if suffix == ".parquet" else (pd.read_feather, frame.to_feather)
    )
    write(tmp_path / f"in{suffix}")
    model = model_of(tmp_path / f"in{suffix}")
    model.save(tmp_path / "model")
    model = Model.load(tmp_path / "model")
    write_samples(tmp_path / f"out{suffix}", model.draw(50, random_state=0)[0], model.like)
    assert read(tmp_path / f"out{suffix}").dtypes.equals(read(tmp_path / f"in{suffix}").dtypes)
    # After a file that pandas did not write, what it makes of Arrow's types; a dictionary is readable.
    write_samples(
        tmp_path / f"plain{suffix}", model.draw(50, random_state=0)[0], replace(model.like, pandas=None)
    )
    plain = read(tmp_path / f"plain{suffix}")
    assert list(plain["level"].cat.categories) == ["lo", "mid", "hi"]
    assert plain["child"].dtype == "float64"


def test_spellings_of_a_text_file_come_back(tmp_path: Path) -> None:
    rows = "\n".join(TEXT.split("\n")[1:]) * 30
    (tmp_path / "in.csv").write_text(TEXT.split("\n")[0] + "\n" + rows)
    made = model_of(tmp_path / "in.csv").sample(300, random_state=0)
    assert made["when"].str.fullmatch(r"[0-9]{2}\.[0-9]{2}\.20(23|24) [0-9]{2}:[0-9]{2}").all()
    assert set(made["zip"]) == {"00501", "12345"}
    assert set(made["flag"]) == {"TRUE", "FALSE"}
    assert set(made["rate"].dropna()) <= {0.5, 1.25}
    assert made["none"].isna().all()
    assert set(made["where"].dropna()) == {"Rome", "Oslo"}


def test_formulas_come_back_as_texts_and_are_escaped_on_request(learnt, tmp_path: Path) -> None:
    _, model, _ = learnt
    rows = model.draw(60, random_state=3)[0]
    plain, safe = tmp_path / "plain.csv", tmp_path / "safe.tsv"
    write_samples(plain, rows, model.like)
    write_samples(safe, rows, model.like, escape_formulas=True)
    assert set(open_source(plain).rows["word"].dropna()) <= {"=1+2", "-x", "ä|b", "plain"}
    escaped_words = set(open_source(safe).rows["word"].dropna())
    assert {"'=1+2", "'-x"} <= escaped_words <= {"'=1+2", "'-x", "ä|b", "plain"}
    assert list(open_source(safe).rows["small"]) == list(rows["small"])  # -3 is a number, and stays one
    assert list(escaped(pd.DataFrame({"@a": ["+1", None, 2]}))["'@a"]) == ["'+1", None, 2]
    with pytest.raises(InputError, match=r"\.csv and \.tsv .*made\.parquet; .*--escape-formulas"):
        write_samples(tmp_path / "made.parquet", rows, model.like, escape_formulas=True)
