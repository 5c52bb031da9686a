"""The text of Table 1 in docs/paper.md: rows over seeds, verdicts, and what they mean, from the JSON file alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from saddlepoint.paper.games import AVERAGE, GAMES, described
from saddlepoint.paper.results import Results
from saddlepoint.paper.table1 import CONTROLS, FAULTS, LEVELS, SAMPLES, VALIDATION, mean
from saddlepoint.training import Settings

"""The paper's own figures for its own data."""
FAITHFUL, _ROUNDS = "goodfellow2014", 125_000
_SHORT, _GENTLE, _STRETCHED = "modern", "modern + half the rates", "modern + 12000 rounds"
_TOLD = ("round", "average", "D_on_validation", "D_on_samples")
_ENOUGH = 1_000
"""Test rows below which it is said that a verdict rests on few."""

Rows = dict[str, list[dict[str, Any]]]
"""The rows of each model, by seed."""
Verdicts = dict[tuple[str, int], dict[str, Any]]


def sentences(content: dict[str, Any], rows: Rows, verdicts: Verdicts, data: str) -> list[str]:
    """Return the lines that are to stand below the tables."""
    return [
        *_demonstration(content, rows),
        *_unfinished(content, rows),
        *_above(rows, verdicts, data),
        *_faults(rows),
        *_short(content, rows, data),
        *_stretched(content, rows),
    ]


def _demonstration(content: dict[str, Any], rows: Rows) -> list[str]:
    """Return what the data stand for, and which rows had fewer samples than the protocol asks for."""
    lines = ["", content["note"]] if content.get("note") else []
    tested = min((each["n_evaluate"] for each in content.get("verdicts", [])), default=_ENOUGH)
    if tested < _ENOUGH:
        lines.append(
            f"Verdicts, and the share told from data, rest on {tested} test rows (the others served to fit the judge's "
            "discriminators), too few to certify much: a bound near 0 is no praise here."
        )
    played = max((row["rounds"] for row in rows.get(FAITHFUL, [])), default=0)
    if content.get("note") and 0 < played < _ROUNDS:
        lines.append(
            f"{FAITHFUL} played {played:,} rounds, where it plays {_ROUNDS:,} on MNIST: its schedules are counted in epochs, "
            "and an epoch of few rows is over soon."
        )
    few = [
        f"{model} ({found[0]['n_samples']:,})"
        for model, found in rows.items()
        if found[0]["n_samples"] < SAMPLES
    ]
    if 0 < len(few) < len(rows):
        lines.append(
            f"Fewer samples than {SAMPLES:,}, which alone costs nats: {', '.join(few)}; so a game may score above the real "
            "rows and be worse than they are."
        )
    return lines


def _unfinished(content: dict[str, Any], rows: Rows) -> list[str]:
    lines = []
    faithful = {
        look["round"]: look
        for curve in content.get("curves", [])
        if curve["model"] == FAITHFUL and curve["seed"] == 0
        for look in curve["looks"]
    }
    for curve in content.get("curves", []):
        done = {row["seed"] for row in rows.get(curve["model"], [])}
        if curve["seed"] not in done and curve["looks"]:
            last = curve["looks"][-1]
            lines.append(
                f"Not at its end yet: {curve['model']}, seed {curve['seed']}, round {last['round']:,} of "
                f"{curve['settings']['horizon']:,}; validation {last['last']:.1f}, average of G {last['average']:.1f}."
            )
            if curve["model"] != FAITHFUL and (beside := faithful.get(last["round"])):
                lines[-1] += (
                    f" {FAITHFUL} in that round: {beside['last']:.1f}, average of G {beside['average']:.1f} (half-life "
                    f"{AVERAGE:g} of the rounds, here {curve['settings']['average']:g})."
                )
    return lines


def _above(rows: Rows, verdicts: Verdicts, data: str) -> list[str]:
    """Return which games reach the paper's figure, the cheapest first, and which score above the real rows."""
    games = {model: found for model, found in rows.items() if model not in CONTROLS}
    if data not in LEVELS or not games:
        return []
    seconds = {model: float(np.mean([row["seconds"] for row in found])) for model, found in games.items()}
    reached = sorted(
        (model for model, found in games.items() if mean(found) >= LEVELS[data]), key=seconds.__getitem__
    )
    if not reached:
        return ["", f"No game of this table reaches {LEVELS[data]:g}."]
    told = {
        model: [
            verdicts[model, row["seed"]]["accuracy"]
            for row in games[model]
            if (model, row["seed"]) in verdicts
        ]
        for model in reached
    }
    each = ", ".join(
        f"{model} ({mean(games[model]):.1f}, {seconds[model]:,.0f} CPU s"
        + (f"; told from data {100 * np.mean(told[model]):.1f} % of the time)" if told[model] else ")")
        for model in reached
    )
    lines = ["", f"At {LEVELS[data]:g} or above, the cheapest first: {each}."]
    real = mean(rows["real rows"]) if "real rows" in rows else np.inf
    if any(mean(games[model]) > real for model in reached):
        lines[-1] += (
            f" A score above that of the real rows ({real:.1f}) is no praise: samples of the data's own law would get "
            f"{real:.1f}, and blurred ones more (below; Theis et al. 2016, arXiv 1511.01844, say why)."
        )
    return lines


