"""How good are tables? Train on one file, judge on rows that no generator saw; figures into results/tables.json.

    python benchmarks/tables_check.py adult --data /path/to/data --seeds 0
    python benchmarks/tables_check.py titanic taxis --data /path/to/data --seeds 0 1 2

Adult is trained on adult.csv and judged on adult_test.csv; tables without a test file are cut in two halves, by row
number (the same halves for every seed), and compared with the other half of the real rows. Four figures, none of which
any generator or recipe was chosen by on these rows in this script:

- C2ST: accuracy and AUC of one HistGradientBoostingClassifier told real from fake (60 % fit, 40 % read, two splits);
- TSTR: F1 (of the rarer class) of classifiers trained on fake rows, tested on real ones, beside the same trained on real;
- margins: total variation of every column (20 quantile bins), fake against real and real training rows against real;
- the certified lower bound of the Jensen-Shannon divergence (nats) of `saddlepoint judge`.

CPU seconds are of this process (process_time), training only. One thread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import AdaBoostClassifier, HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import saddlepoint as sp
from saddlepoint.data.schema import infer
from saddlepoint.judging.margins import total_variations

RESULTS = Path(__file__).parent / "results" / "tables.json"
TARGETS = {"adult": ("income", ">50K"), "titanic": ("Survived", 1), "taxis": ("payment", "cash")}
CATEGORIES_AT_MOST = 100


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("tables", nargs="+", choices=sorted(TARGETS))
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments.add_argument("--rounds", type=int)
    arguments.add_argument("--tag", default="")
    arguments.add_argument("--no-bound", action="store_true")
    arguments.add_argument("--conditions", action="store_true", help="only conditional rows of Adult")
    given = arguments.parse_args()
    for name in given.tables:
        train, test = halves(name, given.data)
        if given.conditions:
            for seed in given.seeds:
                keep(
                    name, f"conditions, seed {seed}", conditional(train, test, seed=seed, rounds=given.rounds)
                )
            continue
        if not given.tag:
            keep(name, "real", against_real(name, train, test))
        for seed in given.seeds:
            runs = run(name, train, test, seed=seed, rounds=given.rounds, bound=not given.no_bound)
            for which, found in runs.items():
                keep(name, f"{given.tag}seed {seed}{which}", found)
                brief = {k: v for k, v in found.items() if k != "margins"}
                print(name, given.tag, seed, which, json.dumps(brief), flush=True)


def halves(name: str, data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to train on and the rows to judge by."""
    frame = pd.read_csv(data / f"{name}.csv")
    if (data / f"{name}_test.csv").exists():
        return frame, pd.read_csv(data / f"{name}_test.csv")
    order = np.random.default_rng(0).permutation(len(frame))
    half = len(frame) // 2
    return frame.iloc[order[:half]].reset_index(drop=True), frame.iloc[order[half:]].reset_index(drop=True)


