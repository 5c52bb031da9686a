"""The settings of one game and the schedules of its rates and penalties: validated, frozen, and saved as JSON.

A schedule is a function of the round and of the horizon (the round at which schedules end), never of time, so that a
resumed run continues the same curve. After its end a schedule keeps its final value.
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
    """A number that changes from `start` to `end` between two rounds of the game.

    With p in [0, 1] the fraction of the way from `begin` to `finish`: linear is start + p (end - start), geometric is
    start (end/start)^p, cosine is end + (start - end)(1 + cos pi p)/2.

    start: the value until `begin`.
    end: the value from `finish` on; None only for a constant.
    shape: "constant", "linear", "cosine" or "geometric".
    begin, finish: where the change begins and ends, in `unit`.
    unit: "horizon" (fractions of the horizon) or "rounds".
    warm_up: until there, in `unit`, the value is multiplied by a factor that rises linearly from almost 0 to 1.

    Raises:
        InputError: an unknown shape or unit, a missing end, or begin and finish in the wrong order.
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
                f"A schedule finishes at {self.finish:g} and begins at {self.begin:g}; finish must be after begin."
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
            p = (round_ / scale - self.begin) / (self.finish - self.begin)
            p = min(1.0, max(0.0, p))
            if self.shape == "linear":
                value = self.start + p * (self.end - self.start)
            elif self.shape == "geometric":
                value = self.start * (self.end / self.start) ** p
            else:
                value = self.end + (self.start - self.end) * (1.0 + math.cos(math.pi * p)) / 2.0
        warm_up = self.warm_up * scale
        return value * min(1.0, (round_ + 1) / warm_up) if round_ < warm_up else value


@dataclass(frozen=True, kw_only=True)
class OptimiserSettings:
    """The optimiser of one player: SGD with momentum as in the paper, or Adam (Kingma and Ba 2015, arXiv 1412.6980).

    name: "sgd" or "adam".
    rate: the learning rate.
    momentum: of SGD.
    betas, eps: of Adam.
    """

    name: Literal["sgd", "adam"] = "adam"
    rate: Schedule = Schedule(start=1e-3)
    momentum: Schedule = Schedule(start=0.0)
    betas: tuple[float, float] = (0.0, 0.99)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        _one_of("optimiser", self.name, ("sgd", "adam"))


@dataclass(frozen=True, kw_only=True)
class PenaltySettings:
    """A penalty on D and its weight.

    name: of a penalty in `objectives.PENALTIES`.
    weight: a schedule.

    Raises:
        InputError: there is no such penalty, or the weight is not a schedule.
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
    """Return a tuple of PenaltySettings; a name alone becomes a penalty of weight 1."""
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
    """Everything that defines a game except the players and the data.

    horizon: the round at which schedules end.
    objective: a name in `objectives.OBJECTIVES`.
    batch: rows of one global minibatch, the paper's m.
    form: "alternating" (Algorithm 1), or "simultaneous" (one update of both players from the same fakes, as in the authors'
        code).
    discriminator_steps: steps of D per round, the paper's k.
    fresh_noise: G's step draws new noise, as in Algorithm 1. Without it G's step reuses the fakes of D's last step, which
        saves one forward pass.
    noise_width, noise_distribution: p_z.
    penalties: on D; a name alone, as in ("r1",), means PenaltySettings(name="r1") of weight 1.
    discriminator, generator: the optimisers.
    average: half-life of the EMA of G as a fraction of the rounds played so far; None for no EMA.
    clip: in G's step the gradient norm at each fake is limited to this multiple of the batch's mean; None for no limit. (At a
        fake between two modes D is steep, and its gradient would dominate those of all others.)
    augment: the probability of each of four augmentations of the pictures, real or fake, that D sees
        (`training.augment`); 0 for none.
    accumulation_steps: micro-batches per batch (gradient accumulation): the same step in less memory. Networks that mix rows
        (batch normalisation) or draw their own random numbers then see a micro-batch as their batch.
    precision: "float32", "float64" or "bf16" (see `Game.run`).
    seed: of all random numbers of the game.

    Raises:
        InputError: a value is outside its range; the message names it.
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
        _one_of("noise distribution", self.noise_distribution, NOISE_DISTRIBUTIONS)
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
                f"A batch of {self.batch} cannot be played in {self.accumulation_steps} micro-batches: accumulation_steps must "
                "divide the batch, and needs form='alternating' and clip=None."
            )
        if self.average is not None:
            _at_least("average", self.average, 0.0)
        if self.clip is not None:
            _at_least("clip", self.clip, 1e-3)
        _at_least("augment", self.augment, 0.0)
        if self.augment >= MOST_AUGMENT:
            raise InputError(
                f"augment is {self.augment!r}; it must be below {MOST_AUGMENT:g}, because more frequent "
                "augmentation can leak into the samples."
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
                optimiser = dict(values[player])
                for name in ("rate", "momentum"):
                    optimiser[name] = Schedule(**optimiser[name])
                optimiser["betas"] = tuple(optimiser["betas"])
                values[player] = OptimiserSettings(**optimiser)
            values["penalties"] = tuple(
                PenaltySettings(name=each["name"], weight=Schedule(**each["weight"]))
                for each in values["penalties"]
            )
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise StoredFileError(
                f"These are not settings of a game that this version can read ({error}): use the version that saved them."
            ) from error
