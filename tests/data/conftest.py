"""Rows as generators make them, for tests of encoded tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from saddlepoint.data.transforms.table import TableTransformer


def rows_of_a_generator(encoder: TableTransformer, rows: int, seed: int = 0) -> torch.Tensor:
    """Rows as a generator makes them: an entry of each feature block, any normal score where the entry is "other"."""
    rng = np.random.default_rng(seed)
    entries, scores, fixed = [], [], encoder.entry_scores.numpy()
    at = 0
    for size, scored in encoder.layout:
        taken = rng.integers(0, max(1, size), rows)
        if size:
            entries.append(np.eye(size)[taken])
        if scored:
            free = rng.normal(size=rows)
            scores.append(np.where(taken == size - 1, free, fixed[at + taken]) if size else free)
        at += size
    return torch.from_numpy(np.column_stack([*entries, *scores])).float()


@pytest.fixture
def drawn() -> Callable[..., torch.Tensor]:
    return rows_of_a_generator
