"""The page of Table 1: the rows over seeds, the judge's verdict beside each, and the curves, from the JSON file alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from saddlepoint.drawing.panels import PENS, Panel, Trace, panels
from saddlepoint.paper.controls import CONTROLS
from saddlepoint.paper.games import GAMES, described
from saddlepoint.paper.results import Results
from saddlepoint.paper.table1_reading import FAITHFUL, LEVELS, Rows, Verdicts, mean, sentences
from saddlepoint.paper.window import SAMPLES, VALIDATION

PAPER = {
    "mnist": "225 +- 2 nats a digit for adversarial nets (deep belief nets 138 +- 2, stacked contractive autoencoders "
    "121 +- 1.6, deep generative stochastic networks 214 +- 1.1)",
    "faces": "2057 +- 26 for adversarial nets (1909 +- 66, 2110 +- 50, 1890 +- 29 for the others) on another set of faces, +- "
    "over its folds",
}
_KINDS = (("last", "G as it stands"), ("average", "average of G"))
_STOPPED = ", stopped by validation"


def write(results: Results, name: str, *, data: str, quick: bool) -> None:
    """Write the picture of the curves (where there are any) and the page of a table."""
    content = results.read(name)
    rows: Rows = defaultdict(list)
    for row in content.get("rows", []):
        rows[row["model"]].append(row)
    for found in rows.values():
        found.sort(key=lambda row: row["seed"])
    rows = _completed(rows)
    verdicts = {(each["model"], each["seed"]): each for each in content.get("verdicts", [])}
    lines: list[str] = []
    for heading, chosen in _grouped(rows):
        if chosen:
            lines += [*(["", f"{heading}:", ""] if lines else [f"{heading}:", ""]), *_table(chosen, verdicts)]
    lines += [
        "",
        *_legend(rows, data),
        *sentences(content, rows, verdicts, data),
    ]
    if (figure := _curves(content)) is not None:
        results.picture(figure, f"{name}-curves")
        lines += ["", f"![validation log-likelihood]({name}-curves.png)"]
    first = (content.get("rows") or [{}])[0]
    results.page(
        name,
        title=f"Table 1: {data}",
        paper=f"Parzen-window log-likelihood: {PAPER.get(data, 'no figure')}. Each of 10,000 samples is the middle of a narrow "
        "Gaussian; the score is the mean log-density of their mixture on test pictures.",
        got=lines,
        settings={
            "protocol": f"{SAMPLES:,} samples in [0, 1], 10 sigmas from .1 to 1 by {content.get('n_validation', VALIDATION):,} "
            f"validation rows, mean of {first.get('n_test', 0):,} test rows; no test row in any choice",
            "the score": "rewards blur and grows with the number of samples: compare `real rows` (the training rows "
            "themselves) and `k-means centres` (no sample at all) before reading anything into it",
            "verdict": "fresh discriminators on held-out test rows; a lower bound at 95 %",
        },
        commands=sorted(_commands(content)),
        quick=quick,
    )


def _completed(rows: Rows) -> Rows:
    """Return the rows with those of games whose last round scored best on validation rows, which therefore have no other."""
    whole = dict(rows)
    for model, found in rows.items():
        if model.endswith(_STOPPED):
            seeds = {row["seed"] for row in found}
            last = [row for row in rows.get(model.removesuffix(_STOPPED), []) if row["seed"] not in seeds]
            whole[model] = sorted([*found, *last], key=lambda row: row["seed"])
    return whole


def _grouped(rows: Rows) -> list[tuple[str, Rows]]:
    """Return the rows by what they are: the paper's recipe, what stands in for samples, and other games."""
    faithful = {model: found for model, found in rows.items() if _is_there(FAITHFUL, [model])}
    controls = {model: found for model, found in rows.items() if model in CONTROLS}
    others = {model: found for model, found in rows.items() if model not in faithful | controls}
    return [
        ("The paper's recipe", faithful),
        ("What stands in for samples", controls),
        ("Changes to the recipe, and this library's own game", others),
    ]


