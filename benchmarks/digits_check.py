"""Quality of a run's digits: shares of the ten digits, recognisability, and copies of training rows.

python -m benchmarks.digits_check RUN   ->   benchmarks/results/NAME.json, where NAME is the name of the run folder

    make demo && python -m benchmarks.digits_check runs/demo
    saddlepoint train mnist.npz --recipe goodfellow2014 --minutes 10 --out runs/mnist-goodfellow2014
    saddlepoint train mnist.npz --minutes 10 --out runs/mnist-modern

Classifiers are fitted to the run's training rows and must be correct on >= 96 % of the held-out ones (validation and test rows:
monitor and vault). They then read 2,000 samples: the share of each digit, and the mean top probability compared with that on
held-out digits.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from saddlepoint.fitting import restore
from saddlepoint.judging.memorisation import memorisation_test
from saddlepoint.runs.folder import RunFolder
from saddlepoint.runs.sampling import load_model
from saddlepoint.runs.session import Source

SAMPLES, MOST_ROWS = 2000, 20_000


def main(path: Path) -> None:
    settings = RunFolder.open(path).settings()
    dataset, _ = Source(**settings["source"]).open()
    parts = restore(dataset, settings)
    held_out = np.concatenate([parts.monitor.rows, parts.vault.rows])
    labels = np.concatenate([parts.monitor.labels, parts.vault.labels])
    samples, _ = load_model(path).draw(SAMPLES, random_state=1)
    few = slice(0, MOST_ROWS)
    flat = {
        name: rows.reshape(len(rows), -1) / dataset.levels
        for name, rows in (("train", parts.train.rows[few]), ("held", held_out), ("samples", samples))
    }
    estimators = {
        "perceptron": MLPClassifier(
            (128,), alpha=1e-2, max_iter=60 if len(held_out) > 1000 else 500, random_state=0
        ),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
    }
    classifiers = {}
    for name, classifier in estimators.items():
        classifier.fit(flat["train"], parts.train.labels[few])
        top = {key: classifier.predict_proba(flat[key]).max(1).mean() for key in ("held", "samples")}
        shares = np.bincount(classifier.predict(flat["samples"]), minlength=10) / SAMPLES
        classifiers[name] = {
            "accuracy on held-out digits": round(float(classifier.score(flat["held"], labels)), 4),
            "smallest share of a digit": round(float(shares.min()), 4),
            "shares": [round(float(share), 4) for share in shares],
            "mean top probability, held-out": round(float(top["held"]), 4),
            "mean top probability, samples": round(float(top["samples"]), 4),
        }
    trained = {row.tobytes() for row in parts.train.rows}
    found = memorisation_test(
        *(rows.reshape(len(rows), -1).astype(float) for rows in (parts.train.rows, held_out, samples)),
        random_state=0,
    )
    results = {
        "run": path.name,
        "recipe": settings["recipe"],
        "rounds": load_model(path).description["rounds"],
        "samples": SAMPLES,
        "classifiers": classifiers,
        "held-out digits among the training rows": sum(row.tobytes() in trained for row in held_out),
        "samples equal to a training row": int(found.exact_copies),
        "share of samples nearest to a training row (expected 0.5)": round(float(found.share), 3),
        "copying test": found.sentence,
    }
    target = Path(__file__).parent / "results" / f"{path.name}.json"
    target.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
