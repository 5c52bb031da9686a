"""Report of a verdict as one HTML page: text, where the samples differ, and the rows that the classifier is surest about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from saddlepoint.atomic import write_atomically
from saddlepoint.drawing.pictures import sample_grid
from saddlepoint.drawing.style import to_png
from saddlepoint.drawing.tables import Drawn, table_pairs
from saddlepoint.judging.inputs import Pair
from saddlepoint.judging.verdict import Verdict, metric_figures, paragraphs
from saddlepoint.runs.html_page import Code, Page, Picture, Section, Table, render
from saddlepoint.version import __version__


def write_verdict_page(path: Path, verdict: Verdict, pair: Pair, *, real: str, fake: str) -> None:
    """Write one self-contained page about a verdict.

    path: the file.
    verdict, pair: the verdict and the rows that it is about.
    real, fake: what the user called the two sides.

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
        ("Classifier (referee)", verdict.referee or "none"),
        ("Protocol", f"{verdict.protocol}, confidence {verdict.confidence:g}"),
        ("Time", f"{verdict.seconds or 0:.1f} s"),
    ]
    page = Page(
        title=f"Verdict on {fake}",
        lead=_lead(verdict),
        sections=[
            Section(heading="Verdict", paragraphs=[text.strip() for text in paragraphs(verdict)]),
            *figures,
            *metric_section(verdict),
            Section(heading="Method", tables=[Table(rows=rows)]),
            Section(
                heading="As JSON",
                codes=[Code(text=json.dumps({**verdict.to_dict(), "where": _short(verdict)}, indent=1))],
            ),
        ],
        footer=f"saddlepoint {__version__}",
    )
    write_atomically(path, render(page).encode())


def metric_section(verdict: Verdict) -> list[Section]:
    """Return the section on the metrics of a verdict; none if none were asked for."""
    if not verdict.metrics:
        return []
    rows = [(each["name"], metric_figures(each)) for each in verdict.metrics]
    how = [
        (each["name"], f"{each['rows']:,} rows of each sample; {each['protocol']}; on {each['features']}")
        for each in verdict.metrics
    ]
    text = "Metrics of the literature, with standard errors; none of them is a bound."
    return [Section(heading="Metrics", paragraphs=[text], tables=[Table(rows=rows), Table(rows=how)])]


def _lead(verdict: Verdict) -> str:
    if verdict.jsd_lower is None:
        return f"No verdict: {verdict.notes[0] if verdict.notes else 'the reason was not recorded'}"
    if verdict.jsd_lower > 0:
        return f"The fake rows differ from the data: JSD of at least {verdict.jsd_lower:.4f} nats (0.693 is the maximum)."
    return f"No difference certified; this many rows may miss a JSD below {verdict.floor or 0:.4f} nats."


def _short(verdict: Verdict) -> list[dict[str, Any]]:
    """Return the places without their long lists of row indices."""
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
        ("real", pair.real, "Real pictures that the classifier is surest are real"),
        ("fake", pair.fake, "Fake pictures that the classifier is surest are fake"),
    ):
        if indices := _surest(verdict, name):
            sections.append(Section(heading=title, figures=[grid(rows, indices, title)]))
    if not sections:
        sections.append(
            Section(
                heading="Examples",
                figures=[
                    grid(pair.real, list(range(min(16, len(pair.real)))), "Real"),
                    grid(pair.fake, list(range(min(16, len(pair.fake)))), "Fake"),
                ],
            )
        )
    return sections


def _columns(verdict: Verdict, pair: Pair) -> list[Section]:
    names = pair.names or tuple(f"x{index + 1}" for index in range(pair.real.shape[1]))
    order, named = column_order(verdict, names)
    figure = table_pairs(
        pair.real[:, order], pair.fake[:, order], [_drawn(pair, names, index) for index in order]
    )
    first = f"The judge certified a difference in {', '.join(names[index] for index in order[:named])}: "
    caption = (
        f"{first}these come first, the largest difference first."
        if named
        else "Marginal distributions on the diagonal, pairs below it; no column has a certified difference."
    )
    shown = [
        Section(
            heading="Real and fake rows",
            figures=[
                Picture(
                    png=to_png(figure),
                    alt="Marginal distributions and pairs of columns, real and fake",
                    caption=caption,
                )
            ],
        )
    ]
    shares = [
        (names[index], [float(np.isnan(rows[:, index]).mean()) for rows in (pair.real, pair.fake)])
        for index in order
    ]
    missing = [
        (name, f"{of_real:.1%} of real, {of_fake:.1%} of fake")
        for name, (of_real, of_fake) in shares
        if of_real or of_fake
    ]
    if missing:
        shown.append(Section(heading="Missing cells", tables=[Table(rows=missing)]))
    return shown


def column_order(verdict: Verdict, names: tuple[str, ...]) -> tuple[list[int], int]:
    """Return the indices of all columns, those with a certified difference first, and the number of these.

    Places are sorted by bound, the largest first. Each adds its columns; the relation of a column adds the column and the
    partner that shows it best.
    """
    places = [place for place in verdict.where if place["jsd_lower"] is not None]
    named: list[str] = []
    for place in sorted(places, key=lambda place: -place["jsd_lower"]):
        if place["kind"] == "column":
            named += [place["name"], *place.get("with", [])[:1]]
        else:
            named += place.get("columns", [])
    first = [names.index(name) for name in dict.fromkeys(named) if name in names]
    return first + [index for index in range(len(names)) if index not in first], len(first)


def _drawn(pair: Pair, names: tuple[str, ...], index: int) -> Drawn:
    if pair.categorical is not None and pair.categorical[index]:
        categories = None if pair.categories is None else pair.categories[index]
        return Drawn(name=names[index], kind="category", words=categories or ())
    dated = pair.kinds is not None and pair.kinds[index] == "date-time"
    return Drawn(name=names[index], kind="date" if dated else "number")
