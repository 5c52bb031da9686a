"""Two ranks play the same game as one: gradients are averaged over equal slices of one global batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from saddlepoint.compute import leave_process_group
from saddlepoint.errors import InputError
from saddlepoint.networks import MaxoutDiscriminator, ResidualGenerator
from saddlepoint.training import Game, PenaltySettings, ProcessRank, Schedule, Settings, checkpoint, rounds


def make_game(process: ProcessRank, *, seed: int = 0) -> Game:
    """A game with dropout masks, both penalties, a penalty between, and relativistic pairs: all that is drawn."""
    weight = Schedule(start=0.5)
    settings = Settings(
        horizon=40,
        batch=12,
        noise_width=4,
        objective="relativistic",
        penalties=tuple(
            PenaltySettings(name=name, weight=weight) for name in ("r1", "r2", "gradient-penalty")
        ),
        average=0.1,
        precision="float64",
    )
    torch.manual_seed(seed)
    return Game(
        ResidualGenerator(noise_width=4, shape=[3], width=8),
        MaxoutDiscriminator(shape=[3], hidden=[6], initial_range=0.5),
        settings,
        process=process,
    )


def batches(process: ProcessRank, start: int):
    for index in range(start, 10**9):
        rows = torch.randn(12, 3, generator=torch.Generator().manual_seed(index), dtype=torch.float64)
        yield process.part(rows)


def play_as_rank(rank: int, folder: str, count: int) -> None:
    """Play that many rounds as one of two gloo ranks; rank 1 begins with other weights, and agrees."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    process = ProcessRank.of_this_process()
    game = make_game(process, seed=rank)
    records = [record.to_dict() for record in rounds(game, batches(process, 0), count)]
    if rank == 0:
        checkpoint.save(
            Path(folder) / "checkpoint", game.round, checkpoint.state_of(game), {"records": records}
        )
    leave_process_group()


def two_ranks(folder: Path, count: int) -> checkpoint.Checkpoint:
    context = torch.multiprocessing.get_context("forkserver")
    workers = [context.Process(target=play_as_rank, args=(rank, str(folder), count)) for rank in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    found = checkpoint.load(folder / "checkpoint")
    assert found is not None
    return found


@pytest.mark.slow
def test_two_gloo_ranks_are_one_process_and_may_be_changed_on_the_way(tmp_path: Path) -> None:
    alone = make_game(ProcessRank())
    records = [record.to_dict() for record in rounds(alone, batches(ProcessRank(), 0), 8)]
    shared = two_ranks(tmp_path, 8)
    for name, value in checkpoint.state_of(alone).items():
        assert torch.allclose(value, shared.tensors[name], rtol=0, atol=1e-10), name
    for one, two in zip(records, shared.facts["records"], strict=True):
        assert two == pytest.approx(one, abs=1e-10)
    # From here one process goes on with what two had played.
    list(rounds(alone, batches(ProcessRank(), 8), 3))
    single = make_game(ProcessRank())
    checkpoint.restore(single, shared)
    list(rounds(single, batches(ProcessRank(), 8), 3))
    for name, value in checkpoint.state_of(alone).items():
        assert torch.allclose(value, checkpoint.state_of(single)[name], rtol=0, atol=1e-10), name


def test_a_batch_that_cannot_be_shared_is_told() -> None:
    with pytest.raises(InputError, match=r"batch of 12 .* 5 processes"):
        make_game(ProcessRank(0, 5))


def test_a_batch_averaged_objective_is_refused_on_several_ranks() -> None:
    settings = Settings(horizon=4, batch=12, noise_width=4, objective="relativistic-average")
    with pytest.raises(InputError, match=r"relativistic-average.*2 processes or micro-batches"):
        Game(torch.nn.Linear(4, 3), torch.nn.Linear(3, 1), settings, process=ProcessRank(0, 2))


def test_parts_cover_the_global_batch_in_order() -> None:
    rows = torch.arange(12)
    assert torch.equal(torch.cat([ProcessRank(rank, 3).part(rows) for rank in range(3)]), rows)
