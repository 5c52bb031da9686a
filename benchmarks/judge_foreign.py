"""Files of other generators, judged against Adult's test rows: are the bounds in a plausible order?

python -m benchmarks.judge_foreign [NAME=FILE.csv ...]   ->   benchmarks/results/judge_foreign.json

Generated here: every column shuffled independently, a Gaussian copula, and the training rows themselves. NAME=FILE.csv adds
what another program generated from adult.csv, for instance benchmarks/peer_samples.py in its own environment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import judge_data
import numpy as np
import pandas as pd
from scipy import stats

import saddlepoint as sp

OUT = Path(__file__).parent / "results" / "judge_foreign.json"


def shuffled(table: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({name: table[name].to_numpy()[rng.permutation(len(table))] for name in table})


def copula(table: pd.DataFrame) -> pd.DataFrame:
    """A Gaussian copula: each column's own values with the rank correlations of a Gaussian."""
    rng = np.random.default_rng(0)
    n = len(table)
    codes = [pd.factorize(table[name], sort=True)[0] for name in table]
    ranks = np.column_stack([stats.rankdata(code + 1e-6 * rng.random(n)) for code in codes])
    drawn = rng.multivariate_normal(np.zeros(len(codes)), np.corrcoef(stats.norm.ppf(ranks / (n + 1)).T), n)
    places = (stats.norm.cdf(drawn) * n).astype(int)
    return pd.DataFrame(
        {name: table[name].sort_values().to_numpy()[places[:, i]] for i, name in enumerate(table)}
    )


def main(files: dict[str, str]) -> None:
    train, test = (pd.read_csv(judge_data.DATA / name) for name in ("adult.csv", "adult_test.csv"))
    fakes = {"every column shuffled": shuffled(train), "Gaussian copula": copula(train)}
    fakes |= {name: pd.read_csv(path) for name, path in files.items()} | {"its training rows": train}
    rows = []
    for name, fake in fakes.items():
        verdict = sp.judge(test, fake, train=train, held_out="declared")
        rows.append(
            {
                "generator": name,
                "lower": verdict.jsd_lower,
                "estimate": verdict.jsd_estimate,
                "accuracy": verdict.accuracy,
                "formats": [note for note in verdict.notes if "grid" in note],
                "named": [place["name"] for place in verdict.where if place["kind"] == "column"],
                "copying": verdict.memorisation["sentence"],
                "seconds": round(verdict.seconds, 1),
            }
        )
        print(rows[-1], flush=True)
        OUT.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(dict(argument.split("=", 1) for argument in sys.argv[1:]))
