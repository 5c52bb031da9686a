"""The games of Table 1 and Figure 2 by name: a recipe, and the changes to it, each a function from plan to plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from saddlepoint import recipes
from saddlepoint.errors import InputError, nearest
from saddlepoint.paper.datasets import Parts
from saddlepoint.paper.resumable_game import with_settings
from saddlepoint.recipes import Plan
from saddlepoint.training.settings import OptimiserSettings, PenaltySettings, Schedule

AVERAGE = 0.03
"""Half-life of the average of G kept beside each game, as a share of the rounds played so far."""
_MOST_OF_PERCEPTRONS = 1024
"""Numbers of a picture up to which the modern game of the table is one of perceptrons, as the paper's own."""


def _same(plan: Plan) -> Plan:
    return plan


def _fourfold(plan: Plan) -> Plan:
    """G's rate is four times the paper's, so that G keeps up with D; 39,000 rounds.

    The average of G, which changes nothing in the game, has a half-life of .3 of the rounds: what moves faster needs more.
    """
    generator = plan.settings.generator
    rate = generator.rate
    faster = dataclasses.replace(rate, start=4 * rate.start, end=None if rate.end is None else 4 * rate.end)
    return with_settings(
        plan, generator=dataclasses.replace(generator, rate=faster), horizon=39_000, average=0.3
    )


