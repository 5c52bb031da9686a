"""The page of a verdict: which columns it shows first, and as what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from saddlepoint.drawing.tables import Drawn
from saddlepoint.judging.inputs import judge_pair, open_pair
from saddlepoint.judging.verdict import Verdict
from saddlepoint.runs import verdict_page

PLAIN = Verdict(
    certified=True,
    jsd_lower=0.5,
    jsd_estimate=0.6,
    confidence=0.95,
    floor=0.01,
    accuracy=0.9,
    tv_lower=0.7,
    referee="stack",
    n_fit=500,
    n_select=200,
    n_evaluate=300,
    fakes_per_real=1,
    held_out="declared",
)
TAXIS = ("pickup", "dropoff", "passengers", "distance", "fare", "tip", "total", "colour")


def test_columns_of_certified_places_come_first_the_strongest_first() -> None:
    where = (
        {"kind": "column", "name": "tip", "jsd_lower": 0.09, "how": "relation", "with": ["fare"]},
        {"kind": "column", "name": "fare", "jsd_lower": 0.26, "how": "relation", "with": ["total", "tip"]},
        {"kind": "pair", "name": "", "columns": ["pickup", "dropoff"], "jsd_lower": 0.48},
        {"kind": "column", "name": "total", "jsd_lower": 0.16, "how": "relation", "with": ["distance"]},
        {"kind": "region", "name": "", "columns": ["passengers", "tip"], "jsd_lower": 0.03},
        {"kind": "rows", "name": "real", "indices": [1], "jsd_lower": None},
    )
    order, named = verdict_page.column_order(replace(PLAIN, where=where), TAXIS)
    assert [TAXIS[i] for i in order] == [
        *("pickup", "dropoff", "fare", "total", "distance", "tip", "passengers", "colour")
    ]
    assert named == 7


def table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2019-03-01")
    return pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.2, np.nan, rng.integers(1, 80, n)),
            "sex": rng.choice(["male", "female"], n),
            "when": (start + pd.to_timedelta(rng.integers(0, 30, n), unit="D")).strftime("%Y-%m-%d"),
            "cabin": [f"C{seed}-{i}" if i % 4 == 0 else None for i in range(n)],
        }
    )


def test_the_page_draws_columns_as_what_they_are_and_lists_missing_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = open_pair(table(300, 0), table(300, 1))
    drawn: list[tuple[int, Drawn]] = []
    draw = verdict_page.table_pairs

    def spy(real: np.ndarray, fake: np.ndarray, columns: list[Drawn]) -> object:
        drawn.extend((len(real), column) for column in columns)
        return draw(real, fake, columns)

    monkeypatch.setattr(verdict_page, "table_pairs", spy)
    verdict = judge_pair(pair, pool="quick", control=False)
    verdict_page.write_verdict_page(tmp_path / "v.html", verdict, pair, real="a.csv", fake="b.csv")
    assert {rows for rows, _ in drawn} == {300}
    assert {column.name: column.kind for _, column in drawn} == {
        "age": "number",
        "sex": "category",
        "when": "date",
        "cabin (missing or not)": "category",
    }
    assert {column.words for _, column in drawn if column.name == "sex"} <= {
        ("male", "female"),
        ("female", "male"),
    }
    page = (tmp_path / "v.html").read_text()
    assert "Missing cells" in page
    assert "75.0% of real, 75.0% of fake" in page
    assert "samples of the model" not in page
