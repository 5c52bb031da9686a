"""`saddlepoint judge`: any two samples, a verdict on one screen, JSON for pipelines, exit codes."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from saddlepoint.cli import app, main

pytestmark = pytest.mark.usefixtures("quick_looks", "no_figures")


def call(*arguments: object) -> int:
    """Run a verb inside this process and return its exit code; errors of ours come through."""
    return app([str(argument) for argument in arguments], standalone_mode=False) or 0


def table(n: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    town = rng.choice(["north", "south"], n)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "pay": np.round(rng.normal(30 + shift, 5, n) + 4 * (town == "north"), 2),
            "town": town,
        }
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    table(800, 0).to_csv(folder / "real.csv", index=False)
    table(800, 1).to_csv(folder / "same.csv", index=False)
    table(800, 2, shift=6.0).to_csv(folder / "shifted.csv", index=False)
    table(900, 3).rename(columns={"pay": "wage"}).to_csv(folder / "renamed.csv", index=False)
    table(900, 0).head(5).to_csv(folder / "few.csv", index=False)
    np.save(folder / "pictures.npy", np.zeros((50, 4, 4), dtype=np.uint8))
    return folder


def test_metrics_are_printed_after_the_verdict_and_stand_on_the_page(
    files: Path, tmp_path: Path, capsys
) -> None:
    page = tmp_path / "also.html"
    options = ("--quick", "--metrics", "mmd", "--metrics", "neighbours", "--page", page)
    call("judge", files / "real.csv", files / "shifted.csv", *options)
    said = capsys.readouterr().out
    head, *rest = said[said.index("Metrics, none") :].splitlines()
    assert "none of them a bound, on 800 rows of each sample" in head
    names = [line.split(":")[0].strip() for line in rest if " +- " in line]
    assert names[:4] == ["precision", "recall", "density", "coverage"]
    assert "MMD^2" in said
    assert "<h2" in page.read_text()
    assert "Kynkäänniemi et al. 2019" in page.read_text()


def test_a_shifted_column_is_certified_and_named(files: Path, tmp_path: Path, capsys) -> None:
    page = tmp_path / "verdict.html"
    call("judge", files / "real.csv", files / "shifted.csv", "--held-out", "--quick", "--page", page)
    said = capsys.readouterr().out
    assert said.splitlines()[0] == "The real rows were held out from the generator, as declared."
    assert "JSD >= " in said
    assert "column pay" in said
    assert len(said.splitlines()) <= 24

    class Links(HTMLParser):
        found: list[str]

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found += [value or "" for name, value in attrs if name in ("src", "href")]

    parser = Links()
    parser.found = []
    parser.feed(page.read_text())
    assert any(link.startswith("data:image/png") for link in parser.found)
    assert not [link for link in parser.found if not link.startswith(("data:", "#"))]


def test_json_is_the_verdict_and_max_jsd_is_for_pipelines(files: Path, capsys) -> None:
    arguments = ["judge", files / "real.csv", files / "shifted.csv", "--quick", "--json"]
    assert call(*arguments) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["certified"] is True
    assert 0 < verdict["jsd_lower"] < np.log(2)
    assert verdict["held_out"] == "unknown"
    assert verdict["control"]["passed"] is True
    assert call(*arguments, "--max-jsd", verdict["jsd_lower"] / 2) == 3
    assert call(*arguments, "--max-jsd", 0.69) == 0
    capsys.readouterr()
    assert call("judge", files / "real.csv", files / "same.csv", "--quick", "--json", "--max-jsd", 0) == 0
    assert json.loads(capsys.readouterr().out)["jsd_lower"] == 0


def test_the_same_command_gives_the_same_verdict(files: Path, capsys) -> None:
    said = []
    for _ in range(2):
        call("judge", files / "real.csv", files / "shifted.csv", "--quick", "--json", "--seed", 4)
        said.append(
            {key: value for key, value in json.loads(capsys.readouterr().out).items() if key != "seconds"}
        )
    assert said[0] == said[1]


def test_copies_of_training_rows_are_found(files: Path, capsys) -> None:
    call("judge", files / "real.csv", files / "same.csv", "--train", files / "same.csv", "--quick", "--json")
    found = json.loads(capsys.readouterr().out)["memorisation"]
    assert found["copying"] is True
    assert found["exact_copies"] == 800


def test_a_run_is_judged_by_its_own_vault_or_by_named_rows(tmp_path: Path, capsys) -> None:
    rows, fresh = (  # on a line, where no untaught generator's samples lie
        np.repeat(np.random.default_rng(seed).normal(size=(count, 1)), 2, axis=1)
        for seed, count in enumerate((600, 200))
    )
    np.save(tmp_path / "rows.npy", rows)
    np.save(tmp_path / "fresh.npy", fresh)
    call(
        "train",
        tmp_path / "rows.npy",
        "--rounds",
        3,
        "--start",
        "noise",
        "--out",
        tmp_path / "run",
        "--capacity",
        "small",
        "--quiet",
    )
    capsys.readouterr()
    verdicts = {}
    for name, arguments in {
        "vault": [tmp_path / "run"],
        "fresh": [tmp_path / "fresh.npy", tmp_path / "run", "--held-out"],
        "trained on": [tmp_path / "rows.npy", tmp_path / "run", "--held-out"],
    }.items():
        call("judge", *arguments, "--quick", "--json")
        verdicts[name] = json.loads(capsys.readouterr().out)
    assert [verdicts[name]["held_out"] for name in verdicts] == ["declared", "declared", "no"]
    assert verdicts["vault"]["n_fit"] + verdicts["vault"]["n_select"] + verdicts["vault"]["n_evaluate"] == 60
    assert verdicts["fresh"]["jsd_lower"] > 0  # three rounds teach nothing
    assert verdicts["fresh"]["memorisation"]["exact_copies"] == 0


def test_a_run_is_judged_on_the_columns_that_it_learnt(tmp_path: Path, capsys) -> None:
    """A text of 90 values in 600 rows is a category to training, and would be an identifier in the 60 rows of the vault."""
    rng = np.random.default_rng(0)
    towns = np.array([f"town{number}" for number in range(90)])[rng.integers(0, 90, 600)]
    table(600, 1).assign(city=towns).to_csv(tmp_path / "towns.csv", index=False)
    call("train", tmp_path / "towns.csv", "--rounds", 1, "--out", tmp_path / "run", "--quiet")
    capsys.readouterr()
    call("judge", tmp_path / "run", "--quick", "--json")
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert not [note for note in notes if "city" in note]


def test_a_column_type_is_given_alike_to_train_and_judge(files: Path, tmp_path: Path, capsys) -> None:
    """NAME=KIND is cut at its last "=", because a column's name may hold one."""
    for name, seed in (("one.csv", 5), ("two.csv", 6)):
        table(300, seed).rename(columns={"age": "a=b"}).to_csv(tmp_path / name, index=False)
    call(
        "train",
        tmp_path / "one.csv",
        "--column",
        "a=b=numeric",
        "--rounds",
        1,
        "--out",
        tmp_path / "run",
        "--quiet",
    )
    assert (
        call("judge", tmp_path / "one.csv", tmp_path / "two.csv", "--column", "a=b=numeric", "--quick") == 0
    )
    assert "JSD" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{files}/real.csv", "{files}/renamed.csv"], "'pay'"),
        (["{files}/real.csv", "{files}/pictures.npy"], "give rows of one kind"),
        (["{files}/real.csv", "{files}/nowhere.csv"], "nowhere.csv"),
        (["{files}/few.csv", "{files}/real.csv"], "5"),
        (["{files}/real.csv"], "is not a run folder; to judge rows give both"),
        (["{files}/real.csv", "{files}/same.csv", "--max-jsd", "2"], "--max-jsd is 2.0; give a JSD"),
        (["{files}/real.csv", "{files}/same.csv", "--column", "pay"], "write --column NAME=KIND"),
        (["{files}/real.csv", "{files}/same.csv", "--column", "pai=integer"], "did you mean 'pay'"),
        (["{files}/real.csv", "{files}/same.csv", "--group", "twon"], "did you mean 'town'"),
        (["{files}/real.csv", "{files}/same.csv", "--confidence", "95"], "confidence is 95"),
        (["{files}/real.csv", "{files}/same.csv", "--page", "verdict.pdf"], "ends in .html"),
    ],
)
def test_what_cannot_be_judged_gets_one_sentence(
    arguments: list[str], words: str, files: Path, monkeypatch, capsys
) -> None:
    filled = [argument.format(files=files) for argument in arguments]
    monkeypatch.setattr(sys, "argv", ["saddlepoint", "judge", *filled])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    assert stopped.value.code == 1
    assert words in said.err
    assert len(said.err.splitlines()) == 1
    assert said.out == ""


def test_the_same_file_twice_is_said(files: Path, capsys) -> None:
    call("judge", files / "real.csv", files / "real.csv")
    assert "given twice" in capsys.readouterr().out


def test_no_verdict_is_no_pass_for_a_pipeline(files: Path, monkeypatch, capsys) -> None:
    for more, words in (
        ([files / "real.csv"], "There is no verdict to compare --max-jsd 0.05 with. The real and the fake"),
        ([files / "same.csv", "--not-held-out", "--quick"], "rows that the generator was trained on"),
    ):
        arguments = ["judge", files / "real.csv", *more, "--max-jsd", "0.05"]
        monkeypatch.setattr(sys, "argv", ["saddlepoint", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        assert stopped.value.code == 1
        assert words in said.err
        assert len(said.err.splitlines()) == 1
        assert said.out
