"""A recipe turns a name and a kind of data into two networks, an objective and settings. Every number has its reason.

`goodfellow2014` is the pair and the schedule of the paper's own code (github goodfeli/adversarial, mnist.yaml);
`modern` is the pair of residual perceptrons with the relativistic objective and zero-centred penalties on both sides
(Jolicoeur-Martineau 2018, arXiv 1807.00734; Mescheder et al. 2018, arXiv 1801.04406; Huang et al. 2024, arXiv
2501.05441).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from saddlepoint.errors import InputError, nearest
from saddlepoint.names import CAPACITIES, RECIPES, STARTS
from saddlepoint.networks import ChartGenerator
from saddlepoint.training.settings import OptimiserSettings, PenaltySettings, Schedule, Settings

Kind = Literal["points", "pictures", "tables"]


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a recipe may know of the data: kind, shape of an encoded row, rows to train on, width of the condition.

    start is where the generator begins; charts is how many charts an encoded row begins with (0 for start "plain");
    finest is the smallest scale of points that start plain, in standard deviations (`data.scale.smallest_scale`);
    spans are those of a table's row, (one-hot entries, scored) each; spread is the mean squared distance of encoded
    pictures from their mean.
    """

    kind: str
    shape: Sequence[int]
    rows: int
    condition_width: int = 0
    start: str = "plain"
    charts: int = 0
    finest: float = 1.0
    spans: Sequence[tuple[int, bool]] = ()
    spread: float = 1.0

    @property
    def width(self) -> int:
        """Numbers in one row."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a recipe decided: two networks by name and numbers, and the settings of their game."""

    recipe: str
    generator: dict[str, Any]
    discriminator: dict[str, Any]
    settings: Settings

    def multiply_adds(self, one_row: int) -> float:
        """Return roughly how many multiply-adds one round takes: some six passes of the batch through both networks.

        one_row is what one row takes: the number of weights, where each is used once.
        """
        return 6.0 * self.settings.batch * one_row


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One recipe: the kinds of data it is for, and its plan."""

    name: str
    summary: str
    kinds: tuple[str, ...]
    plan: Callable[[Data, dict[str, Any]], Plan]


def _goodfellow2014(data: Data, chosen: dict[str, Any]) -> Plan:
    pictures = data.kind == "pictures"
    # 1200 and 240 x 5 are the paper's for 784 pixels; a narrower row gets proportionally narrower layers.
    scale = {"small": 0.5, "medium": 1.0, "large": 2.0}[chosen["capacity"]] * min(
        1.0, (data.width / 784) ** 0.5
    )
    generator_width, discriminator_width = max(32, round(1200 * scale)), max(16, round(240 * scale))
    epoch = max(1, data.rows // 100)
    # The authors' cost of D is half of -V: with plain SGD that is half of their rate of 0.1.
    rounds_to_floor = math.log(1e5) / math.log(
        1.000004
    )  # divided by 1.000004 after every update, down to 1e-6
    discriminator_rate, generator_rate = (
        Schedule(start=start, end=start * 1e-5, shape="geometric", unit="rounds", finish=rounds_to_floor)
        for start in (0.05, 0.1)
    )
    momentum = Schedule(start=0.5, end=0.7, shape="linear", unit="rounds", begin=epoch, finish=250 * epoch)
    return Plan(
        recipe="goodfellow2014",
        generator={
            "name": "rectifier-generator",
            "noise_width": 100,
            "shape": list(data.shape),
            "hidden": [generator_width, generator_width],
            "output": "sigmoid" if pictures else "linear",
            "initial_range": 0.05,
            "condition_width": data.condition_width,
        },
        discriminator={
            "name": "maxout-discriminator",
            "shape": list(data.shape),
            "hidden": [discriminator_width, discriminator_width],
            "pieces": 5,
            # Dropping one of a point's few coordinates hides the point; the paper's inputs were pictures.
            "keep_input": 0.8 if data.width >= 32 else 1.0,
            "keep_hidden": 0.5,
            "initial_range": 0.005 if pictures else 0.05,
            "condition_width": data.condition_width,
        },
        settings=Settings(
            objective="non-saturating",
            form="simultaneous",
            batch=100,
            noise_width=100,
            noise_law="uniform",
            discriminator=OptimiserSettings(name="sgd", rate=discriminator_rate, momentum=momentum),
            generator=OptimiserSettings(name="sgd", rate=generator_rate, momentum=momentum),
            horizon=250 * epoch,
        ),
    )


def _modern(data: Data, chosen: dict[str, Any]) -> Plan:
    if data.kind == "pictures":
        return _modern_pictures(data, chosen)
    if data.kind == "tables":
        return _modern_tables(data, chosen)
    return _modern_plain(data, chosen) if data.charts == 0 else _modern_in_charts(data, chosen)


def _width(columns: int, capacity: str) -> int:
    """Hidden units for points: narrow for few columns, where rounds count for more than units."""
    return {"small": 32, "medium": 64, "large": 128}[capacity] * (1 if columns <= 4 else 2)


def _modern_settings(
    *,
    rate: float | Schedule,
    gamma: Schedule,
    noise_width: int,
    horizon: int,
    batch: int = 256,
    clip: float | None = None,
    augment: float = 0.0,
) -> Settings:
    """The game that all modern pairs play: relativistic, R1 and R2, Adam without momentum, an average of G."""
    if not isinstance(rate, Schedule):
        rate = Schedule(start=rate, end=rate * 0.02, shape="cosine", warm_up=0.01)
    pace = OptimiserSettings(rate=rate, betas=(0.0, 0.99))
    return Settings(
        objective="relativistic",
        batch=batch,
        noise_width=noise_width,
        penalties=(PenaltySettings(name="r1", weight=gamma), PenaltySettings(name="r2", weight=gamma)),
        discriminator=pace,
        generator=pace,
        average=0.03,
        clip=clip,
        augment=augment,
        horizon=horizon,
    )


def _modern_in_charts(data: Data, chosen: dict[str, Any]) -> Plan:
    """Points in charts: every scale is about 1 there, so that no number depends on the data's own scales."""
    local = data.width - data.charts
    # A plane is learnt in 1,000 rounds; what is left to correct grows with the dimension, slowly.
    horizon = min(4000, 100 * round(10 * math.sqrt(max(2, local) / 2)))
    width = _width(local, chosen["capacity"])
    # From a start this near the data a light penalty is enough to keep D smooth, and a lighter one late shows detail;
    # frequencies and shapes that must be learnt from nothing want the firm one to the end.
    light = Schedule(start=0.1, end=0.03, shape="geometric", finish=0.9)
    gamma = Schedule(start=1.0) if data.start == "learned" else light
    noise_width = ChartGenerator.noise_for(data.charts, local, data.start)
    both = {
        "charts": data.charts,
        "local_width": local,
        "width": width,
        "blocks": 2,
        "start": data.start,
        "condition_width": data.condition_width,
    }
    return Plan(
        recipe="modern",
        generator={"name": "chart-generator", "noise_width": noise_width, **both},
        discriminator={"name": "chart-discriminator", **both},
        settings=_modern_settings(rate=2e-3, gamma=gamma, noise_width=noise_width, horizon=horizon),
    )


