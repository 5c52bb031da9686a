"""Stopping decisions: do games stop for the right reason with the best snapshot, and are lost modes found?

    python -m benchmarks.stopping [states] [alarm] [validity] [remedy] [share] [--repeats 20] [--data digits ring curved]

Each part is written to benchmarks/results/stopping.json when it ends; docs/stopping.md is made from that file. Stored games of
"states" are not played again: delete the file to start over.

states: 80 games on a ring of 8 modes and 80 on the distribution of digits (`known_distributions.py`). They are known generators
    at 25 checks, built to converge, to stall, to diverge and to collapse, with fluctuations of 2 % in width. No network is
    trained: tested is what `CheckMonitor` measures, decides and keeps, as in a fit to 10,000 rows. Tolerance: a missing cluster
    of 10 % (ring) or 20 % (digits). Kept: the true distance of the kept snapshot is within 10 % of the best checked one, or
    .0005 nats.
alarm: distributions that miss one of 25 modes, have one mode of half the width, are healthy, or fluctuate (weights times
    exp(.3 N(0,1)), widths times exp(.15 N(0,1))); one coverage test at the level of one of 25 checks.
validity: 200 runs of 30 checks on N((d, 0), I) against N(0, I), with d falling from 1 to 0 or always 0.
remedy: real games on the ring of 8 modes that lose modes, with --on-collapse stop and remedy.
share: the share of judging in the wall time of three real runs.
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
from benchmarks.known_distributions import DISTRIBUTIONS, Mixture, grid, jsd
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
TOLERANCE = {"ring": 0.1, "digits": 0.2}  # a missing cluster that is detectable on 10,000 rows
LOWEST = {"ring": (1.5, 1.8), "digits": (2.2, 2.8)}  # factors of the width below which a game does not fall
NOISE = 5e-4  # nats, Monte Carlo error of the true distances


# -- states --------------------------------------------------------------------------------------------------------


class KnownModel:
    """What `CheckMonitor` needs of a model: rows of a known distribution, drawn with the same noise each time."""

    def __init__(self, distribution: Mixture) -> None:
        self.distribution = distribution

    def draw(self, n: int, *, random_state: int) -> tuple[np.ndarray, None]:
        return self.distribution.draw(n, np.random.default_rng(random_state)), None


class Snapshot(nn.Module):
    """A module in the place of G, with a number for weights."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.register_buffer("number", torch.tensor(float(number)))


