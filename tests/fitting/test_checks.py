"""Checks beside the game: they move nothing in it, resume exactly, keep the best, and stop it for a reason."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from saddlepoint.compute import leave_process_group
from saddlepoint.data.opening import open_source
from saddlepoint.fitting import (
    Checked,
    FitOptions,
    Judged,
    RolledBack,
    Stopped,
    prepare,
    restore,
    with_final_verdict,
)
from saddlepoint.fitting.check_schedule import COUNTS, CheckSchedule, cached_power, count_of
from saddlepoint.fitting.collapse_recovery import remedied
from saddlepoint.fitting.row_reader import RowReader
from saddlepoint.judging.monitor.power import PowerEstimate
from saddlepoint.judging.monitor.quick_c2st import QuickVerdict
from saddlepoint.judging.monitor.stopping import LEVEL, Check
from saddlepoint.training import PenaltySettings, Schedule, Settings, checkpoint


def ring(n: int = 900, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    angle = rng.integers(0, 4, n) * np.pi / 2
    return np.column_stack([np.cos(angle), np.sin(angle)]) + 0.1 * rng.normal(size=(n, 2))


def plan(**changed: object) -> CheckSchedule:
    """A plan without a measurement, so that a test does not depend on the machine."""
    known = {
        "until": "budget",
        "tolerance": 0.05,
        "on_collapse": "stop",
        "horizon": 24,
        "count": 4,
        "final": "quick",
        "seconds_a_check": 0.1,
        "foreseen_seconds": 10.0,
    }
    return CheckSchedule(**(known | changed))


def prepared(rows: np.ndarray | None = None, checks: CheckSchedule | None = None, **chosen: object):
    chosen = {"rounds": 24, "capacity": "small", "start": "noise"} | chosen
    if rows is None:
        return dataclasses.replace(on_the_ring(tuple(chosen.items())), checks=checks)
    return dataclasses.replace(prepare(open_source(rows), FitOptions(**chosen)), checks=checks)


@functools.cache
def on_the_ring(chosen: tuple[tuple[str, object], ...]):
    return prepare(open_source(ring()), FitOptions(**dict(chosen)))


def state(fit) -> dict[str, torch.Tensor]:
    return checkpoint.state_of(fit.game)


def records(events: list) -> list[dict]:
    return [event.record for event in events if isinstance(event, Checked)]


def test_checks_are_planned_over_the_horizon_and_beyond_and_their_levels_add_up() -> None:
    for horizon, count in ((24, 4), (10, 3), (7, 7), (1000, 24)):
        one = plan(horizon=horizon, count=count)
        due = [r for r in range(3 * horizon + 1) if one.due(r)]
        assert due[: count + 1] == [-(-i * horizon // count) for i in range(count + 1)]
        assert len(due) == 3 * count + 1
        levels = sum(one.alpha(i) for i in range(100_000))
        assert 0.999 * LEVEL < levels <= LEVEL * (1 + 1e-9)
    assert CheckSchedule.from_dict(json.loads(json.dumps(plan().to_dict()))) == plan()


def test_a_coarser_plan_checks_at_a_part_of_the_rounds_of_a_finer_one() -> None:
    """So that a plan by other measured costs is the same or a part of the same."""
    for horizon in (24, 1000, 4999):
        finest = {r for r in range(horizon + 1) if plan(horizon=horizon, count=COUNTS[0]).due(r)}
        for count in COUNTS:
            assert {r for r in range(horizon + 1) if plan(horizon=horizon, count=count).due(r)} <= finest
    for cost in (0.1, 0.3, 1.2):  # swings of a tenth change nothing, but at the few edges
        counts = [count_of(20 * swing, cost, 5000) for swing in (0.9, 1.0, 1.1)]
        assert counts == [12] * 3
    assert [count_of(0.1, cost, 5000) for cost in (0.01, 1.2, 1.3)] == [8, 8, 1]
    assert [count_of(many, 0.01, 5000, least=1) for many in (-5.0, 0.1, 4.5)] == [1, 1, 4]
    assert count_of(100, 0.1, 3) == 3


def test_checks_move_nothing_in_the_game() -> None:
    with_checks, without = prepared(checks=plan()).fit(), prepared().fit()
    without.selection = None  # they move nothing either, and take their time
    list(with_checks.play()), list(without.play())
    one, two = state(with_checks), state(without)
    assert all(torch.equal(one[name], two[name]) for name in two)


def test_a_fit_in_parts_checks_and_keeps_what_a_fit_at_once_does(tmp_path: Path) -> None:
    once = prepared(checks=plan()).fit()
    whole = records(list(once.play()))
    assert [record["round"] for record in whole] == [0, 6, 12, 18, 24]
    first = prepared(checks=plan()).fit(tmp_path)
    early = records(list(first.play(until_round=13)))
    second = prepared(checks=plan()).fit(tmp_path)
    second.resume()
    late = records(list(second.play()))
    assert early + late == whole
    assert second.checks.records() == once.checks.records()
    assert second.model().description == once.model().description
    one, two = once.model().generator.state_dict(), second.model().generator.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_kept_snapshot_is_the_best_one() -> None:
    fit = prepared(checks=plan()).fit()
    list(fit.play())
    best = min(fit.checks.history, key=lambda each: (bool(each.regions), each.estimate))
    assert fit.model().description["kept_round"] == best.round
    again = prepared(checks=plan()).fit()
    list(again.play(until_round=max(1, best.round)))
    if best.round:
        kept, then = fit.model().generator.state_dict(), again.game.sampler().state_dict()
        assert all(torch.equal(kept[name], then[name]) for name in then)


def fake_checks(fit, made) -> None:
    """Let the checks of a fit see what `made(number, round)` says, instead of rows."""
    checks = fit.checks
    real = checks._check
    blind = QuickVerdict(estimate=0.1, error=0.1, lower=0.0, upper=0.2, floor=0.1, payoffs=np.zeros(9))
    checks.quick_judge.judge_encoded = lambda fake, alpha: blind
    checks.watch.look = lambda fake, alpha: []

    def check(round_, sight, coarse, alarms):
        return dataclasses.replace(real(round_, sight, None, []), **made(len(checks.history), round_))

    checks._check = check


FLAT = {"estimate": 0.1, "error": 0.001, "lower": 0.09, "upper": 0.11, "floor": 0.002, "coarse": None}


@pytest.mark.parametrize("until", ["settled", "budget"])
def test_a_plateau_stops_a_fit_that_is_to_settle_and_no_other(until: str) -> None:
    fit = prepared(checks=plan(count=12, until=until)).fit()
    fake_checks(fit, lambda number, round_: FLAT)
    stopped = list(fit.play())[-1]
    assert isinstance(stopped, Stopped)
    if until == "settled":
        assert (stopped.reason, stopped.round) == ("plateau", 14)  # the eighth check, from round 0 on
        assert stopped.sentence.startswith(
            "stopped at round 14 of 24, no longer improving: over the last 8 checks"
        )
    else:
        assert (stopped.reason, stopped.round) == ("rounds", 24)
        assert "all 24 rounds are played, no longer improving" in stopped.sentence


def test_a_budget_that_ends_first_says_that_nothing_settled() -> None:
    fit = prepared(checks=plan(until="settled")).fit()
    fake_checks(fit, lambda number, round_: FLAT | {"estimate": 0.5 - 0.1 * number})
    stopped = list(fit.play())[-1]
    assert stopped.reason == "rounds"
    assert (
        "not settled: the budget is spent before the game settled; the smallest estimate is 0.1000 nats"
        in stopped.sentence
    )


def lost_at_two(number: int, round_: int) -> dict:
    """Check 1 is good; at checks 2 and 3 a region is gone; then all is well."""
    gone = {"missing": ("the region around (1, 0)",), "estimate": 0.2} if number in (2, 3) else {}
    return FLAT | {"estimate": 0.3 if number == 0 else 0.1} | gone


@pytest.mark.parametrize("on_collapse", ["stop", "rollback", "remedy"])
def test_a_collapse_is_stopped_rolled_back_or_mended(on_collapse: str, tmp_path: Path) -> None:
    def fit_of(folder: Path | None = None):
        checks = plan(until="settled", on_collapse=on_collapse, count=6)
        fit = prepared(checks=checks).fit(folder)
        fake_checks(fit, lost_at_two)
        return fit

    fit = fit_of()
    events = list(itertools.takewhile(lambda e: not isinstance(e, RolledBack), fit.play()))
    if on_collapse == "stop":
        assert events[-1].reason == "collapsed"
        assert (
            "the region around (1, 0) gets (almost) no samples since the check at round 8"
            in events[-1].sentence
        )
        return
    best = fit_of()
    list(best.play(until_round=4))
    one, two = state(fit), state(best)
    assert fit.round == 12
    assert all(torch.equal(one[name], two[name]) for name in two)  # players, optimisers, average of check 1
    rates = [each.game.settings.generator.rate.start for each in (fit, best)]
    assert rates[0] == rates[1] * (0.5 if on_collapse == "remedy" else 1.0)

    whole = fit_of(tmp_path / "a")
    told = list(whole.play())
    assert sum(isinstance(event, RolledBack) for event in told) == 1
    assert [record["indicative"] for record in records(told)] == [False] * 4 + [True] * 3
    first = fit_of(tmp_path / "b")
    list(first.play(until_round=15))
    second = fit_of(tmp_path / "b")
    second.resume()
    list(second.play())
    one, two = state(whole), state(second)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert second.checks.records() == whole.checks.records()


def test_a_remedy_halves_rates_and_triples_penalties_each_time() -> None:
    weight = Schedule(start=1.0, end=0.1, shape="geometric")
    settings = Settings(horizon=10, penalties=(PenaltySettings(name="r1", weight=weight),))
    twice = remedied(settings, 2)
    for round_ in (0, 5, 10):
        before, after = settings.generator.rate.at(round_, 10), twice.generator.rate.at(round_, 10)
        assert after == pytest.approx(before / 4)
        assert twice.penalties[0].weight.at(round_, 10) == pytest.approx(9 * weight.at(round_, 10))
    assert remedied(settings, 0) == settings
    assert remedied(dataclasses.replace(settings, penalties=()), 1).penalties[
        0
    ].weight.start == pytest.approx(1.0)


def test_the_vault_is_opened_once_after_the_stop_and_a_second_time_is_told() -> None:
    preparation = prepared(checks=plan())
    fit = preparation.fit()
    told = list(with_final_verdict(fit.play(), fit, plan(), preparation.train, preparation.vault))
    assert [type(event) for event in told[-2:]] == [Judged, Stopped]
    assert sum(isinstance(event, Judged) for event in told) == 1
    verdict = told[-2].verdict
    assert verdict.held_out == "declared"
    assert verdict.jsd_lower > 0.05  # 24 rounds have not learnt a ring
    again = with_final_verdict(iter([told[-1]]), fit, plan(), preparation.train, preparation.vault, opened=1)
    notes = next(event for event in again if isinstance(event, Judged)).verdict.notes
    assert any("second time" in note and "indicative" in note for note in notes)
    interrupted = dataclasses.replace(told[-1], reason="interrupted")
    rest = with_final_verdict(iter([interrupted]), fit, plan(), preparation.train, preparation.vault)
    assert [type(event) for event in rest] == [Stopped]


def test_a_plan_is_measured_once_and_restored() -> None:
    dataset = open_source(ring())
    preparation = prepare(
        dataset,
        FitOptions(
            rounds=200, capacity="small", start="noise", until="settled", tolerance="20%", power="full"
        ),
    )
    checks = preparation.checks
    assert checks.planned >= 2
    masses = [round(mark["mass"], 6) for mark in checks.power]
    assert masses[:5] == [0.01, 0.02, 0.05, 0.1, 0.2]
    assert masses[5:] in ([], [0.4])  # goes on until one is found
    assert checks.rules.found is not None
    again = restore(dataset, json.loads(json.dumps(preparation.to_dict())))
    assert again.checks == checks
    old = {name: value for name, value in preparation.to_dict().items() if name != "checks"}
    assert restore(dataset, old).checks is None


def test_pictures_are_checked_too() -> None:
    rng = np.random.default_rng(0)
    pictures = (rng.integers(0, 2, size=(600, 1, 1)) * 200 + rng.integers(0, 50, size=(600, 4, 4))).astype(
        np.uint8
    )
    fit = prepared(pictures, checks=plan(count=1)).fit()
    seen = records(list(fit.play()))
    assert len(seen) == 2
    assert all(0.0 < record["estimate"] < 0.7 for record in seen)


def table(n: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    town = rng.choice(["Aix", "Bonn", "Cork"], n, p=[0.6, 0.3, 0.1])
    return pd.DataFrame(
        {
            "town": np.where(rng.random(n) < 0.1, None, town),
            "height": rng.normal(170, 10, n).round(1) + 20 * (town == "Cork"),
            "id": [f"n{i:05d}" for i in range(n)],
            "planet": "earth",
        }
    )


def test_tables_are_checked_too() -> None:
    checks = plan(horizon=2, count=1)
    preparation = prepared(table(), checks=checks, start="auto", rounds=2)
    fit = preparation.fit()
    told = list(with_final_verdict(fit.play(), fit, checks, preparation.train, preparation.vault))
    seen = records(told)
    assert [record["round"] for record in seen] == [0, 2]
    assert all(-0.1 < record["estimate"] < 0.7 for record in seen)
    notes = next(event for event in told if isinstance(event, Judged)).verdict.notes
    assert any("'id' is not judged" in note for note in notes)


def test_a_table_is_read_by_one_code_book_whatever_comes_along() -> None:
    dataset = open_source(table())
    reader = RowReader(dataset.take(np.arange(500)))
    assert reader.columns == ("town", "height")  # neither an identifier nor a constant
    assert reader.categorical.tolist() == [True, False]
    rest = dataset.take(np.arange(500, 600)).rows
    apart = np.concatenate([reader(rest.iloc[:1]), reader(rest.iloc[1:])])
    np.testing.assert_array_equal(reader(rest), apart)
    frame = rest.iloc[:3].copy()
    frame["town"] = pd.array(["Cork", "Zug", None], dtype=rest["town"].dtype)
    codes = reader(frame)[:, 0]
    known = reader(rest)[:, 0]
    cork = known[(rest["town"] == "Cork").fillna(False).to_numpy(bool)][0]
    assert (codes[0], codes[1]) == (cork, 3)
    assert np.isnan(codes[2])
    assert set(known[~np.isnan(known)]) <= {0, 1, 2}


def test_a_region_of_a_table_is_told_by_what_sets_its_rows_apart() -> None:
    reader = RowReader(open_source(table()))
    town = open_source(table()).rows["town"]
    inside = (town == "Cork").fillna(False).to_numpy(bool)
    words = reader.describe_subset(reader.rows, inside)
    assert set(words.split(", ")) == {"town Cork", f"height about {reader.rows[inside, 1].mean():.3g}"}
    assert reader.describe_subset(reader.rows, np.ones(600, dtype=bool)) is None  # all rows are like all rows
    assert RowReader(open_source(ring(60))).describe_subset(ring(60), np.ones(60, dtype=bool)) is None


def test_power_is_estimated_once_for_the_same_rows(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SADDLEPOINT_CACHE", str(tmp_path / "cache"))
    marks = [PowerEstimate(mass=0.05, jsd=0.0176, found=4, of=5, recall=0.9, rows=100)]
    made = []

    def power(rows: np.ndarray, **numbers: object) -> list[PowerEstimate]:
        return cached_power([rows], numbers, lambda: made.append(1) or marks)

    rows = ring(50)
    assert power(rows, alpha=0.1) == power(rows, alpha=0.1) == marks
    assert len(made) == 1
    power(rows, alpha=0.2), power(rows + 1e-12, alpha=0.1)
    assert len(made) == 3
    for file in (tmp_path / "cache" / "power").iterdir():
        file.write_text("{")  # broken: made anew, and whole again
    assert power(rows, alpha=0.1) == power(rows, alpha=0.1) == marks
    assert len(made) == 4
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SADDLEPOINT_CACHE", str(tmp_path / "file"))
    assert power(rows, alpha=0.1) == marks  # nowhere to keep it
    assert len(made) == 5


def test_a_plan_says_where_judging_takes_more_than_a_tenth() -> None:
    costs = {"seconds_a_check": 1.0, "final_seconds": 3.0, "planning_seconds": 2.0, "count": 4}
    long, short = (plan(foreseen_seconds=seconds, **costs) for seconds in (190.0, 30.0))
    assert (long.share, short.share) == (0.05, 0.25)
    assert "of so short a game" not in long.describe()
    assert "(about 25 % of so short a game)" in short.describe()


def test_a_check_of_an_older_shape_is_read() -> None:
    one = Check(round=1, estimate=0.1, error=0.1, lower=0.0, upper=0.2, floor=0.1)
    assert Check.from_dict(one.to_dict() | {"kind": "check"}) == one


def settle_as_rank(rank: int, folder: str) -> None:
    """Play as one of two gloo ranks; only rank 0 checks, a collapse is rolled back, a plateau stops both."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    checks = plan(until="settled", on_collapse="rollback", count=24, horizon=24)
    fit = prepared(checks=checks, batch=32).fit()
    if rank == 0:
        fake_checks(fit, lost_at_two)
    last = list(fit.play())[-1]
    told = {"round": last.round, "reason": last.reason, "back": fit.recovery.rounds}
    weights = sum(float(value.double().sum()) for value in fit.game.generator.state_dict().values())
    Path(folder, f"rank-{rank}.json").write_text(json.dumps(told | {"weights": weights}))
    leave_process_group()


def test_a_decision_of_rank_0_reaches_every_rank_in_the_same_round(tmp_path: Path) -> None:
    torch.multiprocessing.start_processes(settle_as_rank, (str(tmp_path),), 2, start_method="forkserver")
    one, two = (json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1))
    assert one == two
    assert (one["reason"], one["back"]) == ("plateau", [3])
    assert one["round"] == 11  # eight checks after the one at which it went back
