"""Memorisation test (judging/memorisation.py): how often copies are found, and how often there is a false alarm.

    python -m benchmarks.judge_copies [--quick]

10-D normal rows (training, held-out and fake rows as stated); a share of the fake rows are training rows plus noise of
the stated standard deviation. Adult, if ../shared/data exists: all three samples are real rows (the null), or 5 % of the
fake rows are training rows with one categorical cell and the numbers changed a little. Writes
benchmarks/results/judge_copies.json.
"""

import json
import platform
import sys
import time
from pathlib import Path

import numpy as np

from saddlepoint.judging.memorisation import memorisation_test

HERE = Path(__file__).resolve()
RESULTS = HERE.parent / "results" / "judge_copies.json"
# name: runs, training rows, held-out rows, fakes, share of copies, noise (sd), kind
CASES = {
    "null": (300, 1000, 1000, 4000, 0.0, 0.0, "normal"),
    "null, 300 rows, 10,000 fakes": (250, 300, 300, 10_000, 0.0, 0.0, "normal"),
    "null, 4,000 training, 500 held-out": (250, 4000, 500, 4000, 0.0, 0.0, "normal"),
    "null, 4 coarse columns (many equal rows)": (250, 1000, 1000, 4000, 0.0, 0.0, "coarse"),
    "null, fakes twice as wide": (250, 1000, 1000, 4000, 0.0, 0.0, "wide"),
    "null, held-out rows moved by .2 sd": (250, 1000, 1000, 4000, 0.0, 0.0, "moved"),
    "5 % copies, noise .3, held-out rows moved by .2 sd": (100, 1000, 1000, 4000, 0.05, 0.3, "moved"),
    "5 % copies, noise .3": (120, 1000, 1000, 4000, 0.05, 0.3, "normal"),
    "2 % copies, noise .3": (100, 1000, 1000, 4000, 0.02, 0.3, "normal"),
    "5 % copies, noise .5": (100, 1000, 1000, 4000, 0.05, 0.5, "normal"),
    "5 % copies, noise .3, 200 held-out": (100, 1000, 200, 4000, 0.05, 0.3, "normal"),
    "5 % exact copies": (100, 1000, 1000, 4000, 0.05, 0.0, "normal"),
    "1 exact copy": (100, 1000, 1000, 4000, 1 / 4000, 0.0, "normal"),
    "5 % exact copies, 4 coarse columns": (100, 1000, 1000, 4000, 0.05, 0.0, "coarse"),
    "Adult, null": (60, 5000, 5000, 5000, 0.0, 0.0, "adult"),
    "Adult, 5 % exact copies": (20, 5000, 5000, 5000, 0.05, 0.0, "adult"),
    "Adult, 5 % altered copies": (20, 5000, 5000, 5000, 0.05, 0.05, "adult"),
}


def main() -> None:
    quick = "--quick" in sys.argv
    shared = next(
        (up / "shared/data" for up in HERE.parents if (up / "shared/data/adult.csv").exists()), None
    )
    report = {"machine": platform.processor() or platform.machine(), "level": 0.01, "cases": {}}
    for name, (runs, n, h, m, share, noise, kind) in CASES.items():
        if kind == "adult" and shared is None:
            continue
        runs = min(runs, 10) if quick else runs
        adult = adult_rows(shared) if kind == "adult" else None
        began, records = time.process_time(), []
        for seed in range(runs):
            generator = np.random.default_rng([20261122, seed])
            if adult is not None:
                parts = adult_parts(adult[0], n, h, m, share, noise, generator, adult[1])
                records.append(memorisation_test(*parts, categorical=adult[1], random_state=seed))
            else:
                records.append(
                    memorisation_test(
                        *normal_parts(n, h, m, share, noise, kind, generator), random_state=seed
                    )
                )
        report["cases"][name] = {
            "runs": runs,
            "found": sum(record.copying for record in records),
            "p <= .05": sum(record.p <= 0.05 for record in records),
            "median p": float(np.median([record.p for record in records])),
            "mean share": float(np.mean([record.share for record in records])),
            "mean exact copies": float(np.mean([record.exact_copies for record in records])),
            "cpu seconds a run": round((time.process_time() - began) / runs, 3),
        }
        print(name, report["cases"][name], flush=True)
        if not quick:
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(report, indent=1) + "\n")


def normal_parts(n, h, m, share, noise, kind, generator):
    width = 4 if kind == "coarse" else 10
    parts = [generator.normal(size=(size, width)) for size in (n, h, m)]
    if kind == "wide":
        parts[2] *= 2
    if kind == "moved":
        parts[1] += 0.2
    if kind == "coarse":
        parts = [np.rint(part) for part in parts]
    copies = round(share * m)
    parts[2][:copies] = parts[0][generator.integers(n, size=copies)]
    parts[2][:copies] += noise * generator.normal(size=(copies, width))
    return parts


def adult_rows(shared):
    from saddlepoint.data.tables.schema import infer

    matrix = infer(shared / "adult.csv").matrix(shared / "adult.csv")
    return matrix.values, matrix.categorical


def adult_parts(rows, n, h, m, share, noise, generator, categorical):
    order = generator.permutation(len(rows))
    train, held_out, fake = np.split(rows[order[: n + h + m]], [n, n + h])
    copies = round(share * m)
    fake[:copies] = train[generator.integers(n, size=copies)]
    if noise:
        numeric = np.flatnonzero(~categorical)
        moved = fake[:copies][:, numeric] + noise * rows[:, numeric].std(0) * generator.normal(
            size=(copies, len(numeric))
        )
        fake[:copies, numeric] = np.rint(moved)
        column = generator.choice(np.flatnonzero(categorical), size=copies)
        fake[np.arange(copies), column] = rows[generator.integers(len(rows), size=copies), column]
    return train, held_out, fake


if __name__ == "__main__":
    main()
