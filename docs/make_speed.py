"""Write docs/speed.md and docs/images/speed.png from benchmarks/results/speed.json: `python -m docs.make_speed`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "speed.json"
STARTUP = RESULTS.with_name("startup.json")
GOALS = {"a": (2.5, 0.45), "b": (1.3, 0.75), "c": (1.1, 0.75), "d": (2.5, None), "e": (None, None)}
HEAD = """# Cost of a round

Made by `python -m docs.make_speed` from `benchmarks/results/speed.json`, which `make benchmarks` writes. Implementations take
turns of a few rounds; CPU seconds of one thread are counted, and only ratios within a turn: median (smallest to largest over
the turns). The *plain loop* is a script in the style of popular reference implementations (`benchmarks/rivals/plain_loop.py`),
with torch's default, foreach or fused optimisers, or with compiled networks, whichever is fastest. The *limit* is a lower
bound: the time of the round's matrix products, in their own shapes, plus the time to stream the optimisers' bytes, both
measured in the same turn (`benchmarks/limit.py`).
"""
_TERMS = {
    "a table of Adult's size: the span pair, batch 500": "a table of Adult's size: the feature-block networks "
    "(`networks/tabular.py`), batch 500",
    "fused kernels (all that is no product, both optimisers)": "fused kernels (all except products; both optimisers)",
    "biases copied for their products": "copies of biases for their products",
    "calling: Python, wrappers, allocation": "overhead: Python, wrappers, allocation",
}
"""Titles as speed.json stores them, and in today's terms."""


def spread(ratio: dict[str, float] | None) -> str:
    """Return a ratio with its range."""
    return "" if ratio is None else f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"


