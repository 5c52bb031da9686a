"""When to check, how often and how strictly: decided once, by measured costs, and written down before round 0.

Checks, ruler and final verdict are to take a tenth of the time of the game at most, as it is foreseen: by a rate measured on a
copy of the game, and by the cost of one look of the referee measured here, of which all other costs are so many times; a fifth
of that tenth is left for what was measured wrongly. Measured costs swing from machine to machine and from load to load, so the
count is one of few (`COUNTS`): the same game is mostly checked at the same rounds everywhere, and where it is not, at a part
of them. A resumed run reuses the plan.

A short game decides by rule: a plateau needs eight checks, so a game that is to stop when it is settled gets eight at least
where these take ten seconds or less; any other gets what a tenth pays for, and the two at its ends. The plan says in words
where that is more than a tenth.

What the user chose about checks, and the plan made of it: when to check, how strictly, and what the ruler showed.

What a ruler showed on some rows is kept, for it shows the same again: a second run on the same data reads it.

In the folder rulers of $SADDLEPOINT_CACHE, else of $XDG_CACHE_HOME/saddlepoint, else of ~/.cache/saddlepoint: a JSON file of
numbers for each ruler, named by a checksum of all that it depends on (rows in coordinates, masses, level, seed, version), never
a row. Where nothing can be written or read, the ruler is made anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from saddlepoint import compute
from saddlepoint.compute import one_thread
from saddlepoint.data.dataset import Dataset
from saddlepoint.errors import InputError, StoredFileError, nearest
from saddlepoint.fitting.row_reader import Reader
from saddlepoint.judging.metrics.gan_metrics import chosen_of
from saddlepoint.judging.monitor.power import (
    DEFAULT_TOLERANCE,
    MASSES,
    TRIALS,
    PowerEstimate,
    missing_of_jsd,
    power_upwards,
    smallest_detected,
    tolerance_of,
)
from saddlepoint.judging.monitor.quick_c2st import QuickJudge
from saddlepoint.judging.monitor.stopping import LEVEL, Rules
from saddlepoint.names import ON_COLLAPSE, POWER_TABLES, UNTIL
from saddlepoint.training import ProcessRank
from saddlepoint.training.checkpoint import write_atomically
from saddlepoint.version import __version__


def cache_folder() -> Path:
    """Return where rulers are kept; it need not exist."""
    if given := os.environ.get("SADDLEPOINT_CACHE"):
        return Path(given) / "rulers"
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "saddlepoint" / "rulers"


def remembered(
    arrays: Sequence[NDArray[Any]], numbers: dict[str, Any], make: Callable[[], list[PowerEstimate]]
) -> list[PowerEstimate]:
    """Return the marks that were made of these very arrays and numbers before, or make them, and keep them."""
    digest = hashlib.sha256(json.dumps({"version": __version__, **numbers}, sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    path = cache_folder() / f"{digest.hexdigest()}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return [PowerEstimate(**mark) for mark in json.loads(path.read_text())]
    marks = make()
    with contextlib.suppress(OSError, StoredFileError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps([mark.to_dict() for mark in marks]).encode())
    return marks


SHARE = 0.1
FEWEST_ROWS = 50
COPIES_EVERY = 4
COPIES_LEVEL = 0.01


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """What the user chose about checks; `until` None: none are made."""

    until: str | None = None
    tolerance: str = DEFAULT_TOLERANCE
    on_collapse: str = "stop"
    power: str = "quick"
    metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, given, allowed in (
            ("until", self.until, UNTIL),
            ("on-collapse", self.on_collapse, ON_COLLAPSE),
            ("power", self.power, POWER_TABLES),
        ):
            if given is not None and given not in allowed:
                raise InputError(
                    f"Unknown {name} {given!r}{nearest(given, allowed) or '.'} Allowed are {', '.join(allowed)}."
                )
        tolerance_of(self.tolerance)
        chosen_of(self.metrics)
        if self.until is None and self.metrics:
            raise InputError(
                f"also {', '.join(self.metrics)} goes with the final verdict, and none is asked for: add until 'settled' or "
                "'budget', or measure it afterwards with saddlepoint judge RUN --metrics."
            )

    @classmethod
    def chosen(cls, until: str | None, metrics: tuple[str, ...], **given: str | None) -> CheckOptions:
        """Return it with defaults for what is given as None.

        Raises:
            InputError: something unknown, or something that goes with checks, its default too, where none are asked for.
        """
        said = {name: value for name, value in given.items() if value is not None}
        watching = cls(until=until, metrics=metrics, **said)
        if until is None and said:
            name, value = next(iter(said.items()))
            raise InputError(
                f"{name.replace('_', '-')} {value} needs checks, and none are asked for: add until 'settled' (stop when "
                "nothing more is to be seen) or 'budget' (watch only)."
            )
        return watching


@dataclass(frozen=True, kw_only=True)
class CheckSchedule:
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
    power: tuple[dict[str, Any], ...] = ()
    metrics: tuple[str, ...] = ()
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
        near = [mark for mark in self.power if abs(mark["mass"] - mass) < 1e-8]
        found = near[0]["found"] / near[0]["of"] if near else None
        return Rules(tolerance=self.tolerance, found=found, planned=self.planned)

    @property
    def smallest_detected(self) -> PowerEstimate | None:
        """The ruler's smallest defect that was found in at least 4 of 5 trials."""
        return smallest_detected([PowerEstimate(**mark) for mark in self.power])

    @property
    def share(self) -> float:
        """What part of the foreseen time of the run judging is foreseen to take: plan, checks and final verdict."""
        judging = self.planning_seconds + self.planned * self.seconds_a_check + self.final_seconds
        return judging / max(1e-9, judging + self.foreseen_seconds)

    def describe(self) -> str:
        """Return the plan in a sentence."""
        marks = "; ".join(_power_in_words(PowerEstimate(**mark)) for mark in self.power)
        short = f" (about {100 * self.share:.0f} % of so short a game)" if self.share > SHARE else ""
        return (
            f"{self.planned} checks are planned, every {self.horizon / self.count:,.0f} rounds, {self.seconds_a_check:.2f} s "
            f"each, and a {self.final} verdict at the end{short}; ruler: {marks or 'too few rows'}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**dataclasses.asdict(self), "power": list(self.power), "metrics": list(self.metrics)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any] | None) -> CheckSchedule | None:
        """Restore what `to_dict` returned.

        Raises:
            StoredFileError: something is missing or unknown.
        """
        if stored is None:
            return None
        try:
            lists = {"power": tuple(stored["power"]), "metrics": tuple(stored.get("metrics", ()))}
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


def power_in_words(marks: tuple[dict[str, Any], ...]) -> str | None:
    """Return what the ruler says about what would have been found, or None without a ruler."""
    read = [PowerEstimate(**mark) for mark in marks]
    if not read:
        return None
    best = smallest_detected(read)
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


def _power_in_words(mark: PowerEstimate) -> str:
    return f"a missing cluster of {100 * mark.mass:.3g} % was found {mark.found} of {mark.of} times"


COUNTS = (24, 12, 8, 6, 4, 3, 2, 1)
ENOUGH, ENOUGH_SECONDS = 8, 10.0  # checks that a plateau needs, and what they may take in a short game
_SPENT = 0.8 * SHARE
_TIMED = 2
# In looks of the referee, measured (benchmarks/stopping.py share): the alarm, now and then copies or a second look; a quick
# judgement with control and copies; a full one.
_BESIDES, _QUICK, _FULL = 1.4, 7.0, 42.0
_MORE_TRIALS = 3  # of the ruler, where the tolerance's size is not found


def quick_judge_of(reader: Reader, monitor: Dataset, seed: int) -> QuickJudge:
    """Return the referee at the ringside for these rows."""
    return QuickJudge(
        reader.rows,
        reader(monitor.rows),
        categorical=reader.categorical,
        seed=compute.derived_seed(seed, "ringside") % 2**32,
    )


@one_thread()
def schedule_checks(
    watching: CheckOptions,
    *,
    train: Dataset,
    monitor: Dataset | None,
    vault: Dataset | None,
    horizon: int,
    rate: float,
    seed: int,
    draw: Callable[[int], Any] | None = None,
) -> CheckSchedule | None:
    """Return the plan of checks of a game of so many rounds at a measured rate (rounds a second); None: none wanted.

    draw: draws so many rows as a check does, to see how long that takes (None: no time at all).

    Raises:
        InputError: too few monitor rows.
    """
    if watching.until is None:
        return None
    began = time.perf_counter()
    reader = Reader(train)
    quick_judge = quick_judge_of(reader, refuse_few(monitor), seed)
    look, drawing = (_agreed(seconds) for seconds in _costs(reader, quick_judge, draw))
    cost = _BESIDES * look + drawing
    foreseen = horizon / rate
    tolerance = tolerance_of(watching.tolerance)
    masses = {round(missing_of_jsd(tolerance), 9), *(MASSES if watching.power == "full" else ())}
    planning = (_TIMED + len(masses) * TRIALS + _MORE_TRIALS) * look + drawing
    left = _SPENT * foreseen - planning
    full = left >= 2 * _FULL * look
    final = 0.0 if vault is None else (_FULL if full else _QUICK) * look
    plan = CheckSchedule(
        until=watching.until,
        tolerance=tolerance,
        on_collapse=watching.on_collapse,
        horizon=horizon,
        count=count_of(
            (left - final) / cost - 1, cost, horizon, least=ENOUGH if watching.until == "settled" else 1
        ),
        final="full" if full else "quick",
        seconds_a_check=round(cost, 4),
        final_seconds=round(final, 2),
        foreseen_seconds=round(foreseen, 2),
        metrics=chosen_of(watching.metrics),
    )
    marks = _power(reader, quick_judge, sorted(masses), plan.alpha(0), seed)
    took = round(time.perf_counter() - began, 2)
    return dataclasses.replace(plan, power=tuple(mark.to_dict() for mark in marks), planning_seconds=took)


def count_of(affordable: float, cost: float, horizon: int, *, least: int = ENOUGH) -> int:
    """Return how many checks to plan where so many would fit in, at `cost` seconds each.

    >>> count_of(30.0, 0.3, 5000), count_of(23.0, 0.3, 5000), count_of(0.5, 0.3, 5000), count_of(0.5, 30.0, 5000)
    (24, 12, 8, 1)
    >>> count_of(7.5, 0.3, 5000, least=1)
    6
    """
    wanted = max(affordable, least if least * cost <= ENOUGH_SECONDS else 1)
    return next(count for count in COUNTS if count <= max(1.0, min(wanted, horizon)))


def _costs(reader: Reader, quick_judge: QuickJudge, draw: Callable[[int], Any] | None) -> tuple[float, float]:
    """Return the seconds of a look and of drawing the rows for one."""
    random = np.random.default_rng(0)
    # Real rows drawn again stand for the fakes: what is timed is how long it takes, not what is seen.
    stand_in = quick_judge.space(
        reader.rows[random.integers(len(reader.rows), size=quick_judge.fakes_wanted)]
    )
    look = min(
        _seconds(lambda: quick_judge.sample_rows(stand_in, alpha=LEVEL / COUNTS[0])) for _ in range(_TIMED)
    )
    return look, 0.0 if draw is None else _seconds(lambda: reader(draw(quick_judge.fakes_wanted)))


def _power(
    reader: Reader, quick_judge: QuickJudge, masses: list[float], alpha: float, seed: int
) -> list[PowerEstimate]:
    def make() -> list[PowerEstimate]:
        return power_upwards(reader.rows, quick_judge, masses=masses, alpha=alpha, seed=seed)

    sides = [quick_judge.space(reader.rows), quick_judge.fit, quick_judge.select, quick_judge.held]
    return remembered(sides, {"masses": masses, "alpha": alpha, "trials": TRIALS, "seed": seed}, make)


def _seconds(act: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _agreed(seconds: float) -> float:
    """Return the mean over the ranks, so that all have one plan."""
    value = torch.tensor([seconds], dtype=torch.float64)
    ProcessRank.of_this_process().average_([value])
    return float(value)
