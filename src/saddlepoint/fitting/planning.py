"""When to check, how often and how strictly: decided once, by measured costs, and written down before round 0.

Checks, ruler and final verdict are to take a tenth of the time of the game at most, as it is foreseen: by a rate measured on a
copy of the game, and by the cost of one look of the referee measured here, of which all other costs are so many times; a fifth
of that tenth is left for what was measured wrongly. Measured costs swing from machine to machine and from load to load, so the
count is one of few (`COUNTS`): the same game is mostly checked at the same rounds everywhere, and where it is not, at a part
of them. A resumed run reuses the plan.

A short game decides by rule: a plateau needs eight checks, so a game that is to stop when it is settled gets eight at least
where these take ten seconds or less; any other gets what a tenth pays for, and the two at its ends. The plan says in words
where that is more than a tenth.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from saddlepoint import compute
from saddlepoint.data.dataset import Dataset
from saddlepoint.fitting.check_plan import SHARE, CheckPlan, Watching, refuse_few
from saddlepoint.fitting.judged_rows import Reader
from saddlepoint.fitting.ruler_cache import remembered
from saddlepoint.judging.companions import chosen_of
from saddlepoint.judging.missing_mass import missing_of_jsd, tolerance_of
from saddlepoint.judging.ringside import Ringside
from saddlepoint.judging.ruler import MASSES, TRIALS, Mark, ruler_upwards
from saddlepoint.judging.stopping import LEVEL
from saddlepoint.judging.threads import one_thread
from saddlepoint.training import Share

COUNTS = (24, 12, 8, 6, 4, 3, 2, 1)
ENOUGH, ENOUGH_SECONDS = 8, 10.0  # checks that a plateau needs, and what they may take in a short game
_SPENT = 0.8 * SHARE
_TIMED = 2
# In looks of the referee, measured (benchmarks/stopping.py share): the alarm, now and then copies or a second look; a quick
# judgement with control and copies; a full one.
_BESIDES, _QUICK, _FULL = 1.4, 7.0, 42.0
_MORE_TRIALS = 3  # of the ruler, where the tolerance's size is not found


def ringside_of(reader: Reader, monitor: Dataset, seed: int) -> Ringside:
    """Return the referee at the ringside for these rows."""
    return Ringside(
        reader.rows,
        reader(monitor.rows),
        categorical=reader.categorical,
        seed=compute.key(seed, "ringside") % 2**32,
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
    draw: Callable[[int], Any] | None = None,
) -> CheckPlan | None:
    """Return the plan of checks of a game of so many rounds at a measured rate (rounds a second); None: none wanted.

    draw: draws so many rows as a check does, to see how long that takes (None: no time at all).

    Raises:
        InputError: too few monitor rows.
    """
    if watching.until is None:
        return None
    began = time.perf_counter()
    reader = Reader(train)
    ringside = ringside_of(reader, refuse_few(monitor), seed)
    look, drawing = (_agreed(seconds) for seconds in _costs(reader, ringside, draw))
    cost = _BESIDES * look + drawing
    foreseen = horizon / rate
    tolerance = tolerance_of(watching.tolerance)
    masses = {round(missing_of_jsd(tolerance), 9), *(MASSES if watching.ruler == "full" else ())}
    planning = (_TIMED + len(masses) * TRIALS + _MORE_TRIALS) * look + drawing
    left = _SPENT * foreseen - planning
    full = left >= 2 * _FULL * look
    final = 0.0 if vault is None else (_FULL if full else _QUICK) * look
    plan = CheckPlan(
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
        also=chosen_of(watching.also),
    )
    marks = _ruler(reader, ringside, sorted(masses), plan.alpha(0), seed)
    took = round(time.perf_counter() - began, 2)
    return dataclasses.replace(plan, ruler=tuple(mark.to_dict() for mark in marks), planning_seconds=took)


def count_of(affordable: float, cost: float, horizon: int, *, least: int = ENOUGH) -> int:
    """Return how many checks to plan where so many would fit in, at `cost` seconds each.

    >>> count_of(30.0, 0.3, 5000), count_of(23.0, 0.3, 5000), count_of(0.5, 0.3, 5000), count_of(0.5, 30.0, 5000)
    (24, 12, 8, 1)
    >>> count_of(7.5, 0.3, 5000, least=1)
    6
    """
    wanted = max(affordable, least if least * cost <= ENOUGH_SECONDS else 1)
    return next(count for count in COUNTS if count <= max(1.0, min(wanted, horizon)))


def _costs(reader: Reader, ringside: Ringside, draw: Callable[[int], Any] | None) -> tuple[float, float]:
    """Return the seconds of a look and of drawing the rows for one."""
    random = np.random.default_rng(0)
    # Real rows drawn again stand for the fakes: what is timed is how long it takes, not what is seen.
    stand_in = ringside.space(reader.rows[random.integers(len(reader.rows), size=ringside.fakes_wanted)])
    look = min(_seconds(lambda: ringside.look_at(stand_in, alpha=LEVEL / COUNTS[0])) for _ in range(_TIMED))
    return look, 0.0 if draw is None else _seconds(lambda: reader(draw(ringside.fakes_wanted)))


def _ruler(reader: Reader, ringside: Ringside, masses: list[float], alpha: float, seed: int) -> list[Mark]:
    def make() -> list[Mark]:
        return ruler_upwards(reader.rows, ringside, masses=masses, alpha=alpha, seed=seed)

    sides = [ringside.space(reader.rows), ringside.fit, ringside.select, ringside.held]
    return remembered(sides, {"masses": masses, "alpha": alpha, "trials": TRIALS, "seed": seed}, make)


def _seconds(act: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _agreed(seconds: float) -> float:
    """Return the mean over the ranks, so that all have one plan."""
    value = torch.tensor([seconds], dtype=torch.float64)
    Share.of_this_process().average_([value])
    return float(value)
