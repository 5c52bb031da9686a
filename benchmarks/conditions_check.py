"""Quality of conditional rows, compared with unconditional ones: `python -m benchmarks.conditions_check --data /path/to/data`

Adult: a game of the default recipe on adult.csv. Then, for each condition, as many rows as adult_test.csv holds that meet it,
judged against these, on all columns except the given one. Beside them: the same number of unconditional rows against as many
unconditional real ones (because a bound grows with the number of rows), and unconditional rows whose column is overwritten,
which a condition must not be equal to. Writes results/conditions.json: the judge's certified bound, and a boosted classifier's
accuracy.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
from benchmarks.suites.table_metrics import c2st
from benchmarks.suites.table_sets import TableSet, table_set

import saddlepoint as sp

RESULTS = Path(__file__).parent / "results" / "conditions.json"
CONDITIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("income", ">50K", ()),
    ("sex", "Female", ()),
    ("education", "Doctorate", ("education-num",)),
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument(
        "--model", type=Path, help="a saved model; if the file does not exist, one is trained and saved there"
    )
    arguments.add_argument("--only", help="measure one of the columns; other results in the file are kept")
    given = arguments.parse_args()
    tables = table_set("adult", given.data)
    if given.model is not None and given.model.exists():
        model = sp.load(given.model).model_
    else:
        model = sp.GAN(random_state=given.seed).fit(tables.train).model_
        if given.model is not None:
            model.save(given.model)
    stored = json.loads(RESULTS.read_text())["by"] if RESULTS.exists() and given.only is not None else {}
    found: dict[str, Any] = {"seed": given.seed, "by": stored}
    for column, value, dependent in CONDITIONS:
        if given.only not in (None, column):
            continue
        began = time.process_time()
        met = bool((model.sample(1000, given={column: value}, random_state=0)[column] == value).all())
        seconds = round(time.process_time() - began, 2)
        real = tables.test[tables.test[column] == value]
        n = len(real)
        whole = model.sample(n, random_state=1)
        drop = [column, *dependent]
        record = {
            "conditional": (real, model.sample(n, given={column: value}, random_state=1), drop),
            "unconditional, as many rows": (tables.test.sample(n, random_state=0), whole, []),
            "overwritten": (real, whole, drop),
            "real training rows": (real, tables.train[tables.train[column] == value], drop),
        }
        found["by"][f"{column}={value}"] = {
            "rows": n,
            "share": round(n / len(tables.test), 4),
            "all_met": met,
            "cpu_seconds_for_1000": seconds,
            **{name: judged(tables, *sides) for name, sides in record.items()},
        }
        print(column, value, json.dumps(found["by"][f"{column}={value}"]), flush=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def judged(tables: TableSet, real: pd.DataFrame, made: pd.DataFrame, drop: list[str]) -> dict[str, Any]:
    """Return the certified bound and a boosted classifier's accuracy, on the columns that are not dropped."""
    real, made = (side.drop(columns=drop).reset_index(drop=True) for side in (real, made))
    mine = dataclasses.replace(tables, train=tables.train.drop(columns=drop), test=real)
    accuracy, auc = c2st(mine, made)
    verdict = sp.judge(real, made, held_out=True)
    return {
        "c2st_accuracy": accuracy,
        "c2st_auc": auc,
        "jsd_lower": verdict.jsd_lower,
        "jsd_estimate": verdict.jsd_estimate,
    }


if __name__ == "__main__":
    main()
