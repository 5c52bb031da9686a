"""Does a game stop for the right reason, with the best snapshot, and is a lost mode found?

    python -m benchmarks.stopping [states] [alarm] [validity] [remedy] [share] [--repeats 20] [--data digits ring curved]

Each part is written to benchmarks/results/stopping.json when it ends; docs/stopping.md is made from that file. Games of
"states" that stand there already are not played again: delete the file to begin anew.

states    80 games on a ring of 8 modes and 80 on the digits' law (`known_distributions.py`): generators of known law at 25 checks,
          built to converge, to stall, to diverge and to collapse, restless by 2 % in width. No network is trained: what is
          tested is what `CheckMonitor` sees, decides and keeps, as in a fit to 10,000 rows. Tolerance: a missing cluster of 10 %
          (ring) or 20 % (digits). Kept: the true distance of the kept snapshot is within 10 % of the best checked one, or
          .0005 nats.
alarm     laws that miss one of 25 modes, narrow one by half, are healthy, or restless (weights times exp(.3 N(0,1)), widths
          times exp(.15 N(0,1))); one look at the level of one of 25 checks.
validity  200 runs of 30 checks on N((d, 0), I) against N(0, I), d falling from 1 to 0 or 0 all along.
remedy    real games on the ring of 8 that lose modes, with --on-collapse stop and remedy.
share     wall time of judging in three real runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.known_distributions import LAWS, Mixture, grid, jsd
from benchmarks.stopping_games import SHARES, remedy, share
from scipy.integrate import quad
from scipy.stats import norm
from torch import nn

from saddlepoint.data.opening import open_source
from saddlepoint.fitting.check_schedule import CheckSchedule
from saddlepoint.fitting.monitor import CheckMonitor
from saddlepoint.judging.monitor.mode_collapse import CoverageTest
from saddlepoint.judging.monitor.power import jsd_of_missing, power_analysis
from saddlepoint.judging.monitor.quick_c2st import QuickJudge
from saddlepoint.judging.monitor.stopping import LEVEL, Check, Rules, states_of

OUT = Path(__file__).parent / "results" / "stopping.json"
EXPECTED = {"converge": "reached", "stall": "plateau", "diverge": "diverging", "collapse": "collapsed"}
CHECKS, EVERY, ROWS = 24, 100, 10_000
TOLERANCE = {"ring": 0.1, "digits": 0.2}  # a missing cluster that the ruler finds on so many rows
LOWEST = {"ring": (1.5, 1.8), "digits": (2.2, 2.8)}  # factors of the width below which a game does not come
NOISE = 5e-4  # nats, of the Monte Carlo of the truths


# -- states --------------------------------------------------------------------------------------------------------


class KnownModel:
    """What `CheckMonitor` asks of a model: rows drawn from a known law, the same noise each time."""

    def __init__(self, law: Mixture) -> None:
        self.law = law

    def draw(self, n: int, *, random_state: int) -> tuple[np.ndarray, None]:
        return self.law.draw(n, np.random.default_rng(random_state)), None


class Snapshot(nn.Module):
    """Stands for the weights of G."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.register_buffer("number", torch.tensor(float(number)))


