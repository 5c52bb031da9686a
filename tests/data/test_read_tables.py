import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet

from saddlepoint.data.opening import open_source
from saddlepoint.data.tables import csv
from saddlepoint.data.tables.read import frame_of, read_table, table_suffix, to_frame
from saddlepoint.errors import InputError
from saddlepoint.judging.inputs import open_pair

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = next(
    (up / "shared" / "data" for up in REPOSITORY.parents if (up / "shared" / "data").is_dir()), Path("none")
)
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data folder is not there")


def write(folder, text, *, name="rows.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def kinds(frame):
    return [str(frame[column].dtype.pyarrow_dtype) for column in frame.columns]


def refused(source, *parts):
    with pytest.raises(InputError) as caught:
        read_table(source)
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.floats(allow_nan=False, allow_infinity=True),
            st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1).filter(
                lambda text: text not in ("NA", "NaN", "nan")
            ),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_what_pandas_writes_is_read_back_exactly(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("law") / "rows.csv"
    frame = pd.DataFrame(
        {
            "whole": pd.array([row[0] for row in rows], dtype="Int64"),
            "real": [row[1] for row in rows],
            "words": ["x" + row[2] for row in rows],
        }
    )
    frame.to_csv(path, index=False, lineterminator="\n")
    back = frame_of(path)
    assert [None if pd.isna(cell) else int(cell) for cell in back["whole"]] == [row[0] for row in rows]
    assert list(back["real"]) == [row[1] for row in rows]
    assert list(back["words"]) == ["x" + row[2] for row in rows]


@pytest.mark.parametrize("write_frame", [parquet.write_table, feather.write_feather])
def test_binary_files_keep_every_type_and_value(tmp_path, write_frame):
    table = pa.table(
        {
            "whole": pa.array([1, None, 2**62 + 1], pa.int64()),
            "day": pa.array([0, 1, None], pa.date32()),
            "at": pa.array([0, None, 10**15], pa.timestamp("us", tz="UTC")),
            "pay": pa.array([None, "1.50", "2.25"]).cast(pa.decimal128(9, 2)),
            "word": pa.array(["a", "b", None]).dictionary_encode(),
        }
    )
    path = tmp_path / f"rows.{'parquet' if write_frame is parquet.write_table else 'feather'}"
    write_frame(table, path)
    frame = frame_of(path)
    assert pa.Table.from_pandas(frame, preserve_index=False).cast(table.schema).equals(table)


def test_null_is_empty_or_na_and_nothing_else(tmp_path):
    frame = frame_of(write(tmp_path, "word,whole\n?,1\n,2\nNA,\n NA,4\nNaN,5\nnull, 6\n"))
    assert frame["word"].isna().tolist() == [False, True, True, False, True, False]
    assert frame["word"].dropna().tolist() == ["?", " NA", "null"]
    assert kinds(frame) == ["large_string", "int64"]
    assert frame["whole"].isna().tolist() == [False, False, True, False, False, False]


def test_numbers_beyond_float64_are_exact_or_stay_text(tmp_path):
    frame = frame_of(write(tmp_path, f"a,b,c\n{2**53 + 1},{2**64 - 1},{2**64}\n,3,5\n"))
    assert kinds(frame) == ["int64", "uint64", "large_string"]
    assert frame["a"][0] == 2**53 + 1
    assert frame["b"][0] == 2**64 - 1
    assert frame["c"][0] == str(2**64)


def test_codes_dates_and_truth_values_keep_their_spelling(tmp_path):
    frame = frame_of(
        write(
            tmp_path, "zip,day,yes,sign,real,blank\n00501,2020-01-02,True,+5,+1.5,a \n12345,,FALSE,-2,1e3, \n"
        )
    )
    assert kinds(frame) == ["large_string", "large_string", "large_string", "int64", "double", "large_string"]
    assert frame["zip"][0] == "00501"
    assert frame["sign"].tolist() == [5, -2]
    assert frame["real"].tolist() == [1.5, 1000.0]
    assert frame["blank"].tolist() == ["a ", " "]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_known_by_their_mark(tmp_path, encoding):
    frame = frame_of(write(tmp_path, "näme,b\nÅsa,1\n", encoding=encoding))
    assert frame.to_dict("list") == {"näme": ["Åsa"], "b": [1]}


def test_an_encoding_without_a_mark_must_be_said(tmp_path):
    path = write(tmp_path, "a,b\n1,2\nÅsa,1\n", encoding="latin-1")
    refused(path, "line 3", "0xc5", "utf-8", "latin-1")
    refused(write(tmp_path, "a,b\n1,2\n", encoding="utf-16-le"), "NUL", "line 1", "save it as UTF-8")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.csv", "a,b\n1,x\n"),
        ("r.csv", "a;b\n1;x\n"),
        ("r.csv", "a|b\r\n1|x\r\n"),
        ("r.tsv", "a\tb\n1\tx\n"),
        ("r.csv", '"a",b\n\n1,"x"'),
    ],
)
def test_delimiters_and_line_ends(tmp_path, name, text):
    assert frame_of(write(tmp_path, text, name=name)).to_dict("list") == {"a": [1], "b": ["x"]}


