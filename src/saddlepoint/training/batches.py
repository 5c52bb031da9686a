"""Rows from whatever batches a user has: tensors, arrays, lists of them, a DataLoader, or an iterator without end."""

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
    """Yield rows (rows, ...) or pairs (rows, condition), pass after pass as long as the batches can be iterated again.

    A batch is a tensor or a numpy array of rows, a list or tuple of one (rows) or of two (rows and condition). The last
    batch of a pass may be shorter and is then left out, with a warning. A true iterator ends where it ends.

    Raises:
        InputError: these are no batches, there is none, or a batch has another number of rows than the first.
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
            made = as_rows(batch)
            count = len(made[0] if isinstance(made, tuple) else made)
            if short is not None or (count > rows and not first):
                position, found = (number - 1, short) if short is not None else (number, count)
                raise InputError(
                    f"Batch {position} has {found} rows, the settings say {rows} for this process; only the last batch "
                    "of a pass may be shorter: give batches of one size."
                )
            if count < rows and not first:
                short = count  # left out if it proves to be the last
                continue
            first, given = False, given + 1
            yield made
        if source is batches:  # an iterator: it does not begin again
            return
        if given == 0:
            raise InputError(
                "The batches hold nothing: give at least one batch of rows."
                if short is None
                else f"The batches hold no whole batch of {rows} rows."
            )
        if short is not None and not warned:
            warned = True
            warnings.warn(
                f"The last batch of each pass has {short} rows, the settings say {rows}, so it is left out; "
                "shuffle the rows, as DataLoader(..., shuffle=True, drop_last=True) does.",
                stacklevel=2,
            )


def as_rows(batch: object) -> Rows:
    """Return a batch as a tensor of rows, or as a pair (rows, condition).

    Raises:
        InputError: it is neither, or rows and condition differ in number.
    """
    parts = list(batch) if isinstance(batch, list | tuple) else [batch]
    if len(parts) > 2:
        raise InputError(
            f"A batch holds {len(parts)} things; it must be rows, or a pair (rows, condition): "
            "give (first, second) of them, or rows alone."
        )
    rows = _tensor(parts[0] if parts else None)
    if len(parts) < 2:
        return rows
    condition = None if parts[1] is None else _tensor(parts[1])
    if condition is not None and (condition.ndim == 0 or len(condition) != len(rows)):
        raise InputError(
            f"A batch holds {len(rows)} rows and a condition of shape {tuple(condition.shape)}; "
            "give one condition a row."
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