def checks_on(rows: np.ndarray, mass: float, *, marks: tuple = (), seed: int = 0) -> CheckMonitor:
    """The checks of a fit to these rows: 80 % train, 10 % monitor."""
    dataset = open_source(rows, name="X")
    cut = int(0.8 * len(rows))
    plan = CheckSchedule(
        until="settled",
        tolerance=jsd_of_missing(mass),
        on_collapse="stop",
        horizon=CHECKS * EVERY,
        count=CHECKS,
        final="quick",
        seconds_a_check=0.0,
        foreseen_seconds=0.0,
        power=marks,
    )
    train, monitor = dataset.take(np.arange(cut)), dataset.take(np.arange(cut, cut + len(rows) // 10))
    return CheckMonitor(plan, train, monitor, seed=seed)


def path(name: str, kind: str, data: Mixture, rng: np.random.Generator) -> list[Mixture]:
    """The generator at each check. Widths are factors f in the plane, f^sqrt(2/d) in d dimensions: as far from the data."""
    speed, turn = rng.uniform(1.5, 3.0), int(rng.integers(7, 11))
    lowest = 1.0 if kind == "converge" else rng.uniform(*LOWEST[name]) if kind == "stall" else LOWEST[name][0]
    gone = int(rng.integers(data.modes))
    laws = []
    for k in range(CHECKS + 1):
        restless = 0.02 * rng.normal() * (lowest > 1 or k < 12)
        factor = max(lowest, 1 + 8 * np.exp(-k / speed)) * np.exp(restless)
        if kind == "diverge" and k >= turn:
            factor *= 1.5 ** (k - turn + 1)
        weights = data.weights.copy()
        if kind == "collapse" and k >= turn:
            weights[gone] *= 0.01
        laws.append(data.with_(weights=weights, scales=factor ** np.sqrt(2 / data.width)))
    return laws


def play(name: str, kind: str, seed: int) -> dict[str, Any]:
    data = LAWS[name]()
    rng = np.random.default_rng([seed, list(EXPECTED).index(kind)])
    rows = data.draw(ROWS, rng)
    checks = checks_on(rows, TOLERANCE[name], seed=seed)
    level = checks.plan.alpha(0)
    marks = power_analysis(
        rows[: int(0.8 * ROWS)], checks.quick_judge, masses=(TOLERANCE[name],), alpha=level, seed=seed
    )
    checks = checks_on(rows, TOLERANCE[name], marks=tuple(mark.to_dict() for mark in marks), seed=seed)
    laws = path(name, kind, data, rng)
    state = "budget"
    for number, law in enumerate(laws):
        checks.check(KnownModel(law), Snapshot(number), number * EVERY)
        if (decision := checks.decision()) is not None:
            state = decision
            break
    truths = [jsd(data, law) for law in laws[: number + 1]]
    return {
        "law": name,
        "kind": kind,
        "seed": seed,
        "state": state,
        "checks": number + 1,
        "kept_truth": round(truths[checks.kept or 0], 5),
        "best_truth": round(min(truths), 5),
        "above_truth": sum(c.lower > t for c, t in zip(checks.history, truths, strict=True)),
        "ruler_found": marks[0].found,
        "evidence": checks.state_at(len(checks.history)).evidence,
        "seconds_a_check": round(checks.seconds / (number + 1), 3),
    }


def false_alarms(repeats: int = 2000) -> dict[str, Any]:
    """Constant sequences of estimates with normal errors: no state but improving and plateau is right."""
    rng = np.random.default_rng(0)
    rules = Rules(tolerance=0.0176, found=1.0, planned=CHECKS + 1)
    wrong, plateaus = 0, 0
    for _ in range(repeats):
        values = rng.normal(0.05, 0.004, CHECKS + 1)
        checks = [
            Check(round=i, estimate=v, error=0.004, lower=max(0.0, v - 0.02), upper=v + 0.02, floor=0.004)
            for i, v in enumerate(values)
        ]
        names = {state.name for state in states_of(checks, rules)}
        wrong += bool(names - {"improving", "plateau"})
        plateaus += "plateau" in names
    return {"sequences": repeats, "wrong_state": wrong, "plateau_seen": plateaus}


def states(repeats: int) -> dict[str, Any]:
    """Play the games that the results file does not hold yet, and sum them all up."""
    runs = [run for run in results().get("states", {}).get("runs", []) if run["seed"] < repeats]
    for name in LAWS:
        for seed in range(repeats):
            for kind in EXPECTED:
                if any((run["law"], run["kind"], run["seed"]) == (name, kind, seed) for run in runs):
                    continue
                runs.append(play(name, kind, seed))
                store("states", {"runs": runs})
                told = {k: v for k, v in runs[-1].items() if k != "evidence"}
                print(told if told["state"] == EXPECTED[kind] else runs[-1], flush=True)
    runs.sort(key=lambda run: (list(LAWS).index(run["law"]), list(EXPECTED).index(run["kind"]), run["seed"]))
    summary = []
    for name in LAWS:
        for kind, expected in EXPECTED.items():
            mine = [run for run in runs if (run["law"], run["kind"]) == (name, kind)]
            summary.append(
                {
                    "law": name,
                    "kind": kind,
                    "expected": expected,
                    "right": sum(run["state"] == expected for run in mine),
                    "of": len(mine),
                    "states": dict(Counter(run["state"] for run in mine)),
                    "kept_within_10_percent": sum(
                        r["kept_truth"] <= 1.1 * r["best_truth"] + NOISE for r in mine
                    ),
                    "mean_checks": float(np.mean([run["checks"] for run in mine])),
                }
            )
    return {
        "tolerance": TOLERANCE,
        "rows": ROWS,
        "monitor_rows": ROWS // 10,
        "checks": CHECKS + 1,
        "summary": summary,
        "null_sequences": false_alarms(),
        "bounds": sum(run["checks"] for run in runs),
        "bounds_above_truth": sum(run["above_truth"] for run in runs),
        "runs": runs,
    }


# -- alarm ---------------------------------------------------------------------------------------------------------

FAKES, PLANNED = 8000, 25


def look(kind: str, monitor: int, seed: int) -> dict[str, bool]:
    data, rng = grid(), np.random.default_rng([seed, monitor])
    rows = data.draw(10 * monitor, rng)
    cut = min(8000, 8 * monitor)  # the rows that a fit looks for regions in
    quick_judge = QuickJudge(rows[: 8 * monitor], rows[8 * monitor : 9 * monitor], seed=seed)
    watch = CoverageTest(quick_judge.space(rows[:cut]), quick_judge.held, seed=0)
    weights, scales, which = np.ones(25), np.ones(25), int(rng.integers(25))
    if kind == "one mode missing":
        weights[which] = 0
    elif kind == "one mode half as wide":
        scales[which] = 0.5
    elif kind == "restless":
        weights, scales = np.exp(0.3 * rng.normal(size=25)), np.exp(0.15 * rng.normal(size=25))
    fakes = quick_judge.space(data.with_(weights=weights, scales=scales).draw(FAKES, rng))
    found = watch.look(fakes, alpha=2 * (LEVEL / 2 / PLANNED))
    at = quick_judge.space(data.means[which][None])[0]
    named = [np.linalg.norm(watch.regions[each.region].centre - at) < 0.2 for each in found]
    return {"flagged": bool(found), "named": any(named), "others": not all(named)}


def alarm(repeats: int) -> dict[str, Any]:
    rows = []
    for monitor in (200, 1000, 2000):
        for kind in ("one mode missing", "one mode half as wide", "healthy", "restless"):
            trials = [look(kind, monitor, seed) for seed in range(repeats)]
            found = {
                name: sum(each[name] for each in trials)
                for name in ("flagged", *(() if kind in ("healthy", "restless") else ("named", "others")))
            }
            rows.append({"law": kind, "monitor_rows": monitor, "of": repeats, **found})
            print(rows[-1], flush=True)
    return {"modes": 25, "fakes": FAKES, "looks": rows}


# -- validity ------------------------------------------------------------------------------------------------------

RUN_CHECKS, RUNS = 30, 200


def gaussian_jsd(d: float) -> float:
    def term(x: float) -> float:
        p, q = norm.pdf(x), norm.pdf(x, d)
        m = (p + q) / 2
        return (p * np.log(p / m) + q * np.log(q / m)) / 2 if p > 0 and q > 0 else 0.0

    return 0.0 if d == 0 else float(quad(term, -9, 10, limit=200)[0])


def bounds(seed: int, steps: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(1000, 2))
    quick_judge = QuickJudge(rows[:800], rows[800:], seed=seed)
    noise = rng.normal(size=(quick_judge.fakes_wanted, 2))  # the same at every check, as in a fit
    level = LEVEL / 2 / RUN_CHECKS
    return np.array([quick_judge.look(noise + np.array([d, 0.0]), alpha=level).lower for d in steps])


def validity(repeats: int) -> dict[str, Any]:
    paths = {"falling": np.linspace(1, 0, RUN_CHECKS), "the null": np.zeros(RUN_CHECKS)}
    truths = {name: np.array([gaussian_jsd(d) for d in steps]) for name, steps in paths.items()}
    done: dict[str, list[np.ndarray]] = {name: [] for name in paths}
    for seed in range(RUNS):
        name = tuple(paths)[seed % 2]
        done[name].append(bounds(seed, paths[name]))
        if seed % 20 == 19:
            print(
                seed + 1,
                {n: sum((b > truths[n]).any() for b in each) for n, each in done.items()},
                flush=True,
            )
    rows = [
        {
            "path": name,
            "runs": len(found),
            "runs_with_any_bound_above_truth": sum(bool((each > truths[name]).any()) for each in found),
            "bounds_above_truth": sum(int((each > truths[name]).sum()) for each in found),
            "first_truth": float(truths[name][0]),
            "median_first_bound": float(np.median([each[0] for each in found])),
        }
        for name, found in done.items()
    ]
    return {"checks_a_run": RUN_CHECKS, "monitor_rows": 200, "allowed": LEVEL, "paths": rows}


# -- share ---------------------------------------------------------------------------------------------------------


def shares(chosen_data: Sequence[str]) -> dict[str, Any]:
    """Measure the runs one by one; each takes the place of its former measurement when it ends."""
    done = {run["data"]: run for run in results().get("share", {}).get("runs", [])}
    for row in share(chosen_data):
        print(row, flush=True)
        done[row["data"]] = row
        found = {"runs": [done[name] for name in SHARES if name in done]}
        store("share", {**found, "command": "python -m benchmarks.stopping share"})
    return found


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "alarm": alarm,
    "states": states,
    "validity": validity,
    "remedy": remedy,
    "share": shares,
}


def results() -> dict[str, Any]:
    return json.loads(OUT.read_text()) if OUT.is_file() else {}


def store(part: str, found: dict[str, Any]) -> None:
    OUT.write_text(json.dumps({**results(), part: found}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument(
        "--data", nargs="*", default=[], help="of share: digits, ring, curved; all if left out"
    )
    given = parser.parse_args()
    for part in given.parts or PARTS:
        began = time.perf_counter()
        found = PARTS[part](given.data if part == "share" else given.repeats)
        repeats = "" if part == "share" else f" --repeats {given.repeats}"
        found["command"] = f"python -m benchmarks.stopping {part}{repeats}"
        store(part, found)
        print(f"{part} done in {time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
