"""Who may see which row: train (the players), monitor (checks during training), vault (opened once, at the
end).

Rule. Monitor and vault get 10 % of the rows each, at most 10,000; below 50 rows nothing is held out (a part
of fewer than 5 rows measures nothing) and all rows train. Rows of one group all go to one part, so that sizes
are then approximate. Identical rows are tied together like a group, so that no held-out row lies in training:
pictures always, points as long as at most 1 row in 20 has a twin. Where more do, repetition belongs to the
data (a grid of whole numbers): tying would give each part values of its own, and a perfect generator would
look wrong.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from saddlepoint.errors import InputError

SHARE = 0.1
LARGEST_PART = 10_000
SMALLEST_SPLIT = 50
TWINS = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Splits:
    """Ascending row numbers of each part; `tied` counts the rows kept together because they are identical."""

    train: npt.NDArray[np.int64]
    monitor: npt.NDArray[np.int64]
    vault: npt.NDArray[np.int64]
    tied: int = 0

    def describe(self) -> str:
        """Return one sentence: "80 rows to train, 10 to monitor, 10 in the vault"."""
        text = f"{len(self.train):,} rows to train, {len(self.monitor):,} to monitor"
        text += f", {len(self.vault):,} in the vault"
        if len(self.monitor) + len(self.vault) == 0:
            text += f" (below {SMALLEST_SPLIT} rows nothing is held out unless asked)"
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
    """Split n rows by the rule above, at random by `seed`.

    Args:
        n: number of rows, at least 2.
        seed: a whole number >= 0; the same one gives the same parts with every version of numpy.
        groups: (n,) group of each row, never torn.
        rows: (n, ...) the rows themselves, to tie identical ones together.
        monitor: rows (int) or share (float below 1) for the monitor; None: by the rule; 0: none.
        vault: the same for the vault; give 0 when the vault is a file of its own (`--holdout`).

    Raises:
        InputError: n < 2, parts that leave no row to train, labels of another length, or too few groups.
    """
    if n < 2:
        raise InputError(f"{n} row cannot be split; at least 2 rows are needed.")
    if seed < 0:
        raise InputError(f"seed is {seed}; give a whole number, 0 or more.")
    wanted = {"vault": _size(vault, n, "vault"), "monitor": _size(monitor, n, "monitor")}
    if sum(wanted.values()) >= n:
        raise InputError(
            f"monitor ({wanted['monitor']:,}) and vault ({wanted['vault']:,}) leave nothing to train "
            f"of {n:,} rows; ask for less."
        )
    codes, tied = _codes(n, groups, rows)
    sizes = np.bincount(codes)
    parts = 1 + sum(size > 0 for size in wanted.values())
    if len(sizes) < parts:
        what = "groups" if groups is not None else "distinct rows"
        raise InputError(
            f"{len(sizes)} {what} cannot be split into {parts} parts, none of them torn; "
            f"at least {parts} {what} are needed (or ask for monitor=0, vault=0)."
        )
    # Raw bits of PCG64, unlike Generator's methods, are promised never to change between versions of numpy.
    stream = np.random.PCG64(np.random.SeedSequence([int(seed), 0x73706C69]))
    order = np.argsort(stream.random_raw(len(sizes)), kind="stable")
    part = np.zeros(len(sizes), dtype=np.int8)
    later = parts - 1
    for number, name in enumerate(("vault", "monitor"), start=1):
        if wanted[name]:
            later -= 1
            part[_draw(order[part[order] == 0], sizes, wanted[name], spare=later + 1)] = number
    row_part = part[codes]
    train, vaulted, monitored = (np.flatnonzero(row_part == number).astype(np.int64) for number in range(3))
    return Splits(train=train, monitor=monitored, vault=vaulted, tied=tied)


def refuse_large_batch(batch: int | None, rows: int) -> None:
    """Refuse a batch that someone chose larger than the rows to train on.

    Raises:
        InputError: each batch would hold rows twice.
    """
    if batch is not None and batch > rows:
        raise InputError(
            f"A batch of {batch} is more than the {rows:,} rows to train on, so that each batch would hold rows twice; "
            f"give at most {rows}."
        )


def _size(asked: int | float | None, n: int, name: str) -> int:
    """Return how many rows a part should have."""
    if asked is None:
        return 0 if n < SMALLEST_SPLIT else min(int(n * SHARE), LARGEST_PART)
    if isinstance(asked, float) and 0 <= asked < 1:
        return int(n * asked)
    if isinstance(asked, (int, np.integer)) and asked >= 0:
        return int(asked)
    raise InputError(f"{name} is {asked}; give a number of rows (0 or more) or a share below 1.")


def _draw(order: npt.NDArray[np.intp], sizes: npt.NDArray[np.intp], target: int, *, spare: int) -> list[int]:
    """Return groups, in the order given, that reach `target` rows, leaving at least `spare` groups.

    A group that would take the part beyond twice its target is passed over; if all would, the smallest goes
    in.
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
    """Return for each row the number of its unit, never torn, and how many rows are tied as identical."""
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
    if tied == 0 or (rows.ndim == 2 and tied > TWINS * n):
        return grouped, 0
    if groups is None:
        return same, tied
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = int(grouped.max()) + 1 + len(counts)
    links = coo_array((np.ones(n), (grouped, grouped.max() + 1 + same)), shape=(size, size))
    component = connected_components(links, directed=False)[1][grouped]
    return np.unique(component, return_inverse=True)[1].ravel(), tied


def _identical(rows: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return for each row the number of its value: the same for identical rows (0.0 and -0.0 are one)."""
    seen: dict[bytes, int] = {}
    codes = np.empty(len(rows), dtype=np.intp)
    for index, row in enumerate(rows):
        plain = row + row.dtype.type(0) if row.dtype.kind == "f" else row
        digest = hashlib.blake2b(plain.tobytes(), digest_size=16).digest()
        codes[index] = seen.setdefault(digest, len(seen))
    return codes
