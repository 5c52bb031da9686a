"""The text of Table 1 in docs/paper.md: rows over seeds, verdicts, and their interpretation, from the JSON file alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from saddlepoint.paper.games import AVERAGE
from saddlepoint.paper.results import Results
from saddlepoint.paper.table1 import CONTROLS, FAULTS, LEVELS, SAMPLES, VALIDATION, mean
from saddlepoint.training import Settings

GAMES = {
    "goodfellow2014": (
        "The players and schedules of the paper's authors for MNIST, from their code. They stopped by hand; "
        "here the game ends after 250 epochs, when their momentum has reached its last value"
    ),
    "goodfellow2014 + fourfold rate of G": (
        "goodfellow2014 with changes. G's learning rate is four times the paper's, so that G keeps up with D;"
        " 39,000 rounds. The average of G, which does not change the game, has a half-life of .3 of the "
        "rounds: larger steps need a longer average"
    ),
    "narrow goodfellow2014 + Adam and R1 for dropout": (
        "goodfellow2014 with changes. Every layer has a third of its width, batches of 16, and a longer "
        "average of G: many cheap rounds. Adam in place of SGD; in place of D's dropout a small R1 penalty "
        "and larger initial weights"
    ),
    "narrow goodfellow2014 + Adam and R1 for dropout + falling rates": (
        "goodfellow2014 with changes. Every layer has a third of its width, batches of 16, and a longer "
        "average of G: many cheap rounds. Adam in place of SGD; in place of D's dropout a small R1 penalty "
        "and larger initial weights. Learning rates fall linearly to 0 at the last round, and the average of "
        "G is the short one again"
    ),
    "modern": (
        "This library's own recipe: residual MLPs for pictures of up to 1,024 values, convolutional networks "
        "beyond"
    ),
    "modern + half the rates": (
        "modern with changes. Both learning rates start at half of the modern game's"
    ),
    "modern + 12000 rounds": (
        "modern with changes. 2.4 times the rounds, with schedules stretched to that length"
    ),
    "narrow modern": (
        "modern with changes. A tenth of the modern game's work: 256 units in G, 160 in D, batches of 96, "
        "3,000 rounds; a longer average of G"
    ),
    "narrow modern + steady rates": (
        "modern with changes. A tenth of the modern game's work: 256 units in G, 160 in D, batches of 96, "
        "3,000 rounds; a longer average of G. Learning rates stay constant instead of falling to a fiftieth"
    ),
    "narrow modern + linear units": (
        "modern with changes. A tenth of the modern game's work: 256 units in G, 160 in D, batches of 96, "
        "3,000 rounds; a longer average of G. G's output units are linear, as the paper's are for CIFAR-10; "
        "samples are clipped to [0, 1]"
    ),
    "narrow modern + linear units + steady rates": (
        "modern with changes. A tenth of the modern game's work: 256 units in G, 160 in D, batches of 96, "
        "3,000 rounds; a longer average of G. G's output units are linear, as the paper's are for CIFAR-10; "
        "samples are clipped to [0, 1]. Learning rates stay constant instead of falling to a fiftieth"
    ),
}
"""What the games of the table are. The command plays four of them; rows of the others are results that were stored before."""
FAITHFUL, _ROUNDS = "goodfellow2014", 125_000
_SHORT, _HALF_RATES, _STRETCHED = "modern", "modern + half the rates", "modern + 12000 rounds"
_CURVE_KEYS = ("round", "average", "D_on_validation", "D_on_samples")
_ENOUGH = 1_000
"""Test rows below which the page says that verdicts are based on few rows."""

Rows = dict[str, list[dict[str, Any]]]
"""The rows of each model, by seed."""
Verdicts = dict[tuple[str, int], dict[str, Any]]


def sentences(content: dict[str, Any], rows: Rows, verdicts: Verdicts, data: str) -> list[str]:
    """Return the lines below the tables."""
    return [
        *_demonstration(content, rows),
        *_unfinished(content, rows),
        *_above(rows, verdicts, data),
        *_faults(rows),
        *_short(content, rows, data),
        *_stretched(content, rows),
    ]


def _demonstration(content: dict[str, Any], rows: Rows) -> list[str]:
    """Return how the data differ from the paper's, and which rows had fewer samples than the protocol asks for."""
    lines = ["", content["note"]] if content.get("note") else []
    tested = min((each["n_evaluate"] for each in content.get("verdicts", [])), default=_ENOUGH)
    if tested < _ENOUGH:
        lines.append(
            f"Verdicts and classifier accuracies are based on {tested} test rows (the others were used to fit the judge's "
            "classifiers), too few to certify much: a bound near 0 does not show good samples here."
        )
    played = max((row["rounds"] for row in rows.get(FAITHFUL, [])), default=0)
    if content.get("note") and 0 < played < _ROUNDS:
        lines.append(
            f"{FAITHFUL} played {played:,} rounds; on MNIST it plays {_ROUNDS:,}. Its schedules are counted in epochs, and an "
            "epoch of few rows is short."
        )
    few = [
        f"{model} ({found[0]['n_samples']:,})"
        for model, found in rows.items()
        if found[0]["n_samples"] < SAMPLES
    ]
    if 0 < len(few) < len(rows):
        lines.append(
            f"Fewer samples than {SAMPLES:,}, which alone lowers the score: {', '.join(few)}. So a game may score above the "
            "real rows and still be worse than they are."
        )
    return lines


