"""What is measured on the validation rows (monitor) during a fit, and which snapshot of G is kept.

There are two policies, and a fit has at most one of them:

- `SnapshotSelection` (without --until): quick estimates between rounds; the best snapshot is kept.
- `CheckMonitor` (with --until): checks whose bounds hold together, the state of the game, the best snapshot and the
  decision to stop.

Only rank 0 reads rows. What it decides reaches the other ranks by the vote of `Fit`. Neither policy draws from the game's
random streams or changes anything in the game: with and without them the game is the same, bit for bit, until a decision
acts.
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
from saddlepoint.fitting.row_reader import RowReader
from saddlepoint.judging.localise import name_regions
from saddlepoint.judging.memorisation import EXACT_WEIGHT, memorisation_test
from saddlepoint.judging.monitor.mode_collapse import Alarm, CoverageTest
from saddlepoint.judging.monitor.quick_c2st import FEWEST_ROWS, QuickEstimate, QuickVerdict, quick_estimate
from saddlepoint.judging.monitor.stopping import FINAL, SATURATED, Check, State, best_of, safest_of, state_of
from saddlepoint.model import Model
from saddlepoint.networks import MADEGenerator, MixtureGenerator


def weights_of(generator: nn.Module) -> dict[str, Tensor]:
    """Return a generator's weights, copied to the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in generator.state_dict().items()}


def starts_fitted(generator: nn.Module) -> bool:
    """Return whether a generator started from a distribution fitted to the data, which the game has to improve on."""
    return isinstance(generator, MADEGenerator) or (
        isinstance(generator, MixtureGenerator) and generator.start == "mixture"
    )


def start_in_words(generator: nn.Module) -> str:
    """Return in words what a generator with a fitted start (`starts_fitted`) started from."""
    return "fitted MADE" if isinstance(generator, MADEGenerator) else "mixture of Gaussians"


