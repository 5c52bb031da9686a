"""Metrics of synthetic rows against unseen real rows: C2ST, TSTR, marginals, format, copies, and the judge's bound.

The protocol is fixed here, and nothing is chosen by it: a boosted classifier of real and synthetic rows (60 % to fit, 40 % to
read, mean of two splits); models trained on synthetic rows and tested on real ones; exact copies; the judge.
"""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.suites.table_sets import TableSet
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, f1_score, r2_score, roc_auc_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from saddlepoint.data.tables.schema import infer
from saddlepoint.data.tables.types import decimals_of
from saddlepoint.errors import InputError
from saddlepoint.judging import judge
from saddlepoint.judging.metrics.marginals import total_variations

_MOST_WORDS = 100
_DATE = r"\d{4}-\d\d-\d\d \d\d:"


def figures(
    tables: TableSet, made: pd.DataFrame, *, bound: bool = True, copies: bool = True
) -> dict[str, Any]:
    """Return C2ST, TSTR, marginal distances and copies of synthetic rows, and the judge's certified bound.

    tables: the set.
    made: the synthetic rows.
    bound: also judge the rows.
    copies: also search for copies of training rows (not useful where training rows take the place of samples).
    """
    found: dict[str, Any] = dict(zip(("c2st_accuracy", "c2st_auc"), c2st(tables, made), strict=True))
    found["tstr"] = tstr(tables, made)
    schema = infer(tables.train)
    reals, fakes = schema.matrices(tables.test, made)
    _, trains = schema.matrices(tables.test, tables.train)
    away = total_variations(reals.values, fakes.values, reals.categorical)
    control = total_variations(reals.values, trains.values, reals.categorical)
    found["margin_excess"] = round(float((away - control).max()), 4)
    found["worst_margin"] = reals.names[int((away - control).argmax())]
    found["broken_format"] = broken_format(tables.train.drop(columns=[*tables.keys]), made)
    train_nulls, made_nulls = (side[tables.train.columns].isna().mean() for side in (tables.train, made))
    found["null_gap"] = round(float((train_nulls - made_nulls).abs().max()), 4)
    if copies:
        known = set(map(tuple, tables.train.astype(str).to_numpy()))
        found["exact_copies"] = float(
            np.mean([tuple(row) in known for row in made[tables.train.columns].astype(str).to_numpy()])
        )
    if tables.name == "adult":
        wrong = (made["relationship"] == "Husband") & (made["sex"] == "Female")
        odd = (made["relationship"] == "Wife") & (made["sex"] == "Male")
        found["impossible"] = float((wrong | odd).mean())
    if bound:
        verdict = judge(tables.test, made, train=tables.train if copies else None, held_out=True)
        found |= {
            "jsd_lower": verdict.jsd_lower,
            "jsd_estimate": verdict.jsd_estimate,
            "floor": verdict.floor,
            "accuracy": verdict.accuracy,
            "judged": len(tables.test),
        }
        if verdict.jsd_lower is None:
            found["no_bound"] = verdict.notes[0]
        if verdict.memorisation is not None:
            found["copying"] = {key: verdict.memorisation[key] for key in ("copying", "share", "p")}
    return found


def broken_format(train: pd.DataFrame, made: pd.DataFrame) -> list[str]:
    """Return the columns whose synthetic cells are outside the training rows' range, too precise, or of another kind.

    Too precise: fractions where the training rows have whole numbers, or more decimals than they have.
    """
    broken = []
    for name in map(str, train.columns):
        if not pd.api.types.is_numeric_dtype(train[name]):
            if pd.api.types.is_numeric_dtype(made[name]):
                broken.append(name)
            continue
        real, fake = (side[name].dropna().to_numpy(dtype=float) for side in (train, made))
        digits = decimals_of(real)
        if len(fake) and (
            fake.min() < real.min()
            or fake.max() > real.max()
            or (digits is not None and not np.allclose(fake, np.round(fake, digits), rtol=1e-12, atol=0))
        ):
            broken.append(name)
    return broken


def c2st(tables: TableSet, made: pd.DataFrame) -> tuple[float, float]:
    """Return accuracy and AUC of a boosted classifier of real and synthetic rows, the mean of two splits; 1/2 is the best."""
    real, fake = _prepared(tables, [tables.test, made])
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


