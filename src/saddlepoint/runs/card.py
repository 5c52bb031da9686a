"""Model card of a table model (Mitchell et al. 2019, arXiv 1810.03993).

Two files in the run folder: card.json holds the facts, card.md is the same as text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from saddlepoint.atomic import write_atomically
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.judging.verdict import Verdict
from saddlepoint.model import Model
from saddlepoint.runs.folder import RunFolder
from saddlepoint.runs.table_report import COPY_TEST_LIMIT, TableFacts, places, summary


def write_card(
    run: RunFolder,
    settings: dict[str, Any],
    model: Model,
    facts: TableFacts | None,
    margins: list[tuple[str, float]] | None,
) -> None:
    """Write card.json and card.md.

    run: the run folder.
    settings: what settings.json holds.
    model: the saved model.
    facts: what was measured; None if the training rows cannot be opened.
    margins: name and total variation of each column; None if the training rows cannot be opened.

    Raises:
        StoredFileError: the folder cannot be written.
    """
    card = card_of(settings, model, facts, margins, run.stop())
    write_atomically(run.path / "card.json", (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomically(run.path / "card.md", to_markdown(card).encode())


def card_of(
    settings: dict[str, Any],
    model: Model,
    facts: TableFacts | None,
    margins: list[tuple[str, float]] | None,
    stop: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the card as JSON values."""
    game, source, encoder = settings["settings"], settings["source"], model.encoder
    columns = encoder.describe() if isinstance(encoder, TableTransformer) else []
    verdict = None if facts is None else facts.verdict
    return {
        "format": 1,
        "name": model.like.name,
        "saddlepoint": settings["saddlepoint"],
        "torch": settings["torch"],
        "data": {
            "source": Path(str(source["data"])).name,
            "described": settings["data"],
            "rows": settings["rows"],
            "checksum": settings["fingerprint"],
        },
        "columns": [{"name": name, "kind": kind, "learnt": how} for name, kind, how in columns],
        "recipe": {
            "name": model.description["recipe"],
            "objective": game["objective"],
            "penalties": [each["name"] for each in game["penalties"]],
            "rounds": model.description["rounds"],
            "horizon": game["horizon"],
            "kept_round": model.description.get("kept_round"),
            "batch": game["batch"],
            "seed": game["seed"],
            "ended": None if stop is None else stop["sentence"],
        },
        "in_short": None if facts is None else summary(facts),
        "verdict": None if verdict is None else _short(verdict),
        "margins": None if margins is None else {name: round(distance, 4) for name, distance in margins},
        "use": None if facts is None else [use.to_dict() for use in facts.uses],
        "copying": None
        if facts is None
        else {
            "equal_share": facts.copies,
            "tests": None if verdict is None else verdict.memorisation,
        },
        "limits": limits(model, facts),
    }


def limits(model: Model, facts: TableFacts | None) -> list[str]:
    """Return the limits of the model's samples, one sentence each."""
    sentences = [
        "Samples are drawn from a model of the training rows: gaps and errors of those rows are gaps and errors of the "
        "samples too.",
        "Samples never contain numbers outside the range of the training rows, or categories that the training rows lack.",
        COPY_TEST_LIMIT,
    ]
    if facts is None or facts.verdict is None or facts.verdict.jsd_lower is None:
        sentences.append("Nothing is certified about how far samples are from the data.")
    else:
        floor = facts.verdict.floor or 0.0
        sentences.append(
            "The certified figure is a lower bound: the true difference may be larger, and with this number of rows a "
            f"difference below {floor:.4f} nats may be missed."
        )
    encoder = model.encoder
    if isinstance(encoder, TableTransformer):
        identifiers = [name for name, kind in encoder.kinds.items() if kind == "identifier"]
        if identifiers:
            sentences.append(
                f"Identifiers are made up in the format of the original ones: {', '.join(identifiers)}."
            )
    return sentences


def _short(verdict: Verdict) -> dict[str, Any]:
    kept = (
        "jsd_lower",
        "jsd_estimate",
        "confidence",
        "floor",
        "accuracy",
        "tv_lower",
        "referee",
        "n_evaluate",
        "protocol",
    )
    stored = verdict.to_dict()
    return {
        **{name: stored[name] for name in kept},
        "where": [{"what": what, "jsd_lower": float(bound)} for what, bound in places(verdict)],
        "notes": list(verdict.notes),
    }


