"""Write docs/stopping.md and its picture from benchmarks/results/stopping.json: `python -m docs.make_stopping`.

No figure on that page is typed by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "stopping.json"
PAGE = ROOT / "docs" / "stopping.md"
PICTURE = ROOT / "docs" / "images" / "stopping.png"
Found = dict[str, Any]

HEAD = """# When to stop: what the checks see, and how well

```sh
saddlepoint train points.csv --until settled                     # stops when it is settled, and says why
saddlepoint train points.csv --until settled --tolerance 2%      # not before a missing cluster of 2 % would show
saddlepoint train points.csv --until settled --on-collapse remedy
saddlepoint train points.csv --until budget --metrics all           # checks, plays to the end, more figures at the end
```

In Python: `sp.GAN(until="settled")`, then `verdicts_` (every check), `stop_reason_` and `verdict_` (on rows that nothing had
seen). A run folder holds the same as `verdicts.jsonl` and `stop.json`, its report shows the picture below. How a check is made,
and what each state means, stands in [judge.md](judge.md#at-the-ringside-when-to-stop).

![Checks of a game that loses modes, is set back to its safest snapshot and mended](images/stopping.png)

*A real game{example}: checks see lost modes
(crosses below) until it is called collapsed; the game goes back to its safest snapshot, with half the rates and a firmer
penalty, and every mode is there to the end. Bounds after that are indicative (hollow marks).*

Everything below is written by `python -m benchmarks.stopping` to
[stopping.json](../benchmarks/results/stopping.json), and from there to this page by `python -m docs.make_stopping`.
"""

ALSO = """
## Companions

`--metrics neighbours|energy|mmd|frechet|kernel|all` adds what others report: precision, recall, density and coverage by nearest
neighbours, the energy distance and MMD^2 with permutation p-values, the Frechet and the kernel distance. Each comes with its
protocol, the number of rows, a standard error (delete-half jackknife) and, where few rows move it away from its ideal, what the
same rows give under one law. None is a bound. FID and KID are names for the features of Inception's network, which is not part
of this package: the same formulas on other coordinates are called Frechet and kernel distance *on* these coordinates here.
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def said(met: bool) -> str:
    """Return whether a goal is met, in a word."""
    return "yes" if met else "**no**"


def states(found: Found) -> str:
    """Return the section on the states."""
    rows = []
    for each in found["summary"]:
        others = {name: count for name, count in each["states"].items() if name != each["expected"]}
        rows.append(
            [
                each["law"],
                each["kind"],
                f"{each['right']} of {each['of']} {each['expected']}",
                ", ".join(f"{count} {name}" for name, count in others.items()) or "-",
                f"{each['kept_within_10_percent']} of {each['of']}",
                f"{each['mean_checks']:.0f}",
                said(each["right"] >= 0.9 * each["of"]),
            ]
        )
    null, tolerance = found["null_sequences"], found["tolerance"]
    return (
        "## The right state, and the best snapshot\n\n"
        f"Games built to converge, to stall, to diverge and to collapse, on a ring of 8 modes and on the digits' law (a "
        f"Gaussian for each of ten classes, 16 columns). These are generators of known law at {found['checks']} checks, on "
        f"{found['monitor_rows']:,} monitor rows; no network is trained. Tolerance: a missing cluster of "
        + " or ".join(f"{100 * mass:g} % ({law})" for law, mass in tolerance.items())
        + ". Kept: the kept snapshot's true distance is within 10 % of the best checked one (or .0005 nats). "
        "Goal: 18 of 20.\n\n"
        + table(["law", "game", "stopped as", "else", "kept the best", "checks", "goal met"], rows)
        + f"\nOf {found['bounds']:,} bounds, {found['bounds_above_truth']} lay above the truth. Of "
        f"{null['sequences']:,} sequences of normal estimates about a constant, "
        f"{null['wrong_state']} were called anything but improving or a plateau.\n"
    )


def alarm(found: Found) -> str:
    """Return the section on the alarm."""
    rows = []
    for each in found["looks"]:
        healthy = each["law"] == "healthy"
        goal = each["flagged"] <= each["of"] / 20 if healthy else each.get("named", 0) >= 0.9 * each["of"]
        restless = each["law"] == "restless"
        rows.append(
            [
                f"{each['monitor_rows']:,}",
                each["law"],
                f"{each['flagged']} of {each['of']}",
                str(each.get("named", "-")),
                str(each.get("others", "-")),
                "-" if restless else said(goal),
            ]
        )
    return (
        f"## The alarm\n\nA grid of {found['modes']} modes, {found['fakes']:,} samples a look, at the level of one of 25 "
        "checks. Restless: every weight times exp(.3 N(0,1)), every width times exp(.15 N(0,1)). Goal: 18 of 20 found and "
        "named, at most 1 of 20 healthy ones flagged, at 2,000 monitor rows.\n\n"
        + table(["monitor rows", "law", "flagged", "named", "others named too", "goal met"], rows)
    )


def validity(found: Found) -> str:
    """Return the section on the bounds of a whole run."""
    rows = [
        [
            each["path"],
            f"{each['runs_with_any_bound_above_truth']} of {each['runs']}",
            f"{each['first_truth']:.4f}",
            f"{each['median_first_bound']:.4f}",
        ]
        for each in found["paths"]
    ]
    wrong = sum(each["runs_with_any_bound_above_truth"] for each in found["paths"])
    runs = sum(each["runs"] for each in found["paths"])
    return (
        f"## All bounds of a run at once\n\n{runs} simulated runs of {found['checks_a_run']} checks, normal rows in the plane, "
        f"{found['monitor_rows']} monitor rows used again at every check. Any bound above its truth in {wrong} of {runs} runs; "
        f"{100 * found['allowed']:g} % are allowed (goal met: {said(wrong <= found['allowed'] * runs)}).\n\n"
        + table(
            ["distance", "runs with any bound above the truth", "JSD at first", "median bound at first"], rows
        )
    )


def remedy(found: Found) -> str:
    """Return the section on remedies."""
    of = found["collapsed"]
    rows = [
        [
            "left alone",
            f"{found['full_at_the_end_alone']} of {of}",
            f"{found['kept_full_alone']} of {of}",
        ],
        [
            "`--on-collapse remedy`",
            f"{found['full_at_the_end_remedied']} of {of}",
            f"{found['kept_full_remedied']} of {of}",
        ],
    ]
    met = said(found["full_at_the_end_remedied"] >= 0.75 * of)
    return (
        f"## The remedy\n\nReal games: {found['game']}. Of {found['played']} such games {of} were called collapsed, and were "
        f"played again with the remedy. Goal: 15 of 20 back to full coverage (met: {met}).\n\n"
        + table(["collapsed games", "all modes at the end", "all modes in the kept snapshot"], rows)
    )


def share(found: Found) -> str:
    """Return the section on the time that judging takes."""
    rows = [
        [
            each["data"],
            f"{each['rounds']:,}",
            f"{each['checks']}",
            f"{each['seconds']['all']:.0f} s",
            f"{each['seconds']['plan']:.1f} + {each['seconds']['checks']:.1f} + {each['seconds']['verdict']:.1f} s",
            f"{100 * each['share']:.1f} %",
            f"{100 * each['processor_share']:.1f} %" if "processor_share" in each else "-",
            said(each["share"] <= 0.1),
        ]
        for each in found["runs"]
    ]
    old = [each["data"] for each in found["runs"] if "foreseen_share" not in each]
    return (
        "## What judging costs\n\nPlan with ruler, checks and final verdict, of the wall time of a run (digits: `make demo`). "
        "Goal: a tenth. How often is checked is decided before round 0, by the measured cost of one look. A game that is to "
        "settle gets eight checks all the same, where these take ten seconds or less, for a plateau needs them; any other gets "
        "what a tenth pays for. Where that is more than a tenth, the plan says so at the start. Of processor time: the same "
        "share without what else the machine does."
        + (
            f" ({' and '.join(old)}: measured before the plan foresaw what ruler and verdict cost.)"
            if old
            else ""
        )
        + "\n\n"
        + table(
            [
                "data",
                "rounds",
                "checks",
                "wall time",
                "plan + checks + verdict",
                "share",
                "of processor time",
                "goal met",
            ],
            rows,
        )
    )


SECTIONS: dict[str, Callable[[Found], str]] = {
    "states": states,
    "alarm": alarm,
    "remedy": remedy,
    "validity": validity,
    "share": share,
}


def page(results: Path = RESULTS) -> str:
    """Return the whole page."""
    found = json.loads(results.read_text())
    example = f" ({found['remedy']['game']})"
    parts = [HEAD.replace("{example}", example)]
    for name, section in SECTIONS.items():
        took = f"\nBy `{found[name]['command']}`.\n"
        parts.append(section(found[name]) + took)
    return "\n".join(parts) + ALSO


def draw(results: Path = RESULTS) -> bytes:
    """Return the picture of the example game, as PNG."""
    from saddlepoint.drawing.checks import checks_chart
    from saddlepoint.drawing.style import to_png

    records = json.loads(results.read_text())["remedy"]["example"]
    fine = [each for each in records if not (each["missing"] or each["narrow"])]
    best = min(fine, key=lambda each: each["estimate"])
    return to_png(checks_chart(records, kept=best["round"]), colours=64)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    PICTURE.write_bytes(draw())
