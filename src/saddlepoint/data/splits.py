"""The split into training rows, validation rows (monitor: read between rounds) and test rows (vault: read once, at the end).

Monitor and vault get 10 % of the rows each, at most 10,000. Below 50 rows nothing is held out, because a part of fewer
than 5 rows measures nothing. All rows of one group go to one part, so sizes are then approximate.

Identical rows are kept together like a group, so that no held-out row is also a training row. This holds for pictures
always, and for points if at most 5 % of the rows have a duplicate. If more do, duplicates are a property of the data (a
grid of whole numbers, say). Keeping them together would give each part values of its own, and even a perfect generator
would be judged wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from saddlepoint.errors import InputError, at_least

SHARE = 0.1
LARGEST_PART = 10_000
SMALLEST_SPLIT = 50
MOST_DUPLICATES = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Splits:
    """Ascending row numbers of each part.

    train: rows that the players see.
    monitor: validation rows.
    vault: test rows.
    tied: number of rows kept together because they are identical.
    """

    train: npt.NDArray[np.int64]
    monitor: npt.NDArray[np.int64]
    vault: npt.NDArray[np.int64]
    tied: int = 0

    def describe(self) -> str:
        """Return one sentence: "80 training rows, 10 validation rows (monitor), 10 test rows (vault)"."""
        text = f"{len(self.train):,} training rows, {len(self.monitor):,} validation rows (monitor)"
        text += f", {len(self.vault):,} test rows (vault)"
        if len(self.monitor) + len(self.vault) == 0:
            text += f" (below {SMALLEST_SPLIT} rows nothing is held out by default)"
        if self.tied:
            text += f"; {self.tied:,} identical rows were kept together"
        return text


def split_rows(
    n: int,
    *,
    seed: int,
    groups: npt.ArrayLike | None = None,
    rows: npt.NDArray[Any] | None = None,
    monitor: int | float | None = None,
    vault: int | float | None = None,
) -> Splits:
    """Split n rows at random, by the rules above.

    Args:
        n: number of rows, at least 2.
        seed: a whole number >= 0; the same seed gives the same parts with every version of numpy.
        groups: (n,) group of each row; rows of one group stay in one part.
        rows: (n, ...) the rows themselves, to keep identical ones together.
        monitor: number of validation rows (int) or their share (float below 1); None: by the rules; 0: none.
        vault: the same for the test rows; give 0 when they are in a file of their own (`--holdout`).

    Raises:
        InputError: n < 2, parts that leave no training rows, groups of another length, or too few groups.
    """
    if n < 2:
        raise InputError(f"{n} row cannot be split; at least 2 rows are needed.")
    at_least("seed", seed, 0)
    wanted = {"vault": _size(vault, n, "vault"), "monitor": _size(monitor, n, "monitor")}
    if sum(wanted.values()) >= n:
        raise InputError(
            f"monitor ({wanted['monitor']:,}) and vault ({wanted['vault']:,}) leave no training rows "
            f"of {n:,}; give smaller parts."
        )
    codes, tied = _codes(n, groups, rows)
    sizes = np.bincount(codes)
    parts = 1 + sum(size > 0 for size in wanted.values())
    if len(sizes) < parts:
        what = "groups" if groups is not None else "distinct rows"
        raise InputError(
            f"{len(sizes)} {what} cannot be split into {parts} parts, because each stays whole; "
            f"at least {parts} {what} are needed (or give monitor=0, vault=0)."
        )
    # numpy guarantees that the raw bits of PCG64 never change between versions; Generator's methods may change.
    stream = np.random.PCG64(np.random.SeedSequence([int(seed), 0x73706C69]))
    order = np.argsort(stream.random_raw(len(sizes)), kind="stable")
    part = np.zeros(len(sizes), dtype=np.int8)
    parts_left = parts - 1
    for number, name in enumerate(("vault", "monitor"), start=1):
        if wanted[name]:
            parts_left -= 1
            part[_draw(order[part[order] == 0], sizes, wanted[name], spare=parts_left + 1)] = number
    row_part = part[codes]
    train, vault_rows, monitor_rows = (
        np.flatnonzero(row_part == number).astype(np.int64) for number in range(3)
    )
    return Splits(train=train, monitor=monitor_rows, vault=vault_rows, tied=tied)


def refuse_large_batch(batch: int | None, rows: int) -> None:
    """Refuse a given batch size that is larger than the number of training rows.

    Raises:
        InputError: each batch would hold rows twice.
    """
    if batch is not None and batch > rows:
        raise InputError(
            f"A batch of {batch} is larger than the {rows:,} training rows, so each batch would hold rows twice; "
            f"give at most {rows}."
        )


def _size(given: int | float | None, n: int, name: str) -> int:
    """Return the number of rows that a part should have."""
    if given is None:
        return 0 if n < SMALLEST_SPLIT else min(int(n * SHARE), LARGEST_PART)
    if isinstance(given, float) and 0 <= given < 1:
        return int(n * given)
    if isinstance(given, (int, np.integer)) and given >= 0:
        return int(given)
    raise InputError(f"{name} is {given}; give a number of rows (0 or more) or a share below 1.")


def _draw(order: npt.NDArray[np.intp], sizes: npt.NDArray[np.intp], target: int, *, spare: int) -> list[int]:
    """Return the first groups in `order` that reach `target` rows, and leave at least `spare` groups.

    A group that would bring the part above twice its target is skipped; if all would, the smallest is taken.
    """
    chosen: list[int] = []
    total = 0
    for group in order:
        if total >= target or len(order) - len(chosen) <= spare:
            break
        if total + sizes[group] <= 2 * target:
            chosen.append(int(group))
            total += int(sizes[group])
    return chosen or [int(order[np.argmin(sizes[order])])]


def _codes(
    n: int, groups: npt.ArrayLike | None, rows: npt.NDArray[Any] | None
) -> tuple[npt.NDArray[np.intp], int]:
    """Return for each row the number of its unit (rows that stay together), and the number of identical rows tied."""
    for word, values in (("groups", groups), ("rows", rows)):
        if values is not None and len(np.asarray(values)) != n:
            raise InputError(f"{len(np.asarray(values)):,} {word} for {n:,} rows; give one for each row.")
    grouped = (
        np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    )
    if rows is None:
        return grouped, 0
    same = _identical(rows)
    counts = np.bincount(same)
    tied = int(counts[counts > 1].sum())
    if tied == 0 or (rows.ndim == 2 and tied > MOST_DUPLICATES * n):
        return grouped, 0
    if groups is None:
        return same, tied
    return linked(grouped, same), tied


def linked(one: npt.NDArray[np.intp], other: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return the unit of each row, (n,): rows are in one unit if a chain of equal codes in `one` or `other` links them.

    Units are numbered in the order of their smallest code in `one`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = int(one.max() + other.max()) + 2
    links = coo_array((np.ones(len(one)), (one, one.max() + 1 + other)), shape=(size, size))
    component = connected_components(links, directed=False)[1][one]
    return np.unique(component, return_inverse=True)[1].ravel()


def numbered(keys: Iterable[Hashable]) -> npt.NDArray[np.intp]:
    """Return the number of each key, (n,), in the order of first appearance; equal keys have one number."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.intp)


def _identical(rows: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return a code for each row, equal for identical rows (0.0 and -0.0 are equal)."""
    zero = rows.dtype.type(0) if rows.dtype.kind == "f" else None
    plain = (row if zero is None else row + zero for row in rows)
    return numbered(hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in plain)
