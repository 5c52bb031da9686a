"""Which rows are played when is a function of (seed, round), and every epoch meets every row once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saddlepoint.data.encoders import fit_encoder
from saddlepoint.data.opening import open_source
from saddlepoint.fitting import batches as batches_room
from saddlepoint.fitting.batches import Batches, RowOrder
from saddlepoint.training import ProcessRank, Settings


def test_each_epoch_is_a_permutation_of_all_rows() -> None:
    order = RowOrder(10, seed=3)
    rows = order.rows(0, 30)
    for epoch in range(3):
        assert sorted(rows[10 * epoch : 10 * epoch + 10]) == list(range(10))
    assert list(rows[:10]) != list(rows[10:20])


@pytest.mark.parametrize("size", [1, 3, 7, 10, 25])
def test_the_order_does_not_depend_on_how_it_is_asked_for(size: int) -> None:
    whole = RowOrder(10, seed=3).rows(0, 50)
    backwards = RowOrder(10, seed=3)
    parts = {start: backwards.rows(start, min(size, 50 - start)) for start in reversed(range(0, 50, size))}
    assert np.array_equal(whole, np.concatenate([parts[start] for start in sorted(parts)]))
    assert not np.array_equal(whole, RowOrder(10, seed=4).rows(0, 50))


def make_batches(settings: Settings, process: ProcessRank | None = None, codes: bool = False) -> Batches:
    rng = np.random.default_rng(0)
    dataset = open_source(rng.normal(size=(40, 2)))
    return Batches(
        dataset,
        fit_encoder(dataset),
        settings=settings,
        process=process or ProcessRank(),
        device=torch.device("cpu"),
        codes=np.arange(40) % 3 if codes else None,
        class_count=3 if codes else 0,
    )


def test_a_resumed_run_meets_the_rows_it_would_have_met() -> None:
    settings = Settings(horizon=9, batch=16, discriminator_steps=2)
    stream = make_batches(settings).from_round(0)
    whole = [next(stream)[0] for _ in range(10)]
    later = make_batches(settings).from_round(3)
    assert all(torch.equal(next(later)[0], whole[index]) for index in range(6, 10))


def test_the_ranks_slices_make_the_global_batch_and_conditions_go_with_their_rows() -> None:
    settings = Settings(horizon=9, batch=12)
    whole_rows, whole_codes = next(make_batches(settings, codes=True).from_round(2))
    parts = [
        next(make_batches(settings, ProcessRank(rank, 3), codes=True).from_round(2)) for rank in range(3)
    ]
    assert torch.equal(whole_rows, torch.cat([rows for rows, _ in parts]))
    assert torch.equal(whole_codes, torch.cat([codes for _, codes in parts]))
    chosen = RowOrder(40, settings.seed).rows(24, 12)
    assert torch.equal(whole_codes.argmax(1), torch.from_numpy(chosen % 3))


def test_large_data_are_encoded_batch_by_batch_to_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(horizon=9, batch=16)
    resident = next(make_batches(settings).from_round(1))[0]
    monkeypatch.setattr(batches_room, "_RESIDENT_BYTES", 0)
    assert torch.equal(next(make_batches(settings).from_round(1))[0], resident)
