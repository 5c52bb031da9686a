"""Evaluation of a table model after training: verdict, TSTR, rank correlations, memorisation test, and their report sections.

The verdict reads the held-out test rows (vault), so it is made once for a round and kept in verdicts.jsonl.
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
from saddlepoint.fitting.final_verdict import model_pair
from saddlepoint.judging.c2st.validity_checks import FEWEST_CONTROL_ROWS
from saddlepoint.judging.inputs import judge_pair
from saddlepoint.judging.metrics.marginals import correlations
from saddlepoint.judging.metrics.tstr import TSTRScore, tstr
from saddlepoint.judging.verdict import Verdict, paragraphs
from saddlepoint.model import Model
from saddlepoint.runs.folder import RunFolder
from saddlepoint.runs.html_page import Section, Table

SEED, _ROWS = 2014, 5_000
_MOST_LISTED = 8
COPY_TEST_LIMIT = (
    "These tests find copied rows; they do not show that samples reveal nothing about single training rows."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class TableFacts:
    """What was measured on a table model.

    verdict: of the classifier two-sample test on the vault, or None.
    why_not: why there is no verdict, or None.
    uses: TSTR scores, one per predicted column.
    correlations: (column, column, in training rows, in samples), the largest difference first.
    """

    verdict: Verdict | None
    why_not: str | None
    uses: list[TSTRScore]
    correlations: list[tuple[str, str, float, float]]
    copies: float
    """Share of samples that equal a training row in all columns except identifiers."""


def measured(run: RunFolder, model: Model, preparation: Preparation) -> TableFacts:
    """Measure a run's model on its validation and test rows; a verdict that is stored for this round is reused."""
    verdict, why_not = _verdict(run, model, preparation)
    encoder = model.encoder
    if not isinstance(encoder, TableTransformer):
        raise InputError("This report needs the model of a table.")
    real = _some(preparation.train.rows)
    samples = model.draw(len(real), random_state=compute.derived_seed(SEED, "used"))[0]
    test_rows = preparation.monitor if preparation.monitor is not None else preparation.train
    kinds = {name: kind for name, kind in encoder.kinds.items() if kind != "constant"}
    columns = infer(real, kinds).columns
    sides = [real.reset_index(drop=True), samples, _some(test_rows.rows).reset_index(drop=True)]
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
            (first.names[one], first.names[other], of_real, of_samples)
            for one, other, of_real, of_samples in correlations(
                first.values, second.values, first.categorical
            )
        ][:_MOST_LISTED],
        copies=_copied(first.values, second.values),
    )


def _copied(real: np.ndarray[Any, Any], samples: np.ndarray[Any, Any]) -> float:
    known = {row.tobytes() for row in np.nan_to_num(real, nan=-1.5e300)}
    return float(np.mean([row.tobytes() in known for row in np.nan_to_num(samples, nan=-1.5e300)]))


def _some(frame: pd.DataFrame) -> pd.DataFrame:
    if len(frame) <= _ROWS:
        return frame
    return frame.iloc[np.sort(compute.numpy_generator(SEED, "shown").permutation(len(frame))[:_ROWS])]


def _verdict(run: RunFolder, model: Model, preparation: Preparation) -> tuple[Verdict | None, str | None]:
    """Return the verdict on this model, stored or new, and None; or None and the reason why there is none."""
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
            "No test rows were held out (vault), so the samples cannot be judged; give held-out rows with --holdout.",
        )
    if len(vault) < FEWEST_CONTROL_ROWS:
        return None, (
            f"{len(vault)} test rows were held out (vault), too few for a verdict (at least {FEWEST_CONTROL_ROWS} are needed); "
            "train on more rows, or give more held-out ones with --holdout."
        )
    seed = preparation.plan.settings.seed
    pair = model_pair(model, vault, preparation.train, seed=seed)
    verdict = judge_pair(pair, held_out="declared", random_state=seed)
    if before:
        again = (
            f"The test rows (vault) were read before, at round {before[-1]['round']:,}: if choices since then depended on that "
            "verdict, this bound is only indicative."
        )
        verdict = replace(verdict, notes=(*verdict.notes, again))
    record = {"kind": "verdict", "round": played, "opened": len(before) + 1, **verdict.to_dict()}
    run.append("verdicts.jsonl", record)
    return verdict, None