def test_quoted_cells_hold_delimiters_quotes_and_line_ends(tmp_path):
    frame = frame_of(write(tmp_path, 'a,b\n"1,5","he said ""no""\nand left"\n2,c\n'))
    assert frame["b"][0] == 'he said "no"\nand left'
    assert frame["a"].tolist() == ["1,5", "2"]


@pytest.mark.parametrize(
    ("text", "header", "columns"),
    [
        ("a,b\n3,4.5\n", "names", {"a": [3], "b": [4.5]}),
        ("1,2.5\n3,4.5\n", "data", {"column_1": [1, 3], "column_2": [2.5, 4.5]}),
        ("0,1\n3,4.5\n", "names", {"0": [3], "1": [4.5]}),
        ("land,1999,2000\nPE,4,1.5\n", "names", {"land": ["PE"], "1999": [4], "2000": [1.5]}),
        ("70,Rome\n41,Oslo\n", "inferred", {"70": [41], "Rome": ["Oslo"]}),
    ],
)
def test_a_first_line_of_numbers_is_data(tmp_path, text, header, columns):
    read = read_table(write(tmp_path, text))
    assert read.header == header
    assert to_frame(read.table).to_dict("list") == columns
    assert (read.describe_header() is None) == (header == "names")


@pytest.mark.parametrize("text", ["a,b\n1,x\n2,y\n4,z\n", "1,2\n3,4.5\n5,6\n", "0,1\n3,4.5\n5,6\n"])
def test_a_file_is_read_and_parsed_once(tmp_path, monkeypatch, text):
    path, calls = write(tmp_path, text), []
    for module, name in ((csv, "read_text"), (csv.arrow_csv, "read_csv")):
        whole = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *a, whole=whole, name=name, **k: (calls.append(name), whole(*a, **k))[1]
        )
    open_source(path)
    assert calls == ["read_text", "read_csv"]
    # Two equal first lines of numbers are names: such files are parsed again.
    again = 5 if text.startswith("1") else 3
    open_pair(path, path)
    assert calls == ["read_text", "read_csv"] * again


def test_the_header_may_be_given(tmp_path):
    path = write(tmp_path, "1,2.5\n3,4.5\n")
    assert read_table(path, header=False).table.shape == (2, 2)
    assert read_table(path, header=True).table.shape == (1, 2)


def test_one_column_keeps_its_empty_lines_as_nulls(tmp_path):
    frame = frame_of(write(tmp_path, "a\n1\n\n3\n\n"))
    assert frame["a"].isna().tolist() == [False, True, False]


def test_gzip_is_read_and_a_broken_one_named(tmp_path):
    whole = gzip.compress(b"a,b\n1,x\n" * 50)
    (tmp_path / "r.csv.gz").write_bytes(whole)
    assert len(frame_of(tmp_path / "r.csv.gz")) == 99
    (tmp_path / "cut.csv.gz").write_bytes(whole[:-10])
    refused(tmp_path / "cut.csv.gz", "cut.csv.gz", "cannot be read as a gzip file")


def test_bad_files_are_named_in_one_sentence(tmp_path):
    refused(tmp_path / "none.csv", "no file", "none.csv")
    refused(write(tmp_path, "", name="e.csv"), "e.csv is empty")
    refused(write(tmp_path, " \n\n", name="e.csv"), "e.csv is empty")
    refused(write(tmp_path, "", name="e.parquet"), "e.parquet is empty")
    refused(write(tmp_path, "a,b\n", name="h.csv"), "h.csv", "no rows")
    refused(write(tmp_path, "a,b\n1,2\n3\n", name="s.csv"), "s.csv, line 3", "1 cells", "has 2")
    refused(write(tmp_path, 'a,b\n"x\ny",2\n3,4,5\n', name="l.csv"), "l.csv, line 4", "3 cells", "has 2")
    refused(write(tmp_path, 'a,b\n1,"2\n3,4\n', name="q.csv"), "q.csv", "line 2")
    refused(write(tmp_path, "a,b,a\n1,2,3\n", name="d.csv"), "'a' 2 times")
    refused(
        write(tmp_path, "PAR1 nonsense", name="c.parquet"), "c.parquet", "cannot be read as a .parquet file"
    )
    refused(write(tmp_path, "nonsense", name="c.feather"), "c.feather", "cannot be read as a .feather file")
    refused(write(tmp_path, "x", name="c.xlsx"), "c.xlsx", ".csv", ".feather")
    (tmp_path / "folder.csv").mkdir()
    refused(tmp_path / "folder.csv", "is a folder")


