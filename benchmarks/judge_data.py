"""Real data for the judge's benchmarks, from ../shared/data (see its README for origins and licences)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FOLDERS = [Path(__file__).parents[1] / "../shared/data", Path("/work/shared/data")]
DATA = next((folder for folder in FOLDERS if folder.exists()), None)


def adult() -> tuple[np.ndarray, np.ndarray, list[bool], list[str]]:
    """Training rows, test rows, which columns are categories, their names."""
    train, test = pd.read_csv(DATA / "adult.csv"), pd.read_csv(DATA / "adult_test.csv")
    mask = [not pd.api.types.is_numeric_dtype(train[c]) for c in train]
    both = pd.concat([train, test])
    codes = [pd.factorize(both[c], sort=True)[0] if is_code else both[c] for c, is_code in zip(both, mask)]
    values = np.column_stack(codes).astype(float)
    return values[: len(train)], values[len(train) :], mask, list(train)


def mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training pictures, their labels, test pictures, their labels."""
    stored = np.load(DATA / "mnist.npz", allow_pickle=False)
    return tuple(stored[k] for k in ("train_images", "train_labels", "test_images", "test_labels"))


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1,797 digits of scikit-learn as 8-bit pictures, and their labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images * 15).astype(np.uint8), found.target