def _unfinished(content: dict[str, Any], rows: Rows) -> list[str]:
    """Return the state of games that have not ended, beside the faithful one in the same round."""
    lines = []
    faithful = {
        point["round"]: point
        for curve in content.get("curves", [])
        if curve["model"] == FAITHFUL and curve["seed"] == 0
        for point in curve["looks"]
    }
    for curve in content.get("curves", []):
        done = {row["seed"] for row in rows.get(curve["model"], [])}
        if curve["seed"] not in done and curve["looks"]:
            last = curve["looks"][-1]
            lines.append(
                f"Not finished: {curve['model']}, seed {curve['seed']}, round {last['round']:,} of "
                f"{curve['settings']['horizon']:,}; validation {last['last']:.1f}, average of G {last['average']:.1f}."
            )
            if curve["model"] != FAITHFUL and (beside := faithful.get(last["round"])):
                lines[-1] += (
                    f" {FAITHFUL} in that round: {beside['last']:.1f}, average of G {beside['average']:.1f} (half-life "
                    f"{AVERAGE:g} of the rounds, here {curve['settings']['average']:g})."
                )
    return lines


def _above(rows: Rows, verdicts: Verdicts, data: str) -> list[str]:
    """Return which games reach the paper's score, the cheapest first, and which score above the real rows."""
    games = {model: found for model, found in rows.items() if model not in CONTROLS}
    if data not in LEVELS or not games:
        return []
    seconds = {model: float(np.mean([row["seconds"] for row in found])) for model, found in games.items()}
    reached = sorted(
        (model for model, found in games.items() if mean(found) >= LEVELS[data]), key=seconds.__getitem__
    )
    if not reached:
        return ["", f"No game of this table reaches {LEVELS[data]:g}."]
    accuracies = {
        model: [
            verdicts[model, row["seed"]]["accuracy"]
            for row in games[model]
            if (model, row["seed"]) in verdicts
        ]
        for model in reached
    }
    each = ", ".join(
        f"{model} ({mean(games[model]):.1f}, {seconds[model]:,.0f} CPU s"
        + (f"; classifier accuracy {100 * np.mean(accuracies[model]):.1f} %)" if accuracies[model] else ")")
        for model in reached
    )
    lines = ["", f"At {LEVELS[data]:g} or above, the cheapest first: {each}."]
    real = mean(rows["real rows"]) if "real rows" in rows else np.inf
    if any(mean(games[model]) > real for model in reached):
        lines[-1] += (
            f" A score above that of the real rows ({real:.1f}) does not mean good samples: samples from the data's own "
            f"distribution would get {real:.1f}, and blurred ones more (below; reasons: Theis et al. 2016, arXiv 1511.01844)."
        )
    return lines


def _faults(rows: Rows) -> list[str]:
    """Return a sentence about how each fault of real rows changes the score, from the rows of the table."""
    if "real rows" not in rows or not set(FAULTS) <= set(rows):
        return []
    real = mean(rows["real rows"])
    each = ", ".join(f"{name} {mean(rows[name]) - real:+.0f}" for name in FAULTS)
    return ["", f"How known faults change the score, in nats relative to the real rows: {each}."]


