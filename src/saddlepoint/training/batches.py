"""An endless stream of batches from tensors, arrays, lists of them, a DataLoader or any iterator."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saddlepoint.errors import InputError
from saddlepoint.training.game import Rows


def endless_batches(batches: Any, rows: int) -> Iterator[Rows]:
    """Yield batches of rows or pairs (rows, condition), starting again whenever the batches are used up.

    The last batch of a pass may be shorter; it is then left out, with a warning. An iterator cannot start again, so the
    stream ends when it ends.

    batches: an iterable of batches. A batch is a tensor or a numpy array of rows, or a list or tuple (rows,) or (rows,
        condition).
    rows: the number of rows of a batch.

    Raises:
        InputError: this is not an iterable of batches, it is empty, or a batch has another number of rows than the first.
    """
    if isinstance(batches, Tensor | np.ndarray):
        split = "data.split" if isinstance(batches, Tensor) else "torch.from_numpy(data).split"
        raise InputError(
            f"The batches are one {type(batches).__name__} of shape {tuple(batches.shape)}; "
            f"give batches of {rows} rows, for example {split}({rows}) or a DataLoader."
        )
    if not isinstance(batches, Iterable) and not hasattr(batches, "__getitem__"):
        raise InputError(
            f"The batches are a {type(batches).__name__}, which cannot be iterated; give a list of tensors, a DataLoader "
            "or an iterator."
        )
    first, warned = True, False
    while True:
        source = iter(batches)
        given, short = 0, None
        for number, batch in enumerate(source):
            converted = as_rows(batch)
            count = len(converted[0] if isinstance(converted, tuple) else converted)
            if short is not None or (count > rows and not first):
                position, found = (number - 1, short) if short is not None else (number, count)
                raise InputError(
                    f"Batch {position} has {found} rows, the settings say {rows} for this process; only the last batch "
                    "of a pass may be shorter: give batches of one size."
                )
            if count < rows and not first:
                short = count  # left out if no batch follows
                continue
            first, given = False, given + 1
            yield converted
        if source is batches:  # an iterator: it cannot start again
            return
        if given == 0:
            raise InputError(
                "The batches are empty: give at least one batch of rows."
                if short is None
                else f"The batches hold no whole batch of {rows} rows: give more rows, or a smaller batch in the settings."
            )
        if short is not None and not warned:
            warned = True
            warnings.warn(
                f"The last batch of each pass has {short} rows, the settings say {rows}, so it is left out; "
                "shuffle the rows in every pass, for example with DataLoader(..., shuffle=True, drop_last=True).",
                stacklevel=2,
            )


def as_rows(batch: object) -> Rows:
    """Return a batch as a tensor of rows, or as a pair (rows, condition).

    Raises:
        InputError: it is neither, or rows and condition have different lengths.
    """
    parts = list(batch) if isinstance(batch, list | tuple) else [batch]
    if len(parts) > 2:
        raise InputError(
            f"A batch holds {len(parts)} items; it must be rows, or a pair (rows, condition): "
            "give two of them, or rows alone."
        )
    rows = _tensor(parts[0] if parts else None)
    if len(parts) < 2:
        return rows
    condition = None if parts[1] is None else _tensor(parts[1])
    if condition is not None and (condition.ndim == 0 or len(condition) != len(rows)):
        raise InputError(
            f"A batch holds {len(rows)} rows and a condition of shape {tuple(condition.shape)}; "
            "give one condition for each row."
        )
    return rows, condition


def _tensor(part: object) -> Tensor:
    if isinstance(part, np.ndarray) and part.dtype.kind in "biuf":
        part = torch.from_numpy(np.ascontiguousarray(part.astype(part.dtype.newbyteorder("="), copy=False)))
    if not isinstance(part, Tensor) or part.ndim == 0:
        what = f"an array of {part.dtype}" if isinstance(part, np.ndarray) else f"a {type(part).__name__}"
        if isinstance(part, Tensor):
            what = "a single number"
        raise InputError(
            f"A batch holds {what}; it must be a torch tensor or a numpy array of rows, or a pair (rows, condition)."
        )
    return part
