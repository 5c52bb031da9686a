"""Looks at planned rounds on the monitor rows: which snapshot of G is kept, and what the game added to its start."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saddlepoint.data.dataset import Dataset
from saddlepoint.fitting.judged_rows import Reader
from saddlepoint.fitting.snapshots import start_of, starts_fitted, weights_of, with_weights
from saddlepoint.judging.copies import copying
from saddlepoint.judging.glance import FEWEST_ROWS, Glance, glance
from saddlepoint.model import Model

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
    glance: Glance
    weights: dict[str, Tensor]


class Looks:
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
        held = train.held()
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
        self.start: Glance | None = None
        self.best: Snapshot | None = None
        self._last: Snapshot | None = None

    @classmethod
    def about(cls, train: Dataset, monitor: Dataset | None, horizon: int) -> Looks | None:
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
            self.start = found.glance
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
            and not (best is not None and not best.look.copies and _nearer(best.glance, self.start))
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
            tensors |= _packed("best", self.best.glance)
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
                    glance=_unpacked("best", tensors),
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
        found = glance(real, fake, categorical=categorical)
        copied = copies(self._train, self._monitor, rows, self._reader)
        look = Look(round=round_, jsd=found.jsd, error=found.error, copies=copied)
        return Snapshot(look=look, glance=found, weights=weights_of(generator))


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


def _packed(name: str, seen: Glance) -> dict[str, Tensor]:
    return {
        f"{name}_gains.real": torch.from_numpy(seen.real),
        f"{name}_gains.fake": torch.from_numpy(seen.fake),
    }


def _unpacked(name: str, tensors: dict[str, Tensor]) -> Glance:
    return Glance(real=tensors[f"{name}_gains.real"].numpy(), fake=tensors[f"{name}_gains.fake"].numpy())


def _nearer(one: Glance, other: Glance) -> bool:
    return one.jsd < other.jsd - _MARGIN * one.error_of_difference(other)
