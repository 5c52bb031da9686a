"""Checks at planned rounds on the monitor rows: what is seen, the state of the game, the best snapshot, the decision.

Only rank 0 reads rows; what it decides reaches the others by the vote of `Fit`. Checks take nothing from the game's random
streams and move nothing in it: with and without them the game is the same, bit for bit, until a decision acts.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saddlepoint import compute
from saddlepoint.data.dataset import Dataset
from saddlepoint.fitting.check_plan import CheckPlan, refuse_few
from saddlepoint.fitting.judged_rows import Reader
from saddlepoint.fitting.planning import ringside_of
from saddlepoint.fitting.remedies import MOST_REMEDIES
from saddlepoint.fitting.snapshots import start_of, starts_fitted, weights_of, with_weights
from saddlepoint.judging.collapse import Alarm, Watch
from saddlepoint.judging.copies import EXACT_WEIGHT, copying
from saddlepoint.judging.regions import name_regions
from saddlepoint.judging.ringside import Sight
from saddlepoint.judging.stopping import FINAL, SATURATED, Check, State, best_of, safest_of, state_of
from saddlepoint.judging.threads import one_thread
from saddlepoint.model import Model

_FEWEST_FAKES = 8_000  # of points, for the alarm: they cost next to nothing
_MOST_WATCHED = 8_000
_MOST_FOR_COPIES = 2_000
_MARGIN = 3.0  # standard errors by which a snapshot must beat the mixture that the game started from


class Checks:
    """The checks of one fit so far.

    history: checks, oldest first; kept: the place of the best; weights: G's at the best; remedies: the rounds at which a
    remedy was applied, by whoever applies them; seconds: spent on checks by this process (not stored).
    """

    def __init__(
        self,
        plan: CheckPlan,
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
            self.ringside = ringside_of(self._reader, monitor, seed)
            rows = self._reader.rows
            self._watched = rows[self._order()[:_MOST_WATCHED]]
            self._watched_at = self.ringside.space(self._watched)
            self.watch = Watch(self._watched_at, self.ringside.held, seed=0)
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
            and len(self.remedies) < MOST_REMEDIES
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
        wanted = self.ringside.fakes_wanted
        drawn = max(wanted, _FEWEST_FAKES) if self._reader.kind == "points" else wanted
        fakes = self._reader(model.draw(drawn, random_state=compute.key(self._seed, "checked"))[0])
        placed = self.ringside.space(fakes)
        sight = self.ringside.look_at(placed[:wanted], alpha=alpha)
        coarse = None
        if sight.estimate > SATURATED:
            coarse = self.ringside.look_at(placed[:wanted], alpha=alpha, coarse=True)
        alarms = self.watch.look(placed, alpha=2 * alpha)
        check = self._check(round_, sight, coarse, alarms)
        if self.plan.tests_copies(number):
            check = replace(check, copies=self._copies(fakes))
        self.history.append(check)
        self.seconds += time.monotonic() - begun
        self._keep(sight, generator)
        return safest_of(self.history) == number

    def _check(self, round_: int, sight: Sight, coarse: Sight | None, alarms: list[Alarm]) -> Check:
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
        return np.random.default_rng(compute.key(self._seed, "watched")).permutation(len(self._reader.rows))

    # -- the best snapshot ---------------------------------------------------------------------------------------

    def _keep(self, sight: Sight, generator: nn.Module) -> None:
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
