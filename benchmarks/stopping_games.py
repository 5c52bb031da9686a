"""The real games of `stopping.py`: recovery from mode collapse, and the cost of judging."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.known_distributions import Mixture, ring

from saddlepoint.data.opening import open_source
from saddlepoint.fitting import Checked, FitOptions, Preparation, RolledBack, final_verdict, prepare
from saddlepoint.fitting import preparation as preparing
from saddlepoint.fitting.check_schedule import CheckSchedule
from saddlepoint.fitting.monitor import CheckMonitor
from saddlepoint.training import OptimiserSettings, Schedule

RUNS = Path(__file__).parents[1] / "runs"
ROUNDS, CHECKS, ROWS = 360, 12, 4000
TOO_FAST = 25.0
SHOWN = ("round", "estimate", "lower", "upper", "floor", "missing", "narrow", "indicative", "state")


def modes(rows: np.ndarray, mixture: Mixture, sd: float = 0.05) -> int:
    """Return the number of modes with a fifth of their expected samples within three standard deviations."""
    away = np.linalg.norm(rows[:, None] - mixture.means[None], axis=2) / sd
    hits = np.bincount(away.argmin(1)[away.min(1) < 3], minlength=mixture.modes)
    return int((hits >= 0.2 * len(rows) / mixture.modes).sum())


def collapsing(seed: int, on_collapse: str) -> Preparation:
    """Return a game on the ring that loses modes: constant learning rates of 25 times the recipe's, no penalty."""
    rows = ring().draw(ROWS, np.random.default_rng(seed))
    chosen = FitOptions(rounds=ROUNDS, capacity="small", start="learned", seed=seed)
    preparation = prepare(open_source(rows, name="ring"), chosen)
    settings = preparation.plan.settings

    def faster(player: OptimiserSettings) -> OptimiserSettings:
        return dataclasses.replace(player, rate=Schedule(start=TOO_FAST * player.rate.start))

    settings = dataclasses.replace(
        settings,
        generator=faster(settings.generator),
        discriminator=faster(settings.discriminator),
        penalties=(),
    )
    checks = CheckSchedule(
        until="budget",
        tolerance=0.0176,
        on_collapse=on_collapse,
        horizon=ROUNDS,
        count=CHECKS,
        final_verdict="quick",
        seconds_a_check=0.1,
        foreseen_seconds=10.0,
    )
    plan = dataclasses.replace(preparation.plan, settings=settings)
    return dataclasses.replace(preparation, plan=plan, checks=checks)