def checks_on(rows: np.ndarray, mass: float, *, power: tuple = (), seed: int = 0) -> CheckMonitor:
    """Return the checks of a fit to these rows: 80 % are training rows, 10 % validation rows (monitor)."""
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
        power=power,
    )
    train, monitor = dataset.take(np.arange(cut)), dataset.take(np.arange(cut, cut + len(rows) // 10))
    return CheckMonitor(plan, train, monitor, seed=seed)


def path(name: str, kind: str, data: Mixture, rng: np.random.Generator) -> list[Mixture]:
    """Return the generator at each check. Widths are scaled by f in the plane, by f^sqrt(2/d) in d dimensions (equal JSD)."""
    speed, turning_point = rng.uniform(1.5, 3.0), int(rng.integers(7, 11))
    lowest = 1.0 if kind == "converge" else rng.uniform(*LOWEST[name]) if kind == "stall" else LOWEST[name][0]
    lost = int(rng.integers(data.modes))
    generators = []
    for k in range(CHECKS + 1):
        fluctuation = 0.02 * rng.normal() * (lowest > 1 or k < 12)
        factor = max(lowest, 1 + 8 * np.exp(-k / speed)) * np.exp(fluctuation)
        if kind == "diverge" and k >= turning_point:
            factor *= 1.5 ** (k - turning_point + 1)
        weights = data.weights.copy()
        if kind == "collapse" and k >= turning_point:
            weights[lost] *= 0.01
        generators.append(data.with_(weights=weights, scales=factor ** np.sqrt(2 / data.width)))
    return generators


def play(name: str, kind: str, seed: int) -> dict[str, Any]:
    """Return the record of one game: its state when it stopped, and the true distances of its snapshots."""
    data = DISTRIBUTIONS[name]()
    rng = np.random.default_rng([seed, list(EXPECTED).index(kind)])
    rows = data.draw(ROWS, rng)
    checks = checks_on(rows, TOLERANCE[name], seed=seed)
    level = checks.plan.alpha(0)
    estimates = power_analysis(
        rows[: int(0.8 * ROWS)], checks.quick_judge, masses=(TOLERANCE[name],), alpha=level, seed=seed
    )
    checks = checks_on(rows, TOLERANCE[name], power=tuple(each.to_dict() for each in estimates), seed=seed)
    generators = path(name, kind, data, rng)
    state = "budget"
    for number, generator in enumerate(generators):
        checks.check(KnownModel(generator), Snapshot(number), number * EVERY)
        if (decision := checks.decision()) is not None:
            state = decision
            break
    truths = [jsd(data, generator) for generator in generators[: number + 1]]
    return {
        "law": name,
        "kind": kind,
        "seed": seed,
        "state": state,
        "checks": number + 1,
        "kept_truth": round(truths[checks.kept or 0], 5),
        "best_truth": round(min(truths), 5),
        "above_truth": sum(c.lower > t for c, t in zip(checks.history, truths, strict=True)),
        "ruler_found": estimates[0].found,
        "evidence": checks.state_at(len(checks.history)).evidence,
        "seconds_a_check": round(checks.seconds / (number + 1), 3),
    }


def false_alarms(repeats: int = 2000) -> dict[str, Any]:
    """Return the states of constant sequences of estimates with normal errors; only improving and plateau are right."""
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
    """Play the games that are not yet in the results file, and return the summary of all."""
    runs = [run for run in results().get("states", {}).get("runs", []) if run["seed"] < repeats]
    for name in DISTRIBUTIONS:
        for seed in range(repeats):
            for kind in EXPECTED:
                if any((run["law"], run["kind"], run["seed"]) == (name, kind, seed) for run in runs):
                    continue
                runs.append(play(name, kind, seed))
                store("states", {"runs": runs})
                short = {k: v for k, v in runs[-1].items() if k != "evidence"}
                print(short if short["state"] == EXPECTED[kind] else runs[-1], flush=True)
    runs.sort(
        key=lambda run: (
            list(DISTRIBUTIONS).index(run["law"]),
            list(EXPECTED).index(run["kind"]),
            run["seed"],
        )
    )
    summary = []
    for name in DISTRIBUTIONS:
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


def coverage_test(kind: str, monitor: int, seed: int) -> dict[str, bool]:
    """Return whether one coverage test flags a region, names the defective mode, and names others."""
    data, rng = grid(), np.random.default_rng([seed, monitor])
    rows = data.draw(10 * monitor, rng)
    cut = min(8000, 8 * monitor)  # as many rows as a fit searches for regions
    quick_judge = QuickJudge(rows[: 8 * monitor], rows[8 * monitor : 9 * monitor], seed=seed)
    test = CoverageTest(quick_judge.space(rows[:cut]), quick_judge.validation_rows, seed=0)
    weights, scales, mode = np.ones(25), np.ones(25), int(rng.integers(25))
    if kind == "one mode missing":
        weights[mode] = 0
    elif kind == "one mode half as wide":
        scales[mode] = 0.5
    elif kind == "restless":
        weights, scales = np.exp(0.3 * rng.normal(size=25)), np.exp(0.15 * rng.normal(size=25))
    fakes = quick_judge.space(data.with_(weights=weights, scales=scales).draw(FAKES, rng))
    alarms = test.find_alarms(fakes, alpha=2 * (LEVEL / 2 / PLANNED))
    at = quick_judge.space(data.means[mode][None])[0]
    named = [np.linalg.norm(test.regions[each.region].centre - at) < 0.2 for each in alarms]
    return {"flagged": bool(alarms), "named": any(named), "others": not all(named)}


def alarm(repeats: int) -> dict[str, Any]:
    rows = []
    for monitor in (200, 1000, 2000):
        for kind in ("one mode missing", "one mode half as wide", "healthy", "restless"):
            trials = [coverage_test(kind, monitor, seed) for seed in range(repeats)]
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
    """Return the JSD in nats of N((0, 0), I) and N((d, 0), I)."""

    def term(x: float) -> float:
        p, q = norm.pdf(x), norm.pdf(x, d)
        m = (p + q) / 2
        return (p * np.log(p / m) + q * np.log(q / m)) / 2 if p > 0 and q > 0 else 0.0

    return 0.0 if d == 0 else float(quad(term, -9, 10, limit=200)[0])


def bounds(seed: int, steps: np.ndarray) -> np.ndarray:
    """Return the bounds of one run, with samples of N((d, 0), I) at each d of steps."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(1000, 2))
    quick_judge = QuickJudge(rows[:800], rows[800:], seed=seed)
    noise = rng.normal(size=(quick_judge.fakes_wanted, 2))  # the same at every check, as in a fit
    level = LEVEL / 2 / RUN_CHECKS
    return np.array([quick_judge.judge(noise + np.array([d, 0.0]), alpha=level).lower for d in steps])


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
    """Measure the runs one by one; each replaces its stored measurement when it ends."""
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
        "--data", nargs="*", default=[], help="runs of share: digits, ring, curved; all if left out"
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
