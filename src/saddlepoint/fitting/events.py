"""What a fit tells whoever watches it: a terminal, an estimator, a run folder, a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from saddlepoint.training import Record

Reason = Literal["rounds", "minutes", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Played:
    """One round was played; `planned` marks those whose record is to be kept."""

    record: Record
    planned: bool


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """The average of G drew the same noise again, at a planned round; rows are encoded, (n, *shape)."""

    round: int
    rows: Tensor


@dataclass(frozen=True, kw_only=True)
class Looked:
    """The average of G was compared with the monitor rows: an estimate of the JSD (nats) and its standard error."""

    round: int
    jsd: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Saved:
    """The whole game up to a round is safe on the disk."""

    round: int


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The fit ended, and why, in words."""

    round: int
    reason: Reason
    sentence: str


Event = Played | Sampled | Looked | Saved | Stopped
