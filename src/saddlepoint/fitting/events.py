"""What a fit tells whoever watches it: a terminal, an estimator, a run folder, a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from saddlepoint.judging.verdict import Verdict
from saddlepoint.training import Record

Reason = Literal[
    "rounds", "minutes", "interrupted", "reached", "plateau", "diverging", "collapsed", "memorising"
]


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """Before round 0, the law that a table's game starts from is being fitted: so many of at most so many steps."""

    step: int
    steps: int

    @property
    def sentence(self) -> str:
        """Return in words how far it is."""
        return f"fitting the heads that the game starts from, step {self.step:,} of at most {self.steps:,}"


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
class Estimated:
    """The average of G was compared with the monitor rows: an estimate of the JSD (nats) and its standard error."""

    round: int
    jsd: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The average of G was checked against the monitor rows; `record` holds the check, its state and the evidence."""

    round: int
    record: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """A collapse was found: the game went back to its safest snapshot."""

    round: int
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The final verdict, on rows that nothing had seen; `opened`: how often they have been read by now."""

    round: int
    verdict: Verdict
    opened: int


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


Event = Pretraining | Played | Sampled | Estimated | Checked | RolledBack | Judged | Saved | Stopped
