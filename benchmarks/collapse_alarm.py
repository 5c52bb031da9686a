"""The collapse alarm on laws that miss exactly one of 25 modes, narrow one by half, or are healthy.

    python benchmarks/collapse_alarm.py [--repeats 20]

A grid of 25 modes (spacing 2, width .05); 2,000 and 10,000 rows (80 % train, 10 % monitor), 8,000 fakes a look, at the level
of one of 25 planned checks. "healthy": the data's law; "restless": every weight times exp(.3 N(0,1)) and every width times
exp(.15 N(0,1)), as an inexact generator may have. Named: the alarm's region lies at the mode in question.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from saddlepoint.judging.collapse import Watch
from saddlepoint.judging.ringside import Ringside
from saddlepoint.judging.stopping import LEVEL

OUT = Path(__file__).parent / "results" / "collapse_alarm.json"
MODES, SD, FAKES, PLANNED = 25, 0.05, 8000, 25
CENTRES = np.array([(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)], dtype=float)


def draw(
    n: int, rng: np.random.Generator, weights: np.ndarray | None = None, sds: np.ndarray | None = None
) -> np.ndarray:
    weights = np.ones(MODES) if weights is None else weights
    sds = np.full(MODES, SD) if sds is None else sds
    mode = rng.choice(MODES, n, p=weights / weights.sum())
    return CENTRES[mode] + sds[mode, None] * rng.normal(size=(n, 2))


def trial(kind: str, rows: int, seed: int) -> dict[str, bool]:
    rng = np.random.default_rng([seed, rows])
    data = draw(rows, rng)
    cut = int(0.8 * rows)
    ringside = Ringside(data[:cut], data[cut : cut + rows // 10], seed=seed)
    watch = Watch(ringside.space(data[:cut]), ringside.held, seed=0)
    weights, sds, which = np.ones(MODES), np.full(MODES, SD), int(rng.integers(MODES))
    if kind == "one mode missing":
        weights[which] = 0
    elif kind == "one mode half as wide":
        sds[which] /= 2
    elif kind == "restless":
        weights = weights * np.exp(0.3 * rng.normal(size=MODES))
        sds = sds * np.exp(0.15 * rng.normal(size=MODES))
    found = watch.look(ringside.space(draw(FAKES, rng, weights, sds)), alpha=LEVEL / PLANNED)
    at = ringside.space(CENTRES[which][None])[0]
    named = [np.linalg.norm(watch.regions[each.region].centre - at) < 0.2 for each in found]
    return {"flagged": bool(found), "named": any(named), "others": not all(named)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    rows = []
    for n in (2000, 10_000):
        for kind in ("one mode missing", "one mode half as wide", "healthy", "restless"):
            trials = [trial(kind, n, seed) for seed in range(repeats)]
            rows.append(
                {"law": kind, "rows": n, "of": repeats}
                | {name: sum(each[name] for each in trials) for name in ("flagged", "named", "others")}
            )
            print(rows[-1], flush=True)
    OUT.write_text(json.dumps({"modes": MODES, "fakes": FAKES, "laws": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
