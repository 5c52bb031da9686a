"""Figures of a run's report, by kind of data, and the training curves.

Pictures: samples beside their nearest training examples, the same noise through the rounds, interpolations.
Points: D over the plane, pairs of columns, interpolations. Tables: marginal distributions of all columns, and joint
distributions of the columns whose marginals differ most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from saddlepoint import compute
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.tables.schema import NumericTable, infer
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.drawing.checks import checks_chart
from saddlepoint.drawing.curves import curves
from saddlepoint.drawing.figure1 import figure1
from saddlepoint.drawing.pictures import interpolation, sample_grid, strip
from saddlepoint.drawing.points import decision_field, lines, pairs
from saddlepoint.drawing.tables import Drawn, table_margins, table_pairs
from saddlepoint.fitting.check_schedule import CheckSchedule
from saddlepoint.judging.metrics.gan_metrics import top_octave
from saddlepoint.judging.metrics.marginals import pair_variations, total_variations
from saddlepoint.model import Model
from saddlepoint.runs.folder import RunFolder

SEED, _ROWS = 2014, 5000
_WORST = 10


@dataclass(frozen=True, kw_only=True)
class TableComparison:
    """Training rows compared with samples, column by column and in pairs.

    margins: figure of each column's marginal distribution.
    pairs: figure of pairs of columns; None for a single column.
    columns: name and total variation of each column, the largest first.
    worst_pairs: two names and the total variation of a pair, the largest first.
    """

    margins: Figure
    pairs: Figure | None
    columns: list[tuple[str, float]]
    worst_pairs: list[tuple[str, str, float]]


def compare(model: Model, train: Dataset) -> TableComparison | None:
    """Return at most 5,000 training rows compared with 5,000 samples; None if no column can be compared."""
    real: pd.DataFrame = train.rows
    if len(real) > _ROWS:
        real = real.iloc[np.sort(compute.numpy_generator(SEED, "shown").permutation(len(real))[:_ROWS])]
    samples = model.draw(_ROWS, random_state=SEED)[0]
    encoder = model.encoder
    kinds = encoder.kinds if isinstance(encoder, TableTransformer) else {}
    schema = infer(real, {name: kind for name, kind in kinds.items() if kind != "constant"})
    first, second = schema.matrices(real.reset_index(drop=True), samples)
    if first.values.shape[1] == 0:
        return None
    distances = total_variations(first.values, second.values, first.categorical)
    order = np.argsort(-distances, kind="stable")
    columns = [_drawn(first, column) for column in range(len(distances))]
    several = len(distances) > 1
    return TableComparison(
        margins=table_margins(first.values, second.values, columns),
        pairs=table_pairs(first.values[:, order], second.values[:, order], [columns[at] for at in order])
        if several
        else None,
        columns=[(first.names[at], float(distances[at])) for at in order],
        worst_pairs=[
            (first.names[one], first.names[other], distance)
            for one, other, distance in pair_variations(first.values, second.values, first.categorical)[
                :_WORST
            ]
        ],
    )


def _drawn(matrix: NumericTable, at: int) -> Drawn:
    categories = matrix.categories[at]
    if categories is not None:
        return Drawn(name=matrix.names[at], kind="category", words=categories)
    return Drawn(name=matrix.names[at], kind="date" if matrix.kinds[at] == "date-time" else "number")


_SEED = 2014
_GRID, _LINES, _STEPS, _CLOUD = 40, 6, 9, 2000
_MOST_SEARCHED = 20_000
_SMALLEST_WITH_DETAIL, _MOST_MEASURED = 16, 500
_PANELS = {
    "loss (nats)": {"discriminator": "discriminator_loss", "generator": "generator_loss"},
    "mean logit of D": {"on data": "real_logit", "on samples": "fake_logit"},
    "gradient norm": {"discriminator": "discriminator_gradient", "generator": "generator_gradient"},
}


@dataclass(frozen=True, kw_only=True)
class ReportFigure:
    """One figure of the report.

    name: of its file, without suffix.
    heading, caption: what the reader sees above and below it.
    figure: the drawing.
    facts: rows of a table beside it, a name and a number each.
    head: column names of that table.
    """

    name: str
    heading: str
    caption: str
    figure: Figure
    facts: tuple[tuple[str, str], ...] = ()
    head: tuple[str, ...] = ()


def report_figures(run: RunFolder, model: Model, train: Dataset | None) -> list[ReportFigure]:
    """Return the figures of a run; without its training rows (train None) only those that do not need them."""
    like = model.like
    if like.kind == "tables":
        found = _of_table(model, train)
    else:
        found = _of_pictures(run, model, train) if like.kind == "pictures" else _of_points(model, train)
    found += _of_checks(run, model)
    records = run.records("progress.jsonl")
    if records:
        rounds = [record["round"] for record in records]
        log = "gradient norm"
        series = {
            panel: {label: [record[name] for record in records] for label, name in lines_.items()}
            for panel, lines_ in _PANELS.items()
        }
        found.append(
            ReportFigure(
                name="curves",
                heading="Training curves",
                caption="Losses, D's mean logits on data and on samples, and the norms of both gradients. A GAN's loss "
                "compares the two players; it does not measure how good the samples are.",
                figure=curves(rounds, series, references={"mean logit of D": {"D = 1/2": 0.0}}, log=[log]),
            )
        )
    return found


def _of_checks(run: RunFolder, model: Model) -> list[ReportFigure]:
    lines = run.records("verdicts.jsonl")
    checks = [line for line in lines if line.get("kind") == "check"]
    plan = CheckSchedule.from_dict(run.settings().get("checks"))
    if not checks or plan is None:
        return []
    last = next((line for line in reversed(lines) if line.get("kind") == "verdict"), None)
    judged = None
    if last is not None and last["jsd_lower"] is not None:
        judged = (last["round"], last["jsd_lower"], last["jsd_estimate"])
    smallest = plan.smallest_detected
    power = None if smallest is None else (smallest.jsd, f"{100 * smallest.mass:.3g} % missing: found")
    return [
        ReportFigure(
            name="checks",
            heading="When to stop",
            caption="Quick estimates of the JSD at the planned checks, on validation rows (monitor); each mark shows the state "
            "of training at that round.",
            figure=checks_chart(
                checks,
                tolerance=plan.tolerance,
                power=power,
                kept=model.description.get("kept_round"),
                verdict=judged,
            ),
        )
    ]


def nearest_rows(samples: np.ndarray[Any, Any], train: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the training row nearest to each sample (Euclidean distance of the stored values)."""
    from sklearn.neighbors import NearestNeighbors

    flat = train.reshape(len(train), -1).astype(np.float32)
    search = NearestNeighbors(n_neighbors=1).fit(flat)
    indices = search.kneighbors(samples.reshape(len(samples), -1).astype(np.float32), return_distance=False)
    rows: np.ndarray[Any, Any] = train[indices[:, 0]]
    return rows


