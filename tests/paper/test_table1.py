"""Table 1: the protocol, the schedules of the recipe, honest controls, and runs that go on where they stopped."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from docs import paper_table1
from scipy.special import logsumexp
from typer.testing import CliRunner

from saddlepoint.cli import app
from saddlepoint.errors import InputError
from saddlepoint.paper import datasets, games, table1
from saddlepoint.paper.results import Results
from saddlepoint.paper.resumable_game import ResumableGame

pytestmark = pytest.mark.usefixtures("quick_looks")

ROW = [
    "model",
    "seed",
    "log_likelihood",
    "standard_error",
    "sigma",
    "n_samples",
    "n_test",
    "rounds",
    "seconds",
]


def test_the_grid_is_the_paper_s():
    expected = [0.1, 0.129, 0.167, 0.215, 0.278, 0.359, 0.464, 0.599, 0.774, 1.0]
    np.testing.assert_allclose(table1.SIGMAS, expected, atol=6e-4)


def test_the_score_is_the_naive_one_within_a_millionth_of_a_nat():
    random = np.random.default_rng(0)
    samples, validation, test = (random.random((n, 30)) for n in (400, 50, 60))
    found = table1.score(samples, validation, test)

    def naive(rows, sigma):
        squared = ((rows[:, None] - samples[None]) ** 2).sum(2)
        constant = np.log(len(samples)) + 30 * np.log(sigma * np.sqrt(2 * np.pi))
        return logsumexp(-squared / (2 * sigma**2), axis=1) - constant

    sigma = max(table1.SIGMAS, key=lambda each: naive(validation, each).mean())
    each = naive(test, sigma)
    assert found.sigma == round(sigma, 4)
    assert found.log_likelihood == pytest.approx(each.mean(), abs=1e-6)
    assert found.standard_error == pytest.approx(each.std() / np.sqrt(60), abs=1e-6)


def test_a_sigma_at_the_edge_is_refused():
    rows = np.random.default_rng(0).random((200, 5))
    with pytest.raises(InputError, match=r"is its edge 0\.1 .* would mean nothing"):
        table1.score(rows, rows, rows)
    far = rows + 10
    with pytest.raises(InputError, match="is its edge 1 "):
        table1.score(rows, far, far)


def test_the_recipe_s_schedules_are_the_authors(digits):
    rows = datasets.Parts(
        name="mnist", train=_Wide(), validation=digits.validation, test=digits.test
    )  # shape and number only
    plan = games.planned_game("goodfellow2014", rows, 3, None)
    settings = plan.settings
    assert (settings.horizon, settings.batch, settings.seed, settings.form) == (
        125_000,
        100,
        3,
        "simultaneous",
    )
    assert (settings.noise_width, settings.noise_distribution, settings.objective) == (
        100,
        "uniform",
        "non-saturating",
    )
    assert plan.generator["hidden"] == [1200, 1200]
    assert (plan.discriminator["hidden"], plan.discriminator["pieces"]) == ([240, 240], 5)
    assert (plan.discriminator["keep_input"], plan.discriminator["keep_hidden"]) == (0.8, 0.5)
    for player, first in (("generator", 0.1), ("discriminator", 0.05)):
        move = getattr(settings, player)
        assert move.rate.at(125_000, 125_000) == pytest.approx(first / 1.000004**125_000, rel=1e-6)
        assert move.rate.at(10_000_000, 125_000) == pytest.approx(first * 1e-5)
        assert [move.momentum.at(500 * epoch, 125_000) for epoch in (0, 1, 250, 300)] == [0.5, 0.5, 0.7, 0.7]


def test_the_changes_to_the_modern_game_are_the_ones_named(digits):
    narrow = games.planned_game("narrow modern + linear units", digits, 0, None)
    assert [narrow.settings.batch, narrow.settings.horizon, narrow.settings.average] == [96, 3_000, 0.1]
    assert (narrow.generator["width"], narrow.discriminator["width"]) == (256, 160)
    assert narrow.generator["output"] == "linear"


def test_the_changes_to_the_paper_s_game_are_the_ones_named(digits):
    plain, fourfold, calm = (
        games.planned_game(name, digits, 0, None)
        for name in (
            "goodfellow2014",
            "goodfellow2014 + fourfold rate of G",
            "narrow goodfellow2014 + Adam and R1 for dropout",
        )
    )
    assert (plain.generator, plain.discriminator) == (fourfold.generator, fourfold.discriminator)
    assert plain.settings.discriminator == fourfold.settings.discriminator
    for round_ in (0, 10_000, 10_000_000):
        rates = [each.settings.generator.rate.at(round_, 39_000) for each in (plain, fourfold)]
        assert rates[1] == pytest.approx(4 * rates[0])
    same = {"horizon": 1, "average": 0.1, "generator": plain.settings.generator}
    assert dataclasses.replace(plain.settings, **same) == dataclasses.replace(fourfold.settings, **same)
    for player in ("generator", "discriminator"):
        widths = [getattr(each, player)["hidden"] for each in (plain, calm)]
        assert widths[1] == [max(16, each // 3) for each in widths[0]]
    assert (calm.discriminator["keep_input"], calm.discriminator["keep_hidden"]) == (1.0, 1.0)
    assert [each.name for each in calm.settings.penalties] == ["r1"]
    assert calm.settings.generator.rate.at(10, 10) == calm.settings.discriminator.rate.at(0, 10) == 1e-3
    assert calm.settings.average == 0.1


def test_the_page_has_every_score_the_losses_by_faults_and_what_the_faithful_game_lacks(tmp_path, digits):
    def row(model, score, seed=0):
        numbers = {"log_likelihood": score, "standard_error": 2.0, "sigma": 0.1668, "seconds": 1.0}
        return {"model": model, "seed": seed, "n_samples": 10_000, "n_test": 10_000, "rounds": 200} | numbers

    def curve(model, ends, plan):
        looks = [
            {"round": round_, "cpu_seconds": round_ / 10, "last": end, "average": end}
            | {"D_on_validation": 0.45, "D_on_samples": 0.3}
            for round_, end in zip((50_000, 100_000, 125_000), ends)
        ]
        settings = games.planned_game(plan, digits, 0, None).settings.to_dict()
        return {"model": model, "seed": 0, "settings": settings, "looks": looks}

    scores = {name: 240.0 + 10 * index for index, name in enumerate(table1.FAULTS)}
    scores |= {"goodfellow2014": 180.0, "goodfellow2014 + average of G": 210.5, "real rows": 250.0}
    scores |= {"modern": 200.0, "modern + half the rates": 91.0, "modern + 12000 rounds": 70.0}
    narrow = "narrow modern + linear units"
    results = Results(tmp_path)
    with results.changing("table1-mnist") as content:
        content["data"] = "mnist"
        content["rows"] = [row(*each) for each in scores.items()] + [row("modern", 204.0, seed=1)]
        content["curves"] = [
            curve("goodfellow2014", (200.0, 205.0, 210.0), "goodfellow2014"),
            curve("modern", (-20.0, 190.0), narrow),
            curve("modern + 12000 rounds", (-90.0, 60.0), narrow),
        ]
    paper_table1.write(results, "table1-mnist", data="mnist", quick=False)
    text = (tmp_path / "table1-mnist.md").read_text()
    assert all(f"| {model} | 0 |" in text for model in scores.keys() - {"modern"})
    assert "| modern | 0, 1 | 202.0 (200.0 to 204.0) |" in text
    for index, name in enumerate(table1.FAULTS):
        assert f"{name} {10 * index - 10:+d}" in text
    assert "ends 45 nats short" in text  # 225 of the paper, less 180
    assert "half the rates for modern give 91.0 instead of 202.0" in text
    assert "worst: -90 in round 50,000" in text


def test_a_seed_whose_last_round_scored_best_counts_as_stopped_there():
    def row(seed, score):
        return {"seed": seed, "log_likelihood": score}

    game, stopped = "modern", "modern, stopped by validation"
    rows = {game: [row(0, 200.0), row(1, 230.0)], stopped: [row(0, 210.0)]}
    assert paper_table1._completed(rows)[stopped] == [row(0, 210.0), row(1, 230.0)]
    assert paper_table1._completed(rows)[game] == rows[game]


class _Wide:
    rows = np.zeros((1, 28, 28, 1), dtype=np.uint8)

    def __len__(self):
        return 50_000


def test_controls_are_what_they_say(digits):
    rows = datasets.fractions(digits.train)
    known = {row.tobytes() for row in rows}
    real = table1.control("real rows", digits, 100, 0)
    assert all(row.tobytes() in known for row in real)
    apart = table1.control("each pixel apart", digits, len(rows), 0)
    np.testing.assert_array_equal(np.sort(apart, axis=0), np.sort(rows, axis=0))
    assert not any(row.tobytes() in known for row in apart[:100])
    centres = table1.control("k-means centres", digits, 50, 0)
    assert centres.shape == (50, 64)
    assert table1.control("k-means centres", digits.first(40, 1, 1), 50, 0).shape == (20, 64)
    found = [table1.score(each, rows[:300], datasets.fractions(digits.test)) for each in (real, apart)]
    assert found[0].log_likelihood > found[1].log_likelihood + 10


def test_each_fault_of_real_rows_is_the_one_it_names(digits):
    rows, n = datasets.fractions(digits.train), 400
    made = {name: table1.control(name, digits, n, 0) for name in table1.FAULTS}
    assert all(each.shape == (n, 64) and 0 <= each.min() <= each.max() <= 1 for each in made.values())
    known = {row.tobytes() for row in rows}
    halved = [row.tobytes() for row in made["half of the real rows"]]
    assert known.issuperset(halved)
    assert len(set(halved)) <= n // 2 < len(halved)
    assert set(np.unique(made["real rows in black or white"])) == {0.0, 1.0}
    pictures = rows[:n].reshape(n, 8, 8, 1)
    gaps = table1.FAULTS["real rows with gaps"](pictures, np.random.default_rng(0))
    changed = gaps != pictures
    assert (gaps[changed] == 0).all()
    inked = (pictures > 0).sum()
    assert abs(changed.sum() / inked - 0.05) < 5 * np.sqrt(0.05 * 0.95 / inked)  # five standard errors
    blurred = made["real rows blurred"]
    assert blurred.mean() == pytest.approx(rows.mean(), rel=0.05)  # a filter moves ink, it makes none
    assert (
        np.abs(np.diff(blurred.reshape(-1, 8, 8), axis=2)).mean()
        < 0.8 * np.abs(np.diff(rows.reshape(-1, 8, 8), axis=2)).mean()
    )


@pytest.mark.slow
def test_rows_have_the_form_and_a_stopped_run_goes_on(digits, tmp_path):
    size = table1.Size(samples=300, judged=200, pool="quick", curve_epochs=(1, 2), curve_every=3)

    def play(where, **how):
        lines: list[str] = []
        whole = table1.run(
            digits,
            ["goodfellow2014", "real rows"],
            1,
            results=Results(tmp_path / where),
            runs=tmp_path / where / "runs",
            size=size,
            rounds=25,
            judged=False,
            say=lines.append,
            **how,
        )
        return whole, lines

    assert play("once")[0]
    calls = iter(range(1_000))
    assert not play("twice", interrupted=lambda: next(calls) >= 14)[0]
    whole, lines = play("twice")
    assert whole
    assert "round 15 of 25" in lines[0] or "round 1" in lines[0]
    stored = [
        json.loads((tmp_path / where / "table1-digits.json").read_text()) for where in ("once", "twice")
    ]
    for row in stored[0]["rows"]:
        assert list(row) == ROW
    numbers = [
        [{key: row[key] for key in ROW if key != "seconds"} for row in sorted(each["rows"], key=str)]
        for each in stored
    ]
    key = lambda row: row["model"]  # noqa: E731
    assert sorted(numbers[0], key=key) == sorted(numbers[1], key=key)
    curves = [
        [{k: v for k, v in look.items() if "seconds" not in k} for look in each["curves"][0]["looks"]]
        for each in stored
    ]
    assert curves[0] == curves[1]
    assert [look["round"] for look in curves[0]] == [10, 20, 25]
    assert {"goodfellow2014", "goodfellow2014 + average of G", "real rows"} <= {
        row["model"] for row in stored[0]["rows"]
    }
    before = len(stored[1]["rows"])
    assert play("twice")[0]
    assert len(json.loads((tmp_path / "twice" / "table1-digits.json").read_text())["rows"]) == before


def test_the_average_beside_the_game_does_not_change_it(digits):
    import torch

    from saddlepoint.data.encoders import fit_encoder
    from saddlepoint.fitting import Fit
    from saddlepoint.paper.resumable_game import with_settings

    plan = games.planned_game("goodfellow2014", digits, 0, 5)
    ends = []
    for each in (plan, with_settings(plan, average=None)):
        fit = Fit(digits.train, fit_encoder(digits.train), each, strip=False)
        for _ in fit.play():
            pass
        ends.append([p.detach().clone() for p in fit.game.generator.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_the_choice_of_rounds_is_written_down_and_resume_plays_by_it(digits, tmp_path, monkeypatch):
    import torch

    from saddlepoint.paper import resumable_game
    from saddlepoint.training.autotune import RoundChoice
    from saddlepoint.training.compiling import CompiledRound

    def chosen(game, batches, seconds):
        return RoundChoice(compiled=True, why="as the test has it"), CompiledRound(lambda graph: graph)

    traced = lambda: CompiledRound(lambda graph: graph)  # noqa: E731
    monkeypatch.setattr(resumable_game, "choose_round", chosen)
    monkeypatch.setattr(resumable_game, "plainly_short", lambda count, work: False)
    monkeypatch.setattr("saddlepoint.training.autotune.CompiledRound", traced)
    plan = games.planned_game("goodfellow2014", digits, 0, 6)

    def end(where, stops):
        for stop in stops:
            played = ResumableGame(tmp_path / where, digits.train, plan)
            assert isinstance(played.fit.play_round, CompiledRound)
            assert played.play([stop], lambda fit: {})
            played.close()
        return played

    once, twice = end("once", [6]), end("twice", [3, 6])
    assert json.loads((tmp_path / "twice" / "settings.json").read_text())["rounds_played"]["compiled"] is True
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            once.fit.game.generator.parameters(), twice.fit.game.generator.parameters(), strict=True
        )
    )


def test_other_rows_are_refused_by_a_run_folder(digits, tmp_path):
    plan = games.planned_game("goodfellow2014", digits, 0, 5)
    ResumableGame(tmp_path / "run", digits.train, plan).close()
    with pytest.raises(InputError, match="other rows than 'digits'"):
        ResumableGame(tmp_path / "run", digits.test, plan)


def test_pixels_that_are_not_mnist_s_are_refused(tmp_path):
    np.savez(
        tmp_path / "m.npz",
        train_images=np.zeros((20, 28, 28), np.uint8),
        test_images=np.zeros((5, 28, 28), np.uint8),
    )
    with pytest.raises(InputError, match="MNIST's have 6bbc9ace"):
        datasets.mnist(tmp_path / "m.npz")
    with pytest.raises(InputError, match=r"no file .*none\.npz; .*\.npz of MNIST"):
        datasets.mnist(tmp_path / "none.npz")
    with pytest.raises(InputError, match="holds 0 pictures named sPP_NN"):
        datasets.faces(tmp_path)


def test_unknown_rows_are_refused_before_any_data_are_opened():
    found = CliRunner().invoke(
        app, ["paper", "table1", "--models", "goodfelow2014", "--mnist", "nowhere.npz"]
    )
    assert isinstance(found.exception, InputError)
    assert "Unknown model 'goodfelow2014', did you mean 'goodfellow2014'?" in str(found.exception)
    found = CliRunner().invoke(app, ["paper", "table1", "--data", "tfd"])
    assert "Table 1 is available for 'mnist' and 'faces', not for 'tfd'" in str(found.exception)