def _short(content: dict[str, Any], rows: Rows, data: str) -> list[str]:
    """Return why the faithful recipe ends below the paper's score, from the curves of its finished games, if it does."""
    game, average = rows.get(FAITHFUL), rows.get(f"{FAITHFUL} + average of G")
    if not game or not average or data not in LEVELS or mean(game) >= LEVELS[data]:
        return []
    done = {row["seed"] for row in game}
    curves = [each for each in content["curves"] if each["model"] == FAITHFUL and each["seed"] in done]
    ends = [_end(each["looks"]) for each in curves]
    if not ends or None in ends:  # the game is too short for a statement about its end
        return []
    last, since = (
        {key: np.mean([end[i][key] for end in ends if end]) for key in _CURVE_KEYS} for i in (0, 1)
    )
    climb = (last["average"] - since["average"]) / (last["round"] - since["round"]) * 10_000
    settings = Settings.from_dict(curves[0]["settings"])
    left = settings.generator.rate.at(last["round"], settings.horizon) / settings.generator.rate.start
    over = f" (means of {len(ends)} seeds)" if len(ends) > 1 else ""
    return [
        "",
        f"Why {FAITHFUL} ends {LEVELS[data] - mean(game):.0f} nats short{over}: its schedules end, but its learning rates fall "
        f"only to {left:.2f} of the first, and G still oscillates. The average of G, which does not change the game, removes "
        f"this oscillation and is worth {mean(average) - mean(game):.0f} nats; over the last fifth of the rounds it still "
        f"rises by {climb:.1f} nats in 10,000 rounds. D still separates samples from data at the end (mean D "
        f"{last['D_on_validation']:.2f} on validation rows, {last['D_on_samples']:.2f} on samples; otherwise both would be "
        "equal). The authors' code does not fix a last round: they stopped by hand, so their games may have been longer.",
    ]


def _end(curve: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the last point of a curve and the first of the last fifth of the rounds; None if there is no such point."""
    last = curve[-1]
    since = next((point for point in curve[:-1] if point["round"] >= 0.8 * last["round"]), None)
    return None if since is None else (last, since)


def _stretched(content: dict[str, Any], rows: Rows) -> list[str]:
    """Return what the curves show about the modern game with stretched schedules, if it ended below the short one."""
    curves = {curve["model"]: curve for curve in content.get("curves", []) if curve["seed"] == 0}
    if not {_SHORT, _STRETCHED} <= set(curves):
        return []
    short, long = curves[_SHORT], curves[_STRETCHED]
    if long["looks"][-1]["last"] >= short["looks"][-1]["last"]:
        return []

    def worst(curve: dict[str, Any]) -> str:
        settings = Settings.from_dict(curve["settings"])
        point = min(curve["looks"], key=lambda each: each["last"])
        rate = settings.generator.rate
        fraction = rate.at(point["round"], settings.horizon) / rate.start
        return f"{point['last']:.0f} in round {point['round']:,}, at {100 * fraction:.0f} % of the first rate"

    def lead(curve: dict[str, Any]) -> float:
        real, fake = (curve["looks"][-1][f"D_on_{side}"] for side in ("validation", "samples"))
        return float(np.log(real / (1 - real)) - np.log(fake / (1 - fake)))

    half_rates = "a lower first rate would probably help, but was not tried"
    if {_SHORT, _HALF_RATES} <= set(rows):
        half, full = mean(rows[_HALF_RATES]), mean(rows[_SHORT])
        half_rates = f"half the rates for {_SHORT} give {half:.1f} instead of {full:.1f}"
        if half < full:
            half_rates += (
                ", so a lower first rate alone is probably no remedy; what would help is an open question"
            )
    return [
        "",
        f"Why {_STRETCHED} ends lower than {_SHORT}: in both games the last G gets worse while learning rates are near the "
        f"first and better as they fall, and stretched schedules keep them high for longer (worst: {worst(long)}; against "
        f"{worst(short)}). By then D is ahead, and remains so: at the end its logits of validation rows are {lead(long):.1f} "
        f"above those of samples, against {lead(short):.1f}. One seed; {half_rates}.",
    ]


PAPER = {
    "mnist": "225 +- 2 nats a digit for adversarial nets (deep belief nets 138 +- 2, stacked contractive autoencoders "
    "121 +- 1.6, deep generative stochastic networks 214 +- 1.1)",
    "faces": "2057 +- 26 for adversarial nets (1909 +- 66, 2110 +- 50, 1890 +- 29 for the others) on another set of faces, +- "
    "over its folds",
}
"""The paper's own results, by data."""
_STOPPED = ", stopped by validation"


def write(results: Results, name: str, *, data: str, quick: bool) -> None:
    """Write the page of a table from its JSON file, with the figure of its curves if there is one."""
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
        paper=f"Parzen-window log-likelihood: {PAPER.get(data, 'no result')}. Each of 10,000 samples is the centre of a narrow "
        "Gaussian kernel; the score is the mean log-density of test pictures under their mixture.",
        got=lines,
        settings={
            "protocol": f"{SAMPLES:,} samples in [0, 1], 10 sigmas from .1 to 1 by {content.get('n_validation', VALIDATION):,} "
            f"validation rows, mean of {first.get('n_test', 0):,} test rows; no choice uses a test row",
            "the score": "rewards blur and grows with the number of samples: compare it with `real rows` (the training rows "
            "themselves) and `k-means centres` (not samples)",
            "verdict": "new classifiers on held-out test rows; a lower bound at 95 %",
        },
        commands=sorted(_commands(content)),
        quick=quick,
    )


