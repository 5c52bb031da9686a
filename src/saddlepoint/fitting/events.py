"""Events that a fit yields: read by the terminal, the estimator and the run folder."""

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
    """Before round 0 the MADE that a table's game starts from is being fitted: `step` of at most `steps` steps."""

    step: int
    steps: int

    @property
    def sentence(self) -> str:
        """Return the progress in words."""
        return f"fitting the MADE that the game starts from, step {self.step:,} of at most {self.steps:,}"


@dataclass(frozen=True, kw_only=True)
class Played:
    """One round was played; `planned`: whether its record is to be kept."""

    record: Record
    planned: bool


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """Samples of the average of G from the same noise as before, at a planned round; rows are encoded, (n, *shape)."""

    round: int
    rows: Tensor


@dataclass(frozen=True, kw_only=True)
class Estimated:
    """Quick estimate: the JSD (nats) between samples and validation rows (monitor), and its standard error."""

    round: int
    jsd: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A check (--until) of samples against the validation rows; `record`: the check, the game's state, its evidence."""

    round: int
    record: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """A collapse was found: the game went back to its safest snapshot."""

    round: int
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The final verdict, on the held-out test rows (vault); `opened`: how often these have been read, this time included."""

    round: int
    verdict: Verdict
    opened: int


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A checkpoint of the whole game at a round was written."""

    round: int


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The fit ended; `sentence`: the reason in words."""

    round: int
    reason: Reason
    sentence: str


Event = Pretraining | Played | Sampled | Estimated | Checked | RolledBack | Judged | Saved | Stopped