def table(games: dict[str, Any]) -> str:
    """Return the table of the games."""
    lines = [
        "| game | rounds | CPU ms per round | speed-up over the plain loop | goal | speed-up of the limit | speed-up over JAX "
        "| limit / ours | goal |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, game in sorted(games.items()):
        times, share = GOALS[name]
        best = game["cpu_ms"][game["best_plain"]] / game["cpu_ms"]["limit"]
        for how, ratio in game["times_the_plain_loop"].items():
            if "saddlepoint" not in how:
                continue
            mine = how == game["ours"]
            lines.append(
                f"| ({name}) | {how.split(', ')[1]} | {game['cpu_ms'][how]:.2f} | {spread(ratio)} | "
                f"{'' if times is None else f'{times} x'} | {best:.2f} x | "
                f"{spread(game.get('times_jax')) if mine else ''} | "
                f"{spread(game['share_of_the_limit']) if mine else ''} | {'' if share is None else f'{share:.0%}'} |"
            )
    lines += [
        "",
        *(
            f"- ({name}) {game['title']}; compared with: {game['best_plain']}"
            for name, game in sorted(games.items())
        ),
        "",
        "CPU milliseconds per round of every implementation, and peak memory of a process that plays a few rounds:",
        "",
    ]
    rivals = dict.fromkeys(each for game in games.values() for each in game["cpu_ms"])
    lines += [f"| | {' | '.join(f'({name})' for name in sorted(games))} |", "|---" * (len(games) + 1) + "|"]
    for each in rivals:
        cells = []
        for name in sorted(games):
            spent, peak = games[name]["cpu_ms"].get(each), games[name].get("peak_mb", {}).get(each)
            cells.append(
                ("" if spent is None else f"{spent:.2f}") + ("" if peak is None else f"; {peak:.0f} MB")
            )
        lines.append(f"| {each} | {' | '.join(cells)} |")
    return "\n".join(lines)


def around(results: dict[str, Any]) -> str:
    """Return the sections on threads, ranks, sampling, whole fits and start-up."""
    parts = []
    if threads := results.get("threads"):
        lines = ["| wall ms per round | one thread | two threads |", "|---|---|---|"]
        for name, spent in sorted(threads.items()):
            for each in dict.fromkeys(key.rsplit(", ", 1)[0] for key in spent):
                lines.append(f"| ({name}) {each} | {spent[f'{each}, 1']:.2f} | {spent[f'{each}, 2']:.2f} |")
        ranks = results["ranks"]
        parts += [
            "## Two threads, two processes\n",
            "Wall time on a machine of two cores. saddlepoint chooses its number of threads by the work of a round.\n",
            "\n".join(lines),
            f"\nA round of (b) with a batch of 400, distributed over processes (gloo): {ranks['1']:.0f} ms on one, "
            f"{ranks['2']:.0f} ms on two, {ranks['1'] / ranks['2']:.2f} times as fast.\n",
        ]
    if sampling := results.get("sampling"):
        parts += [
            "## Sampling\n",
            "`python -m benchmarks.speed_sampling --table adult.csv`; CPU seconds of one thread, medians over turns.\n",
        ]
        for start in ("noise", "mixture"):
            found = sampling[start]
            spent, (least, most) = found["cpu_s"], found["shares"]
            parts.append(
                f"- 1,000,000 points in the plane, start {start}: {spent['sample']:.2f} s, of which G's forward pass "
                f"{spent['forward pass of G']:.2f} s ({found['share_of_forward']:.0%}, {least:.0%} to {most:.0%} over the "
                f"turns; goal 80 %), its matrix products {spent['products of G']:.2f} s."
            )
        if rows := sampling.get("table"):
            parts.append(
                f"- Adult, {rows['rows']:,} rows as a data frame: {rows['rows_a_second']:,} rows per second (goal 200,000), "
                f"{rows['of_these_networks']:.0%} of the time in the networks; writing them as CSV, measured separately: "
                f"{rows['csv_rows_a_second']:,} rows per second."
            )
        parts.append(
            "\nTried and kept: chunks of 2,048 rows instead of 4,096, which do not fit in the cache (table rows 1.5 times as "
            "fast); decoding chunk by chunk, broadcasting in torch, and one sum instead of a test of each number (together: "
            "points 1.2 times as fast). Tried and not kept: an embedding lookup of a table's one-hot inputs instead of a "
            "multiplication (its networks are another 1.5 times as fast; with the rows' axes swapped not more), because it "
            "would be a second implementation of the same distribution. The rest of the time for points, beside G, is their "
            "noise (10 normal numbers each) and decoding."
        )
        parts.append("")
    if whole := results.get("whole"):
        parts += [
            "## Whole fits\n",
            "`python -m benchmarks.whole_games --table adult.csv --judged adult_test.csv`: CPU seconds of the whole fit, "
            "including preparation and compilation with an empty cache. `auto` overestimated the cost of compilation by a "
            "factor of three; it no longer does. Quality is measured by the judge on held-out rows.\n",
            "| fit | rounds | CPU s | speed-up over eager | classifier accuracy | certified JSD >= |\n"
            "|---|---|---|---|---|---|",
        ]
        for game, ways in whole.items():
            for way, found in ways.items():
                parts.append(
                    f"| {game}, {way} | {found['rounds']:,} | {found['cpu_s']:.0f} | {found['times_as_fast'][0]:.2f} | "
                    f"{found['told_right']:.1%} | {found['jsd_lower']:.4f} |"
                )
        parts.append("")
    if STARTUP.exists():
        rows = json.loads(STARTUP.read_text())["seconds"]
        parts += [
            "## Start-up\n",
            "`python -m benchmarks.startup`; wall seconds, median (smallest to largest).\n",
        ]
        parts += [f"- {name}: {spread(value)}" for name, value in rows.items()]
        parts.append("")
    return "\n".join(parts)


def picture(curves: dict[str, Any]) -> None:
    """Draw the cost curves."""
    figure, axes = plt.subplots(
        1, len(curves), figsize=(3 * len(curves), 2.8), sharey=True, layout="constrained"
    )
    for axis, (what, curve) in zip(axes, curves.items(), strict=True):
        axis.loglog(curve["values"], curve["cpu_ms"], "o-", color="black", markersize=4)
        axis.set_xlabel(what)
        axis.set_title(f"last exponent {curve['last_exponent']:.2f}", fontsize=9)
    axes[0].set_ylabel("CPU ms per round")
    figure.savefig(ROOT / "docs" / "images" / "speed.png", dpi=110)


def page(results: dict[str, Any]) -> str:
    """Return the complete page."""
    curves = results["curves"]
    parts = [HEAD, "## Rounds\n", table(results["games"]), "", NOTES]
    if "profile" in results:
        parts.append(profiled(results["profile"]))
    if curves:
        rows = "\n".join(
            f"| {what} | {', '.join(f'{v:,}' for v in curve['values'])} | {', '.join(map(str, curve['cpu_ms']))} | "
            f"{', '.join(f'{v:.0f}' for v in curve.get('peak_mb', []))} | {curve['exponent']} | {curve['last_exponent']} |"
            for what, curve in curves.items()
        )
        parts += [
            "## Scaling\n\n"
            "Eager rounds of game (a), with one parameter changed at a time (side: of game (c), batch 4), each in a separate "
            "process; cost ~ parameter^exponent, over all values and over the last two. Small rounds are mostly overhead, so "
            "curves become steeper where matrix products dominate.\n",
            "![cost by parameter](images/speed.png)\n",
            "| parameter | values | CPU ms per round | peak MB | exponent | last exponent |\n|---|---|---|---|---|---|",
            rows,
            "",
        ]
    parts.append(around(results))
    text = "\n".join(parts).rstrip() + "\n"
    for old, new in _TERMS.items():
        text = text.replace(old, new)
    return text


NOTES = """If the speed-up of the limit is below the goal, no implementation with these products can reach the goal on this
machine, because the plain loop already spends most of its time in them.

An eager round needs no preparation. A compiled one needs a trace (about 1 s) and compilation (about 20 CPU seconds for (a) and
(d), a few seconds if the compiler's files are still on the disk). So `--compile auto` compiles only games that are long enough
for this to pay; `settings.json` records the choice and its reason.
No GPU was measured.
"""
TRIED = """
Tried on (a), each compared with the unchanged round, in turns. Kept: no guards and wrapper of torch.compile, 8 % less time;
calls from C++ instead of Python, 5 %; the step count of Adam in one addition instead of one per tensor, 4 %; no assertions of
sizes, 3 %. Not kept: one memory pool, planned ahead, 10 % *more*; the compiler's own matrix products (max_autotune), 1 %, which
it does not use where weights change; oneDNN's products in place of MKL's, no difference (96 and 95 GFLOP/s at 256 x 128 x 128).
Drawing noise for many rounds at once could save the time of drawing, but would change the draws of every seed: not done. JAX's
remaining lead on (d) is in its products: its whole round takes as long as the limit, the products as torch calls them.
"""


def profiled(profile: dict[str, dict[str, float]]) -> str:
    """Return the section on the profile of a compiled round."""
    kinds = list(next(iter(profile.values())))
    lines = [
        f"| share of the time of a compiled round | {' | '.join(f'({name})' for name in profile)} |",
        "|---" * (len(profile) + 1) + "|",
    ]
    lines += [
        f"| {kind} | {' | '.join(f'{found[kind]:.0%}' for found in profile.values())} |" for kind in kinds
    ]
    return "\n".join(["## Profile\n", "`python -m benchmarks.speed_profile`\n", *lines, TRIED])


if __name__ == "__main__":
    found = json.loads(RESULTS.read_text())
    if found["curves"]:
        picture(found["curves"])
    (ROOT / "docs" / "speed.md").write_text(page(found))