def tstr(tables: TableSet, made: pd.DataFrame) -> dict[str, float]:
    """Return TSTR (train on synthetic rows, test on real ones): F1 of the positive class, or R^2 of a number.

    mean4 is the mean of a linear model, a tree, AdaBoost and a small network; boosting is gradient-boosted trees (with AUC).
    """
    target = tables.target
    made, test = (side[side[target].notna()] for side in (made, tables.test))
    classes = tables.positive is not None
    y, truth = (
        np.asarray((side[target] == tables.positive).astype(int) if classes else side[target].astype(float))
        for side in (made, test)
    )
    a, b = (side.drop(columns=target, errors="ignore") for side in _prepared(tables, [made, test]))
    if classes and len(np.unique(y)) < 2:
        return {"mean4": 0.0, "boosting": 0.0, "boosting_auc": 0.5}

    def score(prediction: NDArray[Any]) -> float:
        return float(f1_score(truth, prediction) if classes else r2_score(truth, prediction))

    encoder = _flat(a).fit(a)
    x, z = (encoder.transform(side).astype("f4") for side in (a, b))
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for label, model in (_classifiers if classes else _regressors)(len(a)).items():
            found[label] = score(model.fit(x, y).predict(z))
    found["mean4"] = float(np.mean(list(found.values())))
    boosted = (HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor)(
        categorical_features="from_dtype", random_state=0
    ).fit(a, y)
    if classes:
        p = boosted.predict_proba(b)[:, 1]
        found["boosting"], found["boosting_auc"] = score(p > 0.5), float(roc_auc_score(truth, p))
    else:
        found["boosting"] = score(boosted.predict(b))
    return {label: round(value, 4) for label, value in found.items()}


def _classifiers(rows: int) -> dict[str, Any]:
    return {
        "linear": LogisticRegression(max_iter=300),
        "tree": DecisionTreeClassifier(max_depth=15, random_state=0),
        "adaboost": AdaBoostClassifier(n_estimators=50, random_state=0),
        "network": MLPClassifier(
            (50,), max_iter=20 if rows > 2000 else 200, early_stopping=True, random_state=0
        ),
    }


def _regressors(rows: int) -> dict[str, Any]:
    network = MLPRegressor(hidden_layer_sizes=(50,), max_iter=20 if rows > 2000 else 2000, random_state=0)
    return {
        "linear": Ridge(),
        "tree": DecisionTreeRegressor(max_depth=5, random_state=0),
        "adaboost": AdaBoostRegressor(n_estimators=50, random_state=0),
        "network": TransformedTargetRegressor(network, transformer=StandardScaler()),
    }


def _flat(frame: pd.DataFrame) -> ColumnTransformer:
    words = [name for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype)]
    numbers = [name for name in frame if name not in words]
    levels = [frame[name].cat.categories for name in words]
    parts: list[tuple[str, Any, Any]] = [
        ("words", OneHotEncoder(categories=levels or "auto", handle_unknown="ignore"), words),
        ("numbers", make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler()), numbers),
    ]
    return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0)


def _prepared(tables: TableSet, sides: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return the frames with numbers as floats, dates as seconds and texts as common categories; keys are left out.

    A text column in which more than a tenth of the training values are distinct is useless to a classifier and is left out too.
    """
    out: list[dict[str, Any]] = [{} for _ in sides]
    for name in tables.train:
        if name in tables.keys:
            continue
        columns = [side[name] for side in sides]
        if pd.api.types.is_numeric_dtype(tables.train[name]):
            made: list[Any] = [column.astype(float) for column in columns]
        elif tables.train[name].dropna().astype(str).str.match(_DATE).all():
            origin = pd.Timestamp("2000-01-01")
            made = [(pd.to_datetime(column) - origin).dt.total_seconds() for column in columns]
        elif tables.train[name].nunique() <= 0.1 * len(tables.train):
            common = tables.train[name].value_counts().index[:_MOST_WORDS]
            words = sorted({*map(str, common), "(other)", "(missing)"})
            made = []
            for column in columns:
                text = column.astype(object).where(column.isin(common) | column.isna(), "(other)")
                text = text.where(column.notna(), "(missing)").astype(str)
                made.append(pd.Categorical(text, categories=words))
        else:
            continue
        for side, cells in zip(out, made, strict=True):
            side[str(name)] = np.asarray(cells) if not isinstance(cells, pd.Categorical) else cells
    return [pd.DataFrame(cells) for cells in out]


def sdmetrics_quality(tables: TableSet, made: pd.DataFrame, python: str) -> float:
    """Return SDMetrics' quality score (column shapes and pair trends, 0 to 1), computed by another interpreter.

    Raises:
        InputError: that interpreter cannot compute it.
    """
    code = (
        "import json,sys,warnings; warnings.filterwarnings('ignore')\n"
        "import pandas as pd\n"
        "from sdmetrics.reports.single_table import QualityReport\n"
        "real, made = (pd.read_parquet(path) for path in sys.argv[1:3])\n"
        "kind = lambda c: 'numerical' if pd.api.types.is_numeric_dtype(real[c]) else 'categorical'\n"
        "report = QualityReport()\n"
        "report.generate(real, made[real.columns], {'columns': {c: {'sdtype': kind(c)} for c in real}}, verbose=False)\n"
        "print(report.get_score())\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{side}.parquet") for side in ("real", "made")]
        keep = [name for name in tables.train if name not in tables.keys]
        for frame, path in zip((tables.test, made), paths, strict=True):
            frame[keep].to_parquet(path, index=False)
        done = subprocess.run([python, "-c", code, *paths], capture_output=True, text=True, check=False)
    try:
        return round(float(done.stdout.strip().splitlines()[-1]), 4)
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(
            f"{python} cannot compute SDMetrics' score ({last}); give a Python that has sdmetrics and pyarrow, or leave "
            "--sdmetrics out."
        ) from None
