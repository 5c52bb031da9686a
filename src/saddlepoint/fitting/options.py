"""The user's options of a fit, checked when they are made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from saddlepoint.errors import InputError, nearest
from saddlepoint.fitting.check_schedule import CheckOptions
from saddlepoint.names import AUGMENT, CLUSTER
from saddlepoint.training.autotune import refuse_unknown


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """The user's options; None means that the recipe decides, or for options of checks the default.

    `GAN` documents each of them.
    """

    recipe: str = "auto"
    start: str = "auto"
    capacity: str = "medium"
    objective: str | None = None
    batch: int | None = None
    rounds: int | None = None
    minutes: float | None = None
    precision: str = "float32"
    seed: int = 0
    until: str | None = None
    tolerance: str | None = None
    on_collapse: str | None = None
    power: str | None = None
    metrics: Sequence[str] | None = None
    augment: str = "auto"
    accumulation_steps: int = 1
    recompute: bool = False
    compile: str = "auto"
    cluster: str = "auto"
    """Whether clusters of pictures are found and learnt as classes (pseudo-labels)."""
    conditional: bool = False

    @property
    def check_options(self) -> CheckOptions:
        """The options of checks."""
        return CheckOptions.chosen(
            self.until,
            tuple(self.metrics or ()),
            tolerance=self.tolerance,
            on_collapse=self.on_collapse,
            power=self.power,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON values; those of checks with their defaults, where checks are asked for."""
        return asdict(self) | (asdict(self.check_options) if self.until is not None else {})

    def __post_init__(self) -> None:
        refuse_unknown(self.compile)
        steps = self.accumulation_steps
        if type(steps) is not int or steps < 1:
            raise InputError(f"accumulation_steps is {steps!r}; give a whole number of at least 1.")
        _ = self.check_options  # wrong options are refused here, before any data are opened
        for name, allowed in (("augment", AUGMENT), ("cluster", CLUSTER)):
            value = getattr(self, name)
            if value not in allowed:
                raise InputError(
                    f"{name} is {value!r}{nearest(value, allowed) or '.'} Allowed are {', '.join(allowed)}."
                )
        if self.cluster == "on" and self.conditional:
            raise InputError(
                "cluster is 'on', and there is a label, which already gives the classes to learn: leave out one of the two."
            )
        if self.rounds is not None and (type(self.rounds) is not int or self.rounds < 1):
            raise InputError(f"rounds is {self.rounds!r}; give a whole number of at least 1.")
        minutes = self.minutes
        if minutes is not None and not (
            type(minutes) in (int, float) and math.isfinite(minutes) and minutes > 0
        ):
            raise InputError(f"minutes is {minutes!r}; give a number above 0.")
