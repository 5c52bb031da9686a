"""The checks of a fit (--until): the options, and the schedule made from them: when, how strictly, with which power.

The schedule is made once, before round 0, from measured costs, and is written down; a resumed run reuses it. Checks, power
analysis and final verdict should take at most a tenth of the time of the game. The time of the game comes from a rate
measured on a copy. All other costs are multiples of the measured cost of one quick classifier test. A fifth of that tenth is
kept in reserve for measurement errors. Timings vary between machines, so the number of checks is rounded down to one of
eight values (`COUNTS`); check rounds on a slow machine are a subset of those on a fast one.

Short games follow a rule instead: a plateau needs eight checks, so a game that is to stop when it is settled gets at least
eight where these take ten seconds or less. Any other short game gets what a tenth of its time pays for, and the checks at
its two ends. Where checks take more than a tenth, the schedule says so.

The power analysis (which planted defects would be found) gives the same result on the same rows, so it is cached: in the
folder `power` of $SADDLEPOINT_CACHE, else of $XDG_CACHE_HOME/saddlepoint, else of ~/.cache/saddlepoint. Each result is a
JSON file of numbers, never rows, named by a checksum of all that it depends on (rows in the coordinates of the test, masses,
level, seed, version). Where the folder cannot be read or written, the analysis is repeated.
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
from saddlepoint.atomic import write_atomically
from saddlepoint.compute import one_thread
from saddlepoint.data.dataset import Dataset
from saddlepoint.errors import InputError, StoredFileError, nearest
from saddlepoint.fitting.row_reader import RowReader
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
from saddlepoint.version import __version__


def cache_folder() -> Path:
    """Return the folder of cached power estimates; it need not exist."""
    if given := os.environ.get("SADDLEPOINT_CACHE"):
        return Path(given) / "power"
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "saddlepoint" / "power"


def cached_power(
    arrays: Sequence[NDArray[Any]], numbers: dict[str, Any], make: Callable[[], list[PowerEstimate]]
) -> list[PowerEstimate]:
    """Return the cached power estimates for exactly these arrays and numbers; without any, make and cache them."""
    digest = hashlib.sha256(json.dumps({"version": __version__, **numbers}, sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    path = cache_folder() / f"{digest.hexdigest()}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return [PowerEstimate(**each) for each in json.loads(path.read_text())]
    estimates = make()
    with contextlib.suppress(OSError, StoredFileError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps([each.to_dict() for each in estimates]).encode())
    return estimates


SHARE = 0.1  # of the time of a run that checks, power analysis and verdict should take at most
FEWEST_ROWS = 50
COPIES_EVERY = 4  # checks from one memorisation test to the next
COPIES_LEVEL = 0.01


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """The user's options for checks.

    until: "settled" or "budget"; None: no checks.
    tolerance: a difference that does not matter, in nats or as a missing cluster in per cent.
    on_collapse: "stop", "rollback" or "remedy".
    power: "quick" (one planted defect) or "full" (five sizes).
    metrics: metrics beside the final verdict.
    """

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
                f"metrics {', '.join(self.metrics)} are measured with the final verdict, and no verdict was asked for: "
                "add until 'settled' or 'budget', or measure them afterwards with saddlepoint judge RUN --metrics."
            )

    @classmethod
    def chosen(cls, until: str | None, metrics: tuple[str, ...], **given: str | None) -> CheckOptions:
        """Return the options, with defaults for those given as None.

        Raises:
            InputError: an unknown value, or an option that needs checks (even at its default value) without `until`.
        """
        chosen = {name: value for name, value in given.items() if value is not None}
        options = cls(until=until, metrics=metrics, **chosen)
        if until is None and chosen:
            name, value = next(iter(chosen.items()))
            raise InputError(
                f"{name.replace('_', '-')} {value} needs checks, and none were asked for: add until 'settled' (stop when "
                "there is nothing more to gain) or 'budget' (check, but play to the end)."
            )
        return options


@dataclass(frozen=True, kw_only=True)
class CheckSchedule:
    """The checks of one fit: one at round 0 and `count` more, evenly spread over the horizon, the last at its end.

    Beyond the horizon checks go on at the same distance.

    until: "settled" or "budget".
    tolerance: a difference that does not matter, in nats.
    on_collapse: "stop", "rollback" or "remedy".
    horizon: rounds.
    count: checks after round 0.
    final: classifier ensemble of the final verdict, "quick" or "full".
    seconds_a_check: measured seconds of one check.
    foreseen_seconds: foreseen seconds of the game.
    power: power estimates as JSON values.
    metrics: metrics beside the final verdict.
    planning_seconds: seconds that this schedule and its power analysis took.
    final_seconds: foreseen seconds of the final verdict.
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
        """Number of checks within the horizon."""
        return self.count + 1

    def due(self, round_: int) -> bool:
        """Return whether a check is planned at a round: round 0, ceil(i horizon / count), and so on beyond the horizon."""
        place = round_ * self.count // self.horizon
        return round_ == -(-place * self.horizon // self.count)

    def alpha(self, number: int) -> float:
        """Return the significance level of check `number` (from 0).

        Half of 0.05 is spread evenly over the planned checks. The j-th check beyond the horizon gets
        (0.05/2) 6/(pi^2 j^2), so that all bounds ever made hold jointly with probability 0.95.
        """
        if number < self.planned:
            return LEVEL / 2 / self.planned
        return LEVEL / 2 * 6 / (math.pi * (number - self.planned + 1)) ** 2

    def tests_copies(self, number: int) -> bool:
        """Return whether check `number` includes a memorisation test: every fourth does."""
        return number > 0 and number % COPIES_EVERY == 0

    @property
    def copies_level(self) -> float:
        """The level of each memorisation test: 0.01 divided by their planned number."""
        return COPIES_LEVEL / max(1, self.count // COPIES_EVERY)

    @property
    def rules(self) -> Rules:
        """The numbers that states of the game are decided by."""
        mass = missing_of_jsd(self.tolerance)
        near = [each for each in self.power if abs(each["mass"] - mass) < 1e-8]
        found = near[0]["found"] / near[0]["of"] if near else None
        return Rules(tolerance=self.tolerance, found=found, planned=self.planned)

    @property
    def smallest_detected(self) -> PowerEstimate | None:
        """The smallest planted defect that was found in at least 4 of 5 trials; None if no size was."""
        return smallest_detected([PowerEstimate(**each) for each in self.power])

    @property
    def share(self) -> float:
        """Share of the foreseen time of the run that planning, checks and final verdict will take."""
        judging = self.planning_seconds + self.planned * self.seconds_a_check + self.final_seconds
        return judging / max(1e-9, judging + self.foreseen_seconds)

    def describe(self) -> str:
        """Return the schedule in a sentence."""
        power = "; ".join(_power_in_words(PowerEstimate(**each)) for each in self.power)
        short = f" (about {100 * self.share:.0f} % of so short a game)" if self.share > SHARE else ""
        return (
            f"{self.planned} checks are planned, every {self.horizon / self.count:,.0f} rounds, {self.seconds_a_check:.2f} s "
            f"each, and a {self.final} verdict at the end{short}; power: {power or 'too few rows'}"
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
            raise StoredFileError(f"The stored schedule of checks cannot be read ({error}).") from error


def refuse_few(monitor: Dataset | None) -> Dataset:
    """Return the validation rows (monitor).

    Raises:
        InputError: there are fewer than 50, too few for checks.
    """
    if monitor is None or len(monitor) < FEWEST_ROWS:
        raise InputError(
            f"There are {0 if monitor is None else len(monitor)} validation rows to check on, and {FEWEST_ROWS} are needed (a "
            "tenth of the rows is held out for validation): give at least 500 rows, or leave out until and limit the game by "
            "rounds or minutes."
        )
    return monitor


def power_in_words(power: tuple[dict[str, Any], ...]) -> str | None:
    """Return in words which defects would have been found, or None without power estimates."""
    estimates = [PowerEstimate(**each) for each in power]
    if not estimates:
        return None
    best = smallest_detected(estimates)
    if best is None:
        largest = estimates[-1]
        return (
            f"even a missing cluster of {100 * largest.mass:.3g} % was found only {largest.found} of {largest.of} times, so "
            "smaller defects may well be missed"
        )
    missed = [each for each in estimates if each.mass < best.mass]
    smaller = (
        f"; one of {100 * missed[-1].mass:.3g} % in {missed[-1].found} of {missed[-1].of}" if missed else ""
    )
    return (
        f"a missing cluster of >= {100 * best.mass:.3g} % would have been found ({best.found} of {best.of} planted "
        f"ones{smaller})"
    )


def _power_in_words(estimate: PowerEstimate) -> str:
    return (
        f"a missing cluster of {100 * estimate.mass:.3g} % was found {estimate.found} of {estimate.of} times"
    )


COUNTS = (24, 12, 8, 6, 4, 3, 2, 1)
ENOUGH, ENOUGH_SECONDS = 8, 10.0  # checks that a plateau needs, and what they may take in a short game
_SPENT = 0.8 * SHARE
_TIMED = 2  # quick tests that are timed; the faster one counts
# Costs as multiples of one quick classifier test, measured (benchmarks/stopping.py share): a check, with its coverage test
# and now and then a memorisation test or a second classifier test; a quick verdict with its control and memorisation test; a
# full one.
_CHECK, _QUICK, _FULL = 1.4, 7.0, 42.0
_MORE_TRIALS = 3  # of the power analysis, where a defect of the tolerance's size is not found


def quick_judge_of(reader: RowReader, monitor: Dataset, seed: int) -> QuickJudge:
    """Return the quick two-sample test for these training and validation rows."""
    return QuickJudge(
        reader.rows,
        reader(monitor.rows),
        categorical=reader.categorical,
        seed=compute.derived_seed(seed, "ringside") % 2**32,
    )


@one_thread()
def schedule_checks(
    options: CheckOptions,
    *,
    train: Dataset,
    monitor: Dataset | None,
    vault: Dataset | None,
    horizon: int,
    rate: float,
    seed: int,
    draw: Callable[[int], Any] | None = None,
) -> CheckSchedule | None:
    """Return the schedule of checks of a game; None where none are wanted.

    options: the user's options.
    train: training rows.
    monitor: validation rows.
    vault: held-out test rows, None: no final verdict.
    horizon: rounds.
    rate: measured rounds per second.
    seed: seed of the run.
    draw: draws n rows from the model, to measure how long a check's samples take (None: no time at all).

    Raises:
        InputError: too few validation rows.
    """
    if options.until is None:
        return None
    began = time.perf_counter()
    reader = RowReader(train)
    quick_judge = quick_judge_of(reader, refuse_few(monitor), seed)
    test, drawing = (_mean_over_ranks(seconds) for seconds in _costs(reader, quick_judge, draw))
    cost = _CHECK * test + drawing
    foreseen = horizon / rate
    tolerance = tolerance_of(options.tolerance)
    masses = {round(missing_of_jsd(tolerance), 9), *(MASSES if options.power == "full" else ())}
    planning = (_TIMED + len(masses) * TRIALS + _MORE_TRIALS) * test + drawing
    left = _SPENT * foreseen - planning
    full = left >= 2 * _FULL * test
    final = 0.0 if vault is None else (_FULL if full else _QUICK) * test
    plan = CheckSchedule(
        until=options.until,
        tolerance=tolerance,
        on_collapse=options.on_collapse,
        horizon=horizon,
        count=count_of(
            (left - final) / cost - 1, cost, horizon, least=ENOUGH if options.until == "settled" else 1
        ),
        final="full" if full else "quick",
        seconds_a_check=round(cost, 4),
        final_seconds=round(final, 2),
        foreseen_seconds=round(foreseen, 2),
        metrics=chosen_of(options.metrics),
    )
    power = _power(reader, quick_judge, sorted(masses), plan.alpha(0), seed)
    took = round(time.perf_counter() - began, 2)
    return dataclasses.replace(plan, power=tuple(each.to_dict() for each in power), planning_seconds=took)


def count_of(affordable: float, cost: float, horizon: int, *, least: int = ENOUGH) -> int:
    """Return how many checks to plan after round 0: one of `COUNTS`.

    affordable: number of checks that the time pays for.
    cost: seconds of one check.
    horizon: rounds of the game; there are no more checks than rounds.
    least: checks to plan even if they are not affordable, where they take ten seconds or less.

    >>> count_of(30.0, 0.3, 5000), count_of(23.0, 0.3, 5000), count_of(0.5, 0.3, 5000), count_of(0.5, 30.0, 5000)
    (24, 12, 8, 1)
    >>> count_of(7.5, 0.3, 5000, least=1)
    6
    """
    wanted = max(affordable, least if least * cost <= ENOUGH_SECONDS else 1)
    return next(count for count in COUNTS if count <= max(1.0, min(wanted, horizon)))


def _costs(
    reader: RowReader, quick_judge: QuickJudge, draw: Callable[[int], Any] | None
) -> tuple[float, float]:
    """Return the seconds of one quick test, and of drawing the samples for it."""
    random = np.random.default_rng(0)
    # Resampled real rows stand in for samples, because only the time matters here.
    stand_in = quick_judge.space(
        reader.rows[random.integers(len(reader.rows), size=quick_judge.fakes_wanted)]
    )
    test = min(
        _seconds(lambda: quick_judge.judge_encoded(stand_in, alpha=LEVEL / COUNTS[0])) for _ in range(_TIMED)
    )
    return test, 0.0 if draw is None else _seconds(lambda: reader(draw(quick_judge.fakes_wanted)))


def _power(
    reader: RowReader, quick_judge: QuickJudge, masses: list[float], alpha: float, seed: int
) -> list[PowerEstimate]:
    def make() -> list[PowerEstimate]:
        return power_upwards(reader.rows, quick_judge, masses=masses, alpha=alpha, seed=seed)

    sides = [quick_judge.space(reader.rows), quick_judge.fit, quick_judge.select, quick_judge.validation_rows]
    return cached_power(sides, {"masses": masses, "alpha": alpha, "trials": TRIALS, "seed": seed}, make)


def _seconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _mean_over_ranks(seconds: float) -> float:
    """Return the mean over the ranks, so that all ranks make the same schedule."""
    value = torch.tensor([seconds], dtype=torch.float64)
    ProcessRank.of_this_process().average_([value])
    return float(value)
