"""Table sets, each with training and test rows: two from scikit-learn, and three from files.

A set is split in two halves by a fixed random order of its rows, the same for every seed: training and test rows. If there is a
file NAME_test.csv beside NAME.csv, these files are the two parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from saddlepoint.errors import InputError

SHIPPED = ("diabetes", "cancer")
FROM_FILES = ("adult", "titanic", "taxis")
SETS = (*FROM_FILES, *SHIPPED)
_TARGETS: dict[str, tuple[str, object]] = {
    "adult": ("income", ">50K"),
    "titanic": ("Survived", 1),
    "taxis": ("payment", "cash"),
    "cancer": ("diagnosis", "malignant"),
    "diabetes": ("progression", None),
}
_KEYS = {"titanic": ("PassengerId",)}


@dataclass(frozen=True, kw_only=True, eq=False)
class TableSet:
    """Training rows, test rows, and the column that is predicted: a class or a number.

    name: the set's name.
    train: training rows.
    test: test rows.
    target: the column that is predicted.
    positive: the rarer class of the target; None if it is a number.
    keys: columns that number the rows, which no classifier reads.
    """

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    positive: object
    keys: tuple[str, ...] = ()


def table_set(name: str, data: Path | None) -> TableSet:
    """Return a set by name; `data` is the folder of the files that scikit-learn does not contain.

    Raises:
        InputError: the folder is needed but not given, or does not hold the file.
    """
    target, positive = _TARGETS[name]
    train, test = _shipped(name) if name in SHIPPED else _from_files(name, data)
    return TableSet(
        name=name, train=train, test=test, target=target, positive=positive, keys=_KEYS.get(name, ())
    )


def _from_files(name: str, data: Path | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    if data is None or not (data / f"{name}.csv").is_file():
        where = "its folder was not given" if data is None else f"{data} does not hold it"
        raise InputError(
            f"The set {name!r} needs {name}.csv, but {where}: give the folder with --data, or choose among "
            f"{', '.join(SHIPPED)} with --sets."
        )
    frame = pd.read_csv(data / f"{name}.csv")
    if (data / f"{name}_test.csv").is_file():
        return frame, pd.read_csv(data / f"{name}_test.csv")
    return _halves(frame)


def _shipped(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    from sklearn import datasets

    if name == "diabetes":
        frame = datasets.load_diabetes(as_frame=True, scaled=False).frame
        # The column "sex" is coded 1 and 2. It becomes words, so that the frame is a table and not a set of points.
        frame = frame.assign(sex=frame["sex"].map("{:g}".format).radd("code "))
        return _halves(frame.rename(columns={"target": "progression"}))
    bunch = datasets.load_breast_cancer(as_frame=True)
    words = pd.Series(bunch.target_names).loc[bunch.target].reset_index(drop=True)
    return _halves(bunch.data.assign(diagnosis=words))


def _halves(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    order = np.random.default_rng(0).permutation(len(frame))
    half = len(frame) // 2
    first, second = (frame.iloc[part].reset_index(drop=True) for part in (order[:half], order[half:]))
    return first, second
