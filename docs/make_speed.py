"""Write docs/speed.md and docs/images/speed.png from benchmarks/results/speed.json: python -m docs.make_speed"""

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
HEAD = """# What a round costs

Made by `python -m docs.make_speed` from `benchmarks/results/speed.json`, which `make benchmarks` writes. Rivals take turns
of a few rounds; counted are CPU seconds of one thread, and only the ratios of a turn: median (least to most over the turns).
The *plain loop* is a script in the manner of the popular references (`benchmarks/rivals/plain_loop.py`), with torch's
default, foreach or fused optimisers, or with compiled networks, whichever is fastest. The *limit* is the time of the round's
matrix products alone, at their own shapes, and of the optimisers' bytes at the streaming rate, both measured in the same turn
(`benchmarks/limit.py`).
"""


def said(ratio: dict[str, float] | None) -> str:
    """Return a ratio with its spread."""
    return "" if ratio is None else f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"


def table(games: dict[str, Any]) -> str:
    """Return the table of the games."""
    lines = [
        "| game | rounds as | CPU ms a round | times the plain loop's best | goal | the limit would be | times JAX | "
        "share of the limit | goal |",
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
                f"| ({name}) | {how.split(', ')[1]} | {game['cpu_ms'][how]:.2f} | {said(ratio)} | "
                f"{'' if times is None else f'{times} x'} | {best:.2f} x | "
                f"{said(game.get('times_jax')) if mine else ''} | "
                f"{said(game['share_of_the_limit']) if mine else ''} | {'' if share is None else f'{share:.0%}'} |"
            )
    lines += [
        "",
        *(f"- ({name}) {game['title']}; plain: {game['best_plain']}" for name, game in sorted(games.items())),
        "",
        "CPU milliseconds of a round by every rival, and peak MB of a process that plays a few:",
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
    """Return what there is beside rounds: threads, ranks, sampling, starting."""
    parts = []
    if threads := results.get("threads"):
        lines = ["| clock ms a round | one thread | two threads |", "|---|---|---|"]
        for name, spent in sorted(threads.items()):
            for each in dict.fromkeys(key.rsplit(", ", 1)[0] for key in spent):
                lines.append(f"| ({name}) {each} | {spent[f'{each}, 1']:.2f} | {spent[f'{each}, 2']:.2f} |")
        ranks = results["ranks"]
        parts += [
            "## Two threads, two processes\n",
            "By the clock of a machine of two cores. saddlepoint chooses its threads by the work of a round.\n",
            "\n".join(lines),
            f"\nA round of (b) at a batch of 400 shared by processes (gloo): {ranks['1']:.0f} ms on one, "
            f"{ranks['2']:.0f} ms on two, {ranks['1'] / ranks['2']:.2f} times as fast.\n",
        ]
    if sampling := results.get("sampling"):
        parts += [
            "## Samples\n",
            "`python -m benchmarks.speed_sampling --table adult.csv`; CPU seconds of one thread, medians of turns.\n",
        ]
        for start in ("noise", "mixture"):
            found = sampling[start]
            spent, (least, most) = found["cpu_s"], found["shares"]
            parts.append(
                f"- 1,000,000 points in the plane, start {start}: {spent['sample']:.2f} s; G's forward pass alone "
                f"{spent['forward pass of G']:.2f} s ({found['share_of_forward']:.0%} of it, {least:.0%} to {most:.0%} by "
                f"turn; goal 80 %), its matrix products {spent['products of G']:.2f} s."
            )
        if rows := sampling.get("table"):
            parts.append(
                f"- Adult, {rows['rows']:,} rows as a frame: {rows['rows_a_second']:,} rows a second (goal 200,000), "
                f"{rows['of_these_networks']:.0%} of it in the networks; written as CSV: {rows['csv_rows_a_second']:,} rows a "
                "second, apart."
            )
        parts.append(
            "\nWhat was tried: rows in pieces of 2,048 instead of 4,096, which leave the cache (a table's rows 1.5 times as "
            "fast); decoding a piece at a time, broadcasting by torch, one sum instead of a test of each number (all kept: "
            "points 1.2 times as fast). Looking a table's one-hot inputs up instead of multiplying them makes its networks 1.5 "
            "times as fast again, rows as columns no more than that: not kept, it would be a second way to draw the same law. "
            "What remains of points beside G is their noise (10 normal numbers each) and decoding."
        )
        parts.append("")
    if whole := results.get("whole"):
        parts += [
            "## Whole fits\n",
            "`python -m benchmarks.whole_games --table adult.csv --judged adult_test.csv`: CPU seconds from first to last, "
            "preparation and an empty compiler's cache included. `auto` took a compiler to cost three times what it does, "
            "as it no longer does. Quality is the judge's on rows never trained on.\n",
            "| fit | rounds | CPU s | times as fast as eager | told right | JSD at least |\n|---|---|---|---|---|---|",
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
            "## Starting\n",
            "`python -m benchmarks.startup`; seconds by the clock, median (least to most).\n",
        ]
        parts += [f"- {name}: {said(value)}" for name, value in rows.items()]
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
    axes[0].set_ylabel("CPU ms a round")
    figure.savefig(ROOT / "docs" / "images" / "speed.png", dpi=110)


def page(results: dict[str, Any]) -> str:
    """Return the page."""
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
            "## As work grows\n\n"
            "Eager rounds of game (a), one number changed at a time (side: of game (c), batch 4), each in a process "
            "of its own; cost ~ number^exponent over all values, and over the last two. Small rounds are bookkeeping, so "
            "curves bend upwards where products begin to count.\n",
            "![cost as one number grows](images/speed.png)\n",
            "| number | values | CPU ms a round | peak MB | exponent | last exponent |\n|---|---|---|---|---|---|",
            rows,
            "",
        ]
    parts.append(around(results))
    return "\n".join(parts).rstrip() + "\n"


