"""Data-parallel training with torch.distributed: each rank takes a slice of the global batch, gradients are averaged.

Every loss is a mean over samples and all slices have the same size, so the mean of the ranks' gradients is the gradient
of the global batch: N ranks play the same game as one process, up to the order of float additions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from saddlepoint.compute import rank_and_count
from saddlepoint.errors import InputError


@dataclass(frozen=True)
class ProcessRank:
    """One process of a group that plays one game: its rank, 0 to count - 1, and the number of processes."""

    rank: int = 0
    count: int = 1

    @classmethod
    def of_this_process(cls) -> ProcessRank:
        """Return the rank of this process in torch's default process group; rank 0 of 1 without a group."""
        return cls(*rank_and_count())

    def check_batch(self, batch: int) -> None:
        """Refuse a global batch that cannot be split into equal slices.

        Raises:
            InputError: the batch is not a multiple of the number of ranks.
        """
        if batch % self.count:
            raise InputError(
                f"A batch of {batch} rows cannot be split equally over {self.count} processes: "
                f"use a batch that is a multiple of {self.count}, or another number of processes."
            )

    def part(self, rows: Tensor) -> Tensor:
        """Return this rank's slice of rows or draws (batch, ...) of the global batch."""
        size = len(rows) // self.count
        return rows[self.rank * size : (self.rank + 1) * size]

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their means over the ranks, in place, with one all-reduce."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(flat)
        flat /= self.count
        for tensor, mean in zip(
            tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True
        ):
            tensor.copy_(mean.view_as(tensor))

    def agree_(self, modules: Sequence[nn.Module]) -> None:
        """Copy rank 0's parameters and buffers to all ranks."""
        if self.count > 1:
            for module in modules:
                for tensor in (*module.parameters(), *module.buffers()):
                    torch.distributed.broadcast(tensor.data, src=0)
