import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import typer
from pyarrow import feather, parquet
from typer.testing import CliRunner

from saddlepoint.cli.split import split
from saddlepoint.data.tables.read import frame_of
from saddlepoint.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = next(
    (up / "shared" / "data" for up in REPOSITORY.parents if (up / "shared" / "data").is_dir()), Path("none")
)


def call(*arguments):
    app = typer.Typer()
    app.command()(split)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments, parts):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    for part in parts:
        assert part in str(caught.value)


def lines(path, newline=b"\n"):
    return path.read_bytes().split(newline)[:-1]


def a_table(n=300):
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": generator.normal(size=n).round(3),
            "house": generator.integers(0, 40, n),
            "word": generator.choice(list("abc"), n),
        }
    )


def test_text_rows_are_dealt_out_byte_for_byte(tmp_path):
    rows = [f"{i},+0{i}.50,  said ä\r\n" for i in range(99)] + ['99,"a, ""b""\nc",x']
    (tmp_path / "r.csv").write_bytes(("a,b,c\r\n" + "".join(rows)).encode())
    out = call(tmp_path / "r.csv", "--share", "0.3")
    train, held_out = (tmp_path / f"r_{part}.csv" for part in ("train", "held_out"))
    assert (
        out.strip().splitlines()[-1].replace("\n", "")
        == f"Wrote 70 rows to {train} and 30 rows to {held_out}."
    )
    parts = [path.read_bytes().decode() for path in (train, held_out)]
    assert all(part.startswith("a,b,c\r\n") for part in parts)
    left = [part.removeprefix("a,b,c\r\n") for part in parts]
    rows[-1] += "\r\n"
    for row in rows:
        assert (row in left[0]) != (row in left[1])
    assert sum(map(len, left)) == sum(map(len, rows))
    assert len(frame_of(train)) == 70
    assert len(frame_of(held_out)) == 30


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_and_encodings_are_kept(tmp_path, encoding):
    (tmp_path / "r.tsv").write_bytes(("ä\tb\n" + "".join(f"{i}\tü\n" for i in range(50))).encode(encoding))
    call(tmp_path / "r.tsv")
    for part, n in (("train", 40), ("held_out", 10)):
        path = tmp_path / f"r_{part}.tsv"
        assert path.read_bytes()[:2] == (tmp_path / "r.tsv").read_bytes()[:2]
        assert path.read_bytes().decode(encoding).startswith("ä\tb\n")
        assert len(frame_of(path)) == n


def test_gzip_stays_gzip_and_a_headerless_file_headerless(tmp_path):
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(b"".join(b"%d,%d\n" % (i, i) for i in range(50))))
    call(tmp_path / "r.csv.gz")
    halves = [gzip.decompress((tmp_path / f"r_{part}.csv.gz").read_bytes()) for part in ("train", "held_out")]
    assert sorted(b"".join(halves).split()) == sorted(b"%d,%d" % (i, i) for i in range(50))


def test_blank_lines_are_no_rows_but_nulls_of_one_column_are(tmp_path):
    (tmp_path / "two.csv").write_text("a,b\n1,2\n\n3,4\n5,6\n7,8\n\n\n")
    call(tmp_path / "two.csv", "--share", "0.5")
    assert [len(lines(tmp_path / f"two_{part}.csv")) for part in ("train", "held_out")] == [3, 3]
    (tmp_path / "one.csv").write_text("a\n1\n\n3\n4\n\n")
    call(tmp_path / "one.csv", "--share", "0.5")
    rows = lines(tmp_path / "one_train.csv")[1:] + lines(tmp_path / "one_held_out.csv")[1:]
    assert sorted(rows) == [b"", b"1", b"3", b"4"]


def test_identical_rows_never_fall_on_both_sides(tmp_path):
    a_table()[["house", "word"]].to_csv(tmp_path / "r.csv", index=False)
    out = call(tmp_path / "r.csv")
    assert "units, so that identical rows stay together" in out
    train, held_out = (Counter(lines(tmp_path / f"r_{part}.csv")[1:]) for part in ("train", "held_out"))
    assert not set(train) & set(held_out)
    assert train + held_out == Counter(lines(tmp_path / "r.csv")[1:])
    assert abs(held_out.total() - 60) <= max((train + held_out).values())


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather"])
def test_groups_are_never_torn(tmp_path, suffix):
    frame = a_table()
    path = tmp_path / f"r{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        table = pa.Table.from_pandas(frame).replace_schema_metadata({"made": "by hand"})
        (parquet.write_table if suffix == ".parquet" else feather.write_feather)(table, str(path))
    assert "groups" in call(path, "--group", "house", "--seed", 3)
    train, held_out = (frame_of(tmp_path / f"r_{part}{suffix}") for part in ("train", "held_out"))
    assert not set(train["house"]) & set(held_out["house"])
    assert len(train) + len(held_out) == 300
    if suffix == ".parquet":
        assert parquet.read_schema(tmp_path / "r_train.parquet").metadata[b"made"] == b"by hand"


