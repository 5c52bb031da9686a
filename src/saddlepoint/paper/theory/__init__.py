"""The steps of the paper's theoretical argument, each checked numerically and drawn: `saddlepoint paper theory`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import Any

from saddlepoint.errors import GameError, InputError
from saddlepoint.paper.results import Results
from saddlepoint.paper.theory.convergence import converging_run
from saddlepoint.paper.theory.duality import saddle_point
from saddlepoint.paper.theory.independence import independent_marginals
from saddlepoint.paper.theory.low_dimensional_support import disjoint_supports
from saddlepoint.paper.theory.optimum import best_discriminator, value_of_the_game
from saddlepoint.paper.theory.result import Check, Finding
from saddlepoint.paper.theory.saturation import early_gradients

__all__ = ["STEPS", "Check", "Finding", "run"]

STEPS: dict[str, tuple[Callable[..., Finding], dict[str, Any]]] = {
    "a": (best_discriminator, {"steps": 250}),
    "b": (value_of_the_game, {"steps": 150}),
    "c": (saddle_point, {}),
    "d": (disjoint_supports, {"rows": 1_000}),
    "e": (independent_marginals, {"rows": 2_000, "rounds": 800}),
    "f": (early_gradients, {"rounds": 200}),
    "g": (converging_run, {"rounds": 400, "tolerance": 0.04}),
}
"""The function of each step by its letter, and the arguments that make its quick version shorter."""
_FIELDS = [field.name for field in fields(Check)]


def run(
    results: Results,
    *,
    steps: Sequence[str] = tuple(STEPS),
    quick: bool = False,
    say: Callable[[str], None] = print,
    command: str = "",
) -> bool:
    """Run the steps, write theory.json, one figure for each and the page; return whether every check holds.

    A step that was run before, and whose checks all hold, is not run again.

    Raises:
        InputError: a step is unknown.
    """
    for step in steps:
        if step not in STEPS:
            raise InputError(f"There is no step {step!r}; the steps are {', '.join(STEPS)}.")
    name = "theory-quick" if quick else "theory"
    all_hold = True
    for step in steps:
        stored = results.read(name).get("steps", {}).get(step)
        if stored is not None and all(check["holds"] for check in stored["checks"]):
            say(f"({step}) {stored['title']}: done before")
            continue
        function, shorter = STEPS[step]
        say(f"({step}) ...")
        began, wall = time.process_time(), time.monotonic()
        found = partial(function, **shorter)() if quick else function()
        results.picture(found.figure, f"{name}-{step}")
        record = {
            "title": found.title,
            "paper": found.paper,
            "done": found.done,
            "reading": found.reading,
            "checks": [{**asdict(check), "holds": check.holds} for check in found.checks],
            "settings": shorter if quick else {},
            "cpu_seconds": round(time.process_time() - began, 1),
            "seconds": round(time.monotonic() - wall, 1),
        }
        with results.changing(name) as content:
            content.setdefault("steps", {})[step] = record
            content["command"] = command
        for check in found.checks:
            say(f"    {check}")
            all_hold = all_hold and check.holds
        say(f"({step}) {found.title}: {record['cpu_seconds']:.0f} CPU s")
    page(results, name, quick=quick)
    return all_hold


def page(results: Results, name: str, *, quick: bool) -> None:
    """Write the page of the steps from their JSON."""
    content = results.read(name)
    sections: list[str] = []
    for step, record in sorted(content.get("steps", {}).items()):
        sections += [
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
            "In the lists below p is p_data and q is p_g. The first number is what was measured; in brackets are the value "
            "that the theorem predicts and the tolerance.",
            "",
            *sections,
        ],
        settings={
            "seeds": "fixed (0)",
            "CPU seconds, by step": ", ".join(f"{step} {value:g}" for step, value in seconds.items()),
        },
        commands=[content.get("command", "")],
        quick=quick,
    )


def refuse(all_hold: bool) -> None:
    """Refuse results in which a check of the theory failed.

    Raises:
        GameError: a check failed.
    """
    if not all_hold:
        raise GameError(
            "A measured number differs from what the theorem predicts (marked NOT MET on the page): please report it."
        )
