"""The settings of one game: frozen, validated at construction, saved as JSON beside the run.

A schedule is a function of the round (and of the horizon, the round at which schedules end), never of time,
so that a resumed run continues the very same curve; past its end it stays at its final value.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from saddlepoint.aliases import modernise
from saddlepoint.compute import NOISE_DISTRIBUTIONS, PRECISIONS, NoiseDistribution
from saddlepoint.errors import InputError, StoredFileError, nearest
from saddlepoint.objectives import get_penalty

Shape = Literal["constant", "linear", "cosine", "geometric"]
Unit = Literal["horizon", "rounds"]
Form = Literal["alternating", "simultaneous"]

MOST_AUGMENT = 0.5


def _one_of(what: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise InputError(
            f"Unknown {what} {given!r}{nearest(given, allowed) or '.'} Allowed are {', '.join(allowed)}."
        )


def _at_least(what: str, given: float, least: float) -> None:
    if not (isinstance(given, int | float) and math.isfinite(given) and given >= least):
        raise InputError(f"{what} is {given!r}; it must be a number of at least {least:g}.")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A number that moves from `start` to `end` between two moments of the game.

    With p the share of the way from `begin` to `finish` (both in units of the horizon, or in rounds):
    linear start + p (end - start); geometric start (end/start)^p; cosine end + (start - end)(1 + cos pi p)/2.
    Until `warm_up` (in the same unit) the value rises linearly from next to nothing.
    """

    start: float
    end: float | None = None
    shape: Shape = "constant"
    begin: float = 0.0
    finish: float = 1.0
    unit: Unit = "horizon"
    warm_up: float = 0.0

    def __post_init__(self) -> None:
        _one_of("schedule", self.shape, get_args(Shape))
        _one_of("unit of a schedule", self.unit, get_args(Unit))
        if self.shape != "constant" and self.end is None:
            raise InputError(f"A {self.shape} schedule needs an end; give end=..., or use shape='constant'.")
        if self.finish <= self.begin:
            raise InputError(
                f"A schedule ends at {self.finish:g}, which must lie after its begin {self.begin:g}."
            )
        if self.shape == "geometric" and not (self.start > 0 and (self.end or 0) > 0):
            raise InputError("A geometric schedule needs a start and an end above 0.")

    def at(self, round_: int, horizon: int) -> float:
        """Return the value at a round, given the horizon in rounds.

        >>> Schedule(start=1.0, end=0.0, shape="linear").at(50, horizon=100)
        0.5
        """
        value, scale = self.start, horizon if self.unit == "horizon" else 1
        if self.shape != "constant" and self.end is not None:
            share = (round_ / scale - self.begin) / (self.finish - self.begin)
            share = min(1.0, max(0.0, share))
            if self.shape == "linear":
                value = self.start + share * (self.end - self.start)
            elif self.shape == "geometric":
                value = self.start * (self.end / self.start) ** share
            else:
                value = self.end + (self.start - self.end) * (1.0 + math.cos(math.pi * share)) / 2.0
        warm = self.warm_up * scale
        return value * min(1.0, (round_ + 1) / warm) if round_ < warm else value


@dataclass(frozen=True, kw_only=True)
class OptimiserSettings:
    """How one player moves: SGD with momentum as in the paper, or Adam (Kingma and Ba 2015)."""

    name: Literal["sgd", "adam"] = "adam"
    rate: Schedule = Schedule(start=1e-3)
    momentum: Schedule = Schedule(start=0.0)
    betas: tuple[float, float] = (0.0, 0.99)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        _one_of("optimiser", self.name, ("sgd", "adam"))


@dataclass(frozen=True, kw_only=True)
class PenaltySettings:
    """A penalty on D by its name in `objectives.PENALTIES`, and its weight through the game.

    Raises:
        InputError: there is no such penalty, or the weight is no schedule.
    """

    name: str
    weight: Schedule = Schedule(start=1.0)

    def __post_init__(self) -> None:
        get_penalty(self.name)
        if not isinstance(self.weight, Schedule):
            raise InputError(
                f"The weight of the penalty {self.name!r} is {self.weight!r}; give a Schedule, such as "
                "Schedule(start=10.0)."
            )


