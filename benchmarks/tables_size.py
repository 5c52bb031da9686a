"""Time and memory of large tables: a Parquet file of 10 million rows, 100,000 categories, a million sampled rows.

    python -m benchmarks.tables_size parts --rows 10000000 [--rounds 1000]
    python -m benchmarks.tables_size categories
    python -m benchmarks.tables_size sample --run RUN [-n 1000000]

Each writes its results into results/tables_size.json: CPU and wall seconds, and the peak resident memory of the process that
did the work (a new process; another one writes the file). One thread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

RESULTS = Path(__file__).parent / "results" / "tables_size.json"
PART = 500_000
CATEGORIES = 100_000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("what", choices=("make", "parts", "categories", "sample"))
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--rounds", type=int, default=1000)
    arguments.add_argument("--file", type=Path)
    arguments.add_argument("--run", type=Path)
    arguments.add_argument("-n", type=int, default=1_000_000)
    given = arguments.parse_args()
    if given.what == "make":
        make(given.file, given.rows)
    elif given.what == "parts":
        file = given.file or Path(tempfile.gettempdir()) / f"rows-{given.rows}.parquet"
        if not file.exists():
            subprocess.run(
                [sys.executable, __file__, "make", "--file", str(file), "--rows", str(given.rows)], check=True
            )
        keep(f"{given.rows:,} rows from Parquet", from_parquet(file, given.rounds))
    elif given.what == "categories":
        keep("100,000 categories", categories(given.rounds))
    else:
        keep(f"{given.n:,} rows sampled", sampled(given.run, given.n))


def make(file: Path, rows: int) -> None:
    """Write a file of 20 columns: numbers, frequent values, words, dates, missing cells, a dependency, an identifier."""
    rng = np.random.default_rng(0)
    cities = np.array([f"city {i:03d}" for i in range(300)])
    users = np.array([f"user {i:05d}" for i in range(50_000)])
    weights = 1 / np.arange(1, 301)
    writer = None
    for start in range(0, rows, PART):
        n = min(PART, rows - start)
        x = rng.normal(size=n)
        city = rng.choice(300, n, p=weights / weights.sum())
        moment = 1_600_000_000 + rng.integers(0, 3 * 365 * 86_400, n)
        table = pa.table(
            {
                "id": np.arange(start, start + n),
                "x": x,
                "y": x + rng.normal(size=n),
                "pay": np.where(rng.random(n) < 0.3, 0.0, np.round(np.exp(7 + 0.5 * x), 2)),
                "share": rng.beta(2, 5, n),
                "weight": pa.array(rng.normal(70, 12, n), mask=rng.random(n) < 0.1),
                "height": np.round(rng.normal(170, 9, n), 1),
                "single": rng.normal(size=n).astype(np.float32),
                "age": rng.integers(18, 90, n).astype(np.int16),
                "children": pa.array(rng.integers(0, 5, n), mask=rng.random(n) < 0.2),
                "count": rng.poisson(np.exp(2 + x / 2)),
                "amount": rng.integers(0, 10**9, n),
                "city": cities[city],
                "region": pa.array(np.array([f"region {i % 12}" for i in range(300)])[city]),
                "user": users[rng.integers(0, 50_000, n)],
                "class": rng.choice(["a", "b", "c"], n, p=[0.7, 0.25, 0.05]),
                "flag": rng.random(n) < 0.2,
                "level": pa.array(rng.choice(["low", "middle", "high"], n)).dictionary_encode(),
                "begin": pa.array(moment * 1_000_000, pa.timestamp("us")),
                "end": pa.array((moment + rng.integers(60, 7200, n)) * 1_000_000, pa.timestamp("us")),
            }
        )
        writer = writer or parquet.ParquetWriter(file, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def from_parquet(file: Path, rounds: int) -> dict[str, Any]:
    """Fit the encoder, play and sample in this process, and return times and peak memory."""
    from saddlepoint.data.opening import open_source
    from saddlepoint.data.transforms.table import TableTransformer
    from saddlepoint.fitting import FitOptions, prepare

    clock = Clock()
    dataset = open_source(file)
    clock.note("open")
    preparation = prepare(dataset, FitOptions(rounds=rounds))
    clock.note("split and fit the encoder")
    fit = preparation.fit()
    clock.note("encode all rows as codes")
    for _ in fit.play():
        pass
    clock.note(f"{rounds:,} rounds")
    fit.model().sample(10_000, random_state=0)
    clock.note("10,000 samples")
    encoder = preparation.encoder
    assert isinstance(encoder, TableTransformer)
    return {
        "rows": len(dataset),
        "columns": dataset.rows.shape[1],
        "file_mb": file.stat().st_size // 2**20,
        "width": encoder.shape[0],
        "rank_error": encoder.rank_error,
        "learnt": {name: how for name, _, how in encoder.describe()},
        **clock.summary(),
    }


def categories(rounds: int) -> dict[str, Any]:
    """Train on 100,000 Zipf-distributed words and two dependent columns; return shares of words by frequency."""
    import saddlepoint as sp

    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, CATEGORIES + 1)
    weights /= weights.sum()
    n = 1_000_000
    code = rng.choice(CATEGORIES, n, p=weights)
    frame = pd.DataFrame(
        {
            "word": np.array([f"word {i:06d}" for i in range(CATEGORIES)])[code],
            "price": np.round(np.exp(rng.normal(size=n) + 2 * (code % 2)), 2),
            "kind": np.array(["even", "odd"])[code % 2],
        }
    )
    clock = Clock()
    gan = sp.GAN(rounds=rounds, random_state=0).fit(frame)
    clock.note(f"fit, {rounds:,} rounds")
    made = gan.sample(200_000, random_state=0)
    clock.note("200,000 samples")
    rank = pd.Series(np.arange(CATEGORIES), index=[f"word {i:06d}" for i in range(CATEGORIES)])
    edges = [0, 10, 100, 1000, 10_000, CATEGORIES]
    shares = {}
    for low, high in pairwise(edges):
        real = float(((code >= low) & (code < high)).mean())
        sampled_ranks = rank[made["word"]].to_numpy()
        shares[f"words {low + 1:,} to {high:,}"] = [
            round(real, 4),
            round(float(((sampled_ranks >= low) & (sampled_ranks < high)).mean()), 4),
        ]
    return {
        "rows": n,
        "distinct_in_rows": int(frame["word"].nunique()),
        "distinct_in_samples": int(made["word"].nunique()),
        "distinct_in_as_many_rows": int(frame["word"].iloc[:200_000].nunique()),
        "share_real_and_made": shares,
        "width": gan.model_.encoder.shape[0],
        **clock.summary(),
    }


def sampled(run: Path, n: int) -> dict[str, Any]:
    """Sample n rows of a run to a Parquet file, as the command line does."""
    from saddlepoint.runs.sampling import sample_to_file

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        sample_to_file(run, Path(folder) / "rows.parquet", n=n, seed=0)
    clock.note("sample and write")
    return {"rows": n, **clock.summary()}


class Clock:
    """CPU seconds, wall seconds and peak memory of the steps of one process."""

    def __init__(self) -> None:
        self.cpu, self.wall, self.steps = time.process_time(), time.time(), {}

    def note(self, step: str) -> None:
        cpu, wall = time.process_time(), time.time()
        self.steps[step] = {
            "cpu_seconds": round(cpu - self.cpu, 1),
            "wall_seconds": round(wall - self.wall, 1),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        print(step, self.steps[step], flush=True)
        self.cpu, self.wall = cpu, wall

    def summary(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }


def keep(name: str, found: dict[str, Any]) -> None:
    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    stored[name] = found
    RESULTS.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
