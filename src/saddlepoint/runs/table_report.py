"""What a run learnt of a table, measured once its game is over: verdict, use, correlations, copies; in plain words.

The verdict reads the vault, so it is made once for a round and kept in verdicts.jsonl.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from saddlepoint import compute
from saddlepoint.data.tables.numeric import numeric_tables_of
from saddlepoint.data.tables.schema import infer
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import InputError
from saddlepoint.fitting import Preparation
from saddlepoint.fitting.final_verdict import learnt_types
from saddlepoint.judging.c2st.validity_checks import FEWEST_CONTROL_ROWS
from saddlepoint.judging.inputs import judge_pair, open_pair
from saddlepoint.judging.metrics.marginals import correlations
from saddlepoint.judging.metrics.tstr import TSTRScore, tstr
from saddlepoint.judging.verdict import Verdict, paragraphs
from saddlepoint.model import Model
from saddlepoint.runs.folder import RunFolder
from saddlepoint.runs.html_page import Section, Table

SEED, _ROWS = 2014, 5_000
_FAKES_PER_REAL, _MOST_LISTED = 4, 8
NO_COPIES_IS_NO_PROMISE = (
    "These tests find copied rows; they do not show that samples say nothing about any one training row."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class TableFacts:
    """What was measured; correlations: (column, column, training rows', samples'), the largest difference first.

    why_not: why there is no verdict, where there is none.
    """

    verdict: Verdict | None
    why_not: str | None
    uses: list[TSTRScore]
    correlations: list[tuple[str, str, float, float]]
    copies: float
    """Share of samples that equal a training row in all columns, identifiers left out."""


def measured(run: RunFolder, model: Model, preparation: Preparation) -> TableFacts:
    """Measure a run's model on the rows held back from it; what a round's verdict said already is not asked again."""
    verdict, why_not = _verdict(run, model, preparation)
    encoder = model.encoder
    if not isinstance(encoder, TableTransformer):
        raise InputError("Only the model of a table has columns to report on.")
    real = _some(preparation.train.rows)
    made = model.draw(len(real), random_state=compute.derived_seed(SEED, "used"))[0]
    held = preparation.monitor if preparation.monitor is not None else preparation.train
    kinds = {name: kind for name, kind in encoder.kinds.items() if kind != "constant"}
    columns = infer(real, kinds).columns
    sides = [real.reset_index(drop=True), made, _some(held.rows).reset_index(drop=True)]
    first, second, third = numeric_tables_of(
        columns, sides, tables=("the training rows", "the samples", "the held-out rows")
    )
    if first.values.shape[1] == 0:
        return TableFacts(verdict=verdict, why_not=why_not, uses=[], correlations=[], copies=0.0)
    uses = []
    if preparation.monitor is not None:
        uses = tstr(
            first.values, second.values, third.values, names=first.names, categorical=first.categorical
        )
    return TableFacts(
        verdict=verdict,
        why_not=why_not,
        uses=uses,
        correlations=[
            (first.names[one], first.names[other], here, there)
            for one, other, here, there in correlations(first.values, second.values, first.categorical)
        ][:_MOST_LISTED],
        copies=_copied(first.values, second.values),
    )


def _copied(real: np.ndarray[Any, Any], made: np.ndarray[Any, Any]) -> float:
    known = {row.tobytes() for row in np.nan_to_num(real, nan=-1.5e300)}
    return float(np.mean([row.tobytes() in known for row in np.nan_to_num(made, nan=-1.5e300)]))


def _some(frame: pd.DataFrame) -> pd.DataFrame:
    if len(frame) <= _ROWS:
        return frame
    return frame.iloc[np.sort(compute.numpy_generator(SEED, "shown").permutation(len(frame))[:_ROWS])]


def _verdict(run: RunFolder, model: Model, preparation: Preparation) -> tuple[Verdict | None, str | None]:
    """Return the verdict on this model, from the folder where there is one, and else why there is none."""
    played = model.description["rounds"]
    before = [line for line in run.records("verdicts.jsonl") if line.get("kind") == "verdict"]
    for line in reversed(before):
        if line["round"] == played:
            return Verdict.from_dict(
                {k: v for k, v in line.items() if k not in ("kind", "round", "opened")}
            ), None
    vault = preparation.vault
    if vault is None:
        return (
            None,
            "No rows were held back, so the samples cannot be judged; name held-out rows with --holdout.",
        )
    if len(vault) < FEWEST_CONTROL_ROWS:
        return None, (
            f"{len(vault)} rows were held back, too few for a verdict ({FEWEST_CONTROL_ROWS} at least); train on more rows, or "
            "name more held-out ones with --holdout."
        )
    seed = preparation.plan.settings.seed
    fakes = model.draw(_FAKES_PER_REAL * len(vault), random_state=compute.derived_seed(seed, "judged"))[0]
    sides = [replace(vault, labels=None), replace(model.like, rows=fakes, labels=None)]
    train = preparation.train
    pair = open_pair(
        *sides, train=replace(train.in_memory(), labels=None), columns=learnt_types(vault, train)
    )
    verdict = judge_pair(pair, held_out="declared", random_state=seed)
    if before:
        again = (
            f"The vault was opened before, at round {before[-1]['round']:,}: what was done since may have been chosen by "
            "it, and then this bound is only indicative."
        )
        verdict = replace(verdict, notes=(*verdict.notes, again))
    record = {"kind": "verdict", "round": played, "opened": len(before) + 1, **verdict.to_dict()}
    run.append("verdicts.jsonl", record)
    return verdict, None


def in_short(facts: TableFacts) -> str:
    """Return the one sentence that says most: how often samples are told from real rows."""
    verdict = facts.verdict
    if verdict is None:
        return facts.why_not or "There is no verdict."
    if verdict.jsd_lower is None:
        return f"No verdict: {verdict.notes[0] if verdict.notes else 'the reason was not recorded'}"
    return (
        f"Shown one real row or one sample, a fresh referee says rightly which it is "
        f"{100 * (verdict.accuracy or 0):.0f} % of the time; guessing is right 50 %."
    )


def sections(facts: TableFacts) -> list[Section]:
    """Return the sections of the page: the verdict and its places, use, correlations, copies."""
    return [*_judged(facts), *_used(facts), *_moving(facts), _copying(facts)]


def places(verdict: Verdict) -> list[tuple[str, str]]:
    """Return the columns and pairs that give samples away, in plain words, each with its certified bound."""
    found = []
    for place in verdict.where:
        if place["jsd_lower"] is None or place["kind"] not in ("column", "pair"):
            continue
        if place["kind"] == "pair":
            what = " together with ".join(place["columns"])
        elif place["how"] == "values":
            what = f"{place['name']}, its own values"
        else:
            what = f"{place['name']}, how it goes with {', '.join(place['with'][:4])}"
        found.append((what, f"{place['jsd_lower']:.4f}"))
    return found


def _judged(facts: TableFacts) -> list[Section]:
    heading = "The verdict, on rows that nothing had seen"
    if facts.verdict is None:
        return [Section(heading=heading, paragraphs=[facts.why_not or "There is none."])]
    worst = places(facts.verdict)
    tables = []
    if worst:
        tables.append(
            Table(
                rows=worst[:_MOST_LISTED],
                head=("Where samples differ from real rows", "at least, in nats"),
                caption="The worst columns and pairs by the referee, the largest certified difference first.",
            )
        )
    words = [line.strip() for line in paragraphs(replace(facts.verdict, memorisation=None, where=()))]
    return [Section(heading=heading, paragraphs=words, tables=tables)]


def _used(facts: TableFacts) -> list[Section]:
    if not facts.uses:
        return []
    rows = [
        (
            f"{use.name} ({'class' if use.kind == 'class' else 'number'})",
            f"{use.from_synthetic:.3f}",
            f"{use.from_real:.3f}",
            f"{use.by_guessing:.3f}",
        )
        for use in facts.uses
    ]
    words = (
        "Each column below was predicted from all others by boosted trees: once taught by samples, once by as many training "
        "rows, both tested on the same real rows that were held back. Where the first figure comes near to the second, "
        "samples can stand in for real rows in that task. Of classes: the share told right, each class counting alike; of "
        "numbers: the rank correlation of prediction and truth."
    )
    table = Table(
        rows=rows, head=("Predicted column", "taught by samples", "by training rows", "by guessing")
    )
    return [Section(heading="Can samples stand in for real rows?", paragraphs=[words], tables=[table])]


def _moving(facts: TableFacts) -> list[Section]:
    if not facts.correlations:
        return []
    rows = [
        (f"{one} and {other}", f"{here:+.3f}", f"{there:+.3f}")
        for one, other, here, there in facts.correlations
    ]
    words = "Rank correlations (Spearman) of numbers and dates: the pairs whose correlations differ most."
    table = Table(rows=rows, head=("Pair", "training rows", "samples"))
    return [Section(heading="Do numbers move together as they should?", paragraphs=[words], tables=[table])]


def _copying(facts: TableFacts) -> Section:
    words = [
        f"{100 * facts.copies:.2f} % of samples equal a training row in every column that was compared "
        "(identifiers are made anew and are not compared)."
    ]
    if facts.verdict is not None and facts.verdict.memorisation is not None:
        words.append(str(facts.verdict.memorisation["sentence"]))
    else:
        words.append("There were too few rows held back for the test of near copies.")
    return Section(
        heading="Are samples copies of training rows?", paragraphs=[*words, NO_COPIES_IS_NO_PROMISE]
    )
