"""A run folder is made, held by one process, rewound on resume, and never taken for somebody's files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.runs.folder import RunFolder


def test_a_second_run_over_the_first_is_refused_until_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "run"
    run = RunFolder.create(path)
    run.write_settings({"source": {}})
    run.append("progress.jsonl", {"round": 0})
    (path / "checkpoint").mkdir()
    run.release()
    with pytest.raises(InputError, match=r"--resume .* --restart .* --out"):
        RunFolder.create(path)
    RunFolder.create(path, restart=True).release()
    assert not (path / "progress.jsonl").exists()
    assert not (path / "checkpoint").exists()


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for restart in (False, True):
        with pytest.raises(InputError, match=r"is not a run folder: it holds 'thesis.tex'"):
            RunFolder.create(tmp_path, restart=restart)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(StoredFileError, match="cannot be written"):
        RunFolder.create(tmp_path / "run")


def test_a_second_process_on_one_folder_is_refused(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    run.write_settings({})
    program = (
        "import sys; from pathlib import Path; from saddlepoint.runs.folder import RunFolder\n"
        "try: RunFolder.open(Path(sys.argv[1]), write=True)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "else: print('held')"
    )

    def second() -> str:
        command = [sys.executable, "-c", program, str(tmp_path / "run")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert second().startswith("InputError Another process is writing to")
    run.release()
    assert second() == "held\n"


def test_what_is_no_run_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        RunFolder.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"it has no settings\.json"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 99}', "has format 99; this version reads format 1"),
    ],
)
def test_damaged_settings_are_told(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(StoredFileError, match=words):
        RunFolder.open(tmp_path).settings()


def test_a_line_cut_off_by_a_crash_is_left_out_and_later_rounds_are_forgotten(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    for round_ in range(5):
        run.append("progress.jsonl", {"round": round_, "loss": round_ / 2})
    with open(run.path / "progress.jsonl", "a") as file:
        file.write('{"round": 5, "lo')
    assert [record["round"] for record in run.records("progress.jsonl")] == [0, 1, 2, 3, 4]
    run.rewind(3)
    assert [record["round"] for record in run.records("progress.jsonl")] == [0, 1, 2]
    run.append("progress.jsonl", {"round": 3})
    assert len((run.path / "progress.jsonl").read_text().splitlines()) == 4


def test_frames_come_back_in_order_and_damaged_ones_are_left_out(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    for round_ in (100, 9, 0):
        run.write_frame(round_, np.full((2, 2), round_))
    (run.pictures / "strip" / "round-0000000050.npy").write_bytes(b"no array")
    assert [(round_, rows[0, 0]) for round_, rows in run.frames()] == [(0, 0), (9, 9), (100, 100)]
