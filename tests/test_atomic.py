"""A write that does not finish leaves what was there before, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from saddlepoint.atomic import replacing, write_atomically
from saddlepoint.data.opening import open_source
from saddlepoint.data.split_file import split_file
from saddlepoint.data.write import write_samples
from saddlepoint.errors import StoredFileError
from saddlepoint.runs.folder import RunFolder


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def crash(*_: object) -> None:
    raise KeyboardInterrupt


def write_twice(writer: str, folder: Path, value: int) -> None:
    rows = np.full((4, 2), value)
    if writer == "bytes":
        write_atomically(folder / "a.json", str(value).encode())
    elif writer == "samples":
        write_samples(folder / "a.csv", rows, open_source(np.arange(8.0).reshape(4, 2)))
    elif writer == "split":
        pd.DataFrame({"x": range(value, value + 20)}).to_csv(folder.parent / "all.csv", index=False)
        split_file(folder.parent / "all.csv", folder / "a.csv", folder / "b.csv", overwrite=True)
    else:
        RunFolder(folder).write_frame(3, rows)


@pytest.mark.parametrize("writer", ["bytes", "samples", "split", "frame"])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_crash_before_the_rename_leaves_the_old_file(writer, call, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    write_twice(writer, folder, 1)
    before = bytes_below(folder)
    monkeypatch.setattr(os, call, crash)
    with pytest.raises(KeyboardInterrupt):
        write_twice(writer, folder, 2)
    assert bytes_below(folder) == before
    monkeypatch.undo()
    write_twice(writer, folder, 2)
    assert bytes_below(folder).keys() == before.keys()
    assert bytes_below(folder) != before


def test_files_are_flushed_then_renamed_then_their_folder_is_flushed(tmp_path, monkeypatch):
    calls = []
    replace = os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: calls.append(os.readlink(f"/proc/self/fd/{handle}")))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append(str(b)), replace(a, b)))
    write_atomically(tmp_path / "a", b"1")
    assert calls == [str(tmp_path / ".a.tmp"), str(tmp_path / "a"), str(tmp_path)]


def test_of_two_files_neither_is_renamed_before_both_are_written(tmp_path):
    with pytest.raises(StoredFileError), replacing(tmp_path / "a", tmp_path / "b") as (first, _):
        first.write_bytes(b"1")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoredFileError, match="taken"):
        write_atomically(tmp_path / "taken" / "a", b"1")
