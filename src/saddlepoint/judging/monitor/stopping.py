"""Stopping rules: a pure function from the checks of a game so far to one of seven states, with its evidence as text.

A *check* is a quick two-sample test at a planned round. The state is the first of these that holds:

collapsed    a region of the data gets (almost) no samples, or far too narrow ones: at three checks in a row, or at two if it
             was covered before; and the distance does not fall meanwhile. While nothing has been learnt yet (every
             estimate above 0.4 nats) only six checks in a row count, because modes come and go at first
memorising   samples are nearer to training rows than to held-out rows, by an exact test
reached      no difference certified, and the upper limit of what the referee detects is within the tolerance, and the power
             analysis found a planted defect of the tolerance's size in at least 4 of 5 trials
diverging    three checks in a row clearly above the best before them, and not falling
plateau      over the last 8, 12 or 16 checks the trend is flat: the 95 % upper limit of the improvement in four checks is
             less than delta = max(floor, a tenth of the distance). A clear fall of a tenth is never flat. (Games whose
             distance varies much need the longer windows.)
budget       the rounds or minutes are used up
improving    none of these

If nearly all rows are classified correctly (estimate above 0.6 of at most 0.693 nats), the distance cannot show progress;
then the trend of `coarse` is used, the distance after the same noise on both sides.

False alarms while the generator's distribution does not change (simulated in benchmarks/stopping.py): diverging needs three
checks in a row beyond the one-sided level 0.05 / (2 K) of K planned checks, so at most 0.05 per game by Bonferroni's
inequality if estimates are normal; collapsed and memorising are tests with levels of their own, divided over the planned
checks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from scipy.stats import norm, t

Name = Literal["improving", "reached", "plateau", "diverging", "collapsed", "memorising", "budget"]
STATES: tuple[Name, ...] = get_args(Name)
SETTLED: tuple[Name, ...] = ("reached", "plateau")
FINAL: tuple[Name, ...] = ("reached", "plateau", "diverging", "collapsed", "memorising")
WINDOW, PATIENCE = 4, 3
WINDOWS = (8, 12, 16)
SATURATED, EARLY = 0.6, 0.4
POWER = 0.8
LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class Check:
    """The results at one round; JSDs in nats.

    estimate: mean payoff of a referee fitted on other rows: unbiased for what that referee detects, which is at most the
        JSD; it may be below 0.
    error: its standard error.
    lower: certified lower bound for the JSD, jointly over all planned checks.
    upper: upper limit of what the referee detects (not of the JSD), jointly over all planned checks.
    floor: the JSD near which this many rows begin to certify a difference.
    coarse, coarse_error: estimate and error after noise on both sides, if the estimate is saturated.
    missing, narrow: names of the regions without samples, or with too narrow ones.
    copies: the sentence of the memorisation test, if it rejects.
    indicative: a remedy has used earlier checks, so the bounds no longer hold jointly.
    """

    round: int
    estimate: float
    error: float
    lower: float
    upper: float
    floor: float
    coarse: float | None = None
    coarse_error: float | None = None
    missing: tuple[str, ...] = ()
    narrow: tuple[str, ...] = ()
    copies: str | None = None
    indicative: bool = False

    @property
    def regions(self) -> tuple[str, ...]:
        """Return the regions with an alarm."""
        return (*self.missing, *self.narrow)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "missing": list(self.missing), "narrow": list(self.narrow)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Check:
        """Return the check that `to_dict` wrote (other keys are ignored)."""
        known = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}
        return cls(**{**known, "missing": tuple(known["missing"]), "narrow": tuple(known["narrow"])})


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Constants of the stopping rules.

    tolerance: in nats.
    found: share of trials in which the planted defect was found (None: not tried).
    planned: number of planned checks.
    """

    tolerance: float
    found: float | None
    planned: int


@dataclass(frozen=True, kw_only=True)
class State:
    """A state and its evidence, one sentence without a full stop."""

    name: Name
    evidence: str

    @property
    def settled(self) -> bool:
        """Whether the game need not go on: the tolerance is reached, or it no longer improves."""
        return self.name in SETTLED


