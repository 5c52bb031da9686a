"""The final verdict: fresh samples of the kept model against the held-out test rows (vault), unseen until then."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from saddlepoint import compute
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.tables.schema import infer
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.fitting.check_schedule import CheckSchedule
from saddlepoint.fitting.events import Event, Judged, Stopped
from saddlepoint.fitting.fit import Fit
from saddlepoint.judging.c2st.validity_checks import FEWEST_CONTROL_ROWS
from saddlepoint.judging.inputs import Pair, judge_pair, open_pair
from saddlepoint.judging.verdict import Verdict
from saddlepoint.model import Model

_FAKES_PER_REAL = 4


def final_verdict(
    model: Model, vault: Dataset, train: Dataset, plan: CheckSchedule, *, seed: int, opened: int = 1
) -> Verdict:
    """Return the verdict on a model, with the power analysis of the checks.

    model: the model.
    vault: held-out test rows.
    train: training rows, for the memorisation test.
    plan: the schedule of checks, which says which classifier ensemble ("quick" or "full") and which metrics.
    seed: seed of the run.
    opened: how often the vault has been read, this time included; from the second time on a note says that the bound is
        only indicative.
    """
    pair = model_pair(model, vault, train, seed=seed)
    pool = "full" if plan.final == "full" else "quick"
    verdict = judge_pair(pair, held_out="declared", pool=pool, metrics=plan.metrics, random_state=seed)
    notes = verdict.notes
    if opened > 1:
        notes = (
            *notes,
            f"The vault was opened for the {_ordinal(opened)} time: the run went on after it had been judged, so this bound "
            "is only indicative.",
        )
    at_tolerance = next((each for each in plan.power if abs(each["jsd"] - plan.tolerance) < 1e-6), None)
    found = plan.smallest_detected
    return replace(verdict, notes=notes, power=at_tolerance if found is None else found.to_dict())


def model_pair(
    model: Model,
    real: Dataset,
    train: Any,
    *,
    seed: int,
    columns: Mapping[str, str] | None = None,
    **options: Any,
) -> Pair:
    """Return real rows beside fresh samples of a model, four for each real row, with the column types of its training.

    real: rows that the generator did not see.
    train: training rows for the memorisation test: a dataset, anything that `open_pair` takes, or None.
    seed: seed of the samples.
    columns: column types that replace those of the training.
    options: passed to `open_pair`.
    """
    fakes = model.draw(_FAKES_PER_REAL * len(real), random_state=compute.derived_seed(seed, "judged"))[0]
    if isinstance(train, Dataset):
        train = replace(train.in_memory(), labels=None)
    sides = [replace(real, labels=None), replace(model.like, rows=fakes, labels=None)]
    return open_pair(
        *sides, train=train, columns={**_learnt_types(model, real), **(columns or {})}, **options
    )


def _learnt_types(model: Model, real: Dataset) -> dict[str, str]:
    """Return the training's types of those columns whose type would be inferred differently from these rows alone."""
    if not isinstance(model.encoder, TableTransformer):
        return {}
    inferred = infer(real.rows, name="the held-out table")
    return {name: kind for name, kind in model.encoder.kinds.items() if kind != inferred.column(name).kind}


def with_final_verdict(
    events: Iterator[Event],
    fit: Fit,
    plan: CheckSchedule | None,
    train: Dataset,
    vault: Dataset | None,
    *,
    opened: int = 0,
) -> Iterator[Event]:
    """Yield a fit's events; before its end (not after an interruption) add `Judged`, where checks were asked for.

    events: the events of `Fit.play`.
    fit: the fit.
    plan: its schedule of checks, None without --until.
    train: training rows.
    vault: held-out test rows; None or too few: no verdict.
    opened: how often the vault was read before.
    """
    for event in events:
        stopped = event if isinstance(event, Stopped) and event.reason != "interrupted" else None
        if (
            stopped is not None
            and fit.checks is not None
            and plan is not None
            and vault is not None
            and len(vault) >= FEWEST_CONTROL_ROWS
        ):
            began = time.perf_counter()
            seed = fit.plan.settings.seed
            verdict = final_verdict(fit.model(), vault, train, plan, seed=seed, opened=opened + 1)
            verdict = replace(verdict, seconds=round(time.perf_counter() - began, 2))
            yield Judged(round=stopped.round, verdict=verdict, opened=opened + 1)
        yield event


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
