"""Class-conditional samples of digits: are samples with `given=c` of class c, according to an independent classifier?

    python -m benchmarks.digits_by_class [--seeds 3] [--rounds N]

The default recipe learns P(x | y) from the training rows of scikit-learn's digits. A support vector machine learns the classes
from the same rows; its accuracy is measured on the held-out test rows (vault). The claim: a classifier that is correct on at
least 96 % of real digits assigns at least 95 % of 1,000 samples of each class to that class. Also measured is the variety of
samples (their standard deviation about the class mean, divided by the data's), because a generator that always draws the same 7
would pass. Results are written to benchmarks/results/digits_by_class.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from sklearn.svm import SVC

from saddlepoint.data.opening import open_source
from saddlepoint.fitting import FitOptions, prepare

RESULT = Path(__file__).parent / "results" / "digits_by_class.json"
SAMPLES = 1000


def spread(rows: np.ndarray) -> float:
    return float(rows.reshape(len(rows), -1).astype(float).std(axis=0).mean())


def measure(seed: int, rounds: int | None) -> dict:
    preparation = prepare(open_source("digits"), FitOptions(seed=seed, rounds=rounds, conditional=True))
    train, vault = preparation.train, preparation.vault
    classifier = SVC(gamma=0.001).fit(train.rows.reshape(len(train), -1), train.labels)
    fit, began = preparation.fit(strip=False), time.process_time()
    for _ in fit.play():
        pass
    model, seconds = fit.model(), time.process_time() - began
    shares, spreads = {}, {}
    for digit in model.classes:
        rows = model.sample(SAMPLES, given=digit, random_state=seed)
        shares[digit] = float((classifier.predict(rows.reshape(SAMPLES, -1)) == digit).mean())
        spreads[digit] = spread(rows) / spread(train.rows[train.labels == digit])
    return {
        "seed": seed,
        "rounds": fit.round,
        "cpu_seconds": round(seconds, 1),
        "classifier_accuracy": classifier.score(vault.rows.reshape(len(vault), -1), vault.labels),
        "vault_rows": len(vault),
        "share_of_the_class_asked": shares,
        "worst": min(shares.values()),
        "spread_against_data": spreads,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    runs = [measure(seed, options.rounds) for seed in range(options.seeds)]
    for run in runs:
        print(json.dumps(run))
    options.out.write_text(json.dumps({"samples_a_class": SAMPLES, "runs": runs}, indent=1) + "\n")
