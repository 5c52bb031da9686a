"""The judge's inputs: the same rows give the same verdict in any form; differences of format are notes, not findings."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import saddlepoint as sp
from saddlepoint.errors import InputError
from saddlepoint.judging.inputs import open_pair


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
    with pytest.raises(InputError, match=r"columns= .* not a table"):
        open_pair(np.zeros((5, 2)), np.zeros((5, 2)), columns={"a": "integer"})
    with pytest.raises(InputError, match="describe arrays"):
        open_pair(real, fake, kind="points")


def test_an_array_may_stand_beside_a_table_of_its_columns() -> None:
    real = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["u", "v"])
    pair = open_pair(real, np.random.default_rng(1).normal(size=(40, 2)))
    assert pair.names == ("u", "v")
    with pytest.raises(InputError, match=r"fake rows .*\(40, 3\) .* table"):
        open_pair(real, np.zeros((40, 3)))


def test_a_column_judged_by_its_missing_cells_is_called_so() -> None:
    """Cabins are keys: only whether one is given is judged, and a place must not name the column itself."""
    cabins = [f"C{i}" if i % 3 == 0 else None for i in range(90)]
    pair = open_pair(frame(90, 0).assign(Cabin=cabins), frame(90, 1).assign(Cabin=cabins[::-1]))
    assert pair.names == ("a", "b", "Cabin (missing or not)")
    assert any("'Cabin' is judged only by which cells are missing" in note for note in pair.notes)
    assert not any("'Cabin' is not judged" in note for note in pair.notes)


def test_thirty_missing_cells_on_one_side_are_noted() -> None:
    real, fake = frame(400, 0), frame(400, 1)
    fake.loc[:29, "a"] = None
    (note,) = [note for note in sp.judge(real, fake, pool="quick", control=False).notes if "missing" in note]
    assert note.startswith(
        "In column a, 0 of 400 real cells are missing (0.0%) and 30 of 400 fake ones (7.5%)"
    )
    fake.loc[2:, "a"] = frame(400, 1)["a"][2:]
    assert not [note for note in sp.judge(real, fake, pool="quick", control=False).notes if "missing" in note]


def test_files_without_a_header_are_read_as_train_reads_them(tmp_path) -> None:
    rows = np.round(np.random.default_rng(0).normal(size=(60, 2)), 3)
    np.savetxt(tmp_path / "real.csv", rows, delimiter=",", fmt="%.3f")
    named = pd.DataFrame(np.round(rows[::-1] + 1, 3), columns=["column_1", "column_2"])
    named.to_csv(tmp_path / "sampled.csv", index=False)
    pair = open_pair(tmp_path / "real.csv", tmp_path / "sampled.csv")
    assert pair.names == ("column_1", "column_2")
    assert np.array_equal(pair.real, rows)
    (note,) = [note for note in pair.notes if "header" in note]
    assert note == f"{tmp_path / 'real.csv'} has no header line; its columns were named column_1 to column_2."


def test_a_first_line_of_numbers_is_names_when_the_other_side_says_so(tmp_path) -> None:
    years = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=["2019", "2020"])
    years.to_csv(tmp_path / "real.csv", index=False)
    years.iloc[::-1].round(3).to_csv(tmp_path / "fake.csv", index=False)
    for fake in (tmp_path / "fake.csv", years.round(3)):
        pair = open_pair(tmp_path / "real.csv", fake)
        assert pair.names == ("2019", "2020")
        assert len(pair.real) == len(pair.fake) == 50
        assert "real.csv, numbers only, was read as column names" in pair.notes[0]


def test_the_names_of_a_data_set_stand_in_the_findings() -> None:
    """A run's rows come as arrays with names; 'column 2' would tell nobody anything."""
    from dataclasses import replace

    from saddlepoint.data.opening import open_source

    rng = np.random.default_rng(0)
    real = open_source(pd.DataFrame({"age": rng.normal(size=50), "income": np.arange(50)}))
    pair = open_pair(real, replace(real, rows=real.rows + 1 / 3))
    (note,) = pair.notes
    assert re.search(r"'income': whole numbers .* 12 decimals .*100\.0% of the fake cells", note)


def test_a_generator_is_asked_for_its_rows() -> None:
    with pytest.raises(InputError, match=r"fake rows are a GAN, .* gan\.sample\(2000\)"):
        sp.judge(np.zeros((50, 2)), sp.GAN())


def test_the_old_word_for_tables_is_accepted() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 2))
    assert open_pair(rows, rows + 1, kind="table").kind == "tables"
