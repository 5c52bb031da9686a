"""Checks at planned rounds on the monitor rows: what is seen, the state of the game, the best snapshot, the decision.

Only rank 0 reads rows; what it decides reaches the others by the vote of `Fit`. Checks take nothing from the game's random
streams and move nothing in it: with and without them the game is the same, bit for bit, until a decision acts.

Looks at planned rounds on the monitor rows: which snapshot of G is kept, and what the game added to its start.

Snapshots of a generator: its weights, and the generator to keep, which a law that it started from may be instead.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saddlepoint import compute
from saddlepoint.compute import one_thread
from saddlepoint.data.dataset import Dataset
from saddlepoint.fitting.check_schedule import CheckSchedule, quick_judge_of, refuse_few
from saddlepoint.fitting.collapse_recovery import MOST_RECOVERIES
from saddlepoint.fitting.row_reader import Reader
from saddlepoint.judging.localise import name_regions
from saddlepoint.judging.memorisation import EXACT_WEIGHT, copying
from saddlepoint.judging.monitor.mode_collapse import Alarm, CoverageTest
from saddlepoint.judging.monitor.quick_c2st import FEWEST_ROWS, QuickEstimate, QuickVerdict, quick_estimate
from saddlepoint.judging.monitor.stopping import FINAL, SATURATED, Check, State, best_of, safest_of, state_of
from saddlepoint.model import Model
from saddlepoint.networks import MADEGenerator, MixtureGenerator


def weights_of(generator: nn.Module) -> dict[str, Tensor]:
    """Return a generator's weights, copied to the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in generator.state_dict().items()}


def starts_fitted(generator: nn.Module) -> bool:
    """Return whether a generator started at a law fitted to the data, than which the game must come nearer to it."""
    return isinstance(generator, MADEGenerator) or (
        isinstance(generator, MixtureGenerator) and generator.start == "mixture"
    )


def start_in_words(generator: nn.Module) -> str:
    """Return what such a generator started from, in words."""
    return "fitted heads" if isinstance(generator, MADEGenerator) else "mixture of Gaussians"


