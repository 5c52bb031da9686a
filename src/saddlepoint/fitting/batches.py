"""Minibatches: the rows of a round are a function of (seed, round), so that a resumed run sees the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saddlepoint.compute import numpy_generator, random_generator
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.encoders import Encoder
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.training import ProcessRank, Settings

_RESIDENT_BYTES = 2**30
_MASKED = 0.5  # share of rows with known cells; the other half trains the drawing of whole rows


class RowOrder:
    """An endless order of n rows: each epoch is a fresh permutation keyed by (seed, epoch)."""

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed = n, seed
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def rows(self, start: int, count: int) -> np.ndarray[Any, Any]:
        """Return the row numbers at positions start ... start + count - 1 of the order."""
        parts = []
        while count > 0:
            epoch, offset = divmod(start, self.n)
            if epoch != self._epoch:
                self._epoch, self._order = (
                    epoch,
                    numpy_generator(self.seed, "rows", epoch).permutation(self.n),
                )
            part = self._order[offset : offset + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return np.concatenate(parts)


class Batches:
    """Encoded minibatches of training rows, and one-hot conditions where the model learns P(x | y).

    Small data are encoded once and stay on the device; larger data are encoded batch by batch. For a table the codes of its
    cells stay on the device, and features are made for every batch, with new random normal scores within ties.

    rows: training rows.
    encoder: their fitted encoder.
    settings: settings of the game (batch size, seed).
    process: this process among the ranks of the game.
    device: where encoded rows are kept.
    codes: class number of each row, (n,), None without classes.
    class_count: number of classes.
    masked: for a MADE generator: the condition is [classes | rows | known], with random known columns in each row.
    """

    def __init__(
        self,
        rows: Dataset,
        encoder: Encoder,
        *,
        settings: Settings,
        process: ProcessRank,
        device: torch.device,
        codes: np.ndarray[Any, Any] | None = None,
        class_count: int = 0,
        masked: bool = False,
    ) -> None:
        self.settings, self.process = settings, process
        self.order = RowOrder(len(rows), settings.seed)
        self._rows, self._encoder = rows.rows, encoder
        self._codes = (
            None if codes is None else torch.from_numpy(np.asarray(codes, dtype=np.int64)).to(device)
        )
        self._class_count = class_count
        self._cell_codes = (
            encoder.to_codes(rows.rows).to(device) if isinstance(encoder, TableTransformer) else None
        )
        self._groups: Tensor | None = None
        if masked and isinstance(encoder, TableTransformer):
            self._groups = torch.tensor(encoder.columns_of_blocks)
        self._resident: Tensor | None = None
        if self._cell_codes is not None:
            return
        encoded_bytes = 4 * len(rows) * int(np.prod(encoder.shape))
        if encoded_bytes <= _RESIDENT_BYTES:
            self._resident = encoder.encode(rows.rows).to(device)

    @property
    def cell_codes(self) -> Tensor:
        """The codes of all cells of a table, (n, feature blocks).

        Raises:
            ValueError: the rows are not a table.
        """
        if self._cell_codes is None:
            raise ValueError("only tables have cell codes")
        return self._cell_codes

    def from_round(self, round_: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield this rank's batches (rows, condition or None) from a round on, without end."""
        batch = self.settings.batch
        size = batch // self.process.count
        position = round_ * self.settings.discriminator_steps * batch
        while True:
            mine = slice(self.process.rank * size, (self.process.rank + 1) * size)
            chosen = self.order.rows(position, batch)[mine]
            rows = self._encoded(chosen, position, mine)
            yield rows, self._with_known_cells(rows, self._condition(chosen), position, mine)
            position += batch

    def _encoded(self, chosen: np.ndarray[Any, Any], position: int, mine: slice) -> Tensor:
        if self._cell_codes is not None and isinstance(self._encoder, TableTransformer):
            draws = random_generator(self.settings.seed, "scores", position // self.settings.batch)
            uniforms = torch.rand(self.settings.batch, self._encoder.draws, generator=draws)[mine]
            cell_codes = picked(self._cell_codes, chosen)
            return self._encoder.to_features(cell_codes, uniforms.to(self._cell_codes.device))
        if self._resident is None:
            return self._encoder.encode(self._rows[chosen])
        return picked(self._resident, chosen)

    def _condition(self, chosen: np.ndarray[Any, Any]) -> Tensor | None:
        if self._codes is None:
            return None
        return torch.nn.functional.one_hot(picked(self._codes, chosen), self._class_count).float()

    def _with_known_cells(
        self, rows: Tensor, classes: Tensor | None, position: int, mine: slice
    ) -> Tensor | None:
        """Return the condition: classes, and for a MADE generator the rows with a random mask of known cells."""
        if self._groups is None:
            return classes
        draws = random_generator(self.settings.seed, "known", position // self.settings.batch)
        known = masks(self.settings.batch, self._groups, draws)[mine].to(rows.device, rows.dtype)
        return torch.cat([*([] if classes is None else [classes]), rows, known], 1)


def masks(rows: int, groups: Tensor, generator: torch.Generator) -> Tensor:
    """Return a random mask of known feature blocks, (rows, feature blocks), 0 or 1.

    In half of the rows nothing is known. In a quarter one column is known, because most conditions name one. In the last
    quarter each column is known with a probability drawn from uniform(0, 1) for the row, so that every number of known
    columns is equally likely.

    rows: number of rows.
    groups: the column of each feature block, (feature blocks,).
    generator: source of the random numbers.
    """
    columns = int(groups.max()) + 1 if len(groups) else 0
    kind = torch.rand(rows, 1, generator=generator)
    chance = torch.rand(rows, 1, generator=generator)
    draws = torch.rand(rows, columns, generator=generator)
    alone = draws == draws.amax(1, keepdim=True)
    known = torch.where(kind < _MASKED / 2, alone, (draws < chance) & (kind < _MASKED))
    return known[:, groups].float()


def picked(rows: Tensor, chosen: np.ndarray[Any, Any]) -> Tensor:
    """Return the chosen rows: index_select takes a third of the time of rows[chosen]."""
    return rows.index_select(0, torch.from_numpy(chosen).to(rows.device))
