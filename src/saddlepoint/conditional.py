"""Rows of a table that meet conditions, and tables with their missing cells filled in: what a conditional G is for.

Cells that are known exactly are given to G, which draws all others from p(unknown | known). Of sets and ranges the rarest
column takes a value by the shares seen in training, if no cell is exact; whatever conditions are left are met by drawing
again, within draws that are conditional already.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from saddlepoint import compute
from saddlepoint.data.table_conditions import Conditions
from saddlepoint.data.table_encoder import TableEncoder
from saddlepoint.data.table_partial import Partial
from saddlepoint.errors import InputError

CHUNK = 4096
_TRIES, _LEAST_SHARE = 25, 1e-4

Generate = Callable[[int, Tensor, Tensor, Tensor | None], Tensor]
"""(number of the chunk, known rows (m, width), known (m, spans), entries never drawn) -> encoded rows (m, width)."""


def rows_given(conditions: Conditions, generate: Generate, n: int, seed: int) -> pd.DataFrame:
    """Return n rows that meet the conditions; the first rows do not depend on n.

    Raises InputError where next to no draw meets all of them.
    """
    kept: list[pd.DataFrame] = []
    found = tries = 0
    while found < n:
        if tries >= _TRIES and found < _LEAST_SHARE * tries * CHUNK:
            raise InputError(
                f"Of {tries * CHUNK:,} rows drawn, {found:,} meet {conditions.said} together: they are too rare to draw "
                f"{n:,}; ask for fewer rows or leave a condition out."
            )
        uniforms = compute.numpy_stream(seed, "given", tries).random(CHUNK)
        levels, known = conditions.known(CHUNK, uniforms)
        encoder = conditions.encoder
        rows = _expanded(encoder, levels, seed, tries)
        mask = torch.from_numpy(known).float().expand(CHUNK, -1)
        frame = conditions.written(encoder.decode(generate(tries, rows, mask, None)))
        good = conditions.accepted(frame)
        kept.append(frame if good.all() else frame[good])
        found, tries = found + int(good.sum()), tries + 1
    return pd.concat(kept, ignore_index=True).iloc[:n]


def completed(partial: Partial, generate: Generate, seed: int) -> pd.DataFrame:
    """Return a partly known table with its missing cells drawn given the known ones of their row."""
    never = torch.from_numpy(partial.never) if partial.never.any() else None
    encoder, drawn = partial.encoder, []
    for chunk, start in enumerate(range(0, len(partial.levels), CHUNK)):
        mine = slice(start, start + CHUNK)
        rows = _expanded(encoder, partial.levels[mine], seed, chunk)
        drawn.append(generate(chunk, rows, torch.from_numpy(partial.known[mine]).float(), never))
    return partial.written(encoder.decode(torch.cat(drawn)))


def _expanded(encoder: TableEncoder, levels: np.ndarray, seed: int, chunk: int) -> Tensor:
    uniforms = torch.rand(len(levels), encoder.draws, generator=compute.stream(seed, "given/scores", chunk))
    return encoder.expand(torch.from_numpy(levels), uniforms)
