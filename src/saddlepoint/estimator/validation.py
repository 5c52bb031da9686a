"""Validation of the estimator's inputs by scikit-learn's rules: rows, classes and random states."""

from __future__ import annotations

import os
from inspect import signature
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import validate_data

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.opening import open_source
from saddlepoint.data.opening.tables import is_frame
from saddlepoint.data.tables.form import FrameForm
from saddlepoint.data.tables.read import frame_of
from saddlepoint.errors import InputError

Form = FrameForm | None
_RANDOM_STATES = 2**31 - 1
_CLASSES = ("binary", "multiclass")


def open_rows(
    estimator: BaseEstimator, X: Any, y: Any, groups: Any, *, columns: dict[str, str] | None
) -> tuple[Dataset, Form]:
    """Return the rows of X as a data set, and the form of a frame, to restore it later (None: not a frame).

    estimator: gets `n_features_in_` and, for frames, `feature_names_in_`.
    X: array of rows, frame or pictures.
    y: class of each row, or None.
    groups: group of each row, or None.
    columns: kinds of a frame's columns, instead of the inferred ones.

    Raises:
        InputError: X is not an array of rows, a frame or pictures, or cannot be learnt from.
    """
    if isinstance(X, str | os.PathLike):
        raise InputError(
            f"X is the file name {os.fspath(X)!r}; give the rows themselves: read the file first, for example with "
            f"pandas.read_csv({os.fspath(X)!r}), or run `saddlepoint train {os.fspath(X)}`."
        )
    if columns is not None and not is_frame(X):
        raise InputError(
            "columns= gives the kinds of a frame's columns, and X is not a frame: leave columns out."
        )
    if is_pictures(X):
        dataset = open_source(np.asarray(X), label=y, group=groups, name="X")
        estimator.__dict__.pop("feature_names_in_", None)
        estimator.n_features_in_ = int(np.prod(dataset.rows.shape[1:]))
        return dataset, None
    if is_frame(X) and not hasattr(X, "shape"):
        raise InputError(f"X is a {type(X).__name__}, which has no rows yet; give X.collect().")
    if not is_frame(X):
        values = validate_data(estimator, X, ensure_min_samples=2, dtype="numeric")
        return open_source(values, label=y, group=groups, name="X"), None
    dataset = open_source(X, label=y, group=groups, name="X", columns=columns)
    if dataset.kind == "tables":
        validate_data(estimator, X, skip_check_array=True)
        return dataset, FrameForm.of(X)
    validate_data(estimator, X, ensure_min_samples=2, dtype="numeric")
    return dataset, FrameForm.of(X, dtypes=dataset.dtypes or ())


def rows_as_fitted(estimator: BaseEstimator, X: Any, like: Dataset) -> Any:
    """Return rows of the same form as the training rows, as the model reads them."""
    if like.kind == "tables":
        return frame_of(X, name="X")
    if like.kind == "pictures":
        return np.asarray(open_source(np.asarray(X), levels=like.levels, name="X").rows)
    return np.asarray(validate_data(estimator, X, reset=False, dtype="numeric"))


def is_pictures(X: Any) -> bool:
    """Return whether X has the axes of pictures: three or four."""
    if is_frame(X):
        return False
    axes = getattr(X, "ndim", None)
    if axes is None and isinstance(X, list | tuple):
        try:
            axes = np.ndim(X)
        except ValueError:  # ragged: scikit-learn has the error message
            return False
    return axes in (3, 4)


def check_classes(y: Any) -> Any:
    """Return y unchanged.

    Raises:
        InputError: y has missing values, or is not one whole number or text per row.
    """
    if y is None:
        return None
    values = np.asarray(y)
    if values.dtype.kind in "fO" and values.ndim == 1:
        missing = np.flatnonzero([value is None or value != value for value in values.tolist()])
        if len(missing):
            raise InputError(
                f"y has {len(missing):,} missing value{'s' * (len(missing) > 1)} (None or NaN), first in row "
                f"{missing[0] + 1}; fill in these values or leave out these rows."
            )
    kind = type_of_target(y, input_name="y", raise_unknown=True)
    if kind not in _CLASSES:
        raise InputError(
            f"y is {kind}; the classes to condition on must be one whole number or text per row: sort numbers into bins "
            "first, or put them among the columns of X."
        )
    return y


def to_python(value: Any) -> Any:
    """Return a numpy scalar as a Python number, all else unchanged."""
    return value.item() if isinstance(value, np.generic) else value


def seed_of(random_state: Any) -> int:
    """Return an int unchanged, else a seed drawn from the generator; scikit-learn refuses anything else."""
    generator = check_random_state(random_state)
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(generator.randint(_RANDOM_STATES))


def unless_default(estimator: BaseEstimator, name: str) -> str | None:
    """Return a parameter as text; None for the default, because an estimator cannot know whether the user gave it."""
    value = getattr(estimator, name)
    return None if value == signature(type(estimator)).parameters[name].default else str(value)
