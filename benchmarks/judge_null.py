"""Null: real rows against other real rows, 40 seeds each: a difference may be certified in at most 5 %.

    python -m benchmarks.judge_null [--quick]

Full pool, no control (it would be the same test again). Digits 898 against 899; MNIST 1,500 against 3,000;
Adult 16,281 against 32,561: disjoint random parts of all rows.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import judge_data
import numpy as np

from saddlepoint.judging import judge

OUT = Path(__file__).parent / "results" / "judge_null.json"


def cases():
    pictures, _ = judge_data.digits()
    yield "digits", pictures, 898, 899, {}
    train, test, mask, names = judge_data.adult()
    yield "Adult", np.concatenate([train, test]), 16_281, 32_561, {"categorical": mask, "names": names}
    train, _, test, _ = judge_data.mnist()
    yield "MNIST", np.concatenate([train, test]), 1_500, 3_000, {}


def main(*, seeds: int) -> None:
    results = []
    for name, rows, n_real, n_fake, options in cases():
        started, bounds, named, accuracies = time.perf_counter(), [], 0, []
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(len(rows))
            real, fake = rows[order[:n_real]], rows[order[n_real : n_real + n_fake]]
            verdict = judge(real, fake, held_out="declared", random_state=seed, control=False, **options)
            bounds.append(verdict.jsd_lower)
            accuracies.append(verdict.accuracy)
            named += sum(place["kind"] in ("column", "pair") for place in verdict.where)
        results.append(
            {
                "data": name,
                "real_rows": n_real,
                "fake_rows": n_fake,
                "seeds": seeds,
                "certified": int(sum(bound > 0 for bound in bounds)),
                "columns_named": named,
                "largest_lower": max(bounds),
                "mean_accuracy": float(np.mean(accuracies)),
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
        print(results[-1], flush=True)
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(json.dumps({"pool": "full", "rows": results}, indent=1) + "\n")


if __name__ == "__main__":
    main(seeds=4 if "--quick" in sys.argv else 40)
