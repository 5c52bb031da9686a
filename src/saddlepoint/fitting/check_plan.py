"""When to check, how often and how strictly: decided once, by measured costs, and written down before round 0.

Checks, ruler and final verdict are to take a tenth of the time of the game at most, as it is foreseen: by a rate measured
on a copy of the game, and by the cost of one check and one quick judgement measured here. Measured costs swing from machine
to machine and from load to load, so the count is one of few (`COUNTS`): the same game is mostly checked at the same rounds
everywhere, and where it is not, at a part of them. A plateau needs eight checks, so there are eight at least where these take
ten seconds or less, however short the game. A resumed run reuses the plan.
"""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from saddlepoint import compute
from saddlepoint.data.dataset import Dataset
from saddlepoint.errors import InputError, StoredFileError, nearest
from saddlepoint.judging.companions import chosen_of
from saddlepoint.judging.missing_mass import DEFAULT_TOLERANCE, missing_of_jsd, tolerance_of
from saddlepoint.judging.ringside import Ringside
from saddlepoint.judging.ruler import MASSES, TRIALS, Mark, ruler_upwards, smallest_found
from saddlepoint.judging.stopping import LEVEL, Rules
from saddlepoint.judging.threads import one_thread
from saddlepoint.names import ON_COLLAPSE, RULERS, UNTIL
from saddlepoint.training import Share

SHARE = 0.1
COUNTS = (24, 12, 8, 6, 4, 3, 2, 1)
ENOUGH, ENOUGH_SECONDS = 8, 10.0  # checks that a plateau needs, and what they may take in a short game
_TIMED = 3
FEWEST_ROWS = 50
_FULL_FACTOR = 6.0  # of a full judgement to a quick one, with its control
_QUICK_SECONDS = 1.5
_BESIDES = 1.6  # of the referee alone: drawing samples, the alarm, at times copies or a second look
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
                    f"Unknown {name} {given!r}{nearest(str(given), allowed) or '.'} Allowed are {', '.join(allowed)}."
                )
        tolerance_of(self.tolerance)
        chosen_of(self.also)
        if self.until is None:
            if self.also:
                raise InputError(
                    f"also {', '.join(self.also)} goes with the final verdict, and none is asked for: add until 'settled' or "
                    "'budget', or measure it afterwards with saddlepoint judge RUN --also."
                )
            for name in ("tolerance", "on_collapse", "ruler"):
                if getattr(self, name) != getattr(type(self), name):
                    raise InputError(
                        f"{name.replace('_', '-')} {getattr(self, name)} needs checks, and none are asked for: add until "
                        "'settled' (stop when nothing more is to be seen) or 'budget' (watch only)."
                    )


@dataclass(frozen=True, kw_only=True)
class CheckPlan:
    """The checks of one fit: one at round 0 and `count` more, evenly spread over the horizon, the last at its end.

    tolerance: in nats; ruler: marks as JSON values; final: pool of the verdict at the end; also: its companions;
    seconds_a_check, foreseen_seconds: as measured; planning_seconds: what the plan and its ruler took.
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

    def describe(self) -> str:
        """Return the plan in a sentence."""
        marks = [Mark(**mark) for mark in self.ruler]
        return (
            f"{self.planned} checks are planned, every {self.horizon / self.count:,.0f} rounds, {self.seconds_a_check:.2f} s "
            f"each, and a {self.final} verdict at the end; ruler: {'; '.join(map(str, marks)) or 'too few rows'}"
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


def judged_rows(dataset: Dataset) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return rows as the judge reads them, and which columns are category codes (None: no column)."""
    return dataset.rows, None


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


def ringside_of(train: Dataset, monitor: Dataset, seed: int) -> Ringside:
    """Return the referee at the ringside for these rows."""
    rows, categorical = judged_rows(train)
    return Ringside(
        rows, judged_rows(monitor)[0], categorical=categorical, seed=compute.key(seed, "ringside") % 2**32
    )


@one_thread()
def plan_checks(
    watching: Watching,
    *,
    train: Dataset,
    monitor: Dataset | None,
    vault: Dataset | None,
    horizon: int,
    rate: float,
    seed: int,
) -> CheckPlan | None:
    """Return the plan of checks of a game of so many rounds at a measured rate (rounds a second); None: none wanted.

    Raises:
        InputError: too few monitor rows.
    """
    if watching.until is None:
        return None
    began = time.perf_counter()
    ringside = ringside_of(train, refuse_few(monitor), seed)
    rows, _ = judged_rows(train)
    random = np.random.default_rng(0)
    # Real rows drawn again stand for the fakes: what is timed is how long it takes, not what is seen.
    stand_in = ringside.space(rows[random.integers(len(rows), size=ringside.fakes_wanted)])
    cost = _agreed(_BESIDES * min(_seconds(ringside, stand_in) for _ in range(_TIMED)))
    foreseen = horizon / rate
    left = SHARE * foreseen
    full = left >= 2 * (_FULL_FACTOR * _QUICK_SECONDS + TRIALS * cost)
    final = 0.0 if vault is None else (_FULL_FACTOR if full else 1.0) * _QUICK_SECONDS
    tolerance = tolerance_of(watching.tolerance)
    masses = {round(missing_of_jsd(tolerance), 9), *(MASSES if watching.ruler == "full" else ())}
    left -= final + (len(masses) * TRIALS + 1) * cost
    plan = CheckPlan(
        until=watching.until,
        tolerance=tolerance,
        on_collapse=watching.on_collapse,
        horizon=horizon,
        count=count_of(left / cost, cost, horizon),
        final="full" if full else "quick",
        seconds_a_check=round(cost, 4),
        foreseen_seconds=round(foreseen, 2),
        also=chosen_of(watching.also),
    )
    marks = ruler_upwards(rows, ringside, masses=sorted(masses), alpha=plan.alpha(0), seed=seed)
    took = round(time.perf_counter() - began, 2)
    return dataclasses.replace(plan, ruler=tuple(mark.to_dict() for mark in marks), planning_seconds=took)


def count_of(affordable: float, cost: float, horizon: int) -> int:
    """Return how many checks to plan where so many would fit in, at `cost` seconds each.

    >>> count_of(30.0, 0.3, 5000), count_of(23.0, 0.3, 5000), count_of(0.5, 0.3, 5000), count_of(0.5, 30.0, 5000)
    (24, 12, 8, 1)
    """
    wanted = max(affordable, ENOUGH if ENOUGH * cost <= ENOUGH_SECONDS else 1)
    return next(count for count in COUNTS if count <= max(1.0, min(wanted, horizon)))


def _seconds(ringside: Ringside, stand_in: NDArray[Any]) -> float:
    begun = time.perf_counter()
    ringside.look_at(stand_in, alpha=LEVEL / COUNTS[0])
    return time.perf_counter() - begun


def _agreed(seconds: float) -> float:
    """Return the mean over the ranks, so that all have one plan."""
    value = torch.tensor([seconds], dtype=torch.float64)
    Share.of_this_process().average_([value])
    return float(value)


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
