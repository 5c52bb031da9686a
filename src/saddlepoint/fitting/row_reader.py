"""Rows as referees read them between rounds: numbers as they are, a table by one code book, that of its training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.tables.numeric import numeric_tables_of

_UNLIKE = 0.2


class Reader:
    """Turns rows of the kind of a training set into arrays, (n, d) numbers or (n, H, W, C) pictures.

    Of a table, identifiers and constants are left out, NaN stands for a null, and `categorical` (d,) marks columns of codes
    (None: there are none); a word that no training row has gets a code beyond theirs.
    """

    def __init__(self, train: Dataset) -> None:
        self.kind, self.columns = train.kind, train.columns
        self.categorical: NDArray[np.bool_] | None = None
        if train.kind == "tables" and train.schema is not None:
            read = [each for each in train.schema.columns if each.kind not in ("identifier", "constant")]
            self._read, self._book = tuple(read), _book_of(train.rows, [each.name for each in read])
            first = numeric_tables_of(self._read, [self._book], tables=["the training table"])[0]
            self.columns, self.categorical = first.names, first.categorical
            self._words = first.categories
        self.rows = self(train.rows)

    def __call__(self, rows: Any) -> NDArray[Any]:
        """Return rows, as they are kept in a Dataset or drawn from a Model, as an array."""
        if self.kind != "tables":
            return np.asarray(rows)
        names = ["the training table", "the table"]
        return numeric_tables_of(self._read, [self._book, rows], tables=names)[1].values

    def telling(self, rows: NDArray[Any], inside: NDArray[np.bool_]) -> str | None:
        """Return in words the two columns of a table in which rows inside are most unlike all rows; None where none is.

        Of categories the difference of the commonest one's shares, of numbers that of the means in standard deviations.
        """
        if self.kind != "tables":
            return None
        found: list[tuple[float, str]] = []
        for name, read, words, cells in zip(self.columns or (), self._read, self._words, rows.T, strict=True):
            here = cells[inside & ~np.isnan(cells)]
            if not len(here) or read.kind == "date-time":
                continue
            if words is not None:
                code = np.bincount(here.astype(int)).argmax()
                word = words[code] if code < len(words) else "another"
                found.append(((here == code).mean() - (cells == code).mean(), f"{name} {word}"))
            else:
                apart = abs(here.mean() - np.nanmean(cells)) / max(np.nanstd(cells), 1e-300)
                found.append((apart, f"{name} about {here.mean():.3g}"))
        told = [words for score, words in sorted(found, reverse=True)[:2] if score > _UNLIKE]
        return ", ".join(told) or None


def _book_of(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return every distinct cell of these columns once or more often, in a frame no longer than it must be."""
    distinct = {name: frame[name].drop_duplicates() for name in names}
    longest = max((len(cells) for cells in distinct.values()), default=0)
    return pd.DataFrame(
        {
            name: cells.iloc[np.resize(np.arange(len(cells)), longest)].reset_index(drop=True)
            for name, cells in distinct.items()
        }
    )