def _faults(rows: Rows) -> list[str]:
    """Return in a sentence what each fault of real rows does to the score, by the rows of the table."""
    if "real rows" not in rows or not set(FAULTS) <= set(rows):
        return []
    real = mean(rows["real rows"])
    each = ", ".join(f"{name} {mean(rows[name]) - real:+.0f}" for name in FAULTS)
    return ["", f"What the score sees, in nats against the real rows themselves: {each}."]


def _short(content: dict[str, Any], rows: Rows, data: str) -> list[str]:
    """Return why the faithful recipe ends below the paper's figure, from the curves of its finished games, if it does."""
    game, average = rows.get(FAITHFUL), rows.get(f"{FAITHFUL} + average of G")
    if not game or not average or data not in LEVELS or mean(game) >= LEVELS[data]:
        return []
    done = {row["seed"] for row in game}
    curves = [each for each in content["curves"] if each["model"] == FAITHFUL and each["seed"] in done]
    ends = [_end(each["looks"]) for each in curves]
    if not ends or None in ends:  # too short a game to say anything of its end
        return []
    last, since = ({key: np.mean([end[i][key] for end in ends if end]) for key in _TOLD} for i in (0, 1))
    climb = (last["average"] - since["average"]) / (last["round"] - since["round"]) * 10_000
    settings = Settings.from_dict(curves[0]["settings"])
    left = settings.generator.rate.at(last["round"], settings.horizon) / settings.generator.rate.start
    over = f" (means of {len(ends)} seeds)" if len(ends) > 1 else ""
    return [
        "",
        f"Why {FAITHFUL} ends {LEVELS[data] - mean(game):.0f} nats short{over}: its schedules end, but its rates fall only to "
        f"{left:.2f} of the first, and G still moves. The average of G, which changes nothing in the game, takes that "
        f"movement out and is worth {mean(average) - mean(game):.0f} nats; over the last fifth of the rounds it still "
        f"rises by {climb:.1f} nats in 10,000 rounds. D still tells at the end (mean D {last['D_on_validation']:.2f} on "
        f"validation rows, {last['D_on_samples']:.2f} on samples; if it could not, both would be alike). The authors' "
        "code names no last round: they stopped by hand, so theirs may have played longer.",
    ]


def _end(looks: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the last look and the one a fifth of the rounds before it; None if there is no such one."""
    last = looks[-1]
    since = next((look for look in looks[:-1] if look["round"] >= 0.8 * last["round"]), None)
    return None if since is None else (last, since)


def _stretched(content: dict[str, Any], rows: Rows) -> list[str]:
    """Return what the curves show of the modern game with its schedules stretched, if it ended below the short one."""
    curves = {curve["model"]: curve for curve in content.get("curves", []) if curve["seed"] == 0}
    if not {_SHORT, _STRETCHED} <= set(curves):
        return []
    short, long = curves[_SHORT], curves[_STRETCHED]
    if long["looks"][-1]["last"] >= short["looks"][-1]["last"]:
        return []

    def worst(curve: dict[str, Any]) -> str:
        settings = Settings.from_dict(curve["settings"])
        look = min(curve["looks"], key=lambda each: each["last"])
        rate = settings.generator.rate
        share = rate.at(look["round"], settings.horizon) / rate.start
        return f"{look['last']:.0f} in round {look['round']:,}, at {100 * share:.0f} % of the first rate"

    def lead(curve: dict[str, Any]) -> float:
        real, fake = (curve["looks"][-1][f"D_on_{side}"] for side in ("validation", "samples"))
        return float(np.log(real / (1 - real)) - np.log(fake / (1 - fake)))

    told = "that a lower first rate mends it is likely, and was not tried"
    if {_SHORT, _GENTLE} <= set(rows):
        half, whole = mean(rows[_GENTLE]), mean(rows[_SHORT])
        told = f"half the rates for {_SHORT} give {half:.1f} instead of {whole:.1f}"
        if half < whole:
            told += ", so a lower first rate alone is probably no remedy; what would help is open"
    return [
        "",
        f"Why {_STRETCHED} ends lower than {_SHORT}: G as it stands gets worse in both while rates are near the first and "
        f"better as they fall, and stretched schedules keep them there longer (worst: {worst(long)}; against "
        f"{worst(short)}). By then D is ahead, and stays so: at the end its logits of validation rows lie {lead(long):.1f} "
        f"above those of samples, against {lead(short):.1f}. One seed; {told}.",
    ]


PAPER = {
    "mnist": "225 +- 2 nats a digit for adversarial nets (deep belief nets 138 +- 2, stacked contractive autoencoders "
    "121 +- 1.6, deep generative stochastic networks 214 +- 1.1)",
    "faces": "2057 +- 26 for adversarial nets (1909 +- 66, 2110 +- 50, 1890 +- 29 for the others) on another set of faces, +- "
    "over its folds",
}
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
    if (results.folder / f"{name}-curves.png").is_file():
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
