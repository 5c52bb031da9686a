"""The result of one step of the argument: numerical checks against the theorem, text and a figure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Check:
    """A measured number, the value that the theorem predicts, and the tolerance.

    what: what was measured, in words.
    found: the measured number.
    expected: the predicted number.
    tolerance: the largest difference allowed.
    below: the number must be below `expected` instead of equal to it.
    """

    what: str
    found: float
    expected: float
    tolerance: float = 0.0
    below: bool = False

    @property
    def holds(self) -> bool:
        """Whether the measured number agrees with the prediction."""
        if not math.isfinite(self.found):
            return False
        if self.below:
            return bool(self.found <= self.expected + self.tolerance)
        return bool(abs(self.found - self.expected) <= self.tolerance)

    def __str__(self) -> str:
        within = f"within {self.tolerance:.2g}" if self.tolerance else "exactly"
        relation = (
            f"below {self._formatted(self.expected)}"
            if self.below
            else f"{self._formatted(self.expected)} {within}"
        )
        return f"{self.what}: {self._formatted(self.found)} ({relation}{'' if self.holds else '; NOT MET'})"

    def _formatted(self, value: float) -> str:
        """Return a difference with three digits, any other number with the digits that its tolerance makes meaningful."""
        if self.below or self.expected == 0 or self.tolerance == 0:
            return f"{value:.3g}"
        return f"{round(value, min(6, 2 - math.floor(math.log10(self.tolerance)))):g}"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One step of the argument.

    letter: its letter on the page.
    title: its heading.
    paper: what the paper says.
    done: what was computed.
    checks: measured numbers against predicted ones.
    reading: the conclusion.
    figure: the figure.
    """

    letter: str
    title: str
    paper: str
    done: str
    checks: tuple[Check, ...]
    reading: str
    figure: Figure
