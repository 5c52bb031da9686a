"""Power: planted defects must be certified, and the planted place named.

    python -m benchmarks.judge_power [--quick]

Adult's test rows against its training rows with one column shuffled (five columns, four seeds each): exactly that
column must be named. MNIST's test pictures against 10,000 training pictures without one class, and a 10-D mixture of 20
modes against itself without one (5 %): a region must be named, and the right one.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import judge_data
import numpy as np

from saddlepoint.judging import judge

OUT = Path(__file__).parent / "results" / "judge_power.json"
PLANTED = ("age", "education", "hours-per-week", "marital-status", "income")


def shuffled_columns(seeds):
    train, test, mask, names = judge_data.adult()
    for name in PLANTED:
        for seed in range(seeds):
            fake = train.copy()
            j = names.index(name)
            fake[:, j] = np.random.default_rng(seed).permutation(fake[:, j])
            verdict = judge(test, fake, held_out="declared", categorical=mask, names=names, random_state=seed)
            columns = [place["name"] for place in verdict.where if place["kind"] == "column"]
            pairs = [place["name"] for place in verdict.where if place["kind"] == "pair"]
            yield figures(f"Adult, {name} shuffled", seed, verdict) | {
                "columns": columns,
                "pairs": pairs,
                "right": bool(verdict.certified and columns == [name]),
            }


def missing_class(seeds):
    train, labels, test, test_labels = judge_data.mnist()
    for seed in range(seeds):
        absent = [3, 7, 1, 8][seed % 4]
        rng = np.random.default_rng(seed)
        fake = train[rng.permutation(np.flatnonzero(labels != absent))[:10_000]]
        verdict = judge(test, fake, held_out="declared", random_state=seed)
        regions = [place for place in verdict.where if place["kind"] == "region"]
        found = [float(np.mean(test_labels[place["indices"]] == absent)) for place in regions]
        yield figures(f"MNIST without the {absent}s", seed, verdict) | {
            "share_of_absent_class": found,
            "right": bool(verdict.certified and found and found[0] > 0.5),
        }


def missing_mode(seeds):
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        centres = 3 * rng.standard_normal((20, 10))

        def draw(n, modes, rng=rng, centres=centres):
            return centres[rng.integers(0, modes, n)] + rng.standard_normal((n, 10))

        verdict = judge(draw(4000, 20), draw(8000, 19), held_out="declared", random_state=seed)
        places = [np.array(place["centre"]) for place in verdict.where if place["kind"] == "region"]
        nearest = [int(np.linalg.norm(centres - place, axis=1).argmin()) for place in places]
        yield figures("10-D mixture without a 5 % mode", seed, verdict) | {
            "nearest_modes": nearest,
            "right": bool(verdict.certified and nearest and nearest[0] == 19),
        }


def figures(case, seed, verdict):
    return {
        "case": case,
        "seed": seed,
        "lower": verdict.jsd_lower,
        "estimate": verdict.jsd_estimate,
        "named": [place["name"] for place in verdict.where if place["kind"] != "rows"],
        "seconds": round(verdict.seconds, 1),
    }


def main(*, seeds: int) -> None:
    results, started = [], time.perf_counter()
    for rows in (shuffled_columns(seeds), missing_mode(3 * seeds), missing_class(seeds)):
        for row in rows:
            results.append(row)
            print(round(time.perf_counter() - started), row, flush=True)
            OUT.parent.mkdir(exist_ok=True)
            OUT.write_text(json.dumps({"pool": "full", "rows": results}, indent=1) + "\n")


if __name__ == "__main__":
    main(seeds=1 if "--quick" in sys.argv else 4)
