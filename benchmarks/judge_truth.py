"""Known truths: true JSD, estimate, bound and seconds of the judge on pairs of distributions with a known JSD.

    python -m benchmarks.judge_truth [--quick | --size N]

Full pool, null control included; 4 fake rows per real row at 2,000 and 10,000 real rows, 2 at 50,000.
Results are written to benchmarks/results/judge_truth.json as they are computed; --size keeps the rows of other sizes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
from benchmarks.judge_pairs import known_pairs

from saddlepoint.judging import judge

OUT = Path(__file__).parent / "results" / "judge_truth.json"
SIZES = {2_000: 4, 10_000: 4, 50_000: 2}


def main(*, sizes: list[int]) -> None:
    rows = []
    if OUT.exists():
        rows = [row for row in json.loads(OUT.read_text())["rows"] if row["n"] not in sizes]
    for n in sizes:
        per_real = SIZES[n]
        for number, pair in enumerate(known_pairs()):
            rng = np.random.default_rng([n, number])
            mask = [True] if pair.categorical else None
            verdict = judge(
                pair.real(n, rng),
                pair.fake(per_real * n, rng),
                held_out="declared",
                categorical=mask,
                random_state=number,
            )
            rows.append(
                {
                    "pair": pair.name,
                    "n": n,
                    "fakes_per_real": per_real,
                    "jsd": pair.jsd,
                    "estimate": verdict.jsd_estimate,
                    "lower": verdict.jsd_lower,
                    "referee": verdict.referee,
                    "control": verdict.control,
                    "seconds": round(verdict.seconds, 1),
                }
            )
            print(f"{n:6d} {pair.name:36s} {pair.jsd:.5f} {verdict.jsd_estimate:.5f} {verdict.jsd_lower:.5f}"
                  f" {verdict.referee:11s} {verdict.seconds:.1f} s", flush=True)  # fmt: skip
            OUT.parent.mkdir(exist_ok=True)
            threads = os.environ.get("OMP_NUM_THREADS", "all")
            OUT.write_text(json.dumps({"threads": threads, "pool": "full", "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    if "--size" in sys.argv:
        main(sizes=[int(sys.argv[sys.argv.index("--size") + 1])])
    else:
        main(sizes=[2_000] if "--quick" in sys.argv else list(SIZES))
