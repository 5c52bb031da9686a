"""What the user chose about checks, and the plan made of it: when to check, how strictly, and what the ruler showed."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from saddlepoint.data.dataset import Dataset
from saddlepoint.errors import InputError, StoredFileError, nearest
from saddlepoint.judging.companions import chosen_of
from saddlepoint.judging.missing_mass import DEFAULT_TOLERANCE, missing_of_jsd, tolerance_of
from saddlepoint.judging.ruler import Mark, smallest_found
from saddlepoint.judging.stopping import LEVEL, Rules
from saddlepoint.names import ON_COLLAPSE, RULERS, UNTIL

SHARE = 0.1
FEWEST_ROWS = 50
COPIES_EVERY = 4
COPIES_LEVEL = 0.01


@dataclass(frozen=True, kw_only=True)
class Watching:
    """What the user chose about checks; `until` None: none are made."""

    until: str | None = None
    tolerance: str = DEFAULT_TOLERANCE
    on_collapse: str = "stop"
    ruler: str = "quick"
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, given, allowed in (
            ("until", self.until, UNTIL),
            ("on-collapse", self.on_collapse, ON_COLLAPSE),
            ("ruler", self.ruler, RULERS),
        ):
            if given is not None and given not in allowed:
                raise InputError(
                    f"Unknown {name} {given!r}{nearest(given, allowed) or '.'} Allowed are {', '.join(allowed)}."
                )
        tolerance_of(self.tolerance)
        chosen_of(self.also)
        if self.until is None and self.also:
            raise InputError(
                f"also {', '.join(self.also)} goes with the final verdict, and none is asked for: add until 'settled' or "
                "'budget', or measure it afterwards with saddlepoint judge RUN --also."
            )

    @classmethod
    def chosen(cls, until: str | None, also: tuple[str, ...], **given: str | None) -> Watching:
        """Return it with defaults for what is given as None.

        Raises:
            InputError: something unknown, or something that goes with checks, its default too, where none are asked for.
        """
        said = {name: value for name, value in given.items() if value is not None}
        watching = cls(until=until, also=also, **said)
        if until is None and said:
            name, value = next(iter(said.items()))
            raise InputError(
                f"{name.replace('_', '-')} {value} needs checks, and none are asked for: add until 'settled' (stop when "
                "nothing more is to be seen) or 'budget' (watch only)."
            )
        return watching


@dataclass(frozen=True, kw_only=True)
class CheckPlan:
    """The checks of one fit: one at round 0 and `count` more, evenly spread over the horizon, the last at its end.

    tolerance: in nats; ruler: marks as JSON values; final: pool of the verdict at the end; also: its companions;
    seconds_a_check, final_seconds (of the verdict), foreseen_seconds (of the game): as measured; planning_seconds: what the
    plan and its ruler took.
    Beyond the horizon checks go on at the same distance.
    """

    until: str
    tolerance: float
    on_collapse: str
    horizon: int
    count: int
    final: str
    seconds_a_check: float
    foreseen_seconds: float
    ruler: tuple[dict[str, Any], ...] = ()
    also: tuple[str, ...] = ()
    planning_seconds: float = 0.0
    final_seconds: float = 0.0

    @property
    def planned(self) -> int:
        """How many checks the horizon holds."""
        return self.count + 1

    def due(self, round_: int) -> bool:
        """Return whether a check is planned at a round: round 0, ceil(i horizon / count), and so on beyond the horizon."""
        place = round_ * self.count // self.horizon
        return round_ == -(-place * self.horizon // self.count)

    def alpha(self, number: int) -> float:
        """Return the level of the number-th check (from 0): half of 0.05 evenly over the planned ones, half for those beyond.

        The j-th beyond gets (0.05/2) 6/(pi^2 j^2), so that all bounds ever made hold jointly with probability 0.95.
        """
        if number < self.planned:
            return LEVEL / 2 / self.planned
        return LEVEL / 2 * 6 / (math.pi * (number - self.planned + 1)) ** 2

    def tests_copies(self, number: int) -> bool:
        """Return whether the number-th check asks for copies too: every fourth does."""
        return number > 0 and number % COPIES_EVERY == 0

    @property
    def copies_level(self) -> float:
        """The level of each copying test: 0.01 over the planned ones."""
        return COPIES_LEVEL / max(1, self.count // COPIES_EVERY)

    @property
    def rules(self) -> Rules:
        """What states are decided by."""
        mass = missing_of_jsd(self.tolerance)
        near = [mark for mark in self.ruler if abs(mark["mass"] - mass) < 1e-8]
        found = near[0]["found"] / near[0]["of"] if near else None
        return Rules(tolerance=self.tolerance, found=found, planned=self.planned)

    @property
    def smallest_found(self) -> Mark | None:
        """The ruler's smallest defect that was found in at least 4 of 5 trials."""
        return smallest_found([Mark(**mark) for mark in self.ruler])

    @property
    def share(self) -> float:
        """What part of the foreseen time of the run judging is foreseen to take: plan, checks and final verdict."""
        judging = self.planning_seconds + self.planned * self.seconds_a_check + self.final_seconds
        return judging / max(1e-9, judging + self.foreseen_seconds)

    def describe(self) -> str:
        """Return the plan in a sentence."""
        marks = "; ".join(_mark_in_words(Mark(**mark)) for mark in self.ruler)
        short = f" (about {100 * self.share:.0f} % of so short a game)" if self.share > SHARE else ""
        return (
            f"{self.planned} checks are planned, every {self.horizon / self.count:,.0f} rounds, {self.seconds_a_check:.2f} s "
            f"each, and a {self.final} verdict at the end{short}; ruler: {marks or 'too few rows'}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**dataclasses.asdict(self), "ruler": list(self.ruler), "also": list(self.also)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any] | None) -> CheckPlan | None:
        """Restore what `to_dict` returned.

        Raises:
            StoredFileError: something is missing or unknown.
        """
        if stored is None:
            return None
        try:
            lists = {"ruler": tuple(stored["ruler"]), "also": tuple(stored.get("also", ()))}
            return cls(**{**stored, **lists})
        except (KeyError, TypeError) as error:
            raise StoredFileError(f"The stored plan of checks cannot be read ({error}).") from error


def refuse_few(monitor: Dataset | None) -> Dataset:
    """Return the monitor rows.

    Raises:
        InputError: there are fewer than 50, so nothing can be checked.
    """
    if monitor is None or len(monitor) < FEWEST_ROWS:
        raise InputError(
            f"{0 if monitor is None else len(monitor)} rows are held back to check on, and {FEWEST_ROWS} are needed (a tenth "
            "of the rows is): give at least 500 rows, or leave out until, and bound the game by rounds or minutes."
        )
    return monitor


def ruler_in_words(marks: tuple[dict[str, Any], ...]) -> str | None:
    """Return what the ruler says about what would have been found, or None without a ruler."""
    read = [Mark(**mark) for mark in marks]
    if not read:
        return None
    best = smallest_found(read)
    if best is None:
        largest = read[-1]
        return (
            f"even a missing cluster of {100 * largest.mass:.3g} % was found only {largest.found} of {largest.of} times, so "
            "smaller defects may well be missed"
        )
    missed = [mark for mark in read if mark.mass < best.mass]
    smaller = (
        f"; one of {100 * missed[-1].mass:.3g} % in {missed[-1].found} of {missed[-1].of}" if missed else ""
    )
    return (
        f"a missing cluster of >= {100 * best.mass:.3g} % would have been found ({best.found} of {best.of} planted "
        f"ones{smaller})"
    )


def _mark_in_words(mark: Mark) -> str:
    return f"a missing cluster of {100 * mark.mass:.3g} % was found {mark.found} of {mark.of} times"
