"""The final verdict: fresh samples of the kept model against the vault, which no round and no check has seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from saddlepoint import compute
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.tables.schema import infer
from saddlepoint.fitting.check_schedule import CheckSchedule
from saddlepoint.fitting.events import Event, Judged, Stopped
from saddlepoint.fitting.fit import Fit
from saddlepoint.judging.c2st.validity_checks import FEWEST_CONTROL_ROWS
from saddlepoint.judging.inputs import judge_pair, open_pair
from saddlepoint.judging.verdict import Verdict
from saddlepoint.model import Model

_FAKES_PER_REAL = 4


def final_verdict(
    model: Model, vault: Dataset, train: Dataset, plan: CheckSchedule, *, seed: int, opened: int = 1
) -> Verdict:
    """Return the verdict on a model, by the pool that was planned, with the ruler of the checks.

    opened: how often the vault has been read, this time included; from the second time on a note says that the bound is
    only indicative.
    """
    fakes = model.draw(_FAKES_PER_REAL * len(vault), random_state=compute.derived_seed(seed, "judged"))[0]
    sides = [replace(vault, labels=None), replace(model.like, rows=fakes, labels=None)]
    pair = open_pair(
        *sides, train=replace(train.in_memory(), labels=None), columns=learnt_types(vault, train)
    )
    pool = "full" if plan.final == "full" else "quick"
    verdict = judge_pair(pair, held_out="declared", pool=pool, metrics=plan.metrics, random_state=seed)
    notes = verdict.notes
    if opened > 1:
        notes = (
            *notes,
            f"The vault was opened for the {_ordinal(opened)} time: the run went on after it had been judged, so this bound "
            "is only indicative.",
        )
    at_tolerance = next((mark for mark in plan.power if abs(mark["jsd"] - plan.tolerance) < 1e-6), None)
    found = plan.smallest_detected
    return replace(verdict, notes=notes, power=at_tolerance if found is None else found.to_dict())


def learnt_types(vault: Dataset, train: Dataset) -> dict[str, str] | None:
    """Return the kinds, as they were learnt, of a table's columns that a few held-back rows would be taken for others."""
    if train.schema is None:
        return None
    seen = infer(vault.rows, name="the held-back table")
    return {each.name: each.kind for each in train.schema.columns if each.kind != seen.column(each.name).kind}


def judged(
    events: Iterator[Event],
    fit: Fit,
    plan: CheckSchedule | None,
    train: Dataset,
    vault: Dataset | None,
    *,
    opened: int = 0,
) -> Iterator[Event]:
    """Pass a fit's events on; where it ends for good and its checks were asked for, open the vault first.

    opened: how often it was read before. The seconds that judging took stand in the verdict.
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
            begun = time.perf_counter()
            seed = fit.plan.settings.seed
            verdict = final_verdict(fit.model(), vault, train, plan, seed=seed, opened=opened + 1)
            verdict = replace(verdict, seconds=round(time.perf_counter() - begun, 2))
            yield Judged(round=stopped.round, verdict=verdict, opened=opened + 1)
        yield event


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