def state_of(checks: Sequence[Check], rules: Rules, *, spent: bool = False) -> State:
    """Return the state after these checks.

    A pure function: the same checks give the same state. A larger tolerance never turns "reached" into another state.

    checks: oldest first.
    rules: constants of the rules.
    spent: the budget is used up.
    """
    for rule in (_collapsed, _memorising, _reached, _diverging, _plateau):
        found = rule(checks, rules)
        if found is not None:
            return found
    if spent:
        return State(name="budget", evidence=_evidence_of_budget(checks))
    return State(name="improving", evidence=_evidence_of_improving(checks))


def states_of(checks: Sequence[Check], rules: Rules) -> list[State]:
    """Return the state after each check."""
    return [state_of(checks[: place + 1], rules) for place in range(len(checks))]


def best_of(checks: Sequence[Check]) -> int | None:
    """Return the index of the best check, the one with the smallest estimate; None without checks.

    If all checks are saturated, `coarse` decides. Checks without an alarm come first: a game that lost a region is not
    preferred for its other gains. A check that has learnt nothing yet (above 0.4 nats while another is not) counts as one
    with an alarm, because covering all regions is then no merit.
    """
    if not checks:
        return None
    all_saturated = all(_saturated(each) for each in checks)
    learnt = any(each.estimate <= EARLY for each in checks)

    def key(place: int) -> tuple[bool, bool, float]:
        check = checks[place]
        alarm = bool(check.regions) or (learnt and check.estimate > EARLY)
        return bool(check.copies), alarm, _progress(check, coarse=all_saturated)[0]

    return min(range(len(checks)), key=key)


def safest_of(checks: Sequence[Check]) -> int | None:
    """Return the index of the check to go back to after a collapse: fewest lost regions, then smallest estimate.

    It need not be the best one: if every check lacks a region, the best may lack the regions that are to be recovered.
    """
    if not checks:
        return None
    all_saturated = all(_saturated(each) for each in checks)

    def key(place: int) -> tuple[int, float]:
        return len(checks[place].missing), _progress(checks[place], coarse=all_saturated)[0]

    return min(range(len(checks)), key=key)


def _collapsed(checks: Sequence[Check], rules: Rules) -> State | None:
    if not checks or not checks[-1].regions:
        return None
    now = checks[-1]
    early = all(each.estimate > EARLY for each in checks)
    patience = 2 * PATIENCE if early else PATIENCE
    for region in now.regions:
        how = "gets (almost) no samples" if region in now.missing else "is narrower than in the data"
        gone = [region in each.regions for each in checks]
        where = f"{region} {how}"
        if region in now.missing and not early and len(gone) > 2 and gone[-2] and not all(gone):
            since = len(gone) - 1 - gone[::-1].index(False)
            if not _falling(checks[since:]):
                return State(
                    name="collapsed",
                    evidence=f"{where} since the check at round {checks[since + 1].round:,}; "
                    f"at round {checks[since].round:,} it was covered",
                )
        if len(gone) >= patience and all(gone[-patience:]) and not _falling(checks[-patience:]):
            return State(
                name="collapsed",
                evidence=f"{where} at the last {patience} checks, and the distance does not fall",
            )
    return None


def _memorising(checks: Sequence[Check], rules: Rules) -> State | None:
    if not checks or checks[-1].copies is None:
        return None
    sentence = checks[-1].copies.rstrip(".")
    return State(name="memorising", evidence=f"{sentence[:1].lower()}{sentence[1:]}")


def _reached(checks: Sequence[Check], rules: Rules) -> State | None:
    if not checks or rules.found is None or rules.found < POWER:
        return None
    now = checks[-1]
    if now.lower > 0 or now.upper > rules.tolerance:
        return None
    return State(
        name="reached",
        evidence=f"no difference certified at round {now.round:,}: estimate {max(0.0, now.estimate):.4f} nats, what the "
        f"referee detects at most {max(0.0, now.upper):.4f} (tolerance {rules.tolerance:.4f}), while a planted "
        f"defect of that size was found in {100 * rules.found:.0f} % of trials; this is no proof of equality",
    )


