"""The pictures of a run: samples beside their nearest training rows, the same noise through the rounds, curves.

A table's run as pictures and figures: margins of all columns, pairs of those whose margins differ most.
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
    """margins, and pairs where there are two columns; columns and worst_pairs: total variation, the largest first."""

    margins: Figure
    pairs: Figure | None
    columns: list[tuple[str, float]]
    worst_pairs: list[tuple[str, str, float]]


def compare(model: Model, train: Dataset) -> TableComparison | None:
    """Return training rows beside as many samples (5,000 at most); None where no column can be compared."""
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
    away = total_variations(first.values, second.values, first.categorical)
    order = np.argsort(-away, kind="stable")
    columns = [_drawn(first, column) for column in range(len(away))]
    several = len(away) > 1
    return TableComparison(
        margins=table_margins(first.values, second.values, columns),
        pairs=table_pairs(first.values[:, order], second.values[:, order], [columns[at] for at in order])
        if several
        else None,
        columns=[(first.names[at], float(away[at])) for at in order],
        worst_pairs=[
            (first.names[one], first.names[other], far)
            for one, other, far in pair_variations(first.values, second.values, first.categorical)[:_WORST]
        ],
    )


def _drawn(matrix: NumericTable, at: int) -> Drawn:
    words = matrix.categories[at]
    if words is not None:
        return Drawn(name=matrix.names[at], kind="category", words=words)
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
    """One picture with the name of its file, a heading, what there is to see, and names with figures beside it.

    head: what the columns of the figures are.
    """

    name: str
    heading: str
    caption: str
    figure: Figure
    facts: tuple[tuple[str, str], ...] = ()
    head: tuple[str, ...] = ()


def report_figures(run: RunFolder, model: Model, train: Dataset | None) -> list[ReportFigure]:
    """Return the pictures of a run; without its training rows (they may be gone) those that need none."""
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
                heading="The game, round by round",
                caption="Losses, D's mean logits on data and on samples, and the length of both gradients. A loss says "
                "how the players stand to each other, not how good the samples are.",
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
            caption="What a quick referee saw at planned rounds, on rows held back from the game; each mark shows the state "
            "that the game was in by then.",
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
    """Return for each sample the training row nearest to it (Euclidean distance of the rows as they are)."""
    from sklearn.neighbors import NearestNeighbors

    flat = train.reshape(len(train), -1).astype(np.float32)
    search = NearestNeighbors(n_neighbors=1).fit(flat)
    indices = search.kneighbors(samples.reshape(len(samples), -1).astype(np.float32), return_distance=False)
    rows: np.ndarray[Any, Any] = train[indices[:, 0]]
    return rows


def _of_table(model: Model, train: Dataset | None) -> list[ReportFigure]:
    seen = None if train is None else compare(model, train)
    if seen is None:
        return []
    found = [
        ReportFigure(
            name="margins",
            heading="Columns, one by one",
            caption="Training rows and fresh samples. Above: how far each column's shares are from those of the training "
            "rows (total variation, 0 to 1; numbers in 20 bins of equal count), the farthest first.",
            figure=seen.margins,
            head=("Column", "how far from training rows"),
            facts=tuple((name, f"{far:.3f}") for name, far in seen.columns),
        )
    ]
    if seen.pairs is not None:
        found.append(
            ReportFigure(
                name="pairs",
                heading="Columns in pairs",
                caption="The columns whose margins differ most. Above: the pairs of columns that are farthest from those of "
                "the training rows (total variation, in 10 bins each; chance alone gives rare values some of it).",
                figure=seen.pairs,
                head=("Pair of columns", "how far from training rows"),
                facts=tuple((f"{one} and {other}", f"{far:.3f}") for one, other, far in seen.worst_pairs),
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
            caption="Fresh draws, not picked"
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
                caption="Each row is one z; from left to right what G makes of it as the game goes on.",
                figure=strip(np.stack([grey(each) for _, each in frames]), [number for number, _ in frames]),
            )
        )
    found.append(
        ReportFigure(
            name="interpolation",
            heading="Along straight lines in z",
            caption="Each row walks from one noise vector to another, as in Figure 3 of the paper.",
            figure=interpolation(grey(_along_lines(model))),
        )
    )
    return found


def _detail(rows: np.ndarray[Any, Any], train: Dataset | None) -> tuple[tuple[str, str], ...]:
    """Return how the samples' finest detail compares with that of training pictures; nothing for very small ones."""
    if train is None or min(rows.shape[1:3]) < _SMALLEST_WITH_DETAIL:
        return ()
    some = train.rows[:: -(-len(train) // _MOST_MEASURED)]
    there = top_octave(some)
    if there == 0:
        return ()
    what = "finest detail: power in the top octave of the spectrum, samples to training pictures (1: alike)"
    return ((what, f"{top_octave(rows) / there:.2f}"),)


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
    # D of a conditional model has no field over x alone.
    logit = None if model.classes is not None else lambda points: model.logits(points)
    if samples.shape[1] == 1:
        return [
            ReportFigure(
                name="figure1",
                heading="Data, samples and the discriminator",
                caption="The paper's Figure 1: densities of data and samples, D, and below them the map from z to x.",
                figure=figure1(
                    data, samples, logit=logit, transport=_transport(model), name=names[0] if names else "x"
                ),
            )
        ]
    if samples.shape[1] == 2:
        return [
            ReportFigure(
                name="field",
                heading="Samples over the discriminator's field",
                caption="Where D takes a point for data, where for a sample; at the saddle point it is 1/2 everywhere.",
                figure=decision_field(data, samples, logit=logit, names=names),
            ),
            ReportFigure(
                name="lines",
                heading="Along straight lines in z",
                caption="Each path is what G makes of a straight walk from one noise vector to another.",
                figure=lines(_along_lines(model).astype(np.float64), data=data, names=names),
            ),
        ]
    return [
        ReportFigure(
            name="pairs",
            heading="Columns and pairs of columns",
            caption="Margins on the diagonal, pairs below it, correlations above it.",
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