def _of_table(model: Model, train: Dataset | None) -> list[ReportFigure]:
    compared = None if train is None else compare(model, train)
    if compared is None:
        return []
    found = [
        ReportFigure(
            name="margins",
            heading="Marginal distributions of the columns",
            caption="Training rows and fresh samples. Above: the total variation distance (0 to 1) between both marginal "
            "distributions of each column, numbers in 20 bins of equal count; the largest first.",
            figure=compared.margins,
            head=("Column", "total variation"),
            facts=tuple((name, f"{distance:.3f}") for name, distance in compared.columns),
        )
    ]
    if compared.pairs is not None:
        found.append(
            ReportFigure(
                name="pairs",
                heading="Joint distributions of pairs of columns",
                caption="The columns whose marginal distributions differ most. Above: the pairs of columns with the largest "
                "total variation distance between training rows and samples (10 bins a column; with rare values, chance "
                "alone gives a distance above 0).",
                figure=compared.pairs,
                head=("Pair of columns", "total variation"),
                facts=tuple(
                    (f"{one} and {other}", f"{distance:.3f}") for one, other, distance in compared.worst_pairs
                ),
            )
        )
    return found


def _of_pictures(run: RunFolder, model: Model, train: Dataset | None) -> list[ReportFigure]:
    levels = model.like.levels

    def grey(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.rint(rows.astype(np.float64) * 255 / levels).astype(np.uint8)

    rows, classes = model.draw(_GRID, random_state=_SEED)
    captions = None if classes is None else [str(value) for value in classes]
    nearest = None
    if train is not None:
        some = compute.numpy_generator(_SEED, "searched").permutation(len(train))[:_MOST_SEARCHED]
        nearest = grey(nearest_rows(rows, train.rows[some]))
    found = [
        ReportFigure(
            name="samples",
            heading="Samples",
            caption="Fresh samples, not selected"
            + ("." if nearest is None else ", each beside the training picture nearest to it."),
            figure=sample_grid(grey(rows), nearest, captions=captions),
            facts=_detail(rows, train),
        )
    ]
    frames = run.frames()
    if frames:
        found.append(
            ReportFigure(
                name="strip",
                heading="The same noise through the rounds",
                caption="Each row is G(z) of one fixed z; rounds go from left to right.",
                figure=strip(np.stack([grey(each) for _, each in frames]), [number for number, _ in frames]),
            )
        )
    found.append(
        ReportFigure(
            name="interpolation",
            heading="Interpolation in z",
            caption="Each row is G(z) along the straight line between two noise vectors, as in Figure 3 of the paper.",
            figure=interpolation(grey(_along_lines(model))),
        )
    )
    return found


def _detail(rows: np.ndarray[Any, Any], train: Dataset | None) -> tuple[tuple[str, str], ...]:
    """Return the samples' power in the top octave relative to training pictures; nothing for very small pictures."""
    if train is None or min(rows.shape[1:3]) < _SMALLEST_WITH_DETAIL:
        return ()
    some = train.rows[:: -(-len(train) // _MOST_MEASURED)]
    train_power = top_octave(some)
    if train_power == 0:
        return ()
    name = "fine detail: power in the top octave of the spectrum, samples / training pictures (1: equal)"
    return ((name, f"{top_octave(rows) / train_power:.2f}"),)


def _along_lines(model: Model) -> np.ndarray[Any, Any]:
    ends = model.noise(2 * _LINES, _SEED + 1)
    share = torch.linspace(0, 1, _STEPS)[None, :, None]
    z = (1 - share) * ends[:_LINES, None] + share * ends[_LINES:, None]
    given = None
    if model.classes is not None:
        given = [model.classes[row % len(model.classes)] for row in range(_LINES) for _ in range(_STEPS)]
    rows = np.asarray(model.draw(noise=z.flatten(0, 1).numpy(), given=given, random_state=_SEED)[0])
    return rows.reshape(_LINES, _STEPS, *rows.shape[1:])


def _of_points(model: Model, train: Dataset | None) -> list[ReportFigure]:
    like = model.like
    samples = model.draw(_CLOUD, random_state=_SEED)[0].astype(np.float64)
    data = np.empty((0, samples.shape[1])) if train is None else train.rows.astype(np.float64)
    data = data[compute.numpy_generator(_SEED, "shown").permutation(len(data))[:_CLOUD]]
    names = like.columns
    # D of a conditional model is no function of x alone.
    logit = None if model.classes is not None else lambda points: model.logits(points)
    if samples.shape[1] == 1:
        return [
            ReportFigure(
                name="figure1",
                heading="Data, samples and the discriminator",
                caption="As Figure 1 of the paper: densities of data and samples, D(x), and below them the map from z to x.",
                figure=figure1(
                    data, samples, logit=logit, transport=_transport(model), name=names[0] if names else "x"
                ),
            )
        ]
    if samples.shape[1] == 2:
        return [
            ReportFigure(
                name="field",
                heading="Samples and the discriminator D(x)",
                caption="Colour: D's probability that a point is data; at the saddle point it is 1/2 everywhere.",
                figure=decision_field(data, samples, logit=logit, names=names),
            ),
            ReportFigure(
                name="lines",
                heading="Interpolation in z",
                caption="Each path is G(z) along the straight line between two noise vectors.",
                figure=lines(_along_lines(model).astype(np.float64), data=data, names=names),
            ),
        ]
    return [
        ReportFigure(
            name="pairs",
            heading="Columns and pairs of columns",
            caption="Marginal distributions on the diagonal, scatter plots below it, correlations above it.",
            figure=pairs(data, samples, names=names),
        )
    ]


def _transport(model: Model) -> np.ndarray[Any, Any]:
    """Return pairs (z, G(z)) along the first coordinate of the noise, the others at their mean 0."""
    z = torch.zeros(41, model.noise_width)
    z[:, 0] = (
        torch.linspace(-2.5, 2.5, 41)
        if model.description["noise_distribution"] == "normal"
        else torch.linspace(-1.7, 1.7, 41)
    )
    rows = model.draw(noise=z.numpy(), random_state=_SEED)[0]
    return np.column_stack([z[:, 0].numpy(), rows[:, 0].astype(np.float64)])
