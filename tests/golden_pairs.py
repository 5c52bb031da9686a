"""Small data of fixed seeds that the golden runs and verdicts were made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd


def mixed_table(rows: int, seed: int) -> pd.DataFrame:
    """A table with text, categories, a date, decimals, whole numbers, an identifier, gaps and a dependent column."""
    draws = np.random.default_rng(seed)
    region = draws.choice(["north", "south", "east"], rows, p=[0.5, 0.3, 0.2])
    age = draws.integers(18, 80, rows)
    amount = np.round(np.exp(draws.normal(3 + (region == "south"), 0.6)) + age / 10, 2)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(draws.integers(0, 500, rows), unit="D")
    return pd.DataFrame(
        {
            "id": [f"R-{seed}{number:05d}" for number in draws.permutation(10 * rows)[:rows]],
            "region": region,
            "code": pd.Series(region).map({"north": "N1", "south": "S2", "east": "E3"}),
            "age": age,
            "amount": np.where(draws.random(rows) < 0.1, np.nan, amount),
            "day": day.strftime("%Y-%m-%d"),
            "member": draws.random(rows) < 0.2 + 0.6 * (age > 50),
        }
    )


def sprites(rows: int, side: int, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Bright bars (class 0) and boxes (class 1) on black, (rows, side, side) of uint8, and their classes."""
    draws = np.random.default_rng(seed)
    kinds = draws.integers(0, 2, rows)
    pictures = np.zeros((rows, side, side), np.uint8)
    for picture, kind in zip(pictures, kinds, strict=True):
        top, left = draws.integers(0, side // 2, 2)
        height = side // 2 if kind else 2
        picture[top : top + height, left : left + side // 2] = draws.integers(120, 256)
    return pictures, kinds


def _points() -> dict[str, Any]:
    draws = np.random.default_rng(0)
    real, train = draws.normal(size=(600, 2)), draws.normal(size=(600, 2))
    return {"real": real, "fake": 1.3 * draws.normal(size=(1200, 2)), "train": train, "held_out": "declared"}


def _tables() -> dict[str, Any]:
    fake = mixed_table(1000, seed=4)
    fake["amount"] = fake["amount"].sample(frac=1, random_state=0).to_numpy()
    return {
        "real": mixed_table(500, seed=3),
        "fake": fake,
        "train": mixed_table(500, seed=5),
        "held_out": "declared",
    }


def _pictures() -> dict[str, Any]:
    real, fake, train = (sprites(rows, 12, seed)[0] for rows, seed in ((300, 6), (600, 7), (300, 8)))
    noise = np.random.default_rng(9).integers(0, 30, fake.shape)
    fake = np.clip(fake.astype(int) + noise, 0, 255).astype(np.uint8)
    return {"real": real, "fake": fake, "train": train}


PAIRS: dict[str, Callable[[], dict[str, Any]]] = {"points": _points, "tables": _tables, "pictures": _pictures}
