"""Rounds, beside what people would use instead: python -m benchmarks.speed [--games abcde] [--compiled ad] [--jax PYTHON]

Rivals take turns, a few rounds each, so that whatever else the machine does meets all alike; what counts is CPU seconds of
one thread, and only ratios of a turn are kept: their median, least and most over the turns.
Writes benchmarks/results/speed.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.rivals import ours, plain_loop
from benchmarks.speed_games import TITLES, points

from benchmarks import limit
from saddlepoint import compute
from saddlepoint.training import Game, rounds

RESULTS = Path(__file__).parent / "results" / "speed.json"
ROUNDS = {"a": 100, "b": 4, "c": 4, "d": 60, "e": 8}
CURVES: dict[str, tuple[str, list[int]]] = {
    "batch": ("batch", [32, 128, 512, 2048]),
    "width": ("width", [32, 128, 512, 1024]),
    "dimensions": ("dimensions", [2, 32, 256, 1024]),
    "rows": ("rows", [1_000, 10_000, 100_000, 1_000_000]),
}


def cpu(act: Callable[[], object]) -> float:
    """Return the CPU seconds of this process."""
    began = time.process_time()
    act()
    return time.process_time() - began


class OtherProcess:
    """A rival in an environment of its own, which takes its turns by lines."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = self._line()

    def _line(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.process.stdout.readline() if self.process.stdout else "")
        return found

    def seconds(self, count: int) -> float:
        """Return the CPU seconds of so many rounds."""
        if self.process.stdin:
            print(count, file=self.process.stdin, flush=True)
        return float(self._line()["cpu"])


def measured(name: str, compiled: bool, jax: str | None, turns: int) -> dict[str, Any]:
    """Return one game's ratios."""
    rivals: dict[str, Callable[[int], float]] = {}
    for how in ("default", "fused"):
        play = plain_loop.begin(name, how)
        rivals[f"plain loop, {how} optimiser"] = lambda n, play=play: cpu(lambda: play(n))
    for how in ("eager", "compiled") if compiled else ("eager",):
        play = ours.begin(name, how)
        rivals[f"saddlepoint, {how}"] = lambda n, play=play: cpu(lambda: play(n))
    if jax and name in "abd":
        other = OtherProcess([jax, str(Path(__file__).parent / "rivals" / "jax_scan.py"), name])
        rivals["JAX + optax, one scan"] = other.seconds
    rivals["limit"] = limit.begin(name)
    spent: dict[str, list[float]] = {each: [] for each in rivals}
    for _ in range(turns):
        for each, act in rivals.items():
            spent[each].append(act(ROUNDS[name]) / ROUNDS[name])
    best = min((each for each in rivals if "plain" in each), key=lambda each: statistics.median(spent[each]))
    mine = min((each for each in rivals if "saddle" in each), key=lambda each: statistics.median(spent[each]))
    found: dict[str, Any] = {
        "title": TITLES[name],
        "turns": turns,
        "rounds_a_turn": ROUNDS[name],
        "best_plain": best,
        "ours": mine,
        "cpu_ms": {each: round(1e3 * statistics.median(values), 3) for each, values in spent.items()},
        "times_the_plain_loop": {
            each: spread(spent[best], spent[each]) for each in rivals if "saddle" in each or "JAX" in each
        },
        "share_of_the_limit": spread(spent["limit"], spent[mine]),
    }
    if "JAX + optax, one scan" in spent:
        found["times_jax"] = spread(spent["JAX + optax, one scan"], spent[mine])
    return found


def spread(above: list[float], below: list[float]) -> dict[str, float]:
    """Return median, least and most of the ratios, turn by turn."""
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return {
        "median": round(statistics.median(ratios), 3),
        "least": round(min(ratios), 3),
        "most": round(max(ratios), 3),
    }


def curve(what: str) -> dict[str, Any]:
    """Return CPU milliseconds of an eager round of (a) against one number, and the exponent of its last doubling."""
    keyword, values = CURVES[what]
    spent = []
    for value in values:
        made = points(**{keyword: value})
        records = rounds(Game(made.generator, made.discriminator, made.settings), made.batches(), 10**9)
        next(records)
        turns = [cpu(lambda records=records: [next(records) for _ in range(3)]) / 3 for _ in range(3)]
        spent.append(1e3 * min(turns))
    logs = np.log([values, spent])
    return {
        "values": values,
        "cpu_ms": [round(each, 3) for each in spent],
        "exponent": round(float(np.polyfit(*logs, 1)[0]), 3),
        "last_exponent": round(float((logs[1, -1] - logs[1, -2]) / (logs[0, -1] - logs[0, -2])), 3),
    }


def main() -> None:
    """Measure what is asked for, and put it beside what was measured before."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--games", default="abcde")
    parser.add_argument("--compiled", default="")
    parser.add_argument("--curves", default=",".join(CURVES))
    parser.add_argument("--jax", help="python of an environment with jax and optax")
    parser.add_argument("--turns", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    compute.keep_freed_memory()
    results: dict[str, Any] = (
        json.loads(RESULTS.read_text()) if RESULTS.exists() else {"games": {}, "curves": {}}
    )
    results["torch"] = torch.__version__

    def keep() -> None:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")

    for name in given.games:
        results["games"][name] = measured(name, name in given.compiled, given.jax, given.turns)
        print(name, json.dumps(results["games"][name]), flush=True)
        keep()
    for what in filter(None, given.curves.split(",")):
        results["curves"][what] = curve(what)
        print(what, results["curves"][what], flush=True)
        keep()
    keep()


if __name__ == "__main__":
    main()
