"""A fit: planned looks and records, stops with a reason, resumes to the bit, keeps the last good state."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from saddlepoint import compute
from saddlepoint.data.opening import open_source
from saddlepoint.errors import GameError, InputError, StoredFileError
from saddlepoint.fitting import FitOptions, Played, Sampled, Saved, Stopped, prepare, restore
from saddlepoint.fitting.fit import planned_estimates
from saddlepoint.names import RECIPES
from saddlepoint.training import checkpoint

pytestmark = pytest.mark.usefixtures("quick_looks")


def points(n: int = 120, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) * [1.0, 1000.0]


def prepared(**chosen: object):
    return prepare(open_source(points()), FitOptions(**({"rounds": 12, "capacity": "small"} | chosen)))


def state(fit) -> dict[str, torch.Tensor]:
    return checkpoint.state_of(fit.game)


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe != "auto"])
@pytest.mark.parametrize("precision", compute.PRECISIONS)
def test_rounds_at_once_are_rounds_in_parts_bitwise(recipe: str, precision: str, tmp_path: Path) -> None:
    preparation = prepared(recipe=recipe, precision=precision, rounds=6)
    whole = preparation.fit()
    events = list(whole.play())
    first = preparation.fit(tmp_path)
    early = list(first.play(until_round=3))
    second = prepared(recipe=recipe, precision=precision, rounds=6).fit(tmp_path)
    assert second.resume() == ()
    assert second.round == 3
    late = list(second.play())
    one, two = state(whole), state(second)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)

    def told(events: list[object]) -> list[object]:
        records = [event.record.to_dict() for event in events if isinstance(event, Played) and event.planned]
        looks = [(event.round, event.rows.tolist()) for event in events if isinstance(event, Sampled)]
        return [records, looks]

    assert told(events) == [a + b for a, b in zip(told(early), told(late), strict=True)]


def test_what_is_chosen_is_written_down_and_restored(tmp_path: Path) -> None:
    dataset = open_source(points())
    preparation = prepare(
        dataset, FitOptions(rounds=8, seed=5, capacity="small", batch=32, objective="hinge")
    )
    again = restore(dataset, preparation.to_dict())
    assert again.plan == preparation.plan
    assert again.threads == preparation.threads
    for part in ("train", "monitor", "vault"):
        assert np.array_equal(getattr(again, part).rows, getattr(preparation, part).rows)
    one, two = preparation.fit(), again.fit()
    list(one.play()), list(two.play())
    assert all(torch.equal(state(one)[name], state(two)[name]) for name in state(one))


def test_other_rows_than_those_a_run_began_with_are_refused() -> None:
    stored = prepared().to_dict()
    with pytest.raises(InputError, match=r"no longer holds the rows this run began with.*--restart"):
        restore(open_source(points(seed=1)), stored)


def test_settings_that_are_damaged_are_refused() -> None:
    stored = prepared().to_dict()
    del stored["generator"]
    with pytest.raises(StoredFileError, match="settings of this run cannot be read"):
        restore(open_source(points()), stored)


def test_looks_are_planned_by_the_horizon_and_end_with_it() -> None:
    assert sorted(planned_estimates(1000)) == [0, 7, 15, 31, 62, 125, 250, 500, 1000]
    assert sorted(planned_estimates(1)) == [0, 1]
    events = list(prepared(rounds=16).fit().play())
    assert [event.round for event in events if isinstance(event, Sampled)] == [0, 1, 2, 4, 8, 16]


def test_a_fit_stops_at_the_first_limit_and_says_which() -> None:
    stopped = list(prepared().fit().play())[-1]
    assert isinstance(stopped, Stopped)
    assert stopped.reason == "rounds"
    assert stopped.sentence.startswith("all 12 rounds are played")
    stopped = list(prepared(rounds=10**6, compile="off").fit().play(seconds=0.05))[-1]
    assert stopped.reason == "minutes"
    assert "of 1,000,000 rounds" in stopped.sentence
    ticks = itertools.count()
    stopped = list(prepared().fit().play(interrupted=lambda: next(ticks) >= 3))[-1]
    assert stopped.reason == "interrupted"
    assert stopped.round == 4


def test_an_interrupted_fit_is_saved_first(tmp_path: Path) -> None:
    fit = prepared().fit(tmp_path)
    events = list(fit.play(interrupted=lambda: True))
    assert [type(event) for event in events[-2:]] == [Saved, Stopped]
    assert checkpoint.load(tmp_path).round == 1


def test_past_rounds_cannot_be_asked_for(tmp_path: Path) -> None:
    fit = prepared().fit(tmp_path)
    list(fit.play(until_round=6))
    with pytest.raises(InputError, match=r"3 rounds .* 6"):
        next(fit.play(until_round=3))


def test_more_rounds_than_the_horizon_go_on_at_the_schedules_end() -> None:
    fit = prepared().fit()
    list(fit.play(until_round=20))
    assert fit.round == 20
    settings = fit.plan.settings
    assert fit.game.optimisers["generator"].param_groups[0]["lr"] == pytest.approx(
        settings.generator.rate.at(12, 12)
    )


def test_minutes_fix_the_horizon_by_a_measured_rate() -> None:
    preparation = prepare(open_source(points()), FitOptions(minutes=0.01, capacity="small"))
    fit = preparation.fit()
    assert preparation.plan.settings.horizon >= 1
    assert fit.round == 0
    few = prepare(open_source(points()), FitOptions(minutes=0.01, rounds=2, capacity="small"))
    assert few.plan.settings.horizon == 2


def test_measuring_the_rate_moves_nothing() -> None:
    fit = prepared().fit()
    before = state(fit)
    assert fit.measured_rate(0.01) > 0
    assert fit.round == 0
    assert all(torch.equal(before[name], value) for name, value in state(fit).items())


def test_a_game_that_breaks_keeps_its_last_good_checkpoint(tmp_path: Path) -> None:
    preparation = prepared(rounds=50, objective="wasserstein")
    settings = preparation.plan.settings
    fast = dataclasses.replace(settings.generator.rate, start=1e30)
    broken = dataclasses.replace(
        settings, generator=dataclasses.replace(settings.generator, rate=fast), penalties=()
    )
    list(preparation.fit(tmp_path).play(until_round=2))
    preparation = dataclasses.replace(
        preparation, plan=dataclasses.replace(preparation.plan, settings=broken)
    )
    fit = preparation.fit(tmp_path)
    fit.resume()
    with pytest.raises(GameError, match=r"in round \d+"):
        list(fit.play())
    assert checkpoint.load(tmp_path).round == 2


def test_held_out_rows_are_in_nobodys_training() -> None:
    dataset = open_source("digits")
    preparation = prepare(dataset, FitOptions(rounds=1))
    rows = {
        name: {row.tobytes() for row in getattr(preparation, name).rows}
        for name in ("train", "monitor", "vault")
    }
    assert not rows["train"] & rows["monitor"]
    assert not rows["train"] & rows["vault"]
    assert not rows["monitor"] & rows["vault"]
    assert sum(len(getattr(preparation, name)) for name in rows) == len(dataset)


def test_a_holdout_stands_in_place_of_the_vault() -> None:
    dataset, holdout = open_source(points()), open_source(points(30, seed=9))
    preparation = prepare(dataset, FitOptions(rounds=1), holdout=holdout)
    assert preparation.vault is holdout
    assert len(preparation.train) + len(preparation.monitor) == 120
    with pytest.raises(
        InputError,
        match=r"\(3,\), .* \(2,\)",
    ):
        prepare(
            dataset, FitOptions(rounds=1), holdout=open_source(np.random.default_rng(0).normal(size=(30, 3)))
        )


def test_classes_without_labels_are_told() -> None:
    with pytest.raises(InputError, match="has no classes to learn"):
        prepare(open_source(points()), FitOptions(rounds=1, conditional=True))


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"rounds": 0}, "rounds is 0; give"),
        ({"minutes": -1.0}, "minutes is -1.0; give"),
        ({"minutes": float("nan")}, "minutes is nan; give"),
        ({"recipe": "goodfelow2014"}, "Unknown recipe 'goodfelow2014', did you mean 'goodfellow2014'"),
        ({"capacity": "larg"}, "Unknown capacity 'larg', did you mean 'large'.*small, medium, large"),
        ({"objective": "hingee"}, "hingee"),
        ({"precision": "fp16"}, "Unknown precision 'fp16'.*float32, bf16, float64"),
        ({"batch": 0}, "batch is 0"),
    ],
)
def test_wrong_choices_are_told(chosen: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        prepared(**chosen).fit()


def test_columns_of_scales_1_and_1000_are_no_different_task() -> None:
    """The game is played on standardised columns: scaling a column scales the samples, to float rounding."""
    one = prepare(open_source(points() / [1.0, 1000.0]), FitOptions(rounds=5, capacity="small")).fit()
    two = prepare(open_source(points()), FitOptions(rounds=5, capacity="small")).fit()
    list(one.play()), list(two.play())
    samples = [fit.model().sample(50, random_state=0) for fit in (one, two)]
    assert samples[1] == pytest.approx(samples[0] * [1.0, 1000.0], rel=1e-3, abs=1e-2)