def _modern_tables(data: Data, chosen: dict[str, Any]) -> Plan:
    return _modern_in_order(data, chosen) if data.start == "fitted" else _modern_in_spans(data, chosen)


def _modern_in_order(data: Data, chosen: dict[str, Any]) -> Plan:
    """Rows of spans drawn one after the other from a law fitted by likelihood, which the game corrects."""
    scale = {"small": 0.5, "medium": 1.0, "large": 2.0}[chosen["capacity"]]
    steps = sum(1 + bool(scored) for _, scored in data.spans)
    free = 16
    generator = {
        "bins": _bins(data.rows),
        "units": max(4, round(scale * min(12, 480 / steps))),
        "noise_width": free + steps,
    }
    # So near to the data G must move slowly: at 5e-4 it lost more than D could teach it; at 1e-4 single trials on a held
    # part of Adult went either way.
    rate, pace = (Schedule(start=each, end=each / 20, shape="cosine") for each in (1e-4, 1e-3))
    gamma = Schedule(start=1.0)
    both = {"spans": [[size, scored] for size, scored in data.spans], "condition_width": data.condition_width}
    return Plan(
        recipe="modern",
        generator={"name": "ordered-generator", **generator, **both},
        discriminator={
            "name": "span-discriminator",
            "layers": 2,
            "width": round(128 * scale),
            "waves": 8,
            "masked": True,
            **both,
        },
        settings=Settings(
            objective="relativistic",
            batch=min(500, data.rows),
            noise_width=free + steps,
            penalties=(PenaltySettings(name="r1", weight=gamma), PenaltySettings(name="r2", weight=gamma)),
            discriminator=OptimiserSettings(rate=pace, betas=(0.0, 0.99)),
            generator=OptimiserSettings(rate=rate, betas=(0.0, 0.99)),
            average=0.1,
            horizon=150,
        ),
    )


