"""Every step of the paper's argument made visible and held against numbers: `saddlepoint paper theory`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import Any

from saddlepoint.errors import GameError, InputError
from saddlepoint.paper.results import Results
from saddlepoint.paper.theory.convergence import converging_run
from saddlepoint.paper.theory.duality import saddle
from saddlepoint.paper.theory.independence import each_dimension_apart
from saddlepoint.paper.theory.low_dimensional_support import thin_sets
from saddlepoint.paper.theory.optimum import best_discriminator, value_of_the_game
from saddlepoint.paper.theory.result import Check, Finding
from saddlepoint.paper.theory.saturation import early_gradients

__all__ = ["STEPS", "Check", "Finding", "run"]

STEPS: dict[str, tuple[Callable[..., Finding], dict[str, Any]]] = {
    "a": (best_discriminator, {"steps": 250}),
    "b": (value_of_the_game, {"steps": 150}),
    "c": (saddle, {}),
    "d": (thin_sets, {"rows": 1_000}),
    "e": (each_dimension_apart, {"rows": 2_000, "rounds": 800}),
    "f": (early_gradients, {"rounds": 200}),
    "g": (converging_run, {"rounds": 400, "tolerance": 0.04}),
}
"""Each step by its letter, and how much less of it the quick version does."""
_FIELDS = [field.name for field in fields(Check)]


def run(
    results: Results,
    *,
    steps: Sequence[str] = tuple(STEPS),
    quick: bool = False,
    say: Callable[[str], None] = print,
    command: str = "",
) -> bool:
    """Do the steps, write theory.json, a picture each and the page; return whether every number holds.

    A step that is done, and held, is not done again. Raises InputError for an unknown step.
    """
    for step in steps:
        if step not in STEPS:
            raise InputError(f"There is no step {step!r}; the steps are {', '.join(STEPS)}.")
    name = "theory-quick" if quick else "theory"
    held = True
    for step in steps:
        there = results.read(name).get("steps", {}).get(step)
        if there is not None and all(check["holds"] for check in there["checks"]):
            say(f"({step}) {there['title']}: done before")
            continue
        made, less = STEPS[step]
        say(f"({step}) ...")
        began, wall = time.process_time(), time.monotonic()
        found = partial(made, **less)() if quick else made()
        results.picture(found.figure, f"{name}-{step}")
        record = {
            "title": found.title,
            "paper": found.paper,
            "done": found.done,
            "reading": found.reading,
            "checks": [{**asdict(check), "holds": check.holds} for check in found.checks],
            "settings": less if quick else {},
            "cpu_seconds": round(time.process_time() - began, 1),
            "seconds": round(time.monotonic() - wall, 1),
        }
        with results.changing(name) as content:
            content.setdefault("steps", {})[step] = record
            content["command"] = command
        for check in found.checks:
            say(f"    {check}")
            held = held and check.holds
        say(f"({step}) {found.title}: {record['cpu_seconds']:.0f} CPU s")
    page(results, name, quick=quick)
    return held


def page(results: Results, name: str, *, quick: bool) -> None:
    """Write the page of the steps from their JSON."""
    content = results.read(name)
    got: list[str] = []
    for step, record in sorted(content.get("steps", {}).items()):
        got += [
            f"### ({step}) {record['title']}",
            "",
            f"*The paper:* {record['paper']}",
            "",
            f"*Done:* {record['done']}",
            "",
            f"![({step})]({name}-{step}.png)",
            "",
            *(f"- {Check(**{name: check[name] for name in _FIELDS})}" for check in record["checks"]),
            "",
            record["reading"],
            "",
        ]
    seconds = {step: record["cpu_seconds"] for step, record in sorted(content.get("steps", {}).items())}
    results.page(
        name,
        title="The argument, step by step",
        paper="that the game's optimum is p_g = p_data, by Propositions 1 and 2 and Theorem 1.",
        got=[
            "In the lists below p is p_data and q is p_g. A number is what was measured; in brackets stand what the theorem "
            "says it is, and how far it may be away.",
            "",
            *got,
        ],
        settings={
            "seeds": "fixed (0)",
            "CPU seconds, by step": ", ".join(f"{step} {value:g}" for step, value in seconds.items()),
        },
        commands=[content.get("command", "")],
        quick=quick,
    )


def refuse(held: bool) -> None:
    """Raise GameError if a number of the theory does not hold.

    Raises:
        GameError: one does not.
    """
    if not held:
        raise GameError(
            "A number of the theory is not what the theorem says (marked NOT MET on the page): please report it."
        )