def test_tables_without_columns_or_rows_are_refused(tmp_path):
    parquet.write_table(pa.table({}), tmp_path / "none.parquet")
    refused(tmp_path / "none.parquet", "no columns")
    parquet.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "flat.parquet")
    refused(tmp_path / "flat.parquet", "no rows")


def test_frames_of_three_libraries_are_one_table(tmp_path):
    columns = {"whole": [1, None, 3], "real": [1.5, float("nan"), 2.5], "word": ["a", None, "c"]}
    frames = [
        frame_of(pd.DataFrame(columns).astype({"whole": "Int64"})),
        frame_of(pl.DataFrame(columns)),
        frame_of(pl.LazyFrame(columns)),
        frame_of(pa.table(columns)),
    ]
    path = tmp_path / "rows.csv"
    frames[0].to_csv(path, index=False)
    for frame in [*frames, frame_of(path), frame_of(str(path)), frame_of(frames[0])]:
        assert kinds(frame)[:2] == ["int64", "double"]
        assert frame["whole"].isna().tolist() == frame["real"].isna().tolist() == [False, True, False]
        assert frame["word"].tolist()[::2] == ["a", "c"]


def test_pandas_frames_of_every_dtype():
    frame = frame_of(
        pd.DataFrame(
            {
                0: np.array([1, 2], np.uint8),
                "half": np.array([0.5, 1], np.float16),
                "yes": [True, False],
                "word": pd.Categorical(["u", "v"]),
                "at": pd.to_datetime(["2020-01-01", "2021-01-01"]),
            },
            index=["x", "y"],
        )
    )
    assert list(frame.columns) == ["0", "half", "yes", "word", "at"]
    assert kinds(frame)[:3] == ["uint8", "float", "bool"]
    assert frame["half"].tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        (pd.DataFrame({"m": pd.Series([1, "x"], dtype=object)}), ("'m'", "int and str")),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ("'a' 2 times",)),
        (pd.DataFrame({"l": [[1], [2]]}), ("'l'", "list")),
        (pd.DataFrame({"b": [b"1"]}), ("'b'", "binary")),
        (np.zeros((2, 2)), ("ndarray", "pandas, polars or pyarrow")),
        (pd.DataFrame(), ("no columns",)),
    ],
)
def test_frames_that_are_no_table(source, parts):
    with pytest.raises(InputError) as caught:
        frame_of(source)
    for part in parts:
        assert part in str(caught.value)


def test_suffixes():
    assert table_suffix("x/Y.TSV.GZ") == ".tsv.gz"
    assert table_suffix("x.csv/rows") is None


@needs_shared
def test_real_files():
    adult = frame_of(SHARED / "adult.csv")
    assert adult.shape == (32561, 15)
    assert int((adult["workclass"] == "?").sum()) == 1836
    assert not adult.isna().any().any()
    titanic = frame_of(SHARED / "titanic.csv")
    assert titanic.isna().sum()[["Age", "Cabin", "Embarked"]].tolist() == [177, 687, 2]


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".parquet", ".feather"])
def test_damaged_files_open_or_are_refused(tmp_path, suffix):
    """A bit flipped, a piece cut out, the end lost: no other exception, no crash; some must still open."""
    frame = pd.DataFrame({"a": range(30), "b": np.linspace(0, 1, 30), "c": list("xyz") * 10})
    path = tmp_path / f"rows{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".feather":
        frame.to_feather(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in suffix else ",")
    whole, generator = path.read_bytes(), np.random.default_rng(0)
    opened = unnamed = 0
    for case in range(100):
        raw = bytearray(whole)
        start, end = sorted(generator.integers(0, len(raw), size=2))
        if case % 3 == 0:
            raw[start] ^= 1 << int(generator.integers(8))
        elif case % 3 == 1:
            del raw[start:end]
        else:
            del raw[end:]
        path.write_bytes(raw)
        try:
            opened += len(frame_of(path)) > 0
        except InputError as error:
            unnamed += path.name not in str(error)
    assert unnamed == 0
    assert opened > 0 or suffix == ".tsv.gz"  # gzip's checksum sees every change
