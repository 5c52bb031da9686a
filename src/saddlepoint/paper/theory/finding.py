"""What a step of the argument came to: numbers held against what the theorem says, sentences and a figure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Check:
    """A number, what the theorem says it is, and how far it may be away; with `below` it must lie below `expected`."""

    what: str
    found: float
    expected: float
    tolerance: float = 0.0
    below: bool = False

    @property
    def holds(self) -> bool:
        """Whether the number is what the theorem says."""
        if not math.isfinite(self.found):
            return False
        if self.below:
            return bool(self.found <= self.expected + self.tolerance)
        return bool(abs(self.found - self.expected) <= self.tolerance)

    def __str__(self) -> str:
        relation = (
            f"below {self.expected:.6g}" if self.below else f"{self.expected:.6g} within {self.tolerance:.2g}"
        )
        return f"{self.what}: {self.found:.6g} ({relation}{'' if self.holds else '; NOT MET'})"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One step: its letter, what the paper says, what was done, the checks, what to read from it, and a figure."""

    letter: str
    title: str
    paper: str
    done: str
    checks: tuple[Check, ...]
    reading: str
    figure: Figure
