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
        within = f"within {self.tolerance:.2g}" if self.tolerance else "exactly"
        relation = (
            f"below {self._written(self.expected)}"
            if self.below
            else f"{self._written(self.expected)} {within}"
        )
        return f"{self.what}: {self._written(self.found)} ({relation}{'' if self.holds else '; NOT MET'})"

    def _written(self, value: float) -> str:
        """Return a difference to three digits, of another number the digits that its tolerance leaves."""
        if self.below or self.expected == 0 or self.tolerance == 0:
            return f"{value:.3g}"
        return f"{round(value, min(6, 2 - math.floor(math.log10(self.tolerance)))):g}"


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
