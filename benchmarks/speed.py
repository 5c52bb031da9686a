"""Speed of rounds, compared with other implementations; writes benchmarks/results/speed.json.

    python -m benchmarks.speed [--games abcde] [--compiled ad] [--jax PYTHON] [--lightning PYTHON] [--threads]

Implementations (rivals) take turns, a few rounds each, so that other work of the machine affects all equally. CPU seconds of
one thread are counted, and only ratios within a turn are stored: their median, smallest and largest value over the turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.rivals import ours, plain_loop
from benchmarks.speed_games import TITLES

from benchmarks import limit
from saddlepoint import compute

RESULTS = Path(__file__).parent / "results" / "speed.json"
ROUNDS = {"a": 100, "b": 4, "c": 4, "d": 60, "e": 8}
CURVES: dict[str, list[int]] = {
    "batch": [32, 128, 512, 2048],
    "width": [32, 128, 512, 1024],
    "dimensions": [2, 32, 256, 1024],
    "rows": [1_000, 10_000, 100_000, 1_000_000, 10_000_000],
    "side": [8, 16, 32, 64, 128, 256, 512],
}


JAX, LIGHTNING = "JAX + optax, one scan", "Lightning, manual optimisation"
OTHERS = {JAX: "benchmarks.rivals.jax_scan", LIGHTNING: "benchmarks.rivals.lightning_loop"}


def cpu(act: Callable[[], object]) -> float:
    """Return the CPU seconds of this process during a call."""
    began = time.process_time()
    act()
    return time.process_time() - began


class OtherProcess:
    """A rival in its own Python environment, which is asked for rounds on its standard input."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = self._line()

    def _line(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.process.stdout.readline() if self.process.stdout else "")
        return found

    def seconds(self, count: int) -> float:
        """Return the CPU seconds of `count` rounds."""
        if self.process.stdin:
            print(count, file=self.process.stdin, flush=True)
        return float(self._line()["cpu"])


def measured(name: str, compiled: bool, others: dict[str, str], turns: int) -> dict[str, Any]:
    """Return one game's ratios.

    name: the game.
    compiled: also measure compiled rounds.
    others: Python interpreters of rivals in other environments, by rival.
    turns: the number of turns.
    """
    rivals: dict[str, Callable[[int], float]] = {}
    for how in plain_loop.VARIANTS[: 3 if name in "de" else 4]:
        play = plain_loop.begin(name, how)
        rivals[f"plain loop, {how}"] = lambda n, play=play: cpu(lambda: play(n))
    for how in ("eager", "compiled") if compiled else ("eager",):
        play = ours.begin(name, how)
        rivals[f"saddlepoint, {how}"] = lambda n, play=play: cpu(lambda: play(n))
    for other, python in others.items():
        if name in "abd":
            rivals[other] = OtherProcess([python, "-m", OTHERS[other], name]).seconds
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
            each: spread(spent[best], spent[each])
            for each in rivals
            if "plain" not in each and each != "limit"
        },
        "share_of_the_limit": spread(spent["limit"], spent[mine]),
    }
    if JAX in spent:
        found["times_jax"] = spread(spent[JAX], spent[mine])
    return found


def spread(above: list[float], below: list[float]) -> dict[str, float]:
    """Return median, smallest and largest ratio over the turns."""
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return {
        "median": round(statistics.median(ratios), 3),
        "least": round(min(ratios), 3),
        "most": round(max(ratios), 3),
    }


def peaks(name: str, compiled: bool) -> dict[str, float]:
    """Return the peak memory in MB of a process that plays a few rounds of each rival."""
    rivals = {"plain loop, fused optimiser": "plain", "saddlepoint, eager": "eager"}
    if compiled:
        rivals["saddlepoint, compiled"] = "compiled"
    return {each: alone("peak", name, how)["peak_mb"] for each, how in rivals.items()}


def curve(what: str) -> dict[str, Any]:
    """Return CPU milliseconds of an eager round and peak MB by one parameter, and the exponents."""
    values = CURVES[what]
    found = [alone("curve", what, str(value)) for value in values]
    logs = np.log([values, [each["cpu_ms"] for each in found]])
    return {
        "values": values,
        "cpu_ms": [each["cpu_ms"] for each in found],
        "peak_mb": [each["peak_mb"] for each in found],
        "exponent": round(float(np.polyfit(*logs, 1)[0]), 3),
        "last_exponent": round(float((logs[1, -1] - logs[1, -2]) / (logs[0, -1] - logs[0, -2])), 3),
    }


def alone(*what: str) -> dict[str, float]:
    """Return a measurement of `benchmarks.speed_alone`, made in a separate process."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed_alone", *what], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def by_threads(name: str, turns: int) -> dict[str, float]:
    """Return wall milliseconds per round on one thread and on two, in turns; needs an otherwise idle machine."""
    rivals = {
        "plain loop, fused optimiser": plain_loop.begin(name, "fused optimiser"),
        "saddlepoint, eager": ours.begin(name, "eager"),
    }
    spent: dict[str, list[float]] = {f"{each}, {n}": [] for each in rivals for n in (1, 2)}
    for _ in range(turns):
        for each, play in rivals.items():
            for count in (1, 2):
                torch.set_num_threads(count)
                began = time.perf_counter()
                play(ROUNDS[name])
                spent[f"{each}, {count}"].append((time.perf_counter() - began) / ROUNDS[name])
    torch.set_num_threads(1)
    return {each: round(1e3 * statistics.median(values), 3) for each, values in spent.items()}


def by_ranks() -> dict[str, float]:
    """Return wall milliseconds per round of (b) with a global batch of 400, on one process and on two."""
    return {str(count): alone("ranks", str(count))["clock_ms"] for count in (1, 2)}


def main() -> None:
    """Make the chosen measurements and add them to the stored ones."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--games", default="abcde")
    parser.add_argument("--compiled", default="")
    parser.add_argument("--curves", default=",".join(CURVES))
    parser.add_argument("--jax", help="Python interpreter of an environment with jax and optax")
    parser.add_argument(
        "--lightning", help="Python interpreter of an environment with lightning and saddlepoint"
    )
    parser.add_argument(
        "--threads",
        action="store_true",
        help="also measure threads and ranks, by wall time on an idle machine",
    )
    parser.add_argument("--turns", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    compute.keep_freed_memory()
    results: dict[str, Any] = (
        json.loads(RESULTS.read_text()) if RESULTS.exists() else {"games": {}, "curves": {}}
    )
    results["torch"] = torch.__version__
    others = {other: python for other, python in ((JAX, given.jax), (LIGHTNING, given.lightning)) if python}

    def keep() -> None:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")

    for name in given.games:
        results["games"][name] = measured(name, name in given.compiled, others, given.turns)
        results["games"][name]["peak_mb"] = peaks(name, name in given.compiled)
        print(name, json.dumps(results["games"][name]), flush=True)
        keep()
    for what in filter(None, given.curves.split(",")):
        results["curves"][what] = curve(what)
        print(what, results["curves"][what], flush=True)
        keep()
    if given.threads:
        results["threads"] = {name: by_threads(name, given.turns) for name in given.games}
        results["ranks"] = by_ranks()
        print("threads", results["threads"], "ranks", results["ranks"], flush=True)
    keep()


if __name__ == "__main__":
    main()