def _bins(rows: int) -> int:
    """Bins of a score: enough to show the shapes that so many rows can show."""
    return int(min(32, max(4, 2 ** round(math.log2(max(1, rows)) / 2 - 2))))


def _modern_in_spans(data: Data, chosen: dict[str, Any]) -> Plan:
    """Rows of spans: one-hot entries and normal scores, all of scale 1, so that a penalty of weight 1 fits any table."""
    width = {"small": 64, "medium": 128, "large": 256}[chosen["capacity"]]
    # Many rounds of a narrow pair at a high rate beat fewer of a wide one (Adult, 20 variants at equal time).
    rate = Schedule(start=4e-3, end=8e-5, shape="cosine")
    gamma = Schedule(start=1.0)
    entries = sum(size for size, _ in data.spans)
    noise_width = 128 + entries
    spans = [[size, scored] for size, scored in data.spans]
    both = {"spans": spans, "width": width, "condition_width": data.condition_width}
    return Plan(
        recipe="modern",
        generator={"name": "span-generator", "noise_width": noise_width, "blocks": 2, **both},
        discriminator={"name": "span-discriminator", "layers": 2, **both},
        settings=Settings(
            objective="relativistic",
            batch=min(500, data.rows),
            noise_width=noise_width,
            penalties=(PenaltySettings(name="r1", weight=gamma), PenaltySettings(name="r2", weight=gamma)),
            discriminator=OptimiserSettings(rate=rate, betas=(0.0, 0.99)),
            generator=OptimiserSettings(rate=rate, betas=(0.0, 0.99)),
            average=0.1,
            horizon=4000,
        ),
    )


def _modern_plain(data: Data, chosen: dict[str, Any]) -> Plan:
    """Points from noise on raw coordinates: D must see fine detail early, and G must be able to leave gaps."""
    width = _width(data.width, chosen["capacity"])
    # Modes get whole numbers of the 2^coins sign patterns, almost at random: more patterns, masses nearer to the truth;
    # beyond some 2,000 of them the network no longer keeps them apart.
    coins = 11
    noise_width = coins + (64 if data.width >= 32 else max(4, min(16, data.width)))
    # The fastest wave turns a quarter within the smallest scale; none are needed where that is about 1.
    octaves = min(7, max(0, 1 + math.floor(math.log2(0.87 / max(data.finest, 1e-3)))))
    # A firm penalty lets masses flow between modes while they are still joined (held for a tenth, or they freeze
    # unequal); a light one late shows the smallest scale.
    end = min(0.1, max(3e-3, 15.0 * data.finest**2))
    gamma = Schedule(start=1.0, end=end, shape="geometric", begin=0.1, finish=0.9)
    both = {"shape": list(data.shape), "width": width, "condition_width": data.condition_width}
    return Plan(
        recipe="modern",
        generator={
            "name": "coin-generator",
            "noise_width": noise_width,
            "coins": coins,
            "spread": 0.9,
            **both,
        },
        # Waves of equal height let D answer to the fastest ones before G has found every mode: ring seeds lost modes so.
        discriminator={"name": "wave-discriminator", "octaves": octaves, "fade": 0.5, **both},
        settings=_modern_settings(
            # Detail comes late, and a rate that falls from the first round is spent by then.
            rate=Schedule(start=8e-4, end=1.6e-5, shape="cosine", begin=0.7, warm_up=0.01),
            gamma=gamma,
            noise_width=noise_width,
            horizon=3000,
            clip=2.0,
        ),
    )


FEW_PICTURES, AUGMENT = 2000, 0.4
"""Convolutions learn fewer pictures than this by heart before G can make them, so that D sees them changed."""

MOST_DENSE_NUMBERS = 1024
"""Pictures of so many numbers or fewer (8 x 8 and 28 x 28 grey) get perceptrons, larger ones convolutions."""


def _modern_pictures(data: Data, chosen: dict[str, Any]) -> Plan:
    """Perceptrons see a small picture whole, and play many rounds in the time; in a larger one each place would have to
    learn for itself what an edge is, and the weights would grow with the places: there convolutions share them."""
    if data.width > MOST_DENSE_NUMBERS:
        return _modern_convolutions(data, chosen)
    # Wide rows need wide layers; steps matter more than width, so small ones stay narrow.
    width = {"small": 64, "medium": 128, "large": 256}[chosen["capacity"]] * (3 if data.width > 256 else 1)
    noise_width = 64 if data.width >= 32 else max(4, min(16, 2 * data.width))
    # Pictures keep a firm penalty, since D would learn a small training set by heart.
    gamma = Schedule(start=1.0, end=0.3, shape="geometric", finish=0.9)
    both = {
        "shape": list(data.shape),
        "width": width,
        "blocks": 2,
        "condition_width": data.condition_width,
    }
    return Plan(
        recipe="modern",
        # Grey levels end at black and white, and many pixels lie exactly there: linear units never would.
        generator={"name": "residual-generator", "noise_width": noise_width, "output": "sigmoid", **both},
        discriminator={"name": "residual-discriminator", **both},
        settings=_modern_settings(rate=2e-3, gamma=gamma, noise_width=noise_width, horizon=5000),
    )


