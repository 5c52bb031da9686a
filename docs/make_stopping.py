"""Write docs/stopping.md and its picture from benchmarks/results/stopping.json: `python -m docs.make_stopping`.

No result on that page is typed by hand.
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

HEAD = """# When to stop: accuracy of the checks

```sh
saddlepoint train points.csv --until settled                     # stops when it has settled, and reports why
saddlepoint train points.csv --until settled --tolerance 2%      # not before a missing cluster of 2 % would be detected
saddlepoint train points.csv --until settled --on-collapse remedy
saddlepoint train points.csv --until budget --metrics all        # checks, but plays to the end; more metrics at the end
```

In Python: `sp.GAN(until="settled")`, then `verdicts_` (every check), `stop_reason_` and `verdict_` (on the held-out test rows,
the vault). A run folder holds the same as `verdicts.jsonl` and `stop.json`, and its report shows the picture below. How a check
is made and what each state means is described in [judge.md](judge.md#checks-between-rounds-when-to-stop).

![Checks of a game that loses modes, is set back to its safest snapshot and recovers](images/stopping.png)

*A real game{example}: checks find lost
modes (crosses below) until the game is called collapsed. It is set back to its safest snapshot, with half the learning rates
and a larger penalty, and has every mode from then to the end. Bounds after that are only indicative (hollow marks).*

All results below are written by `python -m benchmarks.stopping` to
[stopping.json](../benchmarks/results/stopping.json), and from there to this page by `python -m docs.make_stopping`.
"""

METRICS = """
## Metrics

`--metrics neighbours|mmd|all` adds metrics of the literature: precision, recall, density and coverage by nearest neighbours,
and MMD^2 with a permutation p-value. Each is reported with its protocol, the number of rows, a standard error (delete-half
jackknife) and, where it is biased for few rows, its value for equal distributions at the same number of rows. None is a bound.
FID and KID are defined by the features of the Inception network, which is not part of this package.
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def yes_or_no(met: bool) -> str:
    """Return whether a goal is met, as a word."""
    return "yes" if met else "**no**"


def states(found: Found) -> str:
    """Return the section on the states in which games stop."""
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
                yes_or_no(each["right"] >= 0.9 * each["of"]),
            ]
        )
    null, tolerance = found["null_sequences"], found["tolerance"]
    return (
        "## State and snapshot at the stop\n\n"
        f"Games built to converge, to stall, to diverge and to collapse, on a ring of 8 modes and on a distribution fitted to "
        f"digits (one Gaussian for each of ten classes, 16 columns). They are known generators at {found['checks']} checks, on "
        f"{found['monitor_rows']:,} validation rows (monitor); no network is trained. Tolerance: a missing cluster of "
        + " or ".join(f"{100 * mass:g} % ({name})" for name, mass in tolerance.items())
        + ". Best snapshot kept: its true distance is within 10 % of that of the best checked one (or .0005 nats). "
        "Goal: 18 of 20.\n\n"
        + table(
            [
                "distribution",
                "game built to",
                "expected state",
                "other states",
                "best snapshot kept",
                "checks",
                "goal met",
            ],
            rows,
        )
        + f"\n{found['bounds_above_truth']} of {found['bounds']:,} bounds were above the true distance. "
        f"{null['wrong_state']} of {null['sequences']:,} sequences of normal estimates around a constant were given a state "
        "other than improving or plateau.\n"
    )


