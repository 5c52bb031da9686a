"""One speed measurement in a separate process, printed as a JSON line: python -m benchmarks.speed_alone curve|peak|ranks ..."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from benchmarks.rivals import ours, plain_loop
from benchmarks.speed_games import SpeedGame, make, pictures, points
from torch import Tensor

from saddlepoint import compute
from saddlepoint.training import Game, ProcessRank, rounds


def peak_mb() -> float:
    """Return this process's peak memory in MB; getrusage would also count that of its parent before the fork."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)


def curve(what: str, value: int) -> dict[str, float]:
    """Return CPU milliseconds of an eager round with one parameter changed, and the peak memory."""
    made: SpeedGame = pictures(side=value, batch=4, rows=16) if what == "side" else points(**{what: value})
    records = rounds(Game(made.generator, made.discriminator, made.settings), made.batches(), 10**9)
    next(records)
    spent = []
    for _ in range(3):
        began = time.process_time()
        for _ in range(3):
            next(records)
        spent.append((time.process_time() - began) / 3)
    return {"cpu_ms": round(1e3 * min(spent), 3), "peak_mb": peak_mb()}


def peak(name: str, how: str) -> dict[str, float]:
    """Return the peak memory of a few rounds of one rival."""
    play = plain_loop.begin(name, "fused optimiser") if how == "plain" else ours.begin(name, how)
    play(3)
    return {"peak_mb": peak_mb()}


def ranks(count: int) -> dict[str, float]:
    """Return wall milliseconds of a round distributed over `count` processes."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "clock"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        subprocess.run(
            [*command, "-m", "benchmarks.speed_alone", "rank", str(out)], check=True, capture_output=True
        )
        return {"clock_ms": float(out.read_text())}


def rank(out: str) -> dict[str, float]:
    """Play game (b) with a global batch of 400 on one rank; rank 0 writes its wall milliseconds per round to a file."""
    compute.join_process_group(torch.device("cpu"))
    this_rank = ProcessRank.of_this_process()
    made = make("b")
    settings = dataclasses.replace(made.settings, batch=400)
    rows = made.rows

    def batches() -> Iterator[Tensor]:
        while True:
            yield rows.index_select(0, torch.randint(0, len(rows), (400 // this_rank.count,)))

    records = rounds(Game(made.generator, made.discriminator, settings, process=this_rank), batches(), 10**9)
    for _ in range(3):
        next(records)
    began = time.perf_counter()
    for _ in range(20):
        next(records)
    spent = round(1e3 * (time.perf_counter() - began) / 20, 2)
    if this_rank.rank == 0:
        Path(out).write_text(str(spent))
    return {"clock_ms": spent}


def main(what: str, *given: str) -> None:
    """Print the result of one measurement."""
    torch.set_num_threads(1)
    compute.keep_freed_memory()
    if what == "curve":
        found = curve(given[0], int(given[1]))
    elif what == "peak":
        found = peak(given[0], given[1])
    elif what == "ranks":
        found = ranks(int(given[0]))
    else:
        found = rank(given[0])
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
