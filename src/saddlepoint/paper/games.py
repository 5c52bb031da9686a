"""The games of Table 1 and Figure 2 by name: a recipe and changes to it, each a function from plan to plan."""

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
"""Half-life of the average of G kept beside each game, as a fraction of the rounds played so far."""
_MOST_VALUES_FOR_MLP = 1024
"""Values of a picture up to which the modern game of the table is between MLPs, as the paper's own is."""


def _same(plan: Plan) -> Plan:
    return plan


def _fourfold(plan: Plan) -> Plan:
    """G's learning rate is four times the paper's, so that G keeps up with D; 39,000 rounds.

    The average of G, which does not change the game, has a half-life of .3 of the rounds: larger steps need a longer average.
    """
    generator = plan.settings.generator
    rate = generator.rate
    faster = dataclasses.replace(rate, start=4 * rate.start, end=None if rate.end is None else 4 * rate.end)
    return with_settings(
        plan, generator=dataclasses.replace(generator, rate=faster), horizon=39_000, average=0.3
    )


def _third(plan: Plan) -> Plan:
    """Every layer has a third of its width, batches of 16, and a longer average of G: many cheap rounds."""

    def third(hidden: Any) -> Any:
        return [third(each) for each in hidden] if isinstance(hidden, list) else max(16, hidden // 3)

    def narrow(player: dict[str, Any]) -> dict[str, Any]:
        return {key: third(value) if key in ("hidden", "maps") else value for key, value in player.items()}

    plan = dataclasses.replace(
        plan, generator=narrow(plan.generator), discriminator=narrow(plan.discriminator)
    )
    return with_settings(plan, batch=16, average=0.1)


def _adam_and_r1(plan: Plan) -> Plan:
    """Adam in place of SGD; in place of D's dropout a small R1 penalty and larger initial weights."""
    generator, rate, weight = plan.generator, 1e-3, 0.05
    if generator["name"] == "deconvolution-generator":
        # About 220 units per pixel change at once in a step of Adam: the step must be smaller and must not change all samples
        # alike. First samples differ about as much as pictures do, and R1 is large enough for G to keep that.
        generator, rate, weight = generator | {"initial_range": 0.15, "centred": True}, 2e-4, 0.2
    optimiser = OptimiserSettings(name="adam", rate=Schedule(start=rate), betas=(0.5, 0.99))
    without_dropout = {"keep_input": 1.0, "keep_hidden": 1.0, "initial_range": 0.03}
    plan = dataclasses.replace(plan, generator=generator, discriminator=plan.discriminator | without_dropout)
    penalty = PenaltySettings(name="r1", weight=Schedule(start=weight))
    return with_settings(plan, discriminator=optimiser, generator=optimiser, penalties=(penalty,))


def _narrow(plan: Plan) -> Plan:
    """A tenth of the modern game's work: 256 units in G, 160 in D, batches of 96, 3,000 rounds; a longer average of G."""
    plan = dataclasses.replace(
        plan,
        generator=plan.generator | {"width": 256},
        discriminator=plan.discriminator | {"width": 160},
    )
    return with_settings(plan, batch=96, horizon=3_000, average=0.1)


def _linear(plan: Plan) -> Plan:
    """G's output units are linear, as the paper's are for CIFAR-10; samples are clipped to [0, 1]."""
    return dataclasses.replace(plan, generator=plan.generator | {"output": "linear"})


GAMES: dict[str, tuple[str, tuple[Callable[[Plan], Plan], ...]]] = {
    "goodfellow2014": ("goodfellow2014", ()),
    "goodfellow2014 + fourfold rate of G": ("goodfellow2014", (_fourfold,)),
    "narrow goodfellow2014 + Adam and R1 for dropout": ("goodfellow2014", (_third, _adam_and_r1)),
    "narrow modern + linear units": ("modern", (_narrow, _linear)),
}
"""Games by the name of their table row: a recipe and the changes to it."""


def coloured(plan: Plan) -> Plan:
    """Return the plan with the authors' normal noise and linear output units for CIFAR-10, G's first weights twice as large.

    With their range for MNIST (.05) the first samples nearly equal the mean picture, and G needs long to leave it.
    """
    return with_settings(
        dataclasses.replace(plan, generator=plan.generator | {"output": "linear", "initial_range": 0.1}),
        noise_distribution="normal",
    )


def convolutional(plan: Plan) -> Plan:
    """Return the plan with the authors' convolutional networks and batch (128) for pictures of 32 x 32.

    Their pictures are contrast-normalised to a scale of 55 and learnt at the rate .004; ours are in [0, 1] and keep MNIST's
    rate. G's output units are linear, as for CIFAR-10; its first layer has 1,200 rectifiers, as in the other games here,
    theirs has 8,000. It learns slowly: G's sigmoid units start near 1/2, so a step of the deconvolution changes all pixels of
    all samples together.
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
"""Further changes to the players, by data set."""


def refuse_unknown_game(game: str) -> None:
    """Refuse a name that is not a game of the table.

    Raises:
        InputError: names it and the most similar one.
    """
    if game not in GAMES:
        raise InputError(
            f"Unknown game {game!r}{nearest(game, list(GAMES)) or '.'} Allowed are {', '.join(GAMES)}."
        )


def planned_game(
    model: str, parts: Parts, seed: int, rounds: int | None, *, pair: Callable[[Plan], Plan] = _same
) -> Plan:
    """Return the plan of a game of the table, with the average of G beside it.

    model: the game's name.
    parts: the data.
    seed: the game's seed.
    rounds: its length; the recipe's if None.
    pair: a further change to the players.
    """
    recipe, changes = GAMES[model]
    height, width, channels = parts.train.rows.shape[1:]
    data = recipes.Data(kind="pictures", shape=(channels, height, width), rows=len(parts.train))
    small = recipe == "modern" and data.width <= _MOST_VALUES_FOR_MLP
    plan = recipes.perceptrons(data) if small else recipes.plan(recipes.choose(recipe, "pictures"), data)
    plan = with_settings(plan, average=AVERAGE)
    for change in (pair, *changes):
        plan = change(plan)
    return with_settings(plan, seed=seed, horizon=rounds or plan.settings.horizon)
