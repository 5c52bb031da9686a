"""Which rows are played in which round: a function of (seed, round), so that a resumed run meets the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saddlepoint.compute import numpy_stream, stream
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.encoding import Encoder
from saddlepoint.data.table_encoder import TableEncoder
from saddlepoint.training import Settings, Share

_RESIDENT_BYTES = 2**30


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
                self._epoch, self._order = epoch, numpy_stream(self.seed, "rows", epoch).permutation(self.n)
            part = self._order[offset : offset + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return np.concatenate(parts)


class Batches:
    """Encoded minibatches of training rows, and one-hot conditions where the model learns P(x | y).

    Small data are encoded once and stay on the device; larger ones are encoded batch by batch. Of a table the levels stay,
    and its scores are drawn anew for every batch, by the stream of its place in the order.
    """

    def __init__(
        self,
        rows: Dataset,
        encoder: Encoder,
        *,
        settings: Settings,
        share: Share,
        device: torch.device,
        codes: np.ndarray[Any, Any] | None = None,
        class_count: int = 0,
    ) -> None:
        self.settings, self.share = settings, share
        self.order = RowOrder(len(rows), settings.seed)
        self._rows, self._encoder = rows.rows, encoder
        self._codes = (
            None if codes is None else torch.from_numpy(np.asarray(codes, dtype=np.int64)).to(device)
        )
        self._class_count = class_count
        self._levels = encoder.compact(rows.rows).to(device) if isinstance(encoder, TableEncoder) else None
        self._resident: Tensor | None = None
        if self._levels is not None:
            return
        encoded_bytes = 4 * len(rows) * int(np.prod(encoder.shape))
        if encoded_bytes <= _RESIDENT_BYTES:
            self._resident = encoder.encode(rows.rows).to(device)

    def from_round(self, round_: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield this rank's batches from a round on, for ever."""
        batch = self.settings.batch
        size = batch // self.share.count
        position = round_ * self.settings.discriminator_steps * batch
        while True:
            mine = slice(self.share.rank * size, (self.share.rank + 1) * size)
            chosen = self.order.rows(position, batch)[mine]
            yield self._encoded(chosen, position, mine), self._condition(chosen)
            position += batch

    def _encoded(self, chosen: np.ndarray[Any, Any], position: int, mine: slice) -> Tensor:
        if self._levels is not None and isinstance(self._encoder, TableEncoder):
            draws = stream(self.settings.seed, "scores", position // self.settings.batch)
            uniforms = torch.rand(self.settings.batch, self._encoder.draws, generator=draws)[mine]
            levels = self._levels[torch.from_numpy(chosen).to(self._levels.device)]
            return self._encoder.expand(levels, uniforms.to(self._levels.device))
        if self._resident is None:
            return self._encoder.encode(self._rows[chosen])
        return self._resident[torch.from_numpy(chosen).to(self._resident.device)]

    def _condition(self, chosen: np.ndarray[Any, Any]) -> Tensor | None:
        if self._codes is None:
            return None
        codes = self._codes[torch.from_numpy(chosen).to(self._codes.device)]
        return torch.nn.functional.one_hot(codes, self._class_count).float()
