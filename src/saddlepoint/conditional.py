"""Rows of a table that meet conditions, and tables with their missing cells filled in: what a conditional G is for.

Where unconditional rows often meet the conditions, these are drawn until enough do. Otherwise cells that are known exactly
are given to G, which draws all others from its p(unknown | known); of sets and ranges the rarest column takes a value by
the shares seen in training, if no cell is exact; whatever conditions are left are met by drawing again. Of rows drawn so
some are kept, by the weight p(row) that whole rows have, over the density they were drawn with. So either way the law is
that of unconditional rows which meet the conditions; what G learnt of known cells settles how many draws that takes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
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
_OFTEN = 1 / 40  # of unconditional rows: then these are drawn until enough meet the conditions
_LEAST_KEPT = 1 / 16  # of a chunk, however uneven its weights: beyond that they are cut

Generate = Callable[[int, Tensor, Tensor, Tensor | None], Tensor]
"""(number of the chunk, known rows (m, width), known (m, spans), entries never drawn) -> encoded rows (m, width)."""

Places = npt.NDArray[np.int64]

Weigh = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(number of the chunk, known rows, known, rows drawn) -> log p(row) - log p(unknown | known), (m,)."""


def rows_given(
    conditions: Conditions, generate: Generate, weigh: Weigh, n: int, seed: int
) -> tuple[pd.DataFrame, Places]:
    """Return n rows that meet the conditions, and where they were drawn, (n,): CHUNK times the chunk, plus the row in it.

    The first rows do not depend on n.

    Raises InputError where next to no draw meets all of them.
    """
    kept: list[pd.DataFrame] = []
    places: list[Places] = []
    found, tries, whole = 0, 0, True
    while found < n:
        if tries >= _TRIES and found < _LEAST_SHARE * tries * CHUNK:
            raise InputError(
                f"Of {tries * CHUNK:,} rows drawn, {found:,} meet {conditions.said} together: they are too rare to draw "
                f"{n:,}; ask for fewer rows or leave a condition out."
            )
        if whole:
            frame, chosen = _of_whole_rows(conditions, generate, tries)
        else:
            frame, chosen = _of_known_cells(conditions, generate, weigh, tries, seed)
        good = conditions.accepted(frame, exact=whole)
        if tries == 0:
            whole = good.sum() >= _OFTEN * CHUNK
        kept.append(frame if good.all() else frame[good])
        places.append(tries * CHUNK + chosen[good])
        found, tries = found + int(good.sum()), tries + 1
    return pd.concat(kept, ignore_index=True).iloc[:n], np.concatenate(places)[:n]


def _of_whole_rows(conditions: Conditions, generate: Generate, chunk: int) -> tuple[pd.DataFrame, Places]:
    """Return the rows of a chunk drawn without a condition, and their numbers."""
    encoder = conditions.encoder
    nothing = torch.zeros(CHUNK, encoder.shape[0]), torch.zeros(CHUNK, len(encoder.spans))
    return encoder.decode(generate(chunk, *nothing, None)), np.arange(CHUNK)


def _of_known_cells(
    conditions: Conditions, generate: Generate, weigh: Weigh, chunk: int, seed: int
) -> tuple[pd.DataFrame, Places]:
    """Return those rows of a chunk drawn given known cells that their weights keep, and their numbers."""
    encoder = conditions.encoder
    levels, known = conditions.known(CHUNK, compute.numpy_stream(seed, "given", chunk).random(CHUNK))
    rows = _expanded(encoder, levels, seed, chunk)
    mask = torch.from_numpy(known).float().expand(CHUNK, -1)
    drawn = generate(chunk, rows, mask, None)
    weights = weigh(chunk, rows, mask, drawn) - encoder.log_shares(rows, mask)
    chosen = kept_by(weights, compute.stream(seed, "given/kept", chunk))
    return conditions.written(encoder.decode(drawn[chosen])), np.flatnonzero(chosen.numpy())


def kept_by(log_weights: Tensor, draws: torch.Generator) -> Tensor:
    """Return which of m rows are kept, (m,) booleans: each with the chance min(1, weight / c).

    c is the largest weight, or so much less that a sixteenth of the rows is kept on average.
    """
    weights = torch.exp(log_weights.double() - log_weights.max())
    m = len(weights)
    most = int(_LEAST_KEPT * m)
    # With the k heaviest cut, k + (sum of the others) / c rows are kept: c by that, for the first k it agrees with.
    heaviest = weights.sort(descending=True).values
    others = heaviest.flip(0).cumsum(0).flip(0)[: most or 1]
    cuts = others / (_LEAST_KEPT * m - torch.arange(len(others)))
    cut = cuts[heaviest[: len(cuts)] <= cuts][:1].clamp_max(1.0)
    return (
        torch.rand(m, generator=draws, dtype=torch.float64) * (float(cut) if len(cut) else float(cuts[-1]))
        < weights
    )


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
