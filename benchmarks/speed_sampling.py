"""Speed of sampling: a million points compared with G's forward pass; rows of a table as a data frame, and writing them.

    python -m benchmarks.speed_sampling [--table adult.csv]

Writes "sampling" into benchmarks/results/speed.json: CPU seconds of one thread, medians of several turns; shares are medians
of the ratios within a turn, so that other work of the machine affects both sides equally.
The limit is G's own forward pass over chunks of the same size, with noise drawn before; `products` are its matrix products
alone.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
from collections.abc import Callable
from typing import Any

import torch
from benchmarks.limit import Products
from benchmarks.speed import RESULTS, cpu
from sklearn.datasets import make_moons

import saddlepoint as sp
from saddlepoint import compute
from saddlepoint.model import CHUNK

POINTS = 1_000_000


def points(start: str, turns: int) -> dict[str, Any]:
    """Return the CPU seconds of sampling a million points from the default networks, after a game of a few rounds."""
    model = (
        sp.GAN(start=start, rounds=10, random_state=0)
        .fit(make_moons(3000, noise=0.05, random_state=0)[0])
        .model_
    )
    z = model.noise(CHUNK, 0)

    @torch.no_grad()
    def forward() -> None:
        for _ in range(POINTS // CHUNK):
            model.generator(z)

    with Products() as products, torch.no_grad():
        model.generator(z)

    def alone() -> None:
        for _ in range(POINTS // CHUNK):
            for func, args in products.found:
                func(*args)

    acts: dict[str, Callable[[], object]] = {
        "sample": lambda: model.sample(POINTS, random_state=1),
        "forward pass of G": forward,
        "products of G": torch.no_grad()(alone),
    }
    spent = [{name: cpu(act) for name, act in acts.items()} for _ in range(turns)]
    shares = sorted(turn["forward pass of G"] / turn["sample"] for turn in spent)
    usual = {name: statistics.median(turn[name] for turn in spent) for name in acts}
    return {
        "cpu_s": {name: round(value, 3) for name, value in usual.items()},
        "share_of_forward": round(statistics.median(shares), 3),
        "shares": [round(share, 3) for share in (shares[0], shares[-1])],
        "points_a_second": round(POINTS / usual["sample"]),
    }


def table(path: str, turns: int, rows: int = 50 * CHUNK) -> dict[str, Any]:
    """Return rows per CPU second of sampling a table as a data frame, and of writing the frame as CSV."""
    import pandas as pd

    frame = pd.read_csv(path, skipinitialspace=True)
    model = sp.GAN(rounds=1, random_state=0).fit(frame).model_
    drawn = model.sample(rows, random_state=1)
    z = model.noise(CHUNK, 1)
    acts: dict[str, Callable[[], object]] = {
        "sample": lambda: model.sample(rows, random_state=1),
        "networks": lambda: [model.generate(z) for _ in range(rows // CHUNK)],
        "writing": lambda: drawn.to_csv(io.StringIO(), index=False),
    }
    spent = [{name: cpu(act) for name, act in acts.items()} for _ in range(turns)]
    usual = {name: statistics.median(turn[name] for turn in spent) for name in acts}
    return {
        "rows": rows,
        "rows_a_second": round(rows / usual["sample"]),
        "of_these_networks": round(statistics.median(turn["networks"] / turn["sample"] for turn in spent), 3),
        "csv_rows_a_second": round(rows / usual["writing"]),
    }


def main() -> None:
    """Measure, and store the results beside those of the rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", help="a CSV file, such as Adult")
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    compute.keep_freed_memory()
    found: dict[str, Any] = {start: points(start, given.turns) for start in ("noise", "mixture")}
    if given.table:
        found["table"] = table(given.table, given.turns)
    results = json.loads(RESULTS.read_text())
    results["sampling"] = found
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