def to_markdown(card: dict[str, Any]) -> str:
    """Return the card as Markdown."""
    data, recipe = card["data"], card["recipe"]
    rows = data["rows"]
    lines = [
        f"# Model card: {_plain(card['name'])}",
        "",
        card["in_short"]
        or "The training rows could not be opened when this card was written, so nothing was measured.",
        "",
        "## Data",
        "",
        f"- {_plain(data['source'])}: {data['described']} (SHA-256 of the rows: `{data['checksum']}`)",
        f"- {rows['train']:,} training rows, {rows['monitor']:,} validation rows (monitor: they choose the snapshot), "
        f"{rows['vault']:,} held-out test rows (vault)",
        "",
        "| column | kind | how it is learnt |",
        "|---|---|---|",
        *(
            f"| {_cell(each['name'])} | {each['kind']} | {_cell(each['learnt'])} |"
            for each in card["columns"]
        ),
        "",
        "## Training",
        "",
        f"- recipe {recipe['name']}: objective {recipe['objective']}, penalties {', '.join(recipe['penalties']) or 'none'}, "
        f"batch {recipe['batch']}, seed {recipe['seed']}",
        f"- {recipe['rounds']:,} of {recipe['horizon']:,} rounds"
        + (f"; kept: round {recipe['kept_round']:,}" if recipe["kept_round"] is not None else "")
        + (f"; {recipe['ended']}" if recipe["ended"] else ""),
        f"- saddlepoint {card['saddlepoint']}, torch {card['torch']}",
        "",
    ]
    lines += _verdict_lines(card["verdict"])
    if card["use"]:
        lines += [
            "## TSTR: train on synthetic rows, test on real rows",
            "",
            "| predicted column | trained on samples | trained on real rows | guessing |",
            "|---|---|---|---|",
            *(
                f"| {_cell(use['name'])} ({use['kind']}) | {use['from_synthetic']:.3f} | {use['from_real']:.3f} "
                f"| {use['by_guessing']:.3f} |"
                for use in card["use"]
            ),
            "",
            "Classes: balanced accuracy; numbers: rank correlation of predicted and true values.",
            "",
        ]
    if card["copying"] is not None:
        tests = card["copying"]["tests"]
        lines += [
            "## Memorisation test",
            "",
            f"- {100 * card['copying']['equal_share']:.2f} % of samples equal a training row.",
        ]
        lines += [f"- {tests['sentence']}"] if tests else []
        lines += [""]
    return "\n".join([*lines, "## Limits", "", *(f"- {limit}" for limit in card["limits"]), ""])


def _verdict_lines(verdict: dict[str, Any] | None) -> list[str]:
    if verdict is None:
        return []
    lines = ["## Verdict, on held-out test rows", ""]
    if verdict["jsd_lower"] is None:
        return [
            *lines,
            f"- none: {verdict['notes'][0] if verdict['notes'] else 'the reason was not recorded'}",
            "",
        ]
    lines += [
        f"- Jensen-Shannon divergence at least {verdict['jsd_lower']:.4f} nats (0.693 is the maximum), at "
        f"{100 * verdict['confidence']:g} % confidence; estimate {verdict['jsd_estimate']:.4f}; differences below "
        f"{verdict['floor']:.4f} may be missed",
        f"- classifier accuracy {100 * verdict['accuracy']:.1f} % (50 % is guessing), on {verdict['n_evaluate']:,} real rows "
        "read once",
        *(f"- where: {place['what']} (at least {place['jsd_lower']:.4f})" for place in verdict["where"]),
        "",
    ]
    return lines


def _plain(name: str) -> str:
    """Return a name as plain text on one line of Markdown."""
    return "".join(
        "\\" + sign if sign in "\\`*_{}[]<>#|" else sign if sign.isprintable() else " " for sign in name
    )


def _cell(text: str) -> str:
    return "".join("\\|" if sign == "|" else sign if sign.isprintable() else " " for sign in text)
