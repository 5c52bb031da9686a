"""`saddlepoint train`, as a person meets it: runs, resumes to the bit whatever kills it, and says what is wrong."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from saddlepoint.cli import app, main
from saddlepoint.cli.terminal import Progress
from saddlepoint.errors import SaddlepointError
from saddlepoint.judging.classifiers import points
from saddlepoint.judging.monitor import quick_c2st
from saddlepoint.training import checkpoint

SMALL = ["--capacity", "small"]
FORKED = multiprocessing.get_context("forkserver")


pytestmark = pytest.mark.usefixtures("quick_looks", "no_figures")


def call(*arguments: object) -> None:
    """Run a verb inside this process; errors of ours come through."""
    app([str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def points_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "points.csv"
    rows = np.random.default_rng(0).normal(size=(150, 2)) * [1, 1000]
    path.write_text("x,y\n" + "\n".join(f"{a:.6f},{b:.6f}" for a, b in rows) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(points_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    call("train", points_file, "--rounds", 2, "--out", out, *SMALL, "--quiet")
    return out


def same_run(one: Path, two: Path) -> None:
    """Both folders hold the same game, model and records, bit for bit."""
    a, b = (checkpoint.load(path / "checkpoint") for path in (one, two))
    assert a.round == b.round
    assert a.tensors.keys() == b.tensors.keys()
    for name in a.tensors:
        assert torch.equal(a.tensors[name], b.tensors[name]), name
    assert (one / "progress.jsonl").read_text() == (two / "progress.jsonl").read_text()
    models = [json.loads((path / "model" / "model.json").read_text()) for path in (one, two)]
    assert models[0] == models[1]
    frames = [sorted((path / "pictures" / "strip").iterdir()) for path in (one, two)]
    assert [frame.name for frame in frames[0]] == [frame.name for frame in frames[1]]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(*frames, strict=True))


@pytest.mark.slow
def test_a_run_leaves_everything_in_its_folder_and_a_clear_last_line(
    points_file: Path, tmp_path: Path
) -> None:
    """The command line as it is, in a process of its own and with all figures."""
    finished = subprocess.run(
        [sys.executable, "-m", "saddlepoint", "train", points_file, "--rounds", "30", "--out", "run", *SMALL],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )
    last = finished.stdout.splitlines()[-1]
    assert last.startswith("all 30 rounds are played")
    assert last.endswith(str(Path("run", "report.html")))
    assert "120 training rows; 15 validation rows (monitor), 15 held-out test rows (vault)" in finished.stderr
    found = {
        path.relative_to(tmp_path / "run").parts[0]
        for path in (tmp_path / "run").rglob("*")
        if path.is_file()
    }
    found.discard(".lock")
    files = {"settings.json", "progress.jsonl", "stop.json", "checkpoint", "model", "pictures", "report.html"}
    assert found == files


def test_quiet_prints_the_last_line_only(points_file: Path, tmp_path: Path, capfd) -> None:
    call("train", points_file, "--rounds", 2, "--out", tmp_path / "run", *SMALL, "--quiet")
    said = capfd.readouterr()
    assert said.err == ""
    assert len(said.out.splitlines()) == 1


def test_until_settled_checks_judges_and_says_why_it_stopped(tmp_path: Path, capsys) -> None:
    rng = np.random.default_rng(0)
    np.savetxt(tmp_path / "rows.csv", rng.normal(size=(900, 2)), delimiter=",", header="x,y", comments="")
    out = tmp_path / "run"
    asked = ("--until", "settled", "--metrics", "mmd")
    call("train", tmp_path / "rows.csv", "--rounds", 20, *asked, "--out", out, *SMALL)
    last = capsys.readouterr().out.splitlines()[-1]
    lines = [json.loads(line) for line in (out / "verdicts.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines][-1] == "verdict"
    assert {line["kind"] for line in lines[:-1]} == {"check"}
    assert [each["name"] for each in lines[-1]["metrics"]] == ["MMD^2"]
    stop = json.loads((out / "stop.json").read_text())
    assert "on 90 validation rows" in stop["sentence"]  # it ends with the power analysis
    assert last.startswith(stop["sentence"])
    assert set(stop["seconds"]) == {"all", "plan", "checks", "verdict"}
    # Going on keeps the checks, plays further, and owns up to a second opening of the vault.
    call("train", tmp_path / "rows.csv", "--resume", "--rounds", 40, "--out", out)
    assert f"from round {stop['round']} to 40; schedules, made for 20 rounds" in capsys.readouterr().err
    again = [json.loads(line) for line in (out / "verdicts.jsonl").read_text().splitlines()]
    assert again[: len(lines)] == lines
    assert again[-1]["opened"] == 2


def test_resume_goes_on_to_the_same_bits(points_file: Path, tmp_path: Path) -> None:
    call("train", points_file, "--rounds", 12, "--out", tmp_path / "whole", *SMALL, "--quiet")
    call("train", points_file, "--rounds", 12, "--out", tmp_path / "parts", *SMALL, "--quiet")
    same_run(tmp_path / "whole", tmp_path / "parts")
    call("train", points_file, "--rounds", 18, "--out", tmp_path / "whole", "--resume", "--quiet")
    call("train", points_file, "--rounds", 15, "--out", tmp_path / "parts", "--resume", "--quiet")
    call("train", points_file, "--rounds", 18, "--out", tmp_path / "parts", "--resume", "--quiet")
    same_run(tmp_path / "whole", tmp_path / "parts")


def train_in_a_process(arguments: list[str], said: Path, saving_slowly: bool = False) -> None:
    """The command line in a process forked from a server that has imported torch; what it prints goes to a file.

    saving_slowly: it saves after each round and takes its time, so that it is killed while it saves.
    """
    import saddlepoint.fitting.fit as fit

    if saving_slowly:
        fit.Fit.__init__.__kwdefaults__["save_seconds"] = 0.0
        fit._PLAY_PER_SAVE = 0
        replace = os.replace

        def slowly(source: object, target: object) -> None:
            time.sleep(0.01)
            replace(source, target)
            time.sleep(0.01)

        os.replace = slowly
    quick_c2st.network = points.logistic  # as `quick_looks` does here
    quick_c2st.geometry = lambda real, fake, context: lambda rows: np.zeros(len(rows))
    torch.set_num_threads(1)
    sys.argv = ["saddlepoint", *arguments]
    with said.open("w") as sys.stdout:
        main()


@pytest.mark.slow
def test_killed_at_random_moments_also_while_saving_it_ends_on_the_same_bits(
    points_file: Path, tmp_path: Path
) -> None:
    """kill -9 while the process saves nearly all the time; each resume begins from a whole checkpoint."""
    base = ["train", str(points_file), "--rounds", "80", "--batch", "16", *SMALL, "--quiet"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    call(*base, "--out", whole)
    choose, reached = random.Random(5), [0]
    for kill in range(5):
        options = ["train", str(points_file), "--resume"] if kill else base
        process = FORKED.Process(
            target=train_in_a_process, args=([*options, "--out", str(broken)], tmp_path / "said", True)
        )
        process.start()
        target = reached[-1] + choose.randint(1, 9)
        while process.is_alive() and _newest(broken) < target:
            time.sleep(0.001)
        time.sleep(choose.random() * 0.08)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        reached.append(_newest(broken))
    assert reached == sorted(reached)
    assert reached[-1] < 80
    call("train", points_file, "--out", broken, "--resume", "--quiet")
    same_run(whole, broken)


def _newest(folder: Path) -> int:
    names = [path.stem for path in (folder / "checkpoint").glob("round-*.json")]
    return max((int(name.removeprefix("round-")) for name in names), default=0)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_saves_and_exits_with_its_code(
    number: int, code: int, points_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = ["train", str(points_file), "--rounds", "1000000", "--out", str(out), "--compile", "off"]
    process = FORKED.Process(target=train_in_a_process, args=([*arguments, *SMALL], tmp_path / "said"))
    process.start()
    while not (out / "progress.jsonl").exists() and process.is_alive():
        time.sleep(0.02)
    os.kill(process.pid, number)
    process.join(timeout=120)
    assert process.exitcode == code
    assert "interrupted after" in (tmp_path / "said").read_text().splitlines()[-1]
    played = checkpoint.load(out / "checkpoint").round
    assert played >= 1
    call("train", points_file, "--out", out, "--resume", "--rounds", played + 2, "--quiet")
    assert checkpoint.load(out / "checkpoint").round == played + 2


@pytest.mark.slow
def test_two_processes_play_the_game_of_one(points_file: Path, tmp_path: Path, monkeypatch) -> None:
    for name in ("network", "geometry"):  # as torchrun's processes have them
        monkeypatch.setattr(quick_c2st, name, getattr(points, name))
    base = ["train", points_file, "--rounds", 6, "--precision", "float64", *SMALL, "--quiet"]
    call(*base, "--out", tmp_path / "one")
    two = [*base, "--out", tmp_path / "two", "--processes", 2]  # torchrun starts this very command line
    monkeypatch.setattr(sys, "argv", ["saddlepoint", *map(str, two)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    one, two = (checkpoint.load(tmp_path / name / "checkpoint") for name in ("one", "two"))
    assert one.round == two.round == 6
    for name, value in one.tensors.items():
        assert torch.allclose(value, two.tensors[name], rtol=0, atol=1e-10), name
    for name in ("one", "two"):  # and one process goes on with what two have played
        call("train", points_file, "--out", tmp_path / name, "--resume", "--rounds", 8, "--quiet")
    one, two = (checkpoint.load(tmp_path / name / "checkpoint") for name in ("one", "two"))
    for name, value in one.tensors.items():
        assert torch.allclose(value, two.tensors[name], rtol=0, atol=1e-9), name


def test_sampling_writes_the_form_that_the_name_asks_for(points_file: Path, tmp_path: Path) -> None:
    import pandas as pd

    call("train", points_file, "--rounds", 3, "--out", tmp_path / "run", *SMALL, "--quiet")
    for name in ("a.csv", "b.csv"):
        call("sample", tmp_path / "run", "-n", 7, "--out", tmp_path / name, "--seed", 3)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    frame = pd.read_csv(tmp_path / "a.csv")
    assert list(frame.columns) == ["x", "y"]
    assert len(frame) == 7
    call("sample", tmp_path / "run", "-n", 7, "--out", tmp_path / "c.npy", "--seed", 3)
    assert np.load(tmp_path / "c.npy") == pytest.approx(frame.to_numpy(), rel=1e-6)
    call("sample", tmp_path / "run", "-n", 7, "--out", tmp_path / "d.parquet", "--seed", 3)
    assert pd.read_parquet(tmp_path / "d.parquet").to_numpy() == pytest.approx(frame.to_numpy(), rel=1e-6)


def test_samples_of_pictures_are_pictures(tmp_path: Path) -> None:
    from PIL import Image

    call("train", "digits", "--rounds", 3, "--out", tmp_path / "run", "--label", "class", *SMALL, "--quiet")
    call("sample", tmp_path / "run", "-n", 9, "--given", "class=7", "--out", tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size == (384, 384)  # 24 pixels a side, each 16 x 16: tiles of 128
    call("sample", tmp_path / "run", "-n", 5, "--given", "class=7", "--out", tmp_path / "sevens")
    assert len(list((tmp_path / "sevens" / "7").glob("*.png"))) == 5
    call("sample", tmp_path / "run", "-n", 5, "--out", tmp_path / "some.npz")
    with np.load(tmp_path / "some.npz") as stored:
        assert stored["samples"].shape == (5, 8, 8)
        assert set(stored["labels"]) <= set(range(10))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "digits", "--recipe", "modren"], "Unknown recipe 'modren', did you mean 'modern'"),
        (
            ["train", "digits", "--resume", "--restart"],
            "--resume continues a run and --restart begins it again",
        ),
        (["train", "nowhere.csv"], "nowhere.csv"),
        (["train", "digits", "--rounds", "0"], "rounds is 0; give"),
        (["train", "digits", "--resume"], "is not a run folder"),
        (["train", "digits", "--device", "cuda:7"], "The device 'cuda:7' cannot be used here"),
        (["train", "{points}", "--label", "class"], "class"),
        (["sample", "{run}", "-n", "0", "--out", "a.csv"], "0 samples cannot be drawn"),
        (["sample", "{run}", "-n", "5", "--out", "a.png"], "a.png cannot hold samples of points"),
        (["sample", "{run}", "--out", "a.csv", "--given", "class=3"], "a model without classes"),
        (["sample", "{run}", "--out", "a.csv", "--given", "klass=3"], "write --given class=VALUE"),
        (["sample", "{run}", "--out", "a.csv", "--seed", "-2"], "seed is -2; give a whole number, 0 or more"),
        (["train", "{points}", "--seed", "-1"], "seed is -1; give a whole number, 0 or more"),
        (["train", "{points}", "--restart", "--seed", "-1", "--out", "{run}"], "seed is -1"),
        (
            ["train", "{points}", "--batch", "100000"],
            "batch of 100000 is larger than the 120 training rows",
        ),
        (
            ["train", "{points}", "--label", "x"],
            "--label x makes 150 classes of 150 rows",
        ),
        (["train", "{points}", "--group", "nope"], "has no group column 'nope'. It has x, y."),
        (
            ["train", "{points}", "--resume", "--objective", "hinge", "--out", "{run}"],
            "--objective hinge cannot be changed on --resume: this run began with relativistic",
        ),
        (
            ["train", "{points}", "--resume", "--label", "y", "--out", "{run}"],
            "--label y cannot be changed on --resume: this run began without it",
        ),
        (
            ["train", "{points}", "--resume", "--accumulation-steps", "2", "--out", "{run}"],
            "--accumulation-steps 2 cannot be changed on --resume: this run began with 1",
        ),
        (
            ["train", "{points}", "--resume", "--recompute", "--out", "{run}"],
            "--recompute cannot be changed on --resume: this run began without it",
        ),
        (["sample", "{points}", "--out", "a.csv"], "There is no model in"),
        (["draw", "nowhere"], "nowhere is not a run folder"),
        (
            ["train", "{points}", "--resume", "--seed", "3", "--out", "{run}"],
            "--seed 3 cannot be changed on --resume",
        ),
        (["train", "digits", "--resume", "--out", "{run}"], "source digits cannot be changed on --resume"),
        (["train", "{points}", "--out", "{run}"], "already holds a run: add --resume"),
    ],
)
def test_wrong_arguments_get_one_sentence_and_exit_code_1(
    arguments: list[str], words: str, points_file: Path, trained: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    if any("{run}" in argument for argument in arguments):
        shutil.copytree(trained, tmp_path / "run")
    filled = [argument.format(points=points_file, run=tmp_path / "run") for argument in arguments]
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    monkeypatch.setattr(sys, "argv", ["saddlepoint", *filled])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    assert stopped.value.code == 1
    assert words in said.err
    assert said.err.startswith("saddlepoint: ")
    assert len(said.err.splitlines()) == 1
    assert "Traceback" not in said.err
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_the_objective_that_the_recipe_chose_may_be_named_on_resume(
    points_file: Path, trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained, tmp_path / "run")
    options = ["--resume", "--rounds", 3, "--objective", "relativistic", "--recipe", "modern", "--quiet"]
    call("train", points_file, "--out", tmp_path / "run", *options)
    assert checkpoint.load(tmp_path / "run" / "checkpoint").round == 3


def test_below_fifty_rows_it_is_said_that_nothing_is_held_out(tmp_path: Path, capsys) -> None:
    np.save(tmp_path / "few.npy", np.random.default_rng(0).normal(size=(40, 2)))
    call("train", tmp_path / "few.npy", "--rounds", 1, "--out", tmp_path / "run", *SMALL)
    said = capsys.readouterr().err
    assert "40 training rows; below 50 rows nothing is held out, so this run cannot be judged" in said


def test_money_is_sampled_in_cents(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [f"{age},{pay:.2f}" for age, pay in zip(random.integers(18, 90, 80), random.gamma(3, 9000, 80))]
    (tmp_path / "people.csv").write_text("age,income\n" + "\n".join(rows) + "\n")
    call("train", tmp_path / "people.csv", "--rounds", 3, "--out", tmp_path / "run", *SMALL, "--quiet")
    call("sample", tmp_path / "run", "-n", 50, "--out", tmp_path / "more.csv")
    lines = (tmp_path / "more.csv").read_text().splitlines()[1:]
    assert max(len(line.partition(".")[2]) for line in lines) == 2


def test_errors_of_ours_are_caught_by_main_and_others_are_not_hidden(monkeypatch) -> None:
    with pytest.raises(SaddlepointError):
        call("draw", "nowhere")


def test_the_time_left_is_never_more_than_the_minutes_leave() -> None:
    settings = SimpleNamespace(horizon=10**9)
    fit = SimpleNamespace(plan=SimpleNamespace(settings=settings), round=0)
    session = SimpleNamespace(run=None, fit=fit)
    record = SimpleNamespace(round=0)
    for minutes, most in ((2.0, 120.0), (0.0, 0.0)):
        assert Progress(session, quiet=True, until=None, minutes=minutes)._left(record)[1] <= most
    assert Progress(session, quiet=True, until=None, minutes=None)._left(record)[1] > 0