def played(seed: int, on_collapse: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Play one such game to its end; return its outcome and its checks."""
    data, fit = ring(), collapsing(seed, on_collapse).fit(strip=False)
    modes_at_checks, remedies, collapsed, records = [], 0, False, []
    for event in fit.play():
        if isinstance(event, Checked):
            modes_at_checks.append(modes(fit.playing().draw(2000, random_state=0)[0], data))
            records.append({k: v for k, v in event.record.items() if k in SHOWN})
            collapsed |= event.record["state"] == "collapsed"
        remedies += isinstance(event, RolledBack)
    outcome = {
        "seed": seed,
        "on_collapse": on_collapse,
        "collapsed": bool(collapsed),
        "remedies": remedies,
        "modes_at_checks": modes_at_checks,
        "modes_at_the_end": modes(fit.playing().draw(ROWS, random_state=1)[0], data),
        "modes_kept": modes(fit.model().draw(ROWS, random_state=1)[0], data),
    }
    print(outcome, flush=True)
    return outcome, records


def remedy(repeats: int) -> dict[str, Any]:
    """Play seeds until `repeats` games are called collapsed, and each of these again with the remedy."""
    alone, remedied, example = list[dict[str, Any]](), list[dict[str, Any]](), list[dict[str, Any]]()
    for seed in range(3 * repeats):
        alone.append(played(seed, "stop")[0])
        if alone[-1]["collapsed"]:
            outcome, records = played(seed, "remedy")
            remedied.append(outcome)
            if outcome["modes_at_the_end"] == 8 and max(outcome["modes_at_checks"][1:5]) == 8:
                example = example or records
        if len(remedied) == repeats:
            break
    lost = [run for run in alone if run["collapsed"]]
    return {
        "game": f"a ring of 8 modes, {ROUNDS} rounds, rates {TOO_FAST:g} times the recipe's throughout, no penalty",
        "played": len(alone),
        "collapsed": len(lost),
        "full_at_the_end_alone": sum(run["modes_at_the_end"] == 8 for run in lost),
        "kept_full_alone": sum(run["modes_kept"] == 8 for run in lost),
        "full_at_the_end_remedied": sum(run["modes_at_the_end"] == 8 for run in remedied),
        "kept_full_remedied": sum(run["modes_kept"] == 8 for run in remedied),
        "runs": alone + remedied,
        "example": example,
    }


SHARES: dict[str, tuple[str, dict[str, Any]]] = {  # data -> run folder, choices
    "digits": ("demo", {"until": "settled"}),
    "ring, plain start": ("share-ring", {"until": "budget", "start": "noise"}),
    "curved, 12 columns": ("share-curved", {"until": "budget"}),
}


def _processor_seconds() -> dict[str, float]:
    """Count CPU seconds of plan, checks and verdict from now on: unlike wall time they do not depend on other jobs."""
    used = {"plan": 0.0, "checks": 0.0, "verdict": 0.0}

    def counted(owner: Any, name: str, part: str) -> None:
        act = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            begun = time.process_time()
            try:
                return act(*given, **named)
            finally:
                used[part] += time.process_time() - begun

        setattr(owner, name, timed)

    counted(preparing, "schedule_checks", "plan")
    counted(CheckMonitor, "check", "checks")
    counted(final_verdict, "final_verdict", "verdict")
    return used


def share(chosen_data: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield the share of judging in the wall time of each run, started as by a user, from its stop.json.

    "digits" is `make demo`.

    chosen_data: beginnings of names of SHARES; all of them if empty.
    """
    from saddlepoint.runs.session import Session, Source

    RUNS.mkdir(exist_ok=True)
    os.environ["SADDLEPOINT_CACHE"] = (
        tempfile.mkdtemp()
    )  # power analyses are made again, as at a user's first run
    np.save(RUNS / "ring.npy", ring().draw(10_000, np.random.default_rng(0)))
    curved = np.random.default_rng(0).normal(size=(10_000, 12))
    curved[:, 1:] += 0.5 * curved[:, :-1] ** 2
    np.save(RUNS / "curved.npy", curved)
    files = {"digits": "digits", "ring, plain start": "ring.npy", "curved, 12 columns": "curved.npy"}
    used = _processor_seconds()
    for name, (folder, chosen) in SHARES.items():
        if chosen_data and not name.startswith(tuple(chosen_data)):
            continue
        data = files[name] if name == "digits" else str(RUNS / files[name])
        used.update(dict.fromkeys(used, 0.0))
        session = Session.start(RUNS / folder, Source(data=data), FitOptions(**chosen), restart=True)
        begun = time.process_time()
        for _ in session.play():
            pass
        whole = used["plan"] + time.process_time() - begun
        session.close()
        stopped = json.loads((RUNS / folder / "stop.json").read_text())
        spent, plan = stopped["seconds"], session.preparation.checks
        yield {
            "data": name,
            "until": chosen["until"],
            "rounds": stopped["round"],
            "checks": 0 if plan is None else plan.planned,
            "verdict": "" if plan is None else plan.final,
            "foreseen_share": None if plan is None else round(plan.share, 4),
            "seconds": spent,
            "share": round((spent["plan"] + spent["checks"] + spent["verdict"]) / spent["all"], 4),
            "processor_seconds": {
                "all": round(whole, 2),
                **{part: round(took, 2) for part, took in used.items()},
            },
            "processor_share": round(sum(used.values()) / whole, 4),
            "load": round(os.getloadavg()[1], 1),
            "sentence": stopped["sentence"],
        }