def with_weights(generator: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    """Return a copy of a generator with these weights."""
    chosen = copy.deepcopy(generator)
    chosen.load_state_dict(weights)
    return chosen


def start_of(generator: nn.Module) -> nn.Module:
    """Return a copy of a generator that samples its start, the distribution from before the game."""
    chosen = copy.deepcopy(generator)
    if isinstance(chosen, MixtureGenerator | MADEGenerator):
        chosen.reset_to_start()
    return chosen


ESTIMATES = 4
# Few columns need few rows, and all estimates together should cost at most a tenth of the game.
_ROWS_PER_COLUMN, _MOST_ROWS = 1_000, 5_000
# Where real rows are few, more fake rows (which are nearly free) lower the error of the estimate.
_FAKES_PER_REAL, _FEWEST_FAKES = 2, 2_000
_MOST_READ = 20_000  # training rows of a table that its category codes are taken from
SMALL_TABLE = 2_000  # training rows; below this a snapshot that copies them is refused
# Refusing a tenth of the innocent snapshots costs little, and keeping a copying one costs much. Few rows show few copies.
COPIES_LEVEL = 0.1
_EARLY = 5  # halvings of the horizon: a small table is overfitted long before the last round
# In standard errors. The best of several estimates is more often than not too low by one, and estimates are noisy too.
_MARGIN = 3.0


@dataclass(frozen=True, kw_only=True)
class EstimateRecord:
    """One quick estimate: the round, the JSD to the validation rows (nats), and its standard error.

    copies: whether the memorisation test finds training rows among the samples (small tables only).
    """

    round: int
    jsd: float
    error: float
    copies: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """G's weights at a quick estimate, and the estimate."""

    record: EstimateRecord
    quick_estimate: QuickEstimate
    weights: dict[str, Tensor]


class SnapshotSelection:
    """Quick estimates at planned rounds of one fit, and the weights of G at the best of them.

    Where G starts from a fitted distribution (a Gaussian mixture or a MADE), this start is the first candidate. A snapshot
    replaces it only if it is nearer to the validation rows by more than three standard errors of the difference. Estimates
    do not change the game.

    With fewer than 2,000 training rows the game can overfit. Then estimates begin early, and a snapshot is refused if the
    memorisation test (training against validation rows, level 0.1) finds copies among its samples. If all snapshots are
    refused, the fitted start is kept, or the earliest snapshot where there is no fitted start.
    """

    def __init__(self, train: Dataset, monitor: Dataset, horizon: int) -> None:
        most = min(_MOST_ROWS, _ROWS_PER_COLUMN * max(1, int(np.prod(monitor.rows.shape[1:]))))
        loaded = train.in_memory()
        few = np.linspace(0, len(loaded) - 1, min(len(loaded), _MOST_READ)).astype(int)
        self._reader = RowReader(loaded.take(few) if train.kind == "tables" else train)
        self._real = self._reader(monitor.rows[:most])
        self._labels = None if monitor.labels is None else np.asarray(monitor.labels)[:most]
        self._train, self._monitor = train, monitor
        early = range(3, 3 + _EARLY) if len(train) < SMALL_TABLE else ()
        count = ESTIMATES // 2 if train.kind == "tables" else ESTIMATES  # games on tables are short
        self.every = max(1, horizon // count)
        self._planned = frozenset(max(1, horizon >> halvings) for halvings in early)
        self.history: list[EstimateRecord] = []
        self.start: QuickEstimate | None = None
        self.best: Snapshot | None = None
        self._last: Snapshot | None = None

    @classmethod
    def create(cls, train: Dataset, monitor: Dataset | None, horizon: int) -> SnapshotSelection | None:
        """Return the selection for points or a table with at least 10 validation rows; None for other data."""
        if monitor is None or monitor.kind == "pictures" or len(monitor) < FEWEST_ROWS:
            return None
        return cls(train, monitor, horizon)

    def due(self, round_: int) -> bool:
        """Return whether an estimate is planned at a round and was not made yet."""
        planned = round_ % self.every == 0 or round_ in self._planned
        return planned and (not self.history or round_ > self.history[-1].round)

    def estimate(self, model: Model, generator: nn.Module, round_: int) -> EstimateRecord:
        """Estimate the distance of a model at a round; keep the weights of its generator if it is the best so far."""
        found = self._snapshot(model, generator, round_)
        self._last = None
        if round_ == 0:
            self.start = found.quick_estimate
        elif self.best is None or _preferred(found.record, self.best.record):
            self.best = found
        self.history.append(found.record)
        return found.record

    def estimate_at_stop(self, model: Model, generator: nn.Module, round_: int) -> EstimateRecord:
        """Estimate at an unplanned round where the run stops; this counts until the game goes on, and is not stored."""
        self._last = self._snapshot(model, generator, round_)
        return self._last.record

    def choose(self, generator: nn.Module) -> tuple[nn.Module, int | None]:
        """Return a copy of a generator with the weights to keep, and their round (0: its fitted start).

        Before the first estimate the weights stay as they are and the round is None.
        """
        candidates = [each for each in (self.best, self._last) if each is not None]
        best = candidates[0] if candidates else None
        if len(candidates) > 1 and _preferred(candidates[1].record, candidates[0].record):
            best = candidates[1]
        if (
            starts_fitted(generator)
            and self.start is not None
            and not (best is not None and not best.record.copies and _nearer(best.quick_estimate, self.start))
        ):
            return start_of(generator), 0
        if best is None:
            return copy.deepcopy(generator), None
        return with_weights(generator, best.weights), best.record.round

    def estimates(self) -> list[dict[str, Any]]:
        """Return all estimates as plain JSON values."""
        return [asdict(each) for each in [*self.history, *([self._last.record] if self._last else [])]]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what a checkpoint stores of the estimates: tensors by name, and plain JSON values."""
        tensors: dict[str, Tensor] = {}
        if self.start is not None:
            tensors |= _packed("start", self.start)
        if self.best is not None:
            tensors |= _packed("best", self.best.quick_estimate)
            tensors |= {f"kept.{name}": value for name, value in self.best.weights.items()}
        kept = None if self.best is None else self.best.record.round
        return tensors, {"looks": [asdict(each) for each in self.history], "kept": kept}

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.history = [EstimateRecord(**each) for each in facts.get("looks", [])]
        self.start, self.best, self._last = None, None, None
        if "start_gains.real" in tensors:
            self.start = _unpacked("start", tensors)
        for record in self.history:
            if record.round == facts["kept"]:
                self.best = Snapshot(
                    record=record,
                    quick_estimate=_unpacked("best", tensors),
                    weights={n.removeprefix("kept."): v for n, v in tensors.items() if n.startswith("kept.")},
                )

    def _snapshot(self, model: Model, generator: nn.Module, round_: int) -> Snapshot:
        """Return the weights of a generator with an estimate from fresh samples; a class counts as one more column."""
        rows, classes = model.draw(max(_FEWEST_FAKES, _FAKES_PER_REAL * len(self._real)), random_state=0)
        real, fake = (np.asarray(side, dtype=np.float64) for side in (self._real, self._reader(rows)))
        if classes is not None and self._labels is not None:
            numbers = {str(value): number for number, value in enumerate(model.classes or ())}
            real, fake = (
                np.column_stack([side, [numbers.get(str(value), -1) for value in labels]])
                for side, labels in ((real, self._labels.tolist()), (fake, classes))
            )
        categorical = self._reader.categorical
        if categorical is not None and real.shape[1] > len(categorical):
            categorical = np.append(categorical, True)
        found = quick_estimate(real, fake, categorical=categorical)
        copied = copies(self._train, self._monitor, rows, self._reader)
        record = EstimateRecord(round=round_, jsd=found.jsd, error=found.error, copies=copied)
        return Snapshot(record=record, quick_estimate=found, weights=weights_of(generator))


def copies(train: Dataset, monitor: Dataset, fake: Any, reader: RowReader | None = None) -> bool:
    """Return whether fake rows count as copies of a small table's training rows; False, without a test, for large ones."""
    if len(train) >= SMALL_TABLE or min(len(train), len(monitor)) < FEWEST_ROWS:
        return False
    reader = reader or RowReader(train)
    sides = (np.asarray(reader(rows), dtype=np.float64) for rows in (train.rows, monitor.rows, fake))
    return memorisation_test(*sides, categorical=reader.categorical, level=COPIES_LEVEL).copying


def refused_snapshots(
    estimates: list[dict[str, Any]], kept: int | None, start: str = "mixture of Gaussians"
) -> str | None:
    """Return in words at how many estimates samples counted as copies of training rows; None if at none."""
    count = sum(1 for each in estimates if each["round"] > 0 and each.get("copies"))
    if not count:
        return None
    total = sum(1 for each in estimates if each["round"] > 0)
    sentence = f"the memorisation test found copies of training rows at {count} of {total} quick estimates"
    if kept == 0:
        return f"{sentence}; no other snapshot came nearer to the data than the {start} the game started from"
    if count == total:
        return f"{sentence}; the earliest is kept (round {kept or 0:,}): there are too few rows to learn from in this way"
    return f"{sentence}; these snapshots are refused and round {kept or 0:,} is kept"


def _preferred(one: EstimateRecord, other: EstimateRecord) -> bool:
    """Return whether a later snapshot is the better one to keep: first without copies, then the smaller distance."""
    if one.copies or other.copies:
        return other.copies and not one.copies
    return one.jsd < other.jsd


def gain_of_game(
    estimates: list[dict[str, Any]], kept: int | None, start: str = "mixture of Gaussians"
) -> str | None:
    """Return in words what the game gained over its fitted start; None without such a start."""
    first = next((each for each in estimates if each["round"] == 0), None)
    if first is None or kept is None or len(estimates) < 2:
        return None
    later = [each for each in estimates if each["round"] > 0 and not each.get("copies")]
    if len(later) < len(estimates) - 1 and kept == 0:
        return None  # `refused_snapshots` says why the start is kept
    best = min(later, key=lambda each: float(each["jsd"]))
    figures = f"{max(0.0, first['jsd']):.4f} to {max(0.0, best['jsd']):.4f} nats (+- {best['error']:.4f})"
    if kept == 0:
        return (
            f"the game did not measurably improve on the {start} it started from (distance to the validation rows from "
            f"{figures}): the {_short(start)} is kept"
        )
    return (
        f"the game improved on the {_short(start)} it started from (distance to the validation rows from {figures}); "
        f"round {kept:,} is kept"
    )


def _short(start: str) -> str:
    return start.removesuffix(" of Gaussians")


def _packed(name: str, estimate: QuickEstimate) -> dict[str, Tensor]:
    return {
        f"{name}_gains.real": torch.from_numpy(estimate.real),
        f"{name}_gains.fake": torch.from_numpy(estimate.fake),
    }


def _unpacked(name: str, tensors: dict[str, Tensor]) -> QuickEstimate:
    return QuickEstimate(
        real=tensors[f"{name}_gains.real"].numpy(), fake=tensors[f"{name}_gains.fake"].numpy()
    )


def _nearer(one: QuickEstimate, other: QuickEstimate) -> bool:
    return one.jsd < other.jsd - _MARGIN * one.error_of_difference(other)


_FEWEST_FAKES_OF_A_CHECK = 8_000  # for points, for the coverage test: they cost next to nothing
_MOST_WATCHED = 8_000  # training rows in the coverage test
_MOST_FOR_COPIES = 2_000


class CheckMonitor:
    """The checks of one fit so far, the decision after each, and the weights of G at the best.

    history: checks, oldest first.
    kept: index of the best check in `history`.
    weights: G's weights at the best check.
    remedies: rounds at which a remedy was applied; the caller's own list.
    seconds: time that this process spent on checks (not stored).
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
        self.plan, self._seed, self._reader = plan, seed, RowReader(train)
        self._validation_rows, self._categorical = self._reader(monitor.rows), self._reader.categorical
        with one_thread():
            self.quick_judge = quick_judge_of(self._reader, monitor, seed)
            rows = self._reader.rows
            self._watched = rows[self._order()[:_MOST_WATCHED]]
            self._watched_at = self.quick_judge.space(self._watched)
            self.watch = CoverageTest(self._watched_at, self.quick_judge.validation_rows, seed=0)
        self.history: list[Check] = []
        self.remedies = [] if remedies is None else remedies
        self.kept: int | None = None
        self.weights: dict[str, Tensor] = {}
        self.seconds = 0.0
        self._payoffs: dict[str, Tensor] = {}

    def state_at(self, count: int, *, spent: bool = False) -> State:
        """Return the state after the first `count` checks, of which those since the last remedy count.

        spent: whether the budget ends here.
        """
        now = self.history[count - 1].round if count else 0
        last = max((each for each in self.remedies if each < now), default=-1)
        since = sum(each.round <= last for each in self.history[:count])
        return state_of(self.history[since:count], self.plan.rules, spent=spent)

    def decision(self) -> str | None:
        """Return what the newest check asks for: "remedy" after a collapse, the name of the state to stop in, or None."""
        state = self.state_at(len(self.history))
        if (
            state.name == "collapsed"
            and self.plan.on_collapse != "stop"
            and len(self.remedies) < MOST_RECOVERIES
        ):
            return "remedy"
        return state.name if self.plan.until == "settled" and state.name in FINAL else None

    def due(self, round_: int) -> bool:
        """Return whether a check is planned at a round and was not made yet."""
        return self.plan.due(round_) and (not self.history or round_ > self.history[-1].round)

    @one_thread()
    def check(self, model: Model, generator: nn.Module, round_: int) -> bool:
        """Check a model at a round; return whether it is now the snapshot to go back to after a collapse."""
        began = time.monotonic()
        number = len(self.history)
        alpha = self.plan.alpha(number)
        wanted = self.quick_judge.fakes_wanted
        drawn = max(wanted, _FEWEST_FAKES_OF_A_CHECK) if self._reader.kind == "points" else wanted
        fakes = self._reader(model.draw(drawn, random_state=compute.derived_seed(self._seed, "checked"))[0])
        placed = self.quick_judge.space(fakes)
        quick = self.quick_judge.judge_encoded(placed[:wanted], alpha=alpha)
        coarse = None
        if quick.estimate > SATURATED:
            coarse = self.quick_judge.judge_encoded(placed[:wanted], alpha=alpha, coarse=True)
        alarms = self.watch.find_alarms(placed, alpha=2 * alpha)
        check = self._check(round_, quick, coarse, alarms)
        if self.plan.tests_copies(number):
            check = replace(check, copies=self._copies(fakes))
        self.history.append(check)
        self.seconds += time.monotonic() - began
        self._keep(quick, generator)
        return safest_of(self.history) == number

    def _check(
        self, round_: int, quick: QuickVerdict, coarse: QuickVerdict | None, alarms: list[Alarm]
    ) -> Check:
        return Check(
            round=round_,
            estimate=quick.estimate,
            error=quick.error,
            lower=quick.lower,
            upper=quick.upper,
            floor=quick.floor,
            coarse=None if coarse is None else coarse.estimate,
            coarse_error=None if coarse is None else coarse.error,
            missing=self._named([each for each in alarms if each.kind == "missing"]),
            narrow=self._named([each for each in alarms if each.kind == "narrow"]),
            indicative=bool(self.remedies),
        )

    def _copies(self, fakes: np.ndarray[Any, Any]) -> str | None:
        level = self.plan.copies_level
        found = memorisation_test(
            self._watched,
            self._validation_rows,
            fakes[: 2 * _MOST_FOR_COPIES],
            categorical=self._categorical,
            level=level,
            permutations=math.ceil(1.2 / (level * (1 - EXACT_WEIGHT))),
            max_rows=_MOST_FOR_COPIES,
        )
        return found.sentence if found.copying else None

    def _named(self, alarms: list[Alarm]) -> tuple[str, ...]:
        """Return the names of regions: for points the mean of their rows, else an example row and its unusual columns."""
        regions = [self.watch.regions[each.region] for each in alarms]
        rows = self._watched
        if not regions:
            return ()
        cells = self.watch.cells.predict(self._watched_at)
        inside = [np.isin(cells, region.members) for region in regions]
        if rows.ndim > 2 or self._reader.kind == "tables" or not np.isfinite(rows).all():
            descriptions = [self._reader.describe_subset(rows, each) for each in inside]
            return tuple(
                f"rows like training row {self._number(region.example):,}" + (f" ({words})" if words else "")
                for region, words in zip(regions, descriptions, strict=True)
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
        """Return the order of training rows; the first ones are those of the coverage test."""
        return np.random.default_rng(compute.derived_seed(self._seed, "watched")).permutation(
            len(self._reader.rows)
        )

    # -- the best snapshot ---------------------------------------------------------------------------------------

    def _keep(self, quick: QuickVerdict, generator: nn.Module) -> None:
        payoffs = torch.from_numpy(quick.payoffs.copy())
        if len(self.history) == 1:
            self._payoffs["start"] = payoffs
        best = best_of(self.history)
        if best == self.kept or best != len(self.history) - 1:
            return
        self.kept, self._payoffs["best"] = best, payoffs.clone()
        self.weights = weights_of(generator)

    def choose(self, generator: nn.Module) -> tuple[nn.Module, int | None]:
        """Return a copy of a generator with the weights to keep, and their round (0: its fitted start).

        Where G has a fitted start, a later snapshot replaces it only if it is nearer to the validation rows by more than
        three standard errors of the difference.
        """
        if self.kept is None:
            return copy.deepcopy(generator), None
        if starts_fitted(generator) and (self.kept == 0 or not self._improved()):
            return start_of(generator), 0
        return with_weights(generator, self.weights), self.history[self.kept].round

    def _improved(self) -> bool:
        start, best = self.history[0], self.history[self.kept or 0]
        if start.regions and not best.regions:
            return True
        gain = (self._payoffs["start"] - self._payoffs["best"]).numpy()
        return bool(gain.mean() > _MARGIN * gain.std() / math.sqrt(len(gain)))

    def estimates(self) -> list[dict[str, Any]]:
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
