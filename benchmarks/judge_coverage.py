"""Coverage: how often the judge's bound is above the truth, 400 repeats on four pairs of distributions, nominal 5 %.

    python -m benchmarks.judge_coverage [--quick]

The judge's own splits, ensemble and evaluation, with the quick pool (logistic regression and trees, stacked): 1,600
judgements of 1,000 real rows and 4 fake rows for each. There is no control: it can only remove bounds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from benchmarks.judge_pairs import Pair, dropped_mode, known_pairs, near_disjoint

from saddlepoint.judging.c2st.ensemble import evaluate, fit_ensemble
from saddlepoint.judging.c2st.splits import split
from saddlepoint.judging.samples import check

OUT = Path(__file__).parent / "results" / "judge_coverage.json"
ROWS, PER_REAL, ALPHA = 1000, 4, 0.05


def lower_bound(pair: Pair, seed: int) -> float:
    rng = np.random.default_rng(seed)
    samples = check(pair.real(ROWS, rng), pair.fake(PER_REAL * ROWS, rng))
    splits = split(len(samples.real), len(samples.fake), alpha=ALPHA, rng=rng)
    ensemble = fit_ensemble(samples, splits, size="quick", alpha=ALPHA, seed=seed)
    return evaluate(ensemble, samples, splits, alpha=ALPHA).lower


def main(*, repeats: int) -> None:
    by_name = {pair.name: pair for pair in known_pairs()}
    named = [by_name[name] for name in ("ring | the same ring", "N(0,1) | N(0.5,1)")]
    pairs = [*named, near_disjoint(), dropped_mode(0.01)]
    rows = []
    for pair in pairs:
        started = time.perf_counter()
        bounds = np.array([lower_bound(pair, seed) for seed in range(repeats)])
        above = int((bounds > pair.jsd).sum())
        rows.append(
            {
                "pair": pair.name,
                "jsd": pair.jsd,
                "repeats": repeats,
                "above": above,
                "share_above": above / repeats,
                "median_lower": float(np.median(bounds)),
                "largest_lower": float(bounds.max()),
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
        print(rows[-1], flush=True)
        OUT.parent.mkdir(exist_ok=True)
        about = {"pool": "quick", "real_rows": ROWS, "fakes_per_real": PER_REAL, "nominal": ALPHA}
        OUT.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(repeats=40 if "--quick" in sys.argv else 400)