def summary(facts: TableFacts) -> str:
    """Return one sentence: the accuracy of a fresh classifier between real rows and samples, or why there is none."""
    verdict = facts.verdict
    if verdict is None:
        return facts.why_not or "There is no verdict."
    if verdict.jsd_lower is None:
        return f"No verdict: {verdict.notes[0] if verdict.notes else 'the reason was not recorded'}"
    return (
        f"A fresh classifier that tries to tell samples from real rows reaches an accuracy of "
        f"{100 * (verdict.accuracy or 0):.0f} % (50 % is guessing)."
    )


def sections(facts: TableFacts) -> list[Section]:
    """Return the sections of the report: verdict, TSTR, rank correlations, memorisation test."""
    return [
        *_verdict_section(facts),
        *_tstr_section(facts),
        *_correlation_section(facts),
        _memorisation_section(facts),
    ]


def places(verdict: Verdict) -> list[tuple[str, str]]:
    """Return the columns and pairs of columns with a certified difference, described, each with its bound in nats."""
    found = []
    for place in verdict.where:
        if place["jsd_lower"] is None or place["kind"] not in ("column", "pair"):
            continue
        if place["kind"] == "pair":
            what = " together with ".join(place["columns"])
        elif place["how"] == "values":
            what = f"{place['name']}, marginal distribution"
        else:
            what = f"{place['name']}, relation to {', '.join(place['with'][:4])}"
        found.append((what, f"{place['jsd_lower']:.4f}"))
    return found


def _verdict_section(facts: TableFacts) -> list[Section]:
    heading = "Verdict, on held-out test rows"
    if facts.verdict is None:
        return [Section(heading=heading, paragraphs=[facts.why_not or "There is no verdict."])]
    worst = places(facts.verdict)
    tables = []
    if worst:
        tables.append(
            Table(
                rows=worst[:_MOST_LISTED],
                head=("Where samples differ from real rows", "JSD at least (nats)"),
                caption="Columns and pairs of columns with the largest certified differences.",
            )
        )
    text = [line.strip() for line in paragraphs(replace(facts.verdict, memorisation=None, where=()))]
    return [Section(heading=heading, paragraphs=text, tables=tables)]


def _tstr_section(facts: TableFacts) -> list[Section]:
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
    text = (
        "Each column below was predicted from all others by boosted trees, trained once on samples and once on as many "
        "training rows, and tested on the same validation rows (monitor). Where the first score is near the second, samples "
        "can replace real rows in that task. Score of classes: balanced accuracy; of numbers: rank correlation of predicted "
        "and true values."
    )
    table = Table(
        rows=rows, head=("Predicted column", "trained on samples", "trained on real rows", "guessing")
    )
    return [
        Section(heading="TSTR: train on synthetic rows, test on real rows", paragraphs=[text], tables=[table])
    ]


def _correlation_section(facts: TableFacts) -> list[Section]:
    if not facts.correlations:
        return []
    rows = [
        (f"{one} and {other}", f"{of_real:+.3f}", f"{of_samples:+.3f}")
        for one, other, of_real, of_samples in facts.correlations
    ]
    text = "Spearman's rank correlations of numbers and dates: the pairs whose correlations differ most."
    table = Table(rows=rows, head=("Pair", "training rows", "samples"))
    return [Section(heading="Rank correlations", paragraphs=[text], tables=[table])]


def _memorisation_section(facts: TableFacts) -> Section:
    text = [
        f"{100 * facts.copies:.2f} % of samples equal a training row in every column that was compared (identifiers are new "
        "in every sample and are not compared)."
    ]
    if facts.verdict is not None and facts.verdict.memorisation is not None:
        text.append(str(facts.verdict.memorisation["sentence"]))
    else:
        text.append("Too few rows were held out for the test of near copies.")
    return Section(heading="Memorisation test", paragraphs=[*text, COPY_TEST_LIMIT])