def with_weights(generator: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    """Return a copy of a generator with these weights."""
    chosen = copy.deepcopy(generator)
    chosen.load_state_dict(weights)
    return chosen


def start_of(generator: nn.Module) -> nn.Module:
    """Return a copy of a generator that makes what it started from, as it was before the game."""
    chosen = copy.deepcopy(generator)
    if isinstance(chosen, MixtureGenerator | MADEGenerator):
        chosen.reset_to_start()
    return chosen


LOOKS = 4
_ROWS_PER_COLUMN, _MOST_ROWS = (
    1_000,
    5_000,
)  # few columns hide little, and a look should cost a tenth of the game
_FAKES_PER_REAL, _FEWEST_FAKES = (
    2,
    2_000,
)  # where real rows are few, fakes (which cost nothing) sharpen the look
_MOST_READ = 20_000  # training rows of a table whose words make the code book
SMALL_TABLE = 2_000  # training rows, below which a snapshot may not copy them
COPIES_LEVEL = (
    0.1  # a tenth of innocent snapshots refused costs little, a copy kept much: few rows show few copies
)
_EARLY = 5  # halvings of the horizon: a small table is learnt by heart long before its last round
_MARGIN = 3.0  # standard errors: the best of several looks is lucky by one more often than not, and fits are noisy too


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen at a round: an estimate of the JSD to the monitor rows (nats), and its standard error.

    copies: the copying test tells samples of then from fresh ones (asked of small tables only).
    """

    round: int
    jsd: float
    error: float
    copies: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """G's weights at a look, and what was seen then."""

    look: Look
    quick_estimate: QuickEstimate
    weights: dict[str, Tensor]


class SnapshotSelection:
    """The looks of one fit, and the weights of G at the best of them.

    Where G starts at a fitted law (a mixture, or a table's heads) that law is the first candidate, and a snapshot takes its
    place only if it lies nearer to the monitor rows by more than three standard errors of the difference: the game must
    earn its place. Looks do not touch the game.

    With fewer than 2,000 training rows the game can learn them by heart: looks begin early, and a snapshot whose samples
    the copying test (training against monitor rows, level .1) calls copies is refused. If all are, the mixture stays;
    where there is none, the earliest snapshot.
    """

    def __init__(self, train: Dataset, monitor: Dataset, horizon: int) -> None:
        most = min(_MOST_ROWS, _ROWS_PER_COLUMN * max(1, int(np.prod(monitor.rows.shape[1:]))))
        held = train.in_memory()
        few = np.linspace(0, len(held) - 1, min(len(held), _MOST_READ)).astype(int)
        self._reader = Reader(held.take(few) if train.kind == "tables" else train)
        self._real = self._reader(monitor.rows[:most])
        self._labels = None if monitor.labels is None else np.asarray(monitor.labels)[:most]
        self._train, self._monitor = train, monitor
        early = range(3, 3 + _EARLY) if len(train) < SMALL_TABLE else ()
        looks = LOOKS // 2 if train.kind == "tables" else LOOKS  # their games are short
        self.every = max(1, horizon // looks)
        self._planned = frozenset(max(1, horizon >> halvings) for halvings in early)
        self.history: list[Look] = []
        self.start: QuickEstimate | None = None
        self.best: Snapshot | None = None
        self._last: Snapshot | None = None

    @classmethod
    def about(cls, train: Dataset, monitor: Dataset | None, horizon: int) -> SnapshotSelection | None:
        """Return the looks of a fit to points or a table with at least 10 monitor rows; None for others."""
        if monitor is None or monitor.kind == "pictures" or len(monitor) < FEWEST_ROWS:
            return None
        return cls(train, monitor, horizon)

    def due(self, round_: int) -> bool:
        """Return whether a look is planned at a round that was not looked at yet."""
        planned = round_ % self.every == 0 or round_ in self._planned
        return planned and (not self.history or round_ > self.history[-1].round)

    def look(self, model: Model, generator: nn.Module, round_: int) -> Look:
        """Look at a model whose generator plays at a round; remember its weights if they are the best."""
        found = self._seen(model, generator, round_)
        self._last = None
        if round_ == 0:
            self.start = found.quick_estimate
        elif self.best is None or _preferred(found.look, self.best.look):
            self.best = found
        self.history.append(found.look)
        return found.look

    def look_once(self, model: Model, generator: nn.Module, round_: int) -> Look:
        """Look at an unplanned round (the run stops here): it counts until the game goes on, and is not stored."""
        self._last = self._seen(model, generator, round_)
        return self._last.look

    def choose(self, generator: nn.Module) -> tuple[nn.Module, int | None]:
        """Return a copy of a generator with the weights to keep, and their round (0: the mixture it started from).

        Before anything was looked at, the weights stay and the round is None.
        """
        seen = [each for each in (self.best, self._last) if each is not None]
        best = seen[0] if seen else None
        if len(seen) > 1 and _preferred(seen[1].look, seen[0].look):
            best = seen[1]
        if (
            starts_fitted(generator)
            and self.start is not None
            and not (best is not None and not best.look.copies and _nearer(best.quick_estimate, self.start))
        ):
            return start_of(generator), 0
        if best is None:
            return copy.deepcopy(generator), None
        return with_weights(generator, best.weights), best.look.round

    def seen(self) -> list[dict[str, Any]]:
        """Return all looks as plain JSON values."""
        return [asdict(each) for each in [*self.history, *([self._last.look] if self._last else [])]]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what a checkpoint stores of the looks: tensors by name, and plain JSON values."""
        tensors: dict[str, Tensor] = {}
        if self.start is not None:
            tensors |= _packed("start", self.start)
        if self.best is not None:
            tensors |= _packed("best", self.best.quick_estimate)
            tensors |= {f"kept.{name}": value for name, value in self.best.weights.items()}
        kept = None if self.best is None else self.best.look.round
        return tensors, {"looks": [asdict(each) for each in self.history], "kept": kept}

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.history = [Look(**each) for each in facts.get("looks", [])]
        self.start, self.best, self._last = None, None, None
        if "start_gains.real" in tensors:
            self.start = _unpacked("start", tensors)
        for look in self.history:
            if look.round == facts["kept"]:
                self.best = Snapshot(
                    look=look,
                    quick_estimate=_unpacked("best", tensors),
                    weights={n.removeprefix("kept."): v for n, v in tensors.items() if n.startswith("kept.")},
                )

    def _seen(self, model: Model, generator: nn.Module, round_: int) -> Snapshot:
        rows, classes = model.draw(max(_FEWEST_FAKES, _FAKES_PER_REAL * len(self._real)), random_state=0)
        real, fake = (np.asarray(side, dtype=np.float64) for side in (self._real, self._reader(rows)))
        if classes is not None and self._labels is not None:
            order = {str(value): place for place, value in enumerate(model.classes or ())}
            real, fake = (
                np.column_stack([side, [order.get(str(value), -1) for value in labels]])
                for side, labels in ((real, self._labels.tolist()), (fake, classes))
            )
        categorical = self._reader.categorical
        if categorical is not None and real.shape[1] > len(categorical):
            categorical = np.append(categorical, True)
        found = quick_estimate(real, fake, categorical=categorical)
        copied = copies(self._train, self._monitor, rows, self._reader)
        look = Look(round=round_, jsd=found.jsd, error=found.error, copies=copied)
        return Snapshot(look=look, quick_estimate=found, weights=weights_of(generator))


def copies(train: Dataset, monitor: Dataset, fake: Any, reader: Reader | None = None) -> bool:
    """Return whether fakes count as copies of a small table's training rows; large tables are not asked."""
    if len(train) >= SMALL_TABLE or min(len(train), len(monitor)) < FEWEST_ROWS:
        return False
    reader = reader or Reader(train)
    sides = (np.asarray(reader(rows), dtype=np.float64) for rows in (train.rows, monitor.rows, fake))
    return copying(*sides, categorical=reader.categorical, level=COPIES_LEVEL).copying


def refused(seen: list[dict[str, Any]], kept: int | None, start: str = "mixture of Gaussians") -> str | None:
    """Return in words at how many looks samples counted as copies of training rows; None if at none."""
    count = sum(1 for each in seen if each["round"] > 0 and each.get("copies"))
    if not count:
        return None
    total = sum(1 for each in seen if each["round"] > 0)
    sentence = f"the copying test found training rows in the samples at {count} of {total} looks"
    if kept == 0:
        return f"{sentence}; no other came nearer to the data than the {start} the game started from"
    if count == total:
        return f"{sentence}; the earliest is kept (round {kept or 0:,}): these rows are too few to learn from like this"
    return f"{sentence}, which are not kept; round {kept or 0:,} is"


def _preferred(one: Look, other: Look) -> bool:
    """Return whether a later look is the better one to keep: no copies first, then the smaller distance."""
    if one.copies or other.copies:
        return other.copies and not one.copies
    return one.jsd < other.jsd


def added(seen: list[dict[str, Any]], kept: int | None, start: str = "mixture of Gaussians") -> str | None:
    """Return in words what the game added to what it started from; None if there was no such start."""
    first = next((each for each in seen if each["round"] == 0), None)
    if first is None or kept is None or len(seen) < 2:
        return None
    looked = [each for each in seen if each["round"] > 0 and not each.get("copies")]
    if len(looked) < len(seen) - 1 and kept == 0:
        return None  # `refused` says why the mixture is kept
    best = min(looked, key=lambda each: float(each["jsd"]))
    figures = f"{max(0.0, first['jsd']):.4f} to {max(0.0, best['jsd']):.4f} nats (+- {best['error']:.4f})"
    if kept == 0:
        return (
            f"the game added nothing that the monitor rows can show to the {start} it started from (its distance went "
            f"from {figures}): the {_short(start)} {_are(start)} kept"
        )
    return (
        f"the game brought the {_short(start)} it started from nearer to the monitor rows, from {figures}; "
        f"round {kept:,} is kept"
    )


def _short(start: str) -> str:
    return start.removesuffix(" of Gaussians")


def _are(start: str) -> str:
    return "is" if start.startswith("mixture") else "are"


def _packed(name: str, seen: QuickEstimate) -> dict[str, Tensor]:
    return {
        f"{name}_gains.real": torch.from_numpy(seen.real),
        f"{name}_gains.fake": torch.from_numpy(seen.fake),
    }


def _unpacked(name: str, tensors: dict[str, Tensor]) -> QuickEstimate:
    return QuickEstimate(
        real=tensors[f"{name}_gains.real"].numpy(), fake=tensors[f"{name}_gains.fake"].numpy()
    )


def _nearer(one: QuickEstimate, other: QuickEstimate) -> bool:
    return one.jsd < other.jsd - _MARGIN * one.error_of_difference(other)


_FEWEST_FAKES_OF_A_CHECK = 8_000  # of points, for the alarm: they cost next to nothing
_MOST_WATCHED = 8_000
_MOST_FOR_COPIES = 2_000


class CheckMonitor:
    """The checks of one fit so far.

    history: checks, oldest first; kept: the place of the best; weights: G's at the best; remedies: the rounds at which a
    remedy was applied, by whoever applies them; seconds: spent on checks by this process (not stored).
    """

    def __init__(
        self,
        plan: CheckSchedule,
        train: Dataset,
        monitor: Dataset | None,
        *,
        seed: int,
        remedies: list[int] | None = None,
    ) -> None:
        monitor = refuse_few(monitor)
        self.plan, self._seed, self._reader = plan, seed, Reader(train)
        self._held_rows, self._categorical = self._reader(monitor.rows), self._reader.categorical
        with one_thread():
            self.quick_judge = quick_judge_of(self._reader, monitor, seed)
            rows = self._reader.rows
            self._watched = rows[self._order()[:_MOST_WATCHED]]
            self._watched_at = self.quick_judge.space(self._watched)
            self.watch = CoverageTest(self._watched_at, self.quick_judge.held, seed=0)
        self.history: list[Check] = []
        self.remedies = [] if remedies is None else remedies
        self.kept: int | None = None
        self.weights: dict[str, Tensor] = {}
        self.seconds = 0.0
        self._payoffs: dict[str, Tensor] = {}

    def state_at(self, count: int, *, spent: bool = False) -> State:
        """Return the state after the first `count` checks, by those since the last remedy; spent: as the budget ends."""
        now = self.history[count - 1].round if count else 0
        last = max((each for each in self.remedies if each < now), default=-1)
        since = sum(each.round <= last for each in self.history[:count])
        return state_of(self.history[since:count], self.plan.rules, spent=spent)

    def decision(self) -> str | None:
        """Return what the newest check asks for: "remedy" for a collapse to be mended, a state to stop in, or None."""
        state = self.state_at(len(self.history))
        if (
            state.name == "collapsed"
            and self.plan.on_collapse != "stop"
            and len(self.remedies) < MOST_RECOVERIES
        ):
            return "remedy"
        return state.name if self.plan.until == "settled" and state.name in FINAL else None

    def due(self, round_: int) -> bool:
        """Return whether a check is planned at a round that was not checked yet."""
        return self.plan.due(round_) and (not self.history or round_ > self.history[-1].round)

    @one_thread()
    def check(self, model: Model, generator: nn.Module, round_: int) -> bool:
        """Check a model whose generator plays at a round; return whether it is the one to go back to after a collapse."""
        begun = time.monotonic()
        number = len(self.history)
        alpha = self.plan.alpha(number)
        wanted = self.quick_judge.fakes_wanted
        drawn = max(wanted, _FEWEST_FAKES_OF_A_CHECK) if self._reader.kind == "points" else wanted
        fakes = self._reader(model.draw(drawn, random_state=compute.derived_seed(self._seed, "checked"))[0])
        placed = self.quick_judge.space(fakes)
        sight = self.quick_judge.sample_rows(placed[:wanted], alpha=alpha)
        coarse = None
        if sight.estimate > SATURATED:
            coarse = self.quick_judge.sample_rows(placed[:wanted], alpha=alpha, coarse=True)
        alarms = self.watch.look(placed, alpha=2 * alpha)
        check = self._check(round_, sight, coarse, alarms)
        if self.plan.tests_copies(number):
            check = replace(check, copies=self._copies(fakes))
        self.history.append(check)
        self.seconds += time.monotonic() - begun
        self._keep(sight, generator)
        return safest_of(self.history) == number

    def _check(
        self, round_: int, sight: QuickVerdict, coarse: QuickVerdict | None, alarms: list[Alarm]
    ) -> Check:
        return Check(
            round=round_,
            estimate=sight.estimate,
            error=sight.error,
            lower=sight.lower,
            upper=sight.upper,
            floor=sight.floor,
            coarse=None if coarse is None else coarse.estimate,
            coarse_error=None if coarse is None else coarse.error,
            missing=self._named([each for each in alarms if each.kind == "missing"]),
            narrow=self._named([each for each in alarms if each.kind == "narrow"]),
            indicative=bool(self.remedies),
        )

    def _copies(self, fakes: np.ndarray[Any, Any]) -> str | None:
        level = self.plan.copies_level
        found = copying(
            self._watched,
            self._held_rows,
            fakes[: 2 * _MOST_FOR_COPIES],
            categorical=self._categorical,
            level=level,
            permutations=math.ceil(1.2 / (level * (1 - EXACT_WEIGHT))),
            max_rows=_MOST_FOR_COPIES,
        )
        return found.sentence if found.copying else None

    def _named(self, alarms: list[Alarm]) -> tuple[str, ...]:
        """Return the names of regions: of points the mean of their rows, else a row of theirs and what tells them apart."""
        regions = [self.watch.regions[each.region] for each in alarms]
        rows = self._watched
        if not regions:
            return ()
        cells = self.watch.cells.predict(self._watched_at)
        inside = [np.isin(cells, region.members) for region in regions]
        if rows.ndim > 2 or self._reader.kind == "tables" or not np.isfinite(rows).all():
            told = [self._reader.telling(rows, each) for each in inside]
            return tuple(
                f"rows like training row {self._number(region.example):,}" + (f" ({words})" if words else "")
                for region, words in zip(regions, told, strict=True)
            )
        spread = np.maximum(rows.std(0), 1e-300)
        centres: list[tuple[Any, Any]] = []
        for each in inside:
            centre = rows[each].mean(0).astype(np.float64)
            centre = np.where(np.abs(centre) < 1e-2 * spread, 0.0, centre)
            centres.append((centre, (centre - rows.mean(0)) / spread))
        names = self._reader.columns or tuple(f"x{i + 1}" for i in range(rows.shape[1]))
        return tuple(name_regions(centres, tuple(names), spread, (False,) * len(names)))

    def _number(self, example: int) -> int:
        return int(self._order()[example]) + 1

    def _order(self) -> np.ndarray[Any, Any]:
        """Return the order of training rows whose first ones are watched."""
        return np.random.default_rng(compute.derived_seed(self._seed, "watched")).permutation(
            len(self._reader.rows)
        )

    # -- the best snapshot ---------------------------------------------------------------------------------------

    def _keep(self, sight: QuickVerdict, generator: nn.Module) -> None:
        payoffs = torch.from_numpy(sight.payoffs.copy())
        if len(self.history) == 1:
            self._payoffs["start"] = payoffs
        best = best_of(self.history)
        if best == self.kept or best != len(self.history) - 1:
            return
        self.kept, self._payoffs["best"] = best, payoffs.clone()
        self.weights = weights_of(generator)

    def choose(self, generator: nn.Module) -> tuple[nn.Module, int | None]:
        """Return a copy of a generator with the weights to keep, and their round (0: what it started from).

        Where G starts as a mixture ("charts"), a later snapshot takes its place only if it lies nearer to the monitor rows
        by more than three standard errors of the difference: the game must earn its place.
        """
        if self.kept is None:
            return copy.deepcopy(generator), None
        if starts_fitted(generator) and (self.kept == 0 or not self._earned()):
            return start_of(generator), 0
        return with_weights(generator, self.weights), self.history[self.kept].round

    def _earned(self) -> bool:
        start, best = self.history[0], self.history[self.kept or 0]
        if start.regions and not best.regions:
            return True
        gain = (self._payoffs["start"] - self._payoffs["best"]).numpy()
        return bool(gain.mean() > _MARGIN * gain.std() / math.sqrt(len(gain)))

    def seen(self) -> list[dict[str, Any]]:
        """Return rounds, estimates and errors as plain JSON values."""
        return [{"round": each.round, "jsd": each.estimate, "error": each.error} for each in self.history]

    def records(self) -> list[dict[str, Any]]:
        """Return every check with its state, as plain JSON values."""
        return [self.record(place) for place in range(len(self.history))]

    def record(self, place: int) -> dict[str, Any]:
        """Return one check with the state it led to, as plain JSON values."""
        state = self.state_at(place + 1)
        return {
            "kind": "check",
            **self.history[place].to_dict(),
            "state": state.name,
            "evidence": state.evidence,
        }

    # -- what a checkpoint stores --------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return tensors by name, and plain JSON values."""
        tensors = {f"checked.{name}": value for name, value in self.weights.items()}
        tensors |= {f"payoffs.{name}": value for name, value in self._payoffs.items()}
        facts = {"checks": [each.to_dict() for each in self.history], "best_check": self.kept}
        return tensors, facts

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.history = [Check.from_dict(each) for each in facts.get("checks", [])]
        self.kept = facts.get("best_check")
        self.weights, self._payoffs = _below(tensors, "checked"), _below(tensors, "payoffs")


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")
    }
