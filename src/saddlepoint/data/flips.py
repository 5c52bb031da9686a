"""Mirror images, where the user says that left and right are alike: the law to learn is then that of x or its mirror image.

Training pictures are there twice, once mirrored, so that both are played alike often and copies of either are found. Of
held-back pictures each is mirrored by a coin: they stay independent draws from that law, which the judge's bound needs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from saddlepoint.compute import numpy_stream
from saddlepoint.data.dataset import Dataset
from saddlepoint.errors import InputError


def refuse_flips(dataset: Dataset) -> Dataset:
    """Return the pictures with flips asked for; InputError for rows that are no pictures."""
    if dataset.kind != "pictures":
        raise InputError(
            f"{dataset.name} holds {dataset.kind}; mirror images (--flips) are for pictures: leave it out."
        )
    return replace(dataset, flips=True)


def both_ways(train: Dataset) -> Dataset:
    """Return training pictures followed by their mirror images, with the same labels and groups."""
    twice = train.take(np.tile(np.arange(len(train)), 2))
    twice.rows[len(train) :] = train.rows[:, :, ::-1]
    return twice


def by_coin(held: Dataset, seed: int, purpose: str) -> Dataset:
    """Return held-back pictures, each mirrored with probability 1/2 by the stream (seed, purpose)."""
    mirrored = numpy_stream(seed, f"flips/{purpose}").random(len(held)) < 0.5
    rows = held.rows.copy()
    rows[mirrored] = rows[mirrored][:, :, ::-1]
    return replace(held, rows=rows)
