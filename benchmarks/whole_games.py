"""Speed and quality of whole fits, eager and compiled, in turns.

    python -m benchmarks.whole_games [--table adult.csv --judged adult_test.csv] [--turns 2]

Each fit is a separate process with one thread. CPU seconds include preparation, compilation (with an empty cache) and the fit.
Quality is measured by the judge on held-out rows, and by the modes of the grid. Writes "whole" into
benchmarks/results/speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.speed import RESULTS

GAMES = ("digits", "grid", "table")
WAYS = {"eager": "off", "compiled": "on", "auto": "auto"}


def fit(game: str, way: str, table: str, judged: str) -> dict[str, Any]:
    """Fit a model and return CPU seconds, rounds, and the judge's bound and accuracy on held-out rows."""
    import numpy as np
    import pandas as pd
    import torch
    from benchmarks.suites.modes import coverage
    from benchmarks.suites.point_sets import SETS
    from sklearn.datasets import load_digits

    import saddlepoint as sp

    torch.set_num_threads(1)
    options: dict[str, Any] = {"compile": WAYS[way], "random_state": 0}
    grid = SETS["grid"]
    if game == "digits":
        pictures = load_digits().images[np.random.default_rng(0).permutation(1797)].astype(np.uint8)
        own, real = pictures[360:], pictures[:360]
        options["rounds"] = 4_000
    elif game == "grid":
        own, real = grid.split(10_000, 5_000, 0)
        options["start"] = "noise"
    else:
        own, real = (pd.read_csv(path, skipinitialspace=True) for path in (table, judged))
    began = time.process_time()
    gan = sp.GAN(**options).fit(own)
    spent = time.process_time() - began
    rows = gan.sample(max(2_000, min(len(real), 10_000)))
    verdict = sp.judge(real, rows, held_out="declared", control=False)
    found = {
        "cpu_s": round(spent, 1),
        "rounds": gan.n_rounds_,
        "jsd_lower": round(verdict.jsd_lower or 0.0, 4),
        "told_right": verdict.accuracy,
    }
    return found | ({"coverage": coverage(rows[:2_500], grid)} if game == "grid" else {})


def main() -> None:
    """Play every game in every way, in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", default="")
    parser.add_argument("--judged", default="")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--games", nargs="+", default=list(GAMES), choices=GAMES)
    parser.add_argument("--one", nargs=2)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(fit(*given.one, given.table, given.judged)))
        return
    found: dict[str, Any] = {}
    for game in given.games:
        if game == "table" and not given.table:
            continue
        turns: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for turn in range(given.turns):
            for way in WAYS:
                result = fit_in_subprocess(game, way, given.table, given.judged)
                turns[way].append(result)
                print(turn, game, way, result, flush=True)
        ratios = {
            way: [
                eager["cpu_s"] / each["cpu_s"] for eager, each in zip(turns["eager"], turns[way], strict=True)
            ]
            for way in WAYS
        }
        found[game] = {
            way: turns[way][0]
            | {"cpu_s": statistics.median(each["cpu_s"] for each in turns[way])}
            | {"times_as_fast": [round(f(ratios[way]), 2) for f in (statistics.median, min, max)]}
            for way in WAYS
        }
        results = json.loads(RESULTS.read_text())
        results["whole"] = results.get("whole", {}) | found
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def fit_in_subprocess(game: str, way: str, table: str, judged: str) -> dict[str, Any]:
    """Return `fit`'s result from a separate process, with an empty cache of the compiler."""
    arguments = ["--one", game, way, "--table", table, "--judged", judged]
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.whole_games", *arguments],
            env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    main()
