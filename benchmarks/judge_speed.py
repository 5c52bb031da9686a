"""Speed: wall time in seconds of a whole verdict with its null control, on this machine's cores.

    python -m benchmarks.judge_speed [--quick]

The load average is stored beside each time: other work on the machine makes these figures worse.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

import judge_data
import numpy as np

from saddlepoint.judging import judge

OUT = Path(__file__).parent / "results" / "judge_speed.json"


def cases(*, quick: bool):
    rng = np.random.default_rng(0)
    for n, limit in ((10_000, 20), (50_000, 60)):
        if quick and n > 10_000:
            return
        real, fake = rng.standard_normal((n, 10)), 1.1 * rng.standard_normal((n, 10))
        yield f"{n:,} against {n:,} rows in 10-D", limit, (real, fake), {}
    train, test, mask, names = judge_data.adult()
    fake = train.copy()
    fake[:, names.index("age")] = rng.permutation(fake[:, names.index("age")])
    yield "Adult, 16,281 against 32,561", 60, (test, fake), {"categorical": mask, "names": names}
    pictures, labels, test, _ = judge_data.mnist()
    fake = pictures[rng.permutation(np.flatnonzero(labels != 3))[:10_000]]
    yield "MNIST, 10,000 against 10,000", 240, (test, fake), {}


def main(*, quick: bool) -> None:
    rows = []
    for name, limit, sides, options in cases(quick=quick):
        load = os.getloadavg()[0]
        verdict = judge(*sides, held_out="declared", **options)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append(
            {
                "case": name,
                "seconds": round(verdict.seconds, 1),
                "limit": limit,
                "load_before": round(load, 1),
                "peak_memory_gib": round(peak, 2),
            }
        )
        print(rows[-1], flush=True)
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
