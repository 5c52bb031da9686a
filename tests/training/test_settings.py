"""Schedules are functions of the round; settings are validated where they are made and survive JSON."""

from __future__ import annotations

import json
import math

import pytest

from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.training import OptimiserSettings, PenaltySettings, Schedule, Settings


def test_schedules_reach_their_ends_and_stay_there() -> None:
    for shape in ("linear", "cosine", "geometric"):
        schedule = Schedule(start=2.0, end=0.5, shape=shape, begin=0.25, finish=0.75)
        assert schedule.at(0, 100) == schedule.at(25, 100) == pytest.approx(2.0)
        assert schedule.at(75, 100) == schedule.at(100, 100) == schedule.at(10**9, 100) == pytest.approx(0.5)
        values = [schedule.at(round_, 100) for round_ in range(25, 76)]
        assert values == sorted(values, reverse=True)
    middle = {"linear": 1.25, "cosine": 1.25, "geometric": 1.0}
    for shape, value in middle.items():
        assert Schedule(start=2.0, end=0.5, shape=shape).at(50, 100) == pytest.approx(value)


def test_a_geometric_schedule_in_rounds_is_the_papers_decay() -> None:
    """The authors divide the rate by 1.000004 after every update, down to 1e-6: after 125,000 it is 0.607 of 0.1."""
    rounds = math.log(1e5) / math.log(1.000004)
    rate = Schedule(start=0.1, end=1e-6, shape="geometric", unit="rounds", finish=rounds)
    for update in (1, 500, 125_000):
        assert rate.at(update, horizon=7) == pytest.approx(0.1 / 1.000004**update, rel=1e-9)
    assert rate.at(125_000, 7) / 0.1 == pytest.approx(0.607, abs=5e-4)


def test_warm_up_rises_linearly() -> None:
    for schedule in (Schedule(start=1.0, warm_up=4, unit="rounds"), Schedule(start=1.0, warm_up=0.4)):
        assert [schedule.at(round_, 10) for round_ in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_a_penalty_may_be_named_alone() -> None:
    named = Settings(horizon=1, penalties=("r1", PenaltySettings(name="r2", weight=Schedule(start=3.0))))
    assert named.penalties[0] == PenaltySettings(name="r1", weight=Schedule(start=1.0))
    assert named.penalties[1].weight.start == 3.0
    assert Settings.from_dict(json.loads(json.dumps(named.to_dict()))) == named


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: PenaltySettings(name="r3"),
            "No penalty is called 'r3'. The penalties are r1, r2, gradient-penalty",
        ),
        (lambda: PenaltySettings(name="r1", weight=10), r"weight of the penalty 'r1' is 10; give a Schedule"),
        (lambda: Settings(horizon=1, penalties="r1"), "penalties is 'r1'; give a tuple of names"),
        (lambda: Settings(horizon=1, penalties=(3,)), "penalties holds 3; give names or PenaltySettings"),
        (lambda: Settings(horizon=1, penalties=("r1", "gp")), "No penalty is called 'gp'"),
    ],
)
def test_penalties_are_checked_where_they_are_named(make, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"horizon": 0}, "horizon is 0; it must be a whole number of at least 1"),
        ({"batch": -3}, "batch is -3"),
        ({"batch": 2.5}, "batch is 2.5"),
        ({"noise_width": True}, "noise_width is True"),
        ({"form": "alternate"}, "Unknown form of the game 'alternate', did you mean 'alternating'"),
        ({"noise_distribution": "gauss"}, "Unknown noise distribution 'gauss'.*normal, uniform"),
        ({"precision": "float16"}, "Unknown precision 'float16'.*float32, bf16, float64"),
        ({"form": "simultaneous", "discriminator_steps": 2}, "takes discriminator_steps=1"),
        ({"average": float("nan")}, "average is nan"),
    ],
)
def test_wrong_settings_are_told_with_what_is_allowed(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Settings(**({"horizon": 10} | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": "cosinus", "end": 1.0}, "did you mean 'cosine'"),
        ({"shape": "linear"}, "A linear schedule needs an end"),
        ({"begin": 1.0, "finish": 0.5}, "finishes at 0.5 and begins at 1; finish must be after begin"),
        ({"shape": "geometric", "end": 0.0}, "a start and an end above 0"),
    ],
)
def test_wrong_schedules_are_told(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Schedule(start=1.0, **changes)


def test_settings_survive_json() -> None:
    settings = Settings(
        horizon=10,
        penalties=(PenaltySettings(name="r1", weight=Schedule(start=1.0, end=0.1, shape="geometric")),),
        generator=OptimiserSettings(name="sgd", momentum=Schedule(start=0.5, end=0.7, shape="linear")),
        average=0.03,
    )
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_settings_of_another_version_are_refused_in_words() -> None:
    stored = Settings(horizon=10).to_dict()
    with pytest.raises(StoredFileError, match="not settings of a game"):
        Settings.from_dict(stored | {"speed": 3})
    del stored["generator"]
    with pytest.raises(StoredFileError, match="generator"):
        Settings.from_dict(stored)
