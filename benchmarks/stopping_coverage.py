"""Simultaneous validity: 200 runs of 30 checks on generators of known law; any bound above its truth in at most 5 %.

    python benchmarks/stopping_coverage.py [--repeats 200]

Data N(0, I) in two dimensions, 2,000 rows (1,600 train, 200 monitor); the generator at check k is N((d_k, 0), I) with d_k
falling from 1 to 0 (every other run: 0 all along, the null), so that the JSD is known by quadrature. Every bound is made as in
a fit, on the same 200 monitor rows throughout, at the level that the plan gives the check.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm

from saddlepoint.judging.ringside import Ringside
from saddlepoint.judging.stopping import LEVEL

OUT = Path(__file__).parent / "results" / "stopping_coverage.json"
CHECKS = 30


def jsd(d: float) -> float:
    def term(x: float) -> float:
        p, q = norm.pdf(x), norm.pdf(x, d)
        m = (p + q) / 2
        return (p * np.log(p / m) + q * np.log(q / m)) / 2 if p > 0 and q > 0 else 0.0

    return 0.0 if d == 0 else float(quad(term, -9, 10, limit=200)[0])


def run(seed: int, path: np.ndarray, truths: np.ndarray) -> tuple[int, float, list[float]]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(1800, 2))
    ringside = Ringside(rows[:1600], rows[1600:], seed=seed)
    noise = rng.normal(size=(ringside.fakes_wanted, 2))  # the same at every check, as in a fit
    bounds = [ringside.look(noise + np.array([d, 0.0]), alpha=LEVEL / 2 / CHECKS).lower for d in path]
    above = np.array(bounds) > truths
    return int(above.sum()), float(np.max(np.array(bounds) - truths)), bounds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    started = time.perf_counter()
    falling = np.linspace(1, 0, CHECKS)
    paths = {"falling": falling, "null": np.zeros(CHECKS)}
    truths = {name: np.array([jsd(d) for d in path]) for name, path in paths.items()}
    done: dict[str, list] = {name: [] for name in paths}
    for seed in range(repeats):
        name = ("falling", "null")[seed % 2]
        done[name].append(run(seed, paths[name], truths[name]))
        if seed % 10 == 9 or seed == repeats - 1:
            rows = {
                name: {
                    "runs": len(found),
                    "checks_a_run": CHECKS,
                    "runs_with_any_bound_above_truth": sum(each[0] > 0 for each in found),
                    "bounds_above_truth": sum(each[0] for each in found),
                    "median_first_bound": float(np.median([each[2][0] for each in found])),
                    "first_truth": float(truths[name][0]),
                }
                for name, found in done.items()
                if found
            }
            OUT.write_text(
                json.dumps(
                    {"nominal": LEVEL, "seconds": round(time.perf_counter() - started, 1), "paths": rows},
                    indent=1,
                )
                + "\n"
            )
            print(seed + 1, rows, flush=True)


if __name__ == "__main__":
    main()
