"""Which rows are played in which round: a function of (seed, round), so that a resumed run meets the same rows."""

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
_MASKED = 0.5  # rows of a batch with known cells: drawing whole rows stays half of the practice


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

    Small data are encoded once and stay on the device; larger ones are encoded batch by batch. Of a table the levels stay,
    and its scores are drawn anew for every batch, by the stream of its place in the order. masked: the condition is
    [classes | rows | known], with columns of each row known at random, as an ordered generator takes it.
    """

    def __init__(
        self,
        rows: Dataset,
        encoder: Encoder,
        *,
        settings: Settings,
        share: ProcessRank,
        device: torch.device,
        codes: np.ndarray[Any, Any] | None = None,
        class_count: int = 0,
        masked: bool = False,
    ) -> None:
        self.settings, self.share = settings, share
        self.order = RowOrder(len(rows), settings.seed)
        self._rows, self._encoder = rows.rows, encoder
        self._codes = (
            None if codes is None else torch.from_numpy(np.asarray(codes, dtype=np.int64)).to(device)
        )
        self._class_count = class_count
        self._levels = (
            encoder.compact(rows.rows).to(device) if isinstance(encoder, TableTransformer) else None
        )
        self._groups: Tensor | None = None
        if masked and isinstance(encoder, TableTransformer):
            self._groups = torch.tensor(encoder.columns_of_spans)
        self._resident: Tensor | None = None
        if self._levels is not None:
            return
        encoded_bytes = 4 * len(rows) * int(np.prod(encoder.shape))
        if encoded_bytes <= _RESIDENT_BYTES:
            self._resident = encoder.encode(rows.rows).to(device)

    @property
    def levels(self) -> Tensor:
        """Return the levels of all rows of a table, (n, spans).

        Raises:
            ValueError: these rows are no table.
        """
        if self._levels is None:
            raise ValueError("only a table has levels")
        return self._levels

    def from_round(self, round_: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield this rank's batches from a round on, for ever."""
        batch = self.settings.batch
        size = batch // self.share.count
        position = round_ * self.settings.discriminator_steps * batch
        while True:
            mine = slice(self.share.rank * size, (self.share.rank + 1) * size)
            chosen = self.order.rows(position, batch)[mine]
            rows = self._encoded(chosen, position, mine)
            yield rows, self._partly(rows, self._condition(chosen), position, mine)
            position += batch

    def _encoded(self, chosen: np.ndarray[Any, Any], position: int, mine: slice) -> Tensor:
        if self._levels is not None and isinstance(self._encoder, TableTransformer):
            draws = random_generator(self.settings.seed, "scores", position // self.settings.batch)
            uniforms = torch.rand(self.settings.batch, self._encoder.draws, generator=draws)[mine]
            levels = picked(self._levels, chosen)
            return self._encoder.expand(levels, uniforms.to(self._levels.device))
        if self._resident is None:
            return self._encoder.encode(self._rows[chosen])
        return picked(self._resident, chosen)

    def _condition(self, chosen: np.ndarray[Any, Any]) -> Tensor | None:
        if self._codes is None:
            return None
        return torch.nn.functional.one_hot(picked(self._codes, chosen), self._class_count).float()

    def _partly(self, rows: Tensor, classes: Tensor | None, position: int, mine: slice) -> Tensor | None:
        if self._groups is None:
            return classes
        draws = random_generator(self.settings.seed, "known", position // self.settings.batch)
        known = masks(self.settings.batch, self._groups, draws)[mine].to(rows.device, rows.dtype)
        return torch.cat([*([] if classes is None else [classes]), rows, known], 1)


def masks(rows: int, groups: Tensor, generator: torch.Generator) -> Tensor:
    """Return which spans of each row are known, (rows, spans), 0 or 1: none in half of the rows.

    In a quarter one column is known, since most conditions name one; in the others each is known with a chance drawn for
    the row, uniform(0, 1), so that every number of known columns is met as often. groups (spans,): the column of each span.
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
