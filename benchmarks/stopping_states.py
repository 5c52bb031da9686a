"""Which state is seen, and which snapshot is kept, of games that converge, stall, diverge and collapse.

    python benchmarks/stopping_states.py [--repeats 20]

Each path is a generator of known law at 25 checks (`known_paths.py`): 10,000 rows of a ring of 8 modes, restless by 2 % in
width at every check. converge: to the data's law. stall: at mode widths of .075 to .09 for .05. diverge: well on its way,
then wider by half at each check. collapse: one mode's weight goes to 0 when the rest is good. Tolerance: a
missing cluster of 10 %. The checks are those of a fit, bounds and alarm included. Beside it: 2,000 constant sequences
with normal errors, for false alarms.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
from known_paths import CHECKS, DATA, EVERY, MODES, SD, KnownModel, Law, Snapshot, checks_on, jsd

from saddlepoint.judging.missing_mass import jsd_of_missing
from saddlepoint.judging.ruler import ruler
from saddlepoint.judging.stopping import Check, Rules, states_of

OUT = Path(__file__).parent / "results" / "stopping_states.json"
EXPECTED = {"converge": "reached", "stall": "plateau", "diverge": "diverging", "collapse": "collapsed"}


def path(kind: str, rng: np.random.Generator) -> list[Law]:
    speed = rng.uniform(1.5, 3.0)
    turn = int(rng.integers(7, 11))
    lowest = rng.uniform(1.5, 1.8) if kind == "stall" else 1.3 if kind == "diverge" else 1.0
    gone = int(rng.integers(MODES))
    laws = []
    for k in range(CHECKS + 1):
        factor = max(lowest, 1 + 8 * np.exp(-k / speed)) * np.exp(
            0.02 * rng.normal() * (lowest > 1 or k < 12)
        )
        if kind == "diverge" and k >= turn:
            factor *= 1.5 ** (k - turn + 1)
        weights = np.full(MODES, 1.0)
        if kind == "collapse":
            factor = max(factor, 1.15)
            weights[gone] = 1.0 if k < turn else 0.01
        laws.append(Law(SD * factor, tuple(weights / weights.sum())))
    return laws


def play(kind: str, seed: int) -> dict[str, object]:
    rng = np.random.default_rng([seed, list(EXPECTED).index(kind)])
    rows = DATA.draw(10_000, rng)
    checks = checks_on(rows, seed=seed)
    marks = ruler(rows[:8000], checks.ringside, masses=(0.1,), alpha=checks.plan.alpha(0), seed=seed)
    checks = checks_on(
        rows, ruler=tuple(mark.to_dict() for mark in marks), tolerance=jsd_of_missing(0.1), seed=seed
    )
    laws = path(kind, rng)
    state = "budget"
    for number, law in enumerate(laws):
        checks.check(KnownModel(law), Snapshot(number), number * EVERY)
        if (decision := checks.decision()) is not None:
            state = decision
            break
    truths = [jsd(DATA, law, n=40_000) for law in laws[: number + 1]]
    return {
        "kind": kind,
        "seed": seed,
        "state": state,
        "checks": number + 1,
        "kept_truth": truths[checks.kept or 0],
        "best_truth": min(truths),
        "above_truth": sum(c.lower > t for c, t in zip(checks.history, truths, strict=True)),
        "ruler_found": marks[0].found,
        "evidence": checks.state_at(len(checks.history)).evidence,
        "seconds_a_check": checks.seconds / (number + 1),
    }


def false_alarms(repeats: int = 2000) -> dict[str, object]:
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    started = time.perf_counter()
    null = false_alarms()
    print(null, flush=True)
    runs: list[dict] = []
    for seed in range(repeats):
        for kind in EXPECTED:
            runs.append(play(kind, seed))
            print(runs[-1], flush=True)
        summary = {
            kind: {
                "right": sum(r["state"] == EXPECTED[kind] for r in runs if r["kind"] == kind),
                "of": seed + 1,
                "states": dict(Counter(r["state"] for r in runs if r["kind"] == kind)),
                "kept_within_10_percent": sum(
                    r["kept_truth"] <= 1.1 * r["best_truth"] + 1e-3 for r in runs if r["kind"] == kind
                ),
            }
            for kind in EXPECTED
        }
        bounds = sum(r["checks"] for r in runs)
        OUT.write_text(
            json.dumps(
                {
                    "paths": "simulated generators of known law, real checks",
                    "null_sequences": null,
                    "summary": summary,
                    "bounds": bounds,
                    "bounds_above_truth": sum(r["above_truth"] for r in runs),
                    "seconds": round(time.perf_counter() - started, 1),
                    "runs": runs,
                },
                indent=1,
            )
            + "\n"
        )
    print(summary)


if __name__ == "__main__":
    main()
