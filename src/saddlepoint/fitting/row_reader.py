"""Rows as arrays for the tests between rounds: numbers stay as they are; a table's categories become training-row codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.tables.numeric import numeric_tables_of

_UNLIKE = 0.2  # a smaller difference between a subset and all rows is not described


class RowReader:
    """Turns rows of the same form as a training set into arrays, (n, d) numbers or (n, H, W, C) pictures.

    For tables, identifiers and constants are left out, NaN means null, and `categorical` (d,) marks columns of codes (None:
    there are none). A category that no training row has gets a code beyond the training codes.
    """

    def __init__(self, train: Dataset) -> None:
        self.kind, self.columns = train.kind, train.columns
        self.categorical: NDArray[np.bool_] | None = None
        if train.kind == "tables" and train.schema is not None:
            read = [each for each in train.schema.columns if each.kind not in ("identifier", "constant")]
            self._read, self._distinct = (
                tuple(read),
                _distinct_cells(train.rows, [each.name for each in read]),
            )
            first = numeric_tables_of(self._read, [self._distinct], tables=["the training table"])[0]
            self.columns, self.categorical = first.names, first.categorical
            self._categories = first.categories
        self.rows = self(train.rows)

    def __call__(self, rows: Any) -> NDArray[Any]:
        """Return rows of a Dataset, or decoded samples of a Model, as an array."""
        if self.kind != "tables":
            return np.asarray(rows)
        names = ["the training table", "the table"]
        return numeric_tables_of(self._read, [self._distinct, rows], tables=names)[1].values

    def describe_subset(self, rows: NDArray[Any], inside: NDArray[np.bool_]) -> str | None:
        """Return in words the two columns of a table in which a subset differs most from all rows; None if none differs.

        The difference is measured for categories by the share of the subset's most common one, for numbers by the means in
        standard deviations.

        rows: all rows, as an array.
        inside: which rows are in the subset, (n,).
        """
        if self.kind != "tables":
            return None
        found: list[tuple[float, str]] = []
        for name, read, categories, cells in zip(
            self.columns or (), self._read, self._categories, rows.T, strict=True
        ):
            here = cells[inside & ~np.isnan(cells)]
            if not len(here) or read.kind == "date-time":
                continue
            if categories is not None:
                code = np.bincount(here.astype(int)).argmax()
                category = categories[code] if code < len(categories) else "another"
                found.append(((here == code).mean() - (cells == code).mean(), f"{name} {category}"))
            else:
                apart = abs(here.mean() - np.nanmean(cells)) / max(np.nanstd(cells), 1e-300)
                found.append((apart, f"{name} about {here.mean():.3g}"))
        descriptions = [text for score, text in sorted(found, reverse=True)[:2] if score > _UNLIKE]
        return ", ".join(descriptions) or None


def _distinct_cells(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return a frame with every distinct cell of these columns at least once, as short as possible."""
    distinct = {name: frame[name].drop_duplicates() for name in names}
    longest = max((len(cells) for cells in distinct.values()), default=0)
    return pd.DataFrame(
        {
            name: cells.iloc[np.resize(np.arange(len(cells)), longest)].reset_index(drop=True)
            for name, cells in distinct.items()
        }
    )