def _third(plan: Plan) -> Plan:
    """A third of the width of every layer, batches of 16, and a longer average of G: many cheap rounds."""

    def third(hidden: Any) -> Any:
        return [third(each) for each in hidden] if isinstance(hidden, list) else max(16, hidden // 3)

    def narrow(player: dict[str, Any]) -> dict[str, Any]:
        return {key: third(value) if key in ("hidden", "maps") else value for key, value in player.items()}

    plan = dataclasses.replace(
        plan, generator=narrow(plan.generator), discriminator=narrow(plan.discriminator)
    )
    return with_settings(plan, batch=16, average=0.1)


def _calm(plan: Plan) -> Plan:
    """Adam in place of SGD, a light R1 penalty on D, whose weights begin larger, in place of its dropout."""
    generator, rate, weight = plan.generator, 1e-3, 0.05
    if generator["name"] == "deconvolution-generator":
        # Some 220 units a pixel move at once at Adam's step: it must be smaller, and must not move all samples alike. First
        # samples differ about as much as pictures do, and D's slope is held firmly enough for G to keep that.
        generator, rate, weight = generator | {"initial_range": 0.15, "centred": True}, 2e-4, 0.2
    pace = OptimiserSettings(name="adam", rate=Schedule(start=rate), betas=(0.5, 0.99))
    eased = {"keep_input": 1.0, "keep_hidden": 1.0, "initial_range": 0.03}
    plan = dataclasses.replace(plan, generator=generator, discriminator=plan.discriminator | eased)
    penalty = PenaltySettings(name="r1", weight=Schedule(start=weight))
    return with_settings(plan, discriminator=pace, generator=pace, penalties=(penalty,))


def _falling(plan: Plan) -> Plan:
    """Rates fall in a straight line to 0 at the last round, and the average of G is the short one again."""

    def fall(move: OptimiserSettings) -> OptimiserSettings:
        return dataclasses.replace(move, rate=Schedule(start=move.rate.start, end=0.0, shape="linear"))

    settings = plan.settings
    return with_settings(
        plan, discriminator=fall(settings.discriminator), generator=fall(settings.generator), average=AVERAGE
    )


def _longer(plan: Plan) -> Plan:
    """2.4 times the rounds, with schedules stretched to them."""
    return with_settings(plan, horizon=12_000)


def _gentle(plan: Plan) -> Plan:
    """Both rates begin at half of the modern game's."""

    def halve(move: OptimiserSettings) -> OptimiserSettings:
        rate = move.rate
        slower = dataclasses.replace(
            rate, start=rate.start / 2, end=None if rate.end is None else rate.end / 2
        )
        return dataclasses.replace(move, rate=slower)

    return with_settings(
        plan, discriminator=halve(plan.settings.discriminator), generator=halve(plan.settings.generator)
    )


def _narrow(plan: Plan) -> Plan:
    """A tenth of the modern game's work: 256 units in G, 160 in D, batches of 96, 3,000 rounds; a longer average of G."""
    plan = dataclasses.replace(
        plan,
        generator=plan.generator | {"width": 256},
        discriminator=plan.discriminator | {"width": 160},
    )
    return with_settings(plan, batch=96, horizon=3_000, average=0.1)


def _steady(plan: Plan) -> Plan:
    """Rates stay at their first value instead of falling to a fiftieth."""

    def still(move: OptimiserSettings) -> OptimiserSettings:
        return dataclasses.replace(move, rate=Schedule(start=move.rate.start, warm_up=move.rate.warm_up))

    return with_settings(
        plan, discriminator=still(plan.settings.discriminator), generator=still(plan.settings.generator)
    )


def _linear(plan: Plan) -> Plan:
    """G ends in linear units, as the paper's own do for CIFAR-10; samples are cut off at black and white."""
    return dataclasses.replace(plan, generator=plan.generator | {"output": "linear"})


GAMES: dict[str, tuple[str, tuple[Callable[[Plan], Plan], ...]]] = {
    "goodfellow2014": ("goodfellow2014", ()),
    "goodfellow2014 + fourfold rate of G": ("goodfellow2014", (_fourfold,)),
    "narrow goodfellow2014 + Adam and R1 for dropout": ("goodfellow2014", (_third, _calm)),
    "narrow goodfellow2014 + Adam and R1 for dropout + falling rates": (
        "goodfellow2014",
        (_third, _calm, _falling),
    ),
    "modern": ("modern", ()),
    "modern + half the rates": ("modern", (_gentle,)),
    "modern + 12000 rounds": ("modern", (_longer,)),
    "narrow modern": ("modern", (_narrow,)),
    "narrow modern + steady rates": ("modern", (_narrow, _steady)),
    "narrow modern + linear units": ("modern", (_narrow, _linear)),
    "narrow modern + linear units + steady rates": ("modern", (_narrow, _linear, _steady)),
}
"""Games by the name of their row: a recipe, and the changes to it."""


def coloured(plan: Plan) -> Plan:
    """Return the plan with the authors' normal noise and linear units for CIFAR-10, G's first weights twice as large.

    With their range for MNIST (.05) first samples all but equal the mean picture, and G takes long to leave it.
    """
    return with_settings(
        dataclasses.replace(plan, generator=plan.generator | {"output": "linear", "initial_range": 0.1}),
        noise_distribution="normal",
    )


def convolutional(plan: Plan) -> Plan:
    """Return the plan with the authors' convolutional pair and batch (128) for pictures of 32 x 32.

    Their pictures are contrast-normalised to a scale of 55 and learnt at the rate .004; ours lie in [0, 1] and keep
    MNIST's rate. G ends in linear units, as for CIFAR-10; its first layer has 1,200 rectifiers, as elsewhere here, where
    theirs has 8,000. It learns slowly: G's sigmoid units begin near 1/2, so that a step of the deconvolution moves all pixels
    of all samples together.
    """
    shape = plan.generator["shape"]
    plan = dataclasses.replace(
        plan,
        generator={
            "name": "deconvolution-generator",
            "noise_width": plan.settings.noise_width,
            "shape": shape,
            "hidden": 1200,
            "output": "linear",
        },
        discriminator={
            "name": "maxout-convolution-discriminator",
            "shape": shape,
            "maps": [32, 32, 192],
            "hidden": 500,
        },
    )
    return with_settings(plan, batch=128, noise_distribution="normal")


PAIRS = {
    "cifar10": coloured,
    **{f"{name}-conv": convolutional for name in ("mnist", "faces", "cifar10")},
}
"""What else than the game changes the players, by the data that they play about."""


_RECIPES = {
    "goodfellow2014": "The players and schedules of the paper's authors for MNIST, from their code. They stopped by hand; here "
    "it is after 250 epochs, where their momentum has risen to its last value",
    "modern": "This library's own game, of residual perceptrons where a picture has up to 1,024 numbers, else of convolutions",
}


def described(game: str) -> str:
    """Return in words what a game is: its recipe, and each change to it."""
    recipe, changes = GAMES[game]
    words = [" ".join((change.__doc__ or "").split()).rstrip(".") for change in changes]
    return ". ".join([_RECIPES[recipe] if game == recipe else f"{recipe}, changed", *words])


def refuse_unknown_game(game: str) -> None:
    """Refuse a game that the table does not have.

    Raises:
        InputError: naming it and the nearest one.
    """
    if game not in GAMES:
        raise InputError(
            f"Unknown game {game!r}{nearest(game, list(GAMES)) or '.'} `saddlepoint paper table1 --help` names them all."
        )


def planned_game(
    model: str, parts: Parts, seed: int, rounds: int | None, *, pair: Callable[[Plan], Plan] = _same
) -> Plan:
    """Return the plan of a game of the table, with the average of G beside it; pair, where given, changes its players."""
    recipe, changes = GAMES[model]
    height, width, channels = parts.train.rows.shape[1:]
    data = recipes.Data(kind="pictures", shape=(channels, height, width), rows=len(parts.train))
    small = recipe == "modern" and data.width <= _MOST_OF_PERCEPTRONS
    plan = recipes.perceptrons(data) if small else recipes.plan(recipes.choose(recipe, "pictures"), data)
    plan = with_settings(plan, average=AVERAGE)
    for change in (pair, *changes):
        plan = change(plan)
    return with_settings(plan, seed=seed, horizon=rounds or plan.settings.horizon)
