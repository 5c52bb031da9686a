"""Write docs/speed.md and docs/images/speed.png from benchmarks/results/speed.json: python docs/make_speed.py"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "speed.json"
GOALS = {"a": (2.5, 0.45), "b": (1.3, 0.75), "c": (1.1, 0.75), "d": (2.5, None), "e": (None, None)}
HEAD = """# What a round costs

Made by `python docs/make_speed.py` from `benchmarks/results/speed.json`, which `make benchmarks` writes. Rivals take turns
of a few rounds; counted are CPU seconds of one thread, and only the ratios of a turn: median (least to most over the turns).
The *plain loop* is a script in the manner of the popular references (`benchmarks/rivals/plain_loop.py`), with torch's
default or its fused optimisers, whichever is faster. The *limit* is the time of the round's matrix products alone, at their
own shapes, and of the optimisers' bytes at the streaming rate, both measured in the same turn (`benchmarks/limit.py`).
"""


def said(ratio: dict[str, float] | None) -> str:
    """Return a ratio with its spread."""
    return "" if ratio is None else f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"


def table(games: dict[str, Any]) -> str:
    """Return the table of the games."""
    lines = [
        "| game | rounds as | CPU ms a round | times the plain loop | goal | the limit would be | times JAX | "
        "share of the limit | goal |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, game in sorted(games.items()):
        times, share = GOALS[name]
        best = game["cpu_ms"][game["best_plain"]] / game["cpu_ms"]["limit"]
        for how, ratio in game["times_the_plain_loop"].items():
            if "JAX" in how:
                continue
            mine = how == game["ours"]
            lines.append(
                f"| ({name}) | {how.split(', ')[1]} | {game['cpu_ms'][how]:.2f} | {said(ratio)} | "
                f"{'' if times is None else f'{times} x'} | {best:.2f} x | "
                f"{said(game.get('times_jax')) if mine else ''} | "
                f"{said(game['share_of_the_limit']) if mine else ''} | {'' if share is None else f'{share:.0%}'} |"
            )
    lines += [
        "",
        *(f"- ({name}) {game['title']}; plain: {game['best_plain']}" for name, game in sorted(games.items())),
    ]
    return "\n".join(lines)


def picture(curves: dict[str, Any]) -> None:
    """Draw the cost curves."""
    figure, axes = plt.subplots(
        1, len(curves), figsize=(3 * len(curves), 2.8), sharey=True, layout="constrained"
    )
    for axis, (what, curve) in zip(axes, curves.items(), strict=True):
        axis.loglog(curve["values"], curve["cpu_ms"], "o-", color="black", markersize=4)
        axis.set_xlabel(what)
        axis.set_title(f"last exponent {curve['last_exponent']:.2f}", fontsize=9)
    axes[0].set_ylabel("CPU ms a round")
    figure.savefig(ROOT / "docs" / "images" / "speed.png", dpi=110)


def page(results: dict[str, Any]) -> str:
    """Return the page."""
    curves = results["curves"]
    parts = [HEAD, "## Rounds\n", table(results["games"]), "", NOTES]
    if curves:
        rows = "\n".join(
            f"| {what} | {', '.join(f'{v:,}' for v in curve['values'])} | {', '.join(map(str, curve['cpu_ms']))} | "
            f"{curve['exponent']} | {curve['last_exponent']} |"
            for what, curve in curves.items()
        )
        parts += [
            "## As work grows\n\n"
            "Eager rounds of game (a), one number changed at a time; cost ~ number^exponent over all values, and over the last "
            "two. Small rounds are bookkeeping, so curves bend upwards where products begin to count.\n",
            "![cost as one number grows](images/speed.png)\n",
            "| number | values | CPU ms a round | exponent | last exponent |\n|---|---|---|---|---|",
            rows,
            "",
        ]
    return "\n".join(parts).rstrip() + "\n"


NOTES = """Where "the limit would be" lies below the goal, no round of these products reaches the goal on this machine: the
plain loop itself spends that share of its time in them.

An eager round costs no preparation. A compiled one begins with a trace (about 1 s) and the compiler (some 20 CPU
seconds for (a) and (d), a few when its files are still on the disk), so `--compile auto` compiles only games long enough to
earn that back; `settings.json` says what was chosen and why. Not measured yet: sampling, Lightning's structure, the GPU,
peak memory, two ranks, and rows of this table that are not there.
"""


if __name__ == "__main__":
    found = json.loads(RESULTS.read_text())
    if found["curves"]:
        picture(found["curves"])
    (ROOT / "docs" / "speed.md").write_text(page(found))
