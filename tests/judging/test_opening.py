"""The judge's door: the same rows give the same verdict whatever they come as; formats are told apart, not judged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import saddlepoint as sp
from saddlepoint.errors import InputError
from saddlepoint.judging.opening import open_pair


def frame(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": np.round(rng.normal(size=n), 2), "b": rng.choice(["x", "y", "z"], n)})


@pytest.mark.parametrize("library", ["polars", "pyarrow", "csv", "parquet"])
def test_frames_of_any_library_and_files_are_the_same_rows(library: str, tmp_path) -> None:
    real, fake = frame(80, 0), frame(80, 1)
    expected = open_pair(real, fake)

    def as_(table: pd.DataFrame, name: str) -> object:
        if library == "polars":
            return pl.from_pandas(table)
        if library == "pyarrow":
            return pa.Table.from_pandas(table)
        path = tmp_path / f"{name}.{library}"
        table.to_csv(path, index=False) if library == "csv" else table.to_parquet(path)
        return path

    pair = open_pair(as_(real, "real"), as_(fake, "fake"))
    assert pair.names == expected.names == ("a", "b")
    assert np.array_equal(pair.real, expected.real)
    assert np.array_equal(pair.fake, expected.fake)


def test_a_difference_of_format_is_said_and_not_judged() -> None:
    """The fake has all decimals where the data have two; on the data's grid both are one law."""
    rng = np.random.default_rng(0)
    real, fake = np.round(rng.normal(size=(1500, 2)), 2), rng.normal(size=(1500, 2))
    verdict = sp.judge(real, fake, pool="quick", held_out="declared")
    assert verdict.jsd_lower == 0
    assert "2 decimals" in verdict.notes[0]
    assert "off the data's grid" in verdict.notes[0]


def test_float_pictures_come_to_the_datas_levels() -> None:
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (60, 4, 4)).astype(np.uint8)
    pair = open_pair(real, rng.uniform(0, 255, (60, 4, 4)))
    assert pair.fake.dtype == np.uint8
    assert "pixels" in pair.notes[0]


def test_columns_that_are_not_judged_are_named() -> None:
    real, fake = frame(80, 0).assign(unit="kg"), frame(80, 1).assign(unit="kg")
    assert any("'unit' is not judged" in note for note in open_pair(real, fake).notes)


def test_a_group_column_is_taken_out_and_used() -> None:
    real, fake = frame(80, 0).assign(house=np.arange(80) // 4), frame(80, 1)
    pair = open_pair(real, fake, groups="house")
    assert pair.names == ("a", "b")
    assert len(np.unique(pair.groups)) == 20


def test_kinds_can_be_named() -> None:
    real, fake = frame(80, 0).assign(zip=np.arange(80) % 9), frame(80, 1).assign(zip=np.arange(80) % 9)
    pair = open_pair(real, fake, columns={"zip": "categorical"})
    assert pair.categorical[pair.names.index("zip")]
    with pytest.raises(
        InputError, match="columns= names the kinds of a table's columns; these rows are no table"
    ):
        open_pair(np.zeros((5, 2)), np.zeros((5, 2)), columns={"a": "integer"})
    with pytest.raises(InputError, match="describe arrays"):
        open_pair(real, fake, kind="points")


def test_an_array_may_stand_beside_a_table_of_its_columns() -> None:
    real = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["u", "v"])
    pair = open_pair(real, np.random.default_rng(1).normal(size=(40, 2)))
    assert pair.names == ("u", "v")
    with pytest.raises(InputError, match=r"fake rows are an array of shape \(40, 3\) and the others a table"):
        open_pair(real, np.zeros((40, 3)))