def test_rows_without_a_group_stand_alone(tmp_path):
    (tmp_path / "r.csv").write_text("g,x\n" + "".join(f",{i}\n" for i in range(100)))
    assert "as 100 units" not in call(tmp_path / "r.csv", "--group", "g")
    assert len(frame_of(tmp_path / "r_held_out.csv")) == 20


def test_arrays_are_split_with_their_labels(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, size=(200, 3, 3)).astype(np.uint8)
    np.savez_compressed(tmp_path / "p.npz", images=pictures, labels=np.arange(200), names=np.array(["x"]))
    call(tmp_path / "p.npz", "--out-train", tmp_path / "a.npz", "--out-held-out", tmp_path / "b.npz")
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert (len(a["images"]), len(b["images"])) == (160, 40)
        for part in (a, b):
            np.testing.assert_array_equal(part["images"], pictures[part["labels"]])
            assert part["names"].tolist() == ["x"]
    np.save(tmp_path / "p.npy", np.repeat(np.arange(20.0), 2)[:, None])
    call(tmp_path / "p.npy", "--share", "0.5")
    train, held_out = (np.load(tmp_path / f"p_{part}.npy") for part in ("train", "held_out"))
    assert (len(train), len(held_out)) == (20, 20)
    assert not set(train[:, 0]) & set(held_out[:, 0])


def test_equal_pictures_of_two_groups_tie_the_groups_together(tmp_path):
    rows = np.arange(20.0)[:, None]
    rows[5] = rows[15]
    np.savez(tmp_path / "p.npz", rows=np.repeat(rows, 2, axis=1), who=np.repeat([0, 1, 2, 3], 5))
    call(tmp_path / "p.npz", "--group", "who", "--share", "0.5")
    with np.load(tmp_path / "p_train.npz") as train:
        assert (1 in train["who"]) == (3 in train["who"])


def test_same_seed_same_parts_and_another_seed_others(tmp_path):
    a_table().to_csv(tmp_path / "r.csv", index=False)
    found = []
    for seed in (0, 0, 1):
        call(tmp_path / "r.csv", "--seed", seed, "--overwrite")
        found.append((tmp_path / "r_held_out.csv").read_bytes())
    assert found[0] == found[1] != found[2]


def test_every_row_is_held_out_equally_often(tmp_path):
    """60 seeds at share .3: each row 4 to 35 times; else chance < 1e-4."""
    (tmp_path / "r.csv").write_text("a,b\n" + "".join(f"{i},x\n" for i in range(20)))
    times = Counter()
    for seed in range(60):
        call(tmp_path / "r.csv", "--seed", seed, "--share", "0.3", "--overwrite")
        times.update(lines(tmp_path / "r_held_out.csv")[1:])
    assert len(times) == 20
    assert 4 <= min(times.values()) <= max(times.values()) <= 35


def test_bad_input_is_refused_in_one_sentence(tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("ab,c\n1,2\n3,4\n")
    refused(tmp_path / "no.csv", parts=("no file", "no.csv"))
    refused(tmp_path, parts=("allowed are .csv",))
    (tmp_path / "d.csv").mkdir()
    refused(tmp_path / "d.csv", parts=("a folder",))
    refused(tmp_path / "r.xlsx", parts=("r.xlsx", ".npz"))
    refused(file, "--share", "1", parts=("not 1",))
    refused(file, "--group", "abc", parts=("'abc'", "did you mean 'ab'?"))
    refused(file, "--out-train", file, parts=("three different files",))
    refused(file, "--out-train", tmp_path / "x.parquet", parts=("x.parquet", "must end in .csv"))
    refused(file, "--out-train", tmp_path / "no" / "x.csv", parts=("no folder",))
    call(file)
    refused(file, parts=("r_train.csv exists already", "--overwrite"))
    assert len(lines(tmp_path / "r_train.csv")) == 2
    file.write_text("a,b\n1,2\n1,2\n")
    refused(file, "--overwrite", parts=("All 2 rows", "identical"))
    file.write_text("a,b\n1,2\n1\n")
    refused(file, "--overwrite", parts=("line 3",))
    np.save(tmp_path / "o.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    refused(tmp_path / "o.npy", parts=("o.npy", "Python objects"))
    np.savez(tmp_path / "m.npz", train=np.zeros((60, 2)), test=np.zeros((10, 2)))
    refused(tmp_path / "m.npz", parts=("60 rows in 'train' but 10 in 'test'",))
    np.savez(tmp_path / "g.npz", rows=np.arange(8.0).reshape(4, 2), who=np.arange(4))
    refused(tmp_path / "g.npz", "--group", "whom", parts=("'whom'", "did you mean 'who'?"))
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data folder is not there")
def test_adult(tmp_path):
    call(SHARED / "adult.csv", "--out-train", tmp_path / "a.csv", "--out-held-out", tmp_path / "b.csv")
    whole = lines(SHARED / "adult.csv")
    train, held_out = lines(tmp_path / "a.csv"), lines(tmp_path / "b.csv")
    assert train[0] == held_out[0] == whole[0]
    assert Counter(train[1:]) + Counter(held_out[1:]) == Counter(whole[1:])
    assert not set(train[1:]) & set(held_out[1:])
    assert len(held_out) - 1 == pytest.approx(6512, abs=2)
