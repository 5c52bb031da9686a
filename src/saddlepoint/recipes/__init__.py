"""Recipes: a name and a kind of data give two networks, an objective and settings.

`goodfellow2014` has the networks and schedules of the paper's own code (github goodfeli/adversarial, mnist.yaml).
`modern` has residual perceptrons with the relativistic objective and zero-centred penalties on both sides
(Jolicoeur-Martineau 2018, arXiv 1807.00734; Mescheder et al. 2018, arXiv 1801.04406; Huang et al. 2024, arXiv
2501.05441). Every number has its reason beside it.
"""

from __future__ import annotations

from saddlepoint import aliases
from saddlepoint.errors import InputError, nearest
from saddlepoint.names import CAPACITIES, RECIPES, STARTS
from saddlepoint.recipes.goodfellow2014 import goodfellow2014
from saddlepoint.recipes.pictures import AUGMENT, FEW_PICTURES, MOST_DENSE_NUMBERS, perceptrons, pictures
from saddlepoint.recipes.plan import Data, Plan, Recipe
from saddlepoint.recipes.points import points
from saddlepoint.recipes.tables import tables

__all__ = [
    "AUGMENT",
    "FEW_PICTURES",
    "MOST_DENSE_NUMBERS",
    "Data",
    "Plan",
    "Recipe",
    "choose",
    "perceptrons",
    "plan",
    "start_of",
]


def _modern(data: Data, capacity: str) -> Plan:
    return {"points": points, "tables": tables, "pictures": pictures}[data.kind](data, capacity)


_RECIPES: dict[str, Recipe] = {
    "goodfellow2014": Recipe(
        name="goodfellow2014",
        summary="the paper's own networks and schedules: rectifier generator, maxout discriminator, SGD with momentum",
        kinds=("points", "pictures"),
        plan=goodfellow2014,
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
    """Return the recipe with this name; "auto" is the default for the kind of data.

    Raises:
        InputError: an unknown name (the message suggests the nearest), or a recipe that is not for this kind of data.
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
    """Return the generator's start: "auto" is "mixture" for points, "autoregressive" for tables, else "noise".

    The fitted starts belong to the modern recipe.

    recipe: the recipe.
    kind: kind of data.
    wanted: the user's option, in new or old words.

    Raises:
        InputError: an unknown start, or one that this recipe or kind of data does not have.
    """
    wanted = aliases.STARTS.get(wanted, wanted)
    if wanted not in STARTS:
        raise InputError(
            f"Unknown start {wanted!r}{nearest(wanted, STARTS) or '.'} Allowed are {', '.join(STARTS)}."
        )
    modern = recipe.name == "modern"
    allowed = (
        {"points": ("mixture", "learned"), "tables": ("autoregressive",)}.get(kind, ()) if modern else ()
    )
    if wanted == "auto":
        return allowed[0] if allowed else "noise"
    if wanted != "noise" and wanted not in allowed:
        used = "tables" if wanted == "autoregressive" else "points"
        raise InputError(
            f"The start {wanted!r} is for {used} of the recipe 'modern', not for {kind} of {recipe.name!r}; "
            "use 'noise', or leave start out."
        )
    return wanted


def plan(recipe: Recipe, data: Data, *, capacity: str = "medium") -> Plan:
    """Return the networks and settings of a recipe for this data.

    Raises:
        InputError: an unknown capacity.
    """
    if capacity not in CAPACITIES:
        raise InputError(
            f"Unknown capacity {capacity!r}{nearest(capacity, CAPACITIES) or '.'} Allowed are {', '.join(CAPACITIES)}."
        )
    return recipe.plan(data, capacity)