NOTES = """Where "the limit would be" lies below the goal, no round of these products reaches the goal on this machine: the
plain loop itself spends that share of its time in them.

An eager round costs no preparation. A compiled one begins with a trace (about 1 s) and the compiler (some 20 CPU
seconds for (a) and (d), a few when its files are still on the disk), so `--compile auto` compiles only games long enough to
earn that back; `settings.json` says what was chosen and why.
The GPU was not measured: none was lent.
"""
TRIED = """
What was tried on (a), each beside the round as it was, in turns: without torch.compile's guards and wrapper, 8 % less time;
called from C++ instead of Python, 5 %; steps of Adam counted in one addition instead of one for each tensor, 4 %; without
assertions of sizes, 3 % (all four kept); one pool of memory planned ahead, 10 % *more*; the compiler's own matrix products
(max_autotune), 1 %, which it does not use where weights change; oneDNN's products in place of MKL's, nothing (96 and 95
GFLOP/s at 256 x 128 x 128). Drawing noise for many rounds at once could save the share that drawing has, at the price of
other draws for every seed: left alone. JAX's remaining lead on (d) is in its products: its whole round takes what the
limit, the products as torch calls them, takes.
"""


def profiled(profile: dict[str, dict[str, float]]) -> str:
    """Return where the time of a compiled round goes."""
    kinds = list(next(iter(profile.values())))
    lines = [
        f"| share of a compiled round | {' | '.join(f'({name})' for name in profile)} |",
        "|---" * (len(profile) + 1) + "|",
    ]
    lines += [
        f"| {kind} | {' | '.join(f'{found[kind]:.0%}' for found in profile.values())} |" for kind in kinds
    ]
    return "\n".join(["## Where the time goes\n", "`python -m benchmarks.speed_profile`\n", *lines, TRIED])


if __name__ == "__main__":
    found = json.loads(RESULTS.read_text())
    if found["curves"]:
        picture(found["curves"])
    (ROOT / "docs" / "speed.md").write_text(page(found))