def alarm(found: Found) -> str:
    """Return the section on the coverage test."""
    rows = []
    for each in found["looks"]:
        healthy = each["law"] == "healthy"
        goal = each["flagged"] <= each["of"] / 20 if healthy else each.get("named", 0) >= 0.9 * each["of"]
        fluctuating = each["law"] == "restless"
        rows.append(
            [
                f"{each['monitor_rows']:,}",
                "fluctuating" if fluctuating else each["law"],
                f"{each['flagged']} of {each['of']}",
                str(each.get("named", "-")),
                str(each.get("others", "-")),
                "-" if fluctuating else yes_or_no(goal),
            ]
        )
    return (
        f"## Coverage test\n\nA grid of {found['modes']} modes, {found['fakes']:,} samples for each test, at the level of one "
        "of 25 checks. Fluctuating: every weight times exp(.3 N(0,1)), every width times exp(.15 N(0,1)). Goal: the defect "
        "found and named in 18 of 20, at most 1 of 20 healthy generators flagged, with 2,000 validation rows (monitor).\n\n"
        + table(
            ["validation rows", "generator", "flagged", "defect named", "others named too", "goal met"], rows
        )
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
        f"## Joint validity of all bounds of a run\n\n{runs} simulated runs of {found['checks_a_run']} checks, normal rows in "
        f"the plane, {found['monitor_rows']} validation rows used again at every check. In {wrong} of {runs} runs any bound "
        f"was above the true distance; {100 * found['allowed']:g} % are allowed (goal met: "
        f"{yes_or_no(wrong <= found['allowed'] * runs)}).\n\n"
        + table(
            [
                "distance",
                "runs with any bound above the true distance",
                "JSD at the first check",
                "median bound at the first check",
            ],
            rows,
        )
    )


def remedy(found: Found) -> str:
    """Return the section on remedies."""
    of = found["collapsed"]
    rows = [
        [
            "no remedy",
            f"{found['full_at_the_end_alone']} of {of}",
            f"{found['kept_full_alone']} of {of}",
        ],
        [
            "`--on-collapse remedy`",
            f"{found['full_at_the_end_remedied']} of {of}",
            f"{found['kept_full_remedied']} of {of}",
        ],
    ]
    met = yes_or_no(found["full_at_the_end_remedied"] >= 0.75 * of)
    return (
        f"## Recovery from mode collapse\n\nReal games: {found['game']}. Of {found['played']} such games {of} were called "
        f"collapsed and were played again with the remedy. Goal: full coverage again in 15 of 20 (met: {met}).\n\n"
        + table(["collapsed games", "all modes at the end", "all modes in the kept snapshot"], rows)
    )


def share(found: Found) -> str:
    """Return the section on the cost of judging."""
    rows = [
        [
            each["data"].replace("plain start", "start noise"),
            f"{each['rounds']:,}",
            f"{each['checks']}",
            f"{each['seconds']['all']:.0f} s",
            f"{each['seconds']['plan']:.1f} + {each['seconds']['checks']:.1f} + {each['seconds']['verdict']:.1f} s",
            f"{100 * each['share']:.1f} %",
            f"{100 * each['processor_share']:.1f} %" if "processor_share" in each else "-",
            yes_or_no(each["share"] <= 0.1),
        ]
        for each in found["runs"]
    ]
    old = [each["data"] for each in found["runs"] if "foreseen_share" not in each]
    return (
        "## Cost of judging\n\nThe share of planning (with power analysis), checks and final verdict in the wall time of a run "
        "(digits: `make demo`). Goal: at most a tenth. The number of checks is decided before round 0, by the measured cost of "
        "one check. A game that runs until it has settled gets at least eight checks if these take ten seconds or less, "
        "because a plateau needs them; any other game gets as many as a tenth of the time allows. If that is more than a "
        "tenth, the plan says so at the start. Share of CPU time: the same, but independent of other jobs on the machine."
        + (
            f" ({' and '.join(old)}: measured before the plan included the cost of power analysis and verdict.)"
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
                "share of wall time",
                "share of CPU time",
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
    """Return the complete page."""
    found = json.loads(results.read_text())
    example = f" ({found['remedy']['game']})"
    parts = [HEAD.replace("{example}", example)]
    for name, section in SECTIONS.items():
        command = found[name]["command"].replace(
            "python benchmarks/stopping.py", "python -m benchmarks.stopping"
        )
        parts.append(section(found[name]) + f"\nMeasured with `{command}`.\n")
    return "\n".join(parts) + METRICS


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