def _modern_convolutions(data: Data, chosen: dict[str, Any]) -> Plan:
    """Pictures of any size: depth by the sides, width by the number of pictures, penalties by how far apart they lie."""
    # Many pictures feed a wider pair, few would be learnt by heart; slowly, since rounds count for more than width.
    full = {"small": 48, "medium": 96, "large": 192}[chosen["capacity"]]
    width = round(full * min(1.25, max(0.5, (data.rows / 10_000) ** 0.125)))
    places = math.prod(data.shape[1:])
    # D's slope is measured by distances between pictures: twice as far apart, a quarter of the squared slope is as steep.
    firm = 1e-3 * max(data.spread, 1.0)
    gamma = Schedule(start=firm, end=0.1 * firm, shape="geometric", finish=0.9)
    both = {
        "shape": list(data.shape),
        "width": width,
        "blocks": 2 if chosen["capacity"] == "large" else 1,
        "condition_width": data.condition_width,
    }
    return Plan(
        recipe="modern",
        generator={"name": "picture-generator", "noise_width": 64, "output": "sigmoid", **both},
        discriminator={"name": "picture-discriminator", **both},
        settings=_modern_settings(
            rate=2e-3,
            gamma=gamma,
            noise_width=64,
            horizon=5000,
            batch=64 if places <= 64 * 64 else 32,
            augment=AUGMENT if data.rows < FEW_PICTURES else 0.0,
        ),
    )


_RECIPES: dict[str, Recipe] = {
    "goodfellow2014": Recipe(
        name="goodfellow2014",
        summary="the paper's own pair and schedules: rectifier generator, maxout discriminator, SGD with momentum",
        kinds=("points", "pictures"),
        plan=_goodfellow2014,
    ),
    "modern": Recipe(
        name="modern",
        summary="residual perceptrons (convolutions for large pictures), relativistic objective, R1 and R2 penalties, "
        "average of G",
        kinds=("points", "pictures", "tables"),
        plan=_modern,
    ),
}


def choose(name: str, kind: str) -> Recipe:
    """Return the recipe of that name; "auto" picks the default for the kind of data.

    Raises:
        InputError: an unknown name (the nearest is offered), or a recipe that is not for this kind.
    """
    if name not in RECIPES:
        raise InputError(
            f"Unknown recipe {name!r}{nearest(name, RECIPES) or '.'} Allowed are {', '.join(RECIPES)}."
        )
    recipe = _RECIPES["modern" if name == "auto" else name]
    if kind not in recipe.kinds:
        raise InputError(f"The recipe {name!r} is for {' and '.join(recipe.kinds)}, not for {kind}.")
    return recipe


def start_of(recipe: Recipe, kind: str, wanted: str) -> str:
    """Return where the generator starts: of the modern recipe "charts" for points and "fitted" for tables, else "plain".

    Raises:
        InputError: an unknown start, or one that this recipe or kind of data does not have.
    """
    if wanted not in STARTS:
        raise InputError(
            f"Unknown start {wanted!r}{nearest(wanted, STARTS) or '.'} Allowed are {', '.join(STARTS)}."
        )
    modern = recipe.name == "modern"
    allowed = {"points": ("charts", "learned"), "tables": ("fitted",)}.get(kind, ()) if modern else ()
    if wanted == "auto":
        return allowed[0] if allowed else "plain"
    if wanted != "plain" and wanted not in allowed:
        used = "tables" if wanted == "fitted" else "points"
        raise InputError(
            f"The start {wanted!r} is for {used} of the recipe 'modern', not for {kind} of {recipe.name!r}; "
            "use 'plain', or leave it out."
        )
    return wanted


def plan(recipe: Recipe, data: Data, *, capacity: str = "medium") -> Plan:
    """Return the networks and settings that a recipe gives to this data.

    Raises:
        InputError: an unknown capacity.
    """
    if capacity not in CAPACITIES:
        raise InputError(
            f"Unknown capacity {capacity!r}{nearest(capacity, CAPACITIES) or '.'} Allowed are {', '.join(CAPACITIES)}."
        )
    return recipe.plan(data, {"capacity": capacity})