def _completed(rows: Rows) -> Rows:
    """Return the rows, where a seed whose last round scored best on validation rows also counts as stopped there."""
    completed = dict(rows)
    for model, found in rows.items():
        if model.endswith(_STOPPED):
            seeds = {row["seed"] for row in found}
            last = [row for row in rows.get(model.removesuffix(_STOPPED), []) if row["seed"] not in seeds]
            completed[model] = sorted([*found, *last], key=lambda row: row["seed"])
    return completed


def _grouped(rows: Rows) -> list[tuple[str, Rows]]:
    """Return the rows in three groups: the paper's recipe, controls, and other games."""
    faithful = {model: found for model, found in rows.items() if _is_there(FAITHFUL, [model])}
    controls = {model: found for model, found in rows.items() if model in CONTROLS}
    others = {model: found for model, found in rows.items() if model not in faithful | controls}
    return [
        ("The paper's recipe", faithful),
        ("Controls", controls),
        ("Variants of the recipe, and this library's own game", others),
    ]


def _table(rows: Rows, verdicts: Verdicts) -> list[str]:
    lines = [
        "| model | seeds | log-likelihood (nats) | standard error | sigma | rounds | CPU s | certified JSD >= "
        "| classifier accuracy |",
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
    """Return the commands that make the rows, with the verdict where there is one."""
    commands = content.get("commands", {})
    judged = {commands.get(f"{each['model']}, seed {each['seed']}") for each in content.get("verdicts", [])}
    return {each.replace(" --no-judge", "") if each in judged else each for each in commands.values()}


def _legend(rows: Rows, data: str) -> list[str]:
    """Return what each row of the table is, games before controls."""
    if not rows:
        return []
    return [
        "*Standard error* is over the test rows. *Certified JSD >=* is a lower bound in nats with 95 % confidence. *Classifier "
        "accuracy* is the share of test pictures and samples that the judge's classifiers assign correctly; 50 % is guessing"
        + (
            " (for `real rows` a little more: MNIST's test digits are by other writers)."
            if data == "mnist"
            else "."
        ),
        "",
        "The rows:",
        "",
        *(f"- **{game}**: {GAMES[game]}." for game in GAMES if _is_there(game, rows)),
        "- *average of G*: samples of an exponential moving average of G's weights, which is kept beside the game and does not "
        "change it (in the modern game it is the sampler itself). *stopped by validation*: G of the round that scored best on "
        "validation rows, which may be the last.",
        *(f"- **{name}**: {words}." for name, words in CONTROLS.items() if name in rows),
    ]


def _is_there(game: str, rows: Iterable[str]) -> bool:
    beside = (f"{game}, ", f"{game} + average of G")
    return any(model == game or model.startswith(beside) for model in rows)


def _bounds(judged: list[dict[str, Any]]) -> str:
    bounds = [each["jsd_lower"] for each in judged if each["jsd_lower"] is not None]
    accuracies = [each["accuracy"] for each in judged if each["accuracy"] is not None]
    if not bounds or not accuracies:
        return "not judged | "
    return f"{np.mean(bounds):.3f} | {100 * np.mean(accuracies):.1f} %"


def _spread(found: list[dict[str, Any]]) -> str:
    scores = [row["log_likelihood"] for row in found]
    return f" ({min(scores):.1f} to {max(scores):.1f})" if len(scores) > 1 else ""