def _table(rows: Rows, verdicts: Verdicts) -> list[str]:
    lines = [
        "| model | seeds | log-likelihood (nats) | +- of the test rows | sigma | rounds | CPU s | the judge: JSD at least "
        "| told from data |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for model, found in rows.items():
        judged = [verdicts[model, row["seed"]] for row in found if (model, row["seed"]) in verdicts]
        lines.append(
            f"| {model} | {', '.join(str(row['seed']) for row in found)} "
            f"| {mean(found):.1f}{_spread(found)} "
            f"| {np.mean([row['standard_error'] for row in found]):.1f} "
            f"| {', '.join(sorted({format(row['sigma'], '.3f') for row in found}))} "
            f"| {', '.join(format(each, ',') for each in sorted({row['rounds'] for row in found}))} "
            f"| {np.mean([row['seconds'] for row in found]):,.0f} | {_bounds(judged)} |"
        )
    return lines


def _commands(content: dict[str, Any]) -> set[str]:
    """Return the commands that make the rows, verdicts included where these are there."""
    commands = content.get("commands", {})
    judged = {commands.get(f"{each['model']}, seed {each['seed']}") for each in content.get("verdicts", [])}
    return {each.replace(" --no-judge", "") if each in judged else each for each in commands.values()}


def _legend(rows: Rows, data: str) -> list[str]:
    """Return what each row of the table is, games before controls, and what stands behind a game's name."""
    if not rows:
        return []
    return [
        "*JSD at least* is a bound in nats that holds at 95 %; *told from data* is the share of test pictures and samples that "
        "the judge's discriminators name rightly, where a guess is right on 50 %"
        + (
            " (of `real rows` a little more: MNIST's test digits are of other writers)."
            if data == "mnist"
            else "."
        ),
        "",
        "What the rows are:",
        "",
        *(f"- **{game}**: {described(game)}." for game in GAMES if _is_there(game, rows)),
        "- *average of G*: samples of a running average of G's weights, which is kept beside the game and does not touch it "
        "(of the modern game it is the sampler itself). *stopped by validation*: G of the round that scored best on "
        "validation rows, which may be the last.",
        *(f"- **{name}**: {words}." for name, words in CONTROLS.items() if name in rows),
    ]


def _is_there(game: str, rows: Iterable[str]) -> bool:
    beside = (f"{game}, ", f"{game} + average of G")
    return any(model == game or model.startswith(beside) for model in rows)


def _bounds(judged: list[dict[str, Any]]) -> str:
    bounds = [each["jsd_lower"] for each in judged if each["jsd_lower"] is not None]
    told = [each["accuracy"] for each in judged if each["accuracy"] is not None]
    if not bounds or not told:
        return "not asked | "
    return f"{np.mean(bounds):.3f} | {100 * np.mean(told):.1f} %"


def _spread(found: list[dict[str, Any]]) -> str:
    scores = [row["log_likelihood"] for row in found]
    return f" ({min(scores):.1f} to {max(scores):.1f})" if len(scores) > 1 else ""


def _curves(content: dict[str, Any]) -> Any:
    drawn = [curve for curve in content.get("curves", []) if len(curve["looks"]) > 1]
    if not drawn:
        return None
    roles = list(PENS)
    models = list(dict.fromkeys(curve["model"] for curve in drawn))[: len(roles)]
    given = []
    lowest = min(
        look[kind]
        for curve in drawn
        for look in curve["looks"][len(curve["looks"]) // 10 :]
        for kind, _ in _KINDS
    )
    longest = max(curve["looks"][-1]["cpu_seconds"] for curve in drawn) / 60
    levels = _levels(content)
    for kind, title in _KINDS:
        traces, named = [], set()
        for curve in drawn:
            if curve["model"] not in models:
                continue
            label = "" if curve["model"] in named else curve["model"]
            named.add(curve["model"])
            looks = [look for look in curve["looks"] if look[kind] >= lowest]
            traces.append(
                Trace(
                    x=[look["cpu_seconds"] / 60 for look in looks],
                    y=[look[kind] for look in looks],
                    role=roles[(models.index(curve["model"]) + 1) % len(roles)],
                    label=label,
                )
            )
        given.append(
            Panel(
                title=title,
                across="CPU minutes of training",
                up="nats" if kind == "last" else "",
                traces=traces,
                levels=levels
                if kind == "last"
                else {" " * number: level for number, level in enumerate(levels.values())},
                levels_left=True,
                log_x=True,
                ticks_x=[each for each in (0.1, 1, 10, 100) if each <= 2 * longest],
            )
        )
    number = content.get("n_validation", VALIDATION)
    return panels(
        given, title=f"Parzen log-likelihood of {number:,} validation rows", height=3.3, key_columns=2
    )


def _levels(content: dict[str, Any]) -> dict[str, float]:
    """Return what a score is to be held against: the paper's figure, and that of real rows."""
    found = {f"the paper: {level:g}": level for name, level in LEVELS.items() if name == content["data"]}
    real = [row for row in content.get("rows", []) if row["model"] == "real rows"]
    return found | ({f"real rows: {mean(real):.0f}": mean(real)} if real else {})
