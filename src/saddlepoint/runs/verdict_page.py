"""The page of a verdict: its words, where the samples differ, and the rows that the referee is surest about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from saddlepoint.drawing.pictures import sample_grid
from saddlepoint.drawing.points import pairs
from saddlepoint.drawing.saving import to_png
from saddlepoint.judging.opening import Pair
from saddlepoint.judging.verdict import Verdict
from saddlepoint.judging.wording import paragraphs
from saddlepoint.runs.page import Code, Page, Picture, Section, Table, render
from saddlepoint.training.checkpoint import write_atomically
from saddlepoint.version import __version__

_SHOWN = 2000


def write_verdict_page(path: Path, verdict: Verdict, pair: Pair, *, real: str, fake: str) -> None:
    """Write one self-contained page about a verdict; real and fake are what the user called the two sides.

    Raises:
        StoredFileError: the file cannot be written.
    """
    figures = _pictures(verdict, pair) if pair.real.ndim > 2 else _columns(verdict, pair)
    rows = [
        ("Real rows", f"{real} ({len(pair.real):,}; held out: {verdict.held_out})"),
        ("Fake rows", f"{fake} ({len(pair.fake):,})"),
        (
            "Rows to fit / select / evaluate",
            f"{verdict.n_fit:,} / {verdict.n_select:,} / {verdict.n_evaluate:,}",
        ),
        ("Referee", verdict.referee or "none"),
        ("Protocol", f"{verdict.protocol}, confidence {verdict.confidence:g}"),
        ("Time", f"{verdict.seconds or 0:.1f} s"),
    ]
    page = Page(
        title=f"The verdict on {fake}",
        lead=_lead(verdict),
        sections=[
            Section(heading="In words", paragraphs=[words.strip() for words in paragraphs(verdict)]),
            *figures,
            Section(heading="How it was judged", tables=[Table(rows=rows)]),
            Section(
                heading="As JSON",
                codes=[Code(text=json.dumps({**verdict.to_dict(), "where": _short(verdict)}, indent=1))],
            ),
        ],
        footer=f"saddlepoint {__version__}",
    )
    write_atomically(path, render(page).encode())


def _lead(verdict: Verdict) -> str:
    if verdict.jsd_lower is None:
        return f"No verdict: {verdict.notes[0] if verdict.notes else 'the reason was not recorded'}"
    if verdict.jsd_lower > 0:
        return f"The fake rows differ from the data: JSD of at least {verdict.jsd_lower:.4f} nats, of at most 0.693 possible."
    return f"No difference certified; so many rows cannot certify a JSD below {verdict.floor or 0:.4f} nats."


def _short(verdict: Verdict) -> list[dict[str, Any]]:
    """Return the places without their long lists of row numbers."""
    return [{key: value for key, value in place.items() if "indices" not in key} for place in verdict.where]


def _surest(verdict: Verdict, side: str) -> list[int]:
    places = [place for place in verdict.where if place["kind"] == "rows" and place["name"] == side]
    return list(places[0]["indices"]) if places else []


def _pictures(verdict: Verdict, pair: Pair) -> list[Section]:
    def grid(rows: npt.NDArray[Any], indices: list[int], title: str) -> Picture:
        shown = rows[indices]
        shown = shown[..., None] if shown.ndim == 3 else shown
        grey = np.rint(shown.astype(np.float64) * 255 / pair.levels).astype(np.uint8)
        return Picture(png=to_png(sample_grid(grey, title=title)), alt=title)

    sections = []
    for name, rows, title in (
        ("real", pair.real, "Real pictures that the fakes resemble least"),
        ("fake", pair.fake, "Fake pictures that give themselves away most"),
    ):
        if indices := _surest(verdict, name):
            sections.append(Section(heading=title, figures=[grid(rows, indices, title)]))
    if not sections:
        sections.append(
            Section(
                heading="Some of each",
                figures=[
                    grid(pair.real, list(range(min(16, len(pair.real)))), "Real"),
                    grid(pair.fake, list(range(min(16, len(pair.fake)))), "Fake"),
                ],
            )
        )
    return sections


def _columns(verdict: Verdict, pair: Pair) -> list[Section]:
    names = pair.names or tuple(f"x{index + 1}" for index in range(pair.real.shape[1]))
    named = [place["name"] for place in verdict.where if place["kind"] == "column"]
    named += [other for place in verdict.where if place["kind"] == "pair" for other in place.get("with", [])]
    order = [names.index(name) for name in dict.fromkeys(named) if name in names]
    order += [index for index in range(len(names)) if index not in order]
    figure = pairs(
        pair.real[:_SHOWN, order], pair.fake[:_SHOWN, order], names=[names[index] for index in order]
    )
    caption = (
        "Columns named by the judge come first." if named else "Margins on the diagonal, pairs below it."
    )
    return [
        Section(
            heading="Real and fake rows",
            figures=[
                Picture(
                    png=to_png(figure), alt="Margins and pairs of columns, real and fake", caption=caption
                )
            ],
        )
    ]
