"""Old words work and say the new one; stored files are read by old and new names; what users named is never renamed."""

from __future__ import annotations

import copy
import sys

import pytest
import torch

from saddlepoint import aliases, names, recipes
from saddlepoint.aliases import modernise, translate_arguments
from saddlepoint.cli import main
from saddlepoint.networks import NETWORKS, MixtureGenerator


@pytest.mark.parametrize(("old", "new"), aliases.OPTIONS.items())
def test_an_old_option_is_the_new_one_and_says_so(old: str, new: str) -> None:
    assert translate_arguments(["train", old, "x"]) == (["train", new, "x"], [f"{old} is called {new} now"])
    assert translate_arguments([f"{old}=x"])[0] == [f"{new}=x"]


@pytest.mark.parametrize(("old", "new"), aliases.STARTS.items())
def test_an_old_start_is_the_new_one(old: str, new: str) -> None:
    assert new in names.STARTS
    assert old not in names.STARTS
    assert translate_arguments(["--start", old])[0] == ["--start", new]
    assert translate_arguments([f"--start={old}"])[0] == [f"--start={new}"]
    kind = "tables" if new == "autoregressive" else "points"
    recipe = recipes.choose("modern", kind)
    assert recipes.start_of(recipe, kind, old) == recipes.start_of(recipe, kind, new) == new


def test_other_words_are_left_as_they_are() -> None:
    line = ["train", "charts", "--out", "plain", "--label", "also", "--start", "mixture", "--quiet", "ruler"]
    assert translate_arguments(line) == (line, [])


def test_the_command_line_answers_an_old_word_by_the_new_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys,
        "argv",
        ["saddlepoint", "train", "nowhere.csv", "--until", "budget", "--ruler", "full", "--start", "plain"],
    )
    with pytest.raises(SystemExit) as ended:
        main()
    heard = capsys.readouterr().err
    assert ended.value.code == 1
    assert "--ruler is called --power now" in heard
    assert "plain is called noise now" in heard
    assert "nowhere.csv" in heard


def test_the_command_of_the_benchmarks_says_where_they_went(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["saddlepoint", "benchmark", "modes", "--sets", "ring"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "python -m benchmarks modes --sets ring" in capsys.readouterr().err


def test_stored_names_become_those_of_today_once() -> None:
    stored = {
        "noise_law": "normal",
        "generator": {"name": "chart-generator", "charts": 3, "start": "charts"},
        "encoder": {"kind": "charts", "codecs": [{"name": "span-generator", "span": None}]},
        "settings": {"parts": 2, "noise_law": "uniform"},
        "parts": {"train": 3},
    }
    new = modernise(stored)
    assert new == {
        "noise_distribution": "normal",
        "generator": {"name": "mixture-generator", "components": 3, "start": "mixture"},
        "encoder": {"kind": "mixture", "transformers": [{"name": "span-generator", "block": None}]},
        "settings": {"accumulation_steps": 2, "noise_distribution": "uniform"},
        "parts": {"train": 3},
    }
    assert modernise(new) == new


@pytest.mark.parametrize("key", ["columns", "constants", "kinds", "margins"])
def test_what_users_named_is_never_renamed(key: str) -> None:
    named = {key: {"span": "integer", "also": {"ruler": 1}, "charts": "charts"}}
    assert modernise(named) == named


def test_every_old_network_is_one_of_today() -> None:
    for old, new in aliases.STORED_VALUES["name"].items():
        assert new in NETWORKS
        assert old not in NETWORKS


def test_weights_of_an_earlier_version_are_loaded_by_copies_too() -> None:
    generator = MixtureGenerator(
        noise_width=MixtureGenerator.noise_for(2, 2, "mixture"), components=2, local_width=2, width=4
    )
    old = {
        name.replace("components.", "charts.", 1): torch.rand_like(value)
        for name, value in generator.state_dict().items()
    }
    assert any(name.startswith("charts.") for name in old)
    average = copy.deepcopy(generator)
    for network in (generator, average):
        network.load_state_dict(dict(old))
        for name, value in network.state_dict().items():
            assert torch.equal(value, old[name.replace("components.", "charts.", 1)])


def test_a_removed_option_is_refused_with_what_serves_now(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["saddlepoint", "train", "x.csv", "--memory=500MB"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    assert "--accumulation-steps" in capsys.readouterr().err


def test_removed_penalties_and_metrics_of_saved_runs_are_those_that_took_their_place() -> None:
    stored = {
        "penalties": [{"name": "r1-differences"}, {"name": "r2"}],
        "metrics": ["energy", "frechet", "neighbours"],
    }
    assert modernise(stored) == {
        "penalties": [{"name": "r1"}, {"name": "r2"}],
        "metrics": ["mmd", "neighbours"],
    }