def _penalties(given: object) -> tuple[PenaltySettings, ...]:
    """Return penalties as they are, and names as penalties of weight 1."""
    if not isinstance(given, tuple | list):
        raise InputError(
            f"penalties is {given!r}; give a tuple of names or PenaltySettings, such as ('r1',) or ()."
        )
    penalties = [PenaltySettings(name=each) if isinstance(each, str) else each for each in given]
    for each in penalties:
        if not isinstance(each, PenaltySettings):
            raise InputError(f"penalties holds {each!r}; give names or PenaltySettings, such as ('r1',).")
    return tuple(penalties)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that fixes a game but the players and the data.

    batch: rows of one (global) minibatch, the paper's m. form: "alternating" (Algorithm 1) or "simultaneous"
    (one update of both players from the same fakes, the authors' own code). discriminator_steps: the paper's k.
    fresh_noise: Algorithm 1 draws new noise for G's step; without it G's step reuses the fakes of D's last step,
    whose forward pass is then done once. noise_width, noise_distribution: p_z. average: half-life of the average of G as
    a share of the rounds played so far, None for no average. horizon: the round at which schedules end.
    clip: in G's step no fake pulls G by more than so many times the batch's mean pull, None for no such limit (a fake
    between two modes lies on ground where D is steep, and would drown the others).
    augment: D sees each picture, real or fake, through four changes, each made with this probability
    (`training.augmenting`); 0 for none.
    parts: play each batch in so many parts, one after another, for the same step in less memory; networks that mix rows (batch
    normalisation) or draw on their own then see a part as their batch.
    penalties: on D; a name alone, as in ("r1",), stands for PenaltySettings(name="r1") of weight 1.

    Raises:
        InputError: a value outside its range, named.
    """

    horizon: int
    objective: str = "relativistic"
    batch: int = 256
    form: Form = "alternating"
    discriminator_steps: int = 1
    fresh_noise: bool = False
    noise_width: int = 16
    noise_distribution: NoiseDistribution = "normal"
    penalties: tuple[PenaltySettings, ...] = ()
    discriminator: OptimiserSettings = OptimiserSettings()
    generator: OptimiserSettings = OptimiserSettings()
    average: float | None = None
    clip: float | None = None
    augment: float = 0.0
    accumulation_steps: int = 1
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for what in ("horizon", "batch", "discriminator_steps", "noise_width", "accumulation_steps"):
            value = getattr(self, what)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{what} is {value!r}; it must be a whole number of at least 1.")
        _one_of("form of the game", self.form, get_args(Form))
        _one_of("noise law", self.noise_distribution, NOISE_DISTRIBUTIONS)
        _one_of("precision", self.precision, tuple(PRECISIONS))
        object.__setattr__(self, "penalties", _penalties(self.penalties))
        if self.form == "simultaneous" and (self.discriminator_steps > 1 or self.fresh_noise):
            raise InputError(
                "The simultaneous form updates both players once from the same fakes: it takes "
                "discriminator_steps=1 and fresh_noise=False; use form='alternating' for anything else."
            )
        if self.accumulation_steps > 1 and (
            self.batch % self.accumulation_steps or self.form == "simultaneous" or self.clip is not None
        ):
            raise InputError(
                f"A batch of {self.batch} in {self.accumulation_steps} parts cannot be played: parts must divide the batch, and take "
                "form='alternating' and clip=None."
            )
        if self.average is not None:
            _at_least("average", self.average, 0.0)
        if self.clip is not None:
            _at_least("clip", self.clip, 1e-3)
        _at_least("augment", self.augment, 0.0)
        if self.augment >= MOST_AUGMENT:
            raise InputError(
                f"augment is {self.augment!r}; it must be below {MOST_AUGMENT:g}, since changes made more often can leak into "
                "what G makes."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Settings:
        """Restore settings from `to_dict`.

        Raises:
            StoredFileError: a field is missing or unknown.
        """
        try:
            values = dict(modernise(stored, "settings"))
            for player in ("discriminator", "generator"):
                move = dict(values[player])
                move["rate"], move["momentum"] = Schedule(**move["rate"]), Schedule(**move["momentum"])
                move["betas"] = tuple(move["betas"])
                values[player] = OptimiserSettings(**move)
            values["penalties"] = tuple(
                PenaltySettings(name=each["name"], weight=Schedule(**each["weight"]))
                for each in values["penalties"]
            )
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise StoredFileError(
                f"These are not settings of a game that this version can read ({error})."
            ) from error