def _diverging(checks: Sequence[Check], rules: Rules) -> State | None:
    if len(checks) <= PATIENCE:
        return None
    last, before = checks[-PATIENCE:], checks[:-PATIENCE]
    best = min(before, key=lambda each: each.estimate)
    z = float(norm.isf(LEVEL / (2 * max(1, rules.planned))))

    def worse(one: Check, other: Check) -> bool:
        error = math.hypot(one.error, other.error)
        return one.estimate - other.estimate > z * error + max(other.floor, abs(other.estimate) / 20)

    if not all(worse(each, best) for each in last):
        return None
    if last[-1].estimate < last[0].estimate - 2 * math.hypot(last[0].error, last[-1].error):
        return None  # it recovers
    return State(
        name="diverging",
        evidence=f"the last {PATIENCE} checks are near {last[-1].estimate:.4f} nats, well above the best, "
        f"{max(0.0, best.estimate):.4f} at round {best.round:,}",
    )


def _plateau(checks: Sequence[Check], rules: Rules) -> State | None:
    for count in WINDOWS:
        if len(checks) >= count and (trend := _flat(checks[-count:])) is not None:
            best = checks[best_of(checks) or 0]
            smallest = f"the smallest is {max(0.0, best.estimate):.4f} at round {best.round:,}"
            return State(name="plateau", evidence=f"over the last {count} checks {trend}; {smallest}")
    return None


def _flat(last: Sequence[Check]) -> str | None:
    """Return a description of the trend over these checks if it is flat, else None."""
    coarse = all(_saturated(each) for each in last)
    if coarse and all(each.coarse is None for each in last):
        return None
    values = [_progress(each, coarse=coarse)[0] for each in last]
    slope, error, _ = _trend(values)
    fall, most = -WINDOW * slope, -WINDOW * slope + float(t.isf(LEVEL, len(values) - 2)) * WINDOW * error
    level = sum(values) / len(values)
    delta = max(last[-1].floor, abs(level) / 10)
    least = fall - (most - fall)
    # With few rows the floor is high; a clear fall is progress all the same.
    if most >= delta or least <= -delta or (least > 0 and fall > abs(level) / 10):
        return None
    after = " after noise on both sides" if coarse else ""
    change = f"fell by {fall:.4f}" if fall >= 0 else f"rose by {-fall:.4f}"
    return (
        f"the distance{after} {change} nats in {WINDOW} checks (an improvement of {max(0.0, most):.4f} at most, 95 %), less "
        f"than {delta:.4f}"
    )


def _falling(checks: Sequence[Check]) -> bool:
    """Return whether the distance clearly fell over these checks: by more than delta and by two standard errors."""
    coarse = all(_saturated(each) for each in checks)
    (first, e1), (last, e2) = (_progress(each, coarse=coarse) for each in (checks[0], checks[-1]))
    return first - last > max(checks[-1].floor, abs(last) / 20, 2 * math.hypot(e1, e2))


def _saturated(check: Check) -> bool:
    return check.estimate > SATURATED and check.coarse is not None


def _progress(check: Check, *, coarse: bool) -> tuple[float, float]:
    if coarse and check.coarse is not None:
        return check.coarse, check.coarse_error or 0.0
    return check.estimate, check.error


def _trend(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the least-squares slope per check, its standard error, and the residual standard deviation."""
    n = len(values)
    middle, mean = (n - 1) / 2, sum(values) / n
    square = sum((i - middle) ** 2 for i in range(n))
    slope = sum((i - middle) * (v - mean) for i, v in enumerate(values)) / square
    rest = sum((v - mean - slope * (i - middle)) ** 2 for i, v in enumerate(values))
    scatter = math.sqrt(rest / (n - 2))
    return slope, scatter / math.sqrt(square), scatter


def _evidence_of_budget(checks: Sequence[Check]) -> str:
    if not checks:
        return "the budget is spent before the first check"
    place = best_of(checks) or 0
    return (
        f"the budget is spent before the game settled; the smallest estimate is {max(0.0, checks[place].estimate):.4f} "
        f"nats at round {checks[place].round:,}"
    )


def _evidence_of_improving(checks: Sequence[Check]) -> str:
    if not checks:
        return "nothing was checked yet"
    now = checks[-1]
    evidence = f"estimate {now.estimate:.4f} +- {now.error:.4f} nats at round {now.round:,}, certified bound {now.lower:.4f}"
    return evidence + (f"; not covered yet: {', '.join(now.regions)}" if now.regions else "")
