"""Imputation by `saddlepoint complete` and by scikit-learn's IterativeImputer; writes results/complete.json.

    python -m benchmarks.complete_check --data /path/to/data [--rows 4000] [--rounds N]

Trained on adult.csv (all of it, or N rows). In one half of adult_test.csv a fifth of the cells is hidden at random and imputed;
the completed half is then judged against the other half, as any two samples are. An imputer that fills in the most probable
value or the mean generates rows that differ from all real rows. Also: how often words are correct, and the mean absolute error
of numbers, in ranks among the real ones, a measure by which the mean has an advantage.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

import saddlepoint as sp

RESULTS = Path(__file__).parent / "results" / "complete.json"
HIDDEN, RARE = 0.2, 30


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--rows", type=int)
    arguments.add_argument("--rounds", type=int)
    arguments.add_argument(
        "--model", type=Path, help="A model trained on adult.csv, instead of training one."
    )
    arguments.add_argument("--judged", type=int, default=8000)
    given = arguments.parse_args()
    train = pd.read_csv(given.data / "adult.csv")
    train = train if given.rows is None else train.sample(given.rows, random_state=0).reset_index(drop=True)
    test = pd.read_csv(given.data / "adult_test.csv")
    test = test[[*test.columns]].sample(frac=1, random_state=1).reset_index(drop=True)
    # A rare word may not occur in the part of the rows that is trained on, so it cannot be a known cell.
    for name in train:
        if not pd.api.types.is_numeric_dtype(train[name]):
            counts = train[name].value_counts()
            test = test[test[name].isin(counts.index[counts >= RARE])]
    half = min(given.judged, len(test) // 2)
    whole, others = test.iloc[:half].reset_index(drop=True), test.iloc[half : 2 * half].reset_index(drop=True)
    gone = np.random.default_rng(2).random(whole.shape) < HIDDEN
    gaps = whole.mask(pd.DataFrame(gone, columns=whole.columns))

    imputers: dict[str, Any] = {
        "saddlepoint complete": lambda: ours(train, gaps, given.rounds, given.model),
        "IterativeImputer": lambda: imputed(train, gaps, posterior=False),
        "IterativeImputer, sample_posterior": lambda: imputed(train, gaps, posterior=True),
    }
    found: dict[str, Any] = {}
    found["the rows themselves"] = figures(whole, whole, others, gone) | {"cpu_seconds": 0.0}
    for name, impute in imputers.items():
        completed, seconds = impute()
        found[name] = figures(completed, whole, others, gone) | {"cpu_seconds": round(seconds, 1)}
        print(name, found[name], flush=True)
    stored = {
        "set": "Adult",
        "rows": half,
        "judged": half,
        "hidden": HIDDEN,
        "trained": len(train),
        "by": found,
    }
    RESULTS.write_text(json.dumps(stored, indent=1) + "\n")


def ours(
    train: pd.DataFrame, gaps: pd.DataFrame, rounds: int | None, model: Path | None
) -> tuple[pd.DataFrame, float]:
    gan = sp.GAN(rounds=rounds, random_state=0).fit(train) if model is None else sp.load(model)
    began = time.process_time()
    return gan.complete(gaps, random_state=0), time.process_time() - began


def imputed(train: pd.DataFrame, gaps: pd.DataFrame, *, posterior: bool) -> tuple[pd.DataFrame, float]:
    """Impute with words coded by their rank of frequency; results are rounded to the nearest word or training value."""
    began = time.process_time()
    vocabularies = {
        name: list(train[name].value_counts().index) for name in train if not is_number(train[name])
    }

    def coded(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            {
                name: frame[name].map({word: i for i, word in enumerate(vocabularies[name])}).astype(float)
                if name in vocabularies
                else frame[name].astype(float)
                for name in frame
            }
        )

    imputer = IterativeImputer(sample_posterior=posterior, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        values = imputer.fit(pd.concat([coded(train), coded(gaps)])).transform(coded(gaps))
    out = {}
    for at, name in enumerate(gaps):
        if name in vocabularies:
            codes = np.clip(np.rint(values[:, at]), 0, len(vocabularies[name]) - 1).astype(int)
            out[name] = np.array(vocabularies[name], dtype=object)[codes]
        else:
            levels = np.unique(train[name])
            near = np.abs(levels[None, :] - values[:, at][:, None]).argmin(1) if len(levels) < 500 else None
            out[name] = levels[near] if near is not None else np.rint(values[:, at]).astype(int)
    made = pd.DataFrame(out)
    return gaps.where(gaps.notna(), made).astype(train.dtypes.to_dict()), time.process_time() - began


def is_number(cells: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(cells))


def figures(
    made: pd.DataFrame, whole: pd.DataFrame, others: pd.DataFrame, gone: np.ndarray
) -> dict[str, Any]:
    made = made[list(whole.columns)].reset_index(drop=True)
    right, error = [], []
    for at, name in enumerate(whole):
        hidden = gone[:, at]
        if not is_number(whole[name]):
            right.append((made[name][hidden].astype(str) == whole[name][hidden].astype(str)).mean())
        else:
            order = np.sort(whole[name].to_numpy(dtype=float))
            ranks = [
                np.searchsorted(order, side[name][hidden].to_numpy(dtype=float)) / len(order)
                for side in (made, whole)
            ]
            error.append(np.abs(ranks[0] - ranks[1]).mean())
    verdict = sp.judge(others, made, held_out=True)
    return {
        "jsd_lower": verdict.jsd_lower,
        "jsd_estimate": verdict.jsd_estimate,
        "accuracy": verdict.accuracy,
        "words_right": float(np.mean(right)),
        "rank_error": float(np.mean(error)),
    }


if __name__ == "__main__":
    main()
