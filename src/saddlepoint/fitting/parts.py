"""The three parts of the rows: training, monitor and vault."""

from __future__ import annotations

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.flips import both_ways, by_coin
from saddlepoint.data.splits import split_rows
from saddlepoint.errors import InputError

Parts = tuple[Dataset, Dataset | None, Dataset | None]


def split(dataset: Dataset, seed: int, holdout: Dataset | None) -> Parts:
    """Return the rows to train on, to watch by and to judge by; with a holdout, that is the vault.

    Raises:
        InputError: the holdout is of another kind or shape.
    """
    if holdout is not None and (
        holdout.kind != dataset.kind or holdout.rows.shape[1:] != dataset.rows.shape[1:]
    ):
        raise InputError(
            f"The held-out rows are {holdout.kind} of shape {holdout.rows.shape[1:]}, the training rows "
            f"{dataset.kind} of shape {dataset.rows.shape[1:]}; both must be alike."
        )
    splits = split_rows(
        len(dataset),
        seed=seed,
        groups=dataset.groups,
        rows=dataset.identities(),
        vault=None if holdout is None else 0,
    )
    monitor = dataset.take(splits.monitor) if len(splits.monitor) else None
    vault = dataset.take(splits.vault) if len(splits.vault) else None
    parts = dataset.take(splits.train), monitor, vault if holdout is None else holdout
    return _flipped(*parts, seed) if dataset.flips else parts


def _flipped(train: Dataset, monitor: Dataset | None, vault: Dataset | None, seed: int) -> Parts:
    return (
        both_ways(train),
        None if monitor is None else by_coin(monitor, seed, "monitor"),
        None if vault is None else by_coin(vault, seed, "vault"),
    )