def run(
    name: str, train: pd.DataFrame, test: pd.DataFrame, *, seed: int, rounds: int | None, bound: bool
) -> dict[str, dict[str, Any]]:
    """Train, sample as many rows as there are to train on, and measure; the base alone is measured beside the result."""
    began = time.process_time()
    gan = sp.GAN(rounds=rounds, random_state=seed).fit(train)
    seconds = time.process_time() - began
    began = time.process_time()
    fake = gan.sample(len(train), random_state=seed)
    sampling = time.process_time() - began
    found = figures(name, train, test, fake)
    found |= {
        "rounds": gan.n_rounds_,
        "kept_round": gan.model_.description.get("kept_round"),
        "looks": gan.model_.description.get("looks"),
        "train_cpu_seconds": round(seconds, 1),
        "sample_cpu_seconds": round(sampling, 2),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if bound:
        more = gan.sample(4 * len(test), random_state=seed + 1)
        verdict = sp.judge(test, more, train=train, held_out=True)
        found["jsd_lower"], found["jsd_estimate"] = verdict.jsd_lower, verdict.jsd_estimate
        found["memorisation"] = verdict.memorisation
    played = gan.model_
    runs = {"": found}
    if found["kept_round"] != 0:
        gan.model_ = played.base()
        runs[", base alone"] = figures(name, train, test, gan.sample(len(train), random_state=seed))
        gan.model_ = played
    return runs


def conditional(train: pd.DataFrame, test: pd.DataFrame, *, seed: int, rounds: int | None) -> dict[str, Any]:
    """Return how far rows given one cell lie from real rows with that cell, beside rows with the cell overwritten.

    C2ST: AUC on the other columns. The first condition is met by one row in 80, the second by one in 4.
    """
    gan = sp.GAN(rounds=rounds, random_state=seed).fit(train)
    whole = gan.sample(len(test), random_state=seed)
    found: dict[str, Any] = {"unconditional": {"c2st_auc": c2st(test, whole)[1]}}
    for column, value in (("education", "Doctorate"), ("income", ">50K")):
        began = time.process_time()
        drawn = gan.sample(1000, given={column: value}, random_state=seed)
        seconds = time.process_time() - began
        real = test[test[column] == value]
        fake = gan.sample(len(real), given={column: value}, random_state=seed)
        overwritten = whole.head(len(real)).assign(**{column: value})
        rest = [name for name in test if name not in (column, "education-num")]
        found[f"{column}={value}"] = {
            "real_rows": len(real),
            "all_met": bool((drawn[column] == value).all()),
            "seconds_for_1000": round(seconds, 2),
            "c2st_auc": c2st(real[rest], fake[rest])[1],
            "c2st_auc_overwritten": c2st(real[rest], overwritten[rest])[1],
        }
    print(json.dumps(found), flush=True)
    return found


def against_real(name: str, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, Any]:
    """Return the same figures of the real training rows themselves: what no generator can beat."""
    return figures(name, train, test, train)


def figures(name: str, train: pd.DataFrame, test: pd.DataFrame, fake: pd.DataFrame) -> dict[str, Any]:
    """Return C2ST, TSTR, margins, copies, and Adult's impossible pairs."""
    found: dict[str, Any] = dict(zip(("c2st_accuracy", "c2st_auc"), c2st(test, fake), strict=True))
    found["tstr"] = tstr(name, fake, test)
    schema = infer(train)
    reals, fakes = schema.matrices(test, fake)
    _, trains = schema.matrices(test, train)
    away = total_variations(reals.values, fakes.values, reals.categorical)
    control = total_variations(reals.values, trains.values, reals.categorical)
    found["margins"] = {
        column: [round(float(far), 4), round(float(near), 4)]
        for column, far, near in zip(reals.names, away, control, strict=True)
    }
    found["margin_excess"] = round(float((away - control).max()), 4)
    known = set(map(tuple, train.astype(str).to_numpy()))
    found["exact_copies"] = float(np.mean([tuple(row) in known for row in fake.astype(str).to_numpy()]))
    if name == "adult":
        wrong = (fake["relationship"] == "Husband") & (fake["sex"] == "Female")
        odd = (fake["relationship"] == "Wife") & (fake["sex"] == "Male")
        found["husband_and_female"], found["wife_and_male"] = float(wrong.mean()), float(odd.mean())
    return found


def c2st(real: pd.DataFrame, fake: pd.DataFrame) -> tuple[float, float]:
    """Return the accuracy and AUC of a boosted classifier of real and fake, the mean of two splits."""
    real, fake = prepared(real, [real, fake]), prepared(fake, [real, fake])
    found = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        n = min(len(real), len(fake))
        a, b = (side.iloc[rng.permutation(len(side))[:n]] for side in (real, fake))
        k = int(0.6 * n)
        model = HistGradientBoostingClassifier(
            learning_rate=0.1,
            max_iter=300,
            early_stopping=True,
            validation_fraction=0.15,
            n_iter_no_change=10,
            categorical_features="from_dtype",
            random_state=seed,
        ).fit(pd.concat([a.iloc[:k], b.iloc[:k]]), np.r_[np.ones(k), np.zeros(k)])
        p = model.predict_proba(pd.concat([a.iloc[k:], b.iloc[k:]]))[:, 1]
        truth = np.r_[np.ones(n - k), np.zeros(n - k)]
        found.append((accuracy_score(truth, p > 0.5), roc_auc_score(truth, p)))
    accuracy, auc = np.mean(found, axis=0)
    return round(float(accuracy), 4), round(float(auc), 4)


def tstr(name: str, fake: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """Return F1 on real rows of classifiers trained on fake ones, their mean without boosting, and boosting's AUC."""
    target, positive = TARGETS[name]
    fake, test = (side[side[target].notna()] for side in (fake, test))
    y, truth = ((side[target] == positive).astype(int) for side in (fake, test))
    a, b = (
        prepared(fake, [fake, test]).drop(columns=target),
        prepared(test, [fake, test]).drop(columns=target),
    )
    words = [column for column in a if isinstance(a[column].dtype, pd.CategoricalDtype)]
    numbers = [column for column in a if column not in words]
    levels = [a[column].cat.categories for column in words]

    def flat() -> ColumnTransformer:
        return ColumnTransformer(
            [
                ("words", OneHotEncoder(categories=levels, handle_unknown="ignore"), words),
                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ],
            sparse_threshold=0,
        )

    models = {
        "logistic": LogisticRegression(max_iter=300),
        "tree": DecisionTreeClassifier(max_depth=15, random_state=0),
        "adaboost": AdaBoostClassifier(n_estimators=50, random_state=0),
        "mlp": MLPClassifier(
            (50,), max_iter=20 if len(a) > 2000 else 200, early_stopping=True, random_state=0
        ),
    }
    encoder = flat().fit(a)
    x, z = encoder.transform(a).astype("f4"), encoder.transform(b).astype("f4")
    found = {label: float(f1_score(truth, model.fit(x, y).predict(z))) for label, model in models.items()}
    found["mean4"] = float(np.mean(list(found.values())))
    boosted = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(a, y)
    p = boosted.predict_proba(b)[:, 1]
    found["boosting"], found["boosting_auc"] = float(f1_score(truth, p > 0.5)), float(roc_auc_score(truth, p))
    return {label: round(value, 4) for label, value in found.items()}


def prepared(frame: pd.DataFrame, sides: list[pd.DataFrame]) -> pd.DataFrame:
    """Return numbers as floats, dates as seconds, texts as categories of both sides; keys are left out."""
    out = {}
    for column in frame:
        cells = frame[column]
        both = pd.concat([side[column] for side in sides])
        if pd.api.types.is_numeric_dtype(cells):
            if column != "PassengerId":
                out[column] = cells.astype(float)
            continue
        if both.dropna().astype(str).str.match(r"\d{4}-\d\d-\d\d \d\d:").all():
            out[column] = (pd.to_datetime(cells) - pd.Timestamp("2019-01-01")).dt.total_seconds()
        elif both.nunique() <= 0.1 * len(both):
            common = both.value_counts().index[:CATEGORIES_AT_MOST]
            text = cells.astype(object).where(cells.isin(common) | cells.isna(), "(other)")
            text = text.where(text.notna(), "(missing)")
            out[column] = pd.Categorical(text, categories=sorted({*common, "(other)", "(missing)"}))
    return pd.DataFrame(out, index=frame.index)


def keep(name: str, run_name: str, found: dict[str, Any]) -> None:
    """Write one run's figures into the results file."""
    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    stored.setdefault(name, {})[run_name] = found
    RESULTS.write_text(json.dumps(stored, indent=1, sort_keys=True, default=float) + "\n")


if __name__ == "__main__":
    main()
