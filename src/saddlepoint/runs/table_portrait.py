"""A table's run as pictures and figures: margins of all columns, pairs of those whose margins differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from saddlepoint import compute
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.schema import Matrix, infer
from saddlepoint.data.table_encoder import TableEncoder
from saddlepoint.drawing.tables import Drawn, table_margins, table_pairs
from saddlepoint.judging.margins import pair_variations, total_variations
from saddlepoint.model import Model

SEED, _ROWS = 2014, 5000
_WORST = 10


@dataclass(frozen=True, kw_only=True)
class TablePortrait:
    """margins, and pairs where there are two columns; columns and worst_pairs: total variation, the largest first."""

    margins: Figure
    pairs: Figure | None
    columns: list[tuple[str, float]]
    worst_pairs: list[tuple[str, str, float]]


def compare(model: Model, train: Dataset) -> TablePortrait | None:
    """Return training rows beside as many samples (5,000 at most); None where no column can be compared."""
    real: pd.DataFrame = train.rows
    if len(real) > _ROWS:
        real = real.iloc[np.sort(compute.numpy_stream(SEED, "shown").permutation(len(real))[:_ROWS])]
    samples = model.draw(_ROWS, random_state=SEED)[0]
    encoder = model.encoder
    kinds = encoder.kinds if isinstance(encoder, TableEncoder) else {}
    schema = infer(real, {name: kind for name, kind in kinds.items() if kind != "constant"})
    first, second = schema.matrices(real.reset_index(drop=True), samples)
    if first.values.shape[1] == 0:
        return None
    away = total_variations(first.values, second.values, first.categorical)
    order = np.argsort(-away, kind="stable")
    columns = [_drawn(first, column) for column in range(len(away))]
    several = len(away) > 1
    return TablePortrait(
        margins=table_margins(first.values, second.values, columns),
        pairs=table_pairs(first.values[:, order], second.values[:, order], [columns[at] for at in order])
        if several
        else None,
        columns=[(first.names[at], float(away[at])) for at in order],
        worst_pairs=[
            (first.names[one], first.names[other], far)
            for one, other, far in pair_variations(first.values, second.values, first.categorical)[:_WORST]
        ],
    )


def _drawn(matrix: Matrix, at: int) -> Drawn:
    words = matrix.categories[at]
    if words is not None:
        return Drawn(name=matrix.names[at], kind="category", words=words)
    return Drawn(name=matrix.names[at], kind="date" if matrix.kinds[at] == "date-time" else "number")
