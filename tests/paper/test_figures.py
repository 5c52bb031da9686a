"""Figures 1 to 3 as commands: what is drawn is what the run gave, samples are the first ones, and runs go on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from docs import paper_figures
from PIL import Image
from typer.testing import CliRunner

from saddlepoint.cli import app
from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError
from saddlepoint.paper import datasets, figures
from saddlepoint.paper.results import Results


@pytest.fixture(scope="module")
def played(digits, tmp_path_factory):
    return figures.play(
        digits, "digits", 0, runs=tmp_path_factory.mktemp("runs"), rounds=12, say=lambda line: None
    )


def test_a_stopped_game_goes_on_and_is_the_same(digits, played, tmp_path):
    how = {"runs": tmp_path, "rounds": 12, "say": lambda line: None}
    calls = iter(range(100))
    assert figures.play(digits, "digits", 0, interrupted=lambda: next(calls) >= 4, **how) is None
    again = figures.play(digits, "digits", 0, **how)
    assert again.rounds == played.rounds == 12
    z = figures._noise(played.model, 5, 0, "test")
    np.testing.assert_array_equal(figures._pictures(again.model, z), figures._pictures(played.model, z))


def test_the_nearest_example_is_the_nearest(digits):
    rows = digits.train.rows[[3, 500, 999]]
    np.testing.assert_array_equal(figures._nearest(digits, rows), [3, 500, 999])


def test_figure_2_writes_picture_page_and_verdict(digits, played, tmp_path):
    figures.figure2(Results(tmp_path), digits, "digits", played, seed=0, quick=True, command="it")
    content = json.loads((tmp_path / "figure2-digits-quick.json").read_text())
    assert (content["samples"], content["rounds"], content["copying"]["exact_copies"]) == (300, 12, 0)
    paper_figures.figure2(Results(tmp_path), "figure2-digits-quick", quick=True)
    page = (tmp_path / "figure2-digits-quick.md").read_text()
    assert "A quick version" in page
    assert "no copies found: 0 samples equal a training row; " in page
    assert "The first 30 samples of goodfellow2014, seed 0, its average of G after 12 rounds" in page
    made, real = content["spread"]
    assert ("these are not good samples" in page) == (made < real / 2)
    assert (tmp_path / "figure2-digits-quick.png").stat().st_size < 300_000


def test_figure_3_s_lines_end_at_noise_as_it_came(digits, played, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(figures, "interpolation", lambda frames, title: seen.append(frames) or _Drawn())
    monkeypatch.setattr(Results, "picture", lambda *args, **how: None)
    figures.figure3(Results(tmp_path), digits, played, seed=0, lines=3, steps=5)
    frames = seen[0]
    assert frames.shape == (3, 5, 8, 8, 1)
    ends = figures._pictures(played.model, figures._noise(played.model, 6, 0, "figure3"))
    np.testing.assert_array_equal(frames[:, 0], ends[:3])
    np.testing.assert_array_equal(frames[:, -1], ends[3:])
    stored = json.loads((tmp_path / "figure3.json").read_text())
    assert stored["rounds"] == 12


class _Drawn:
    pass


@pytest.mark.slow
def test_figure_1_is_a_picture_and_an_animation(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FRAMES", (0, 10, 40))
    monkeypatch.setattr(figures, "PANELS", (10, 20, 40))
    monkeypatch.setattr(figures.one_dimensional_game, "ROUNDS", 40)
    figures.figure1(Results(tmp_path), quick=True, say=lambda line: None)
    with Image.open(tmp_path / "figure1-quick.gif") as animation:
        assert animation.n_frames == 3
    stored = json.loads((tmp_path / "figure1-quick.json").read_text())
    assert sorted(map(int, stored["kolmogorov"])) == [0, 10, 20, 40]
    paper_figures.figure1(Results(tmp_path), "figure1-quick", quick=True)
    assert "![four rounds](figure1-quick.png)" in (tmp_path / "figure1-quick.md").read_text()


def test_faces_are_48_pixels_wide_and_nobody_is_on_two_sides(tmp_path):
    random = np.random.default_rng(0)
    for person in range(1, 41):
        for picture in range(1, 3):
            grey = np.full((112, 92), 6 * person, dtype=np.uint8)
            grey[:10, :10] = random.integers(0, 255, (10, 10))
            Image.fromarray(grey).save(tmp_path / f"s{person:02d}_{picture:02d}.png")
    parts = datasets.faces(tmp_path)
    assert [len(each) for each in (parts.train, parts.validation, parts.test)] == [64, 8, 8]
    assert parts.train.rows.shape[1:] == (48, 48, 1)
    people = [set(np.unique(each.rows[:, 30, 30])) for each in (parts.train, parts.validation, parts.test)]
    assert len(set.union(*people)) == sum(map(len, people)) == 40


def test_smaller_pictures_stand_in_the_middle_of_black_ones():
    rows = np.random.default_rng(0).integers(1, 255, (6, 5, 5, 1), dtype=np.uint8)
    part = open_source(rows, name="X")
    parts = datasets.padded(datasets.Parts(name="X", train=part, validation=part, test=part), 8)
    for each in (parts.train, parts.validation, parts.test):
        assert each.rows.shape == (6, 8, 8, 1)
        np.testing.assert_array_equal(each.rows[:, 1:6, 1:6], rows)
        assert (each.rows == 0).sum() == 6 * (64 - 25)


def test_bad_input_is_one_sentence(tmp_path):
    for arguments, sentence in (
        (
            ["figure2", "--data", "tfd"],
            "Figure 2 is available for mnist, faces, cifar10, mnist-conv, faces-conv, cifar10-conv, not for 'tfd'",
        ),
        (["figure2", "--data", "cifar10"], "Figure 2 of CIFAR-10 needs a local file"),
        (["theory", "--steps", "z"], "There is no step 'z'"),
    ):
        found = CliRunner().invoke(app, ["paper", *arguments])
        assert isinstance(found.exception, InputError)
        assert sentence in str(found.exception)
    np.savez(tmp_path / "c.npz", images=np.zeros((40, 8, 8), np.uint8))
    with pytest.raises(InputError, match="32 x 32 with 3 channels"):
        datasets.cifar10(tmp_path / "c.npz")
