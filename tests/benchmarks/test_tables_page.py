"""docs/tables.md is what docs/make_tables.py makes of the results, and its picture is there."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "docs" / "make_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_of_the_results(maker: ModuleType) -> None:
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    assert text == maker.page(), "stale: run python -m docs.make_tables"
    assert 0 < maker.PICTURE.stat().st_size < 150_000
    assert maker.draw().startswith(b"\x89PNG")


def test_every_part_says_what_was_measured_and_nothing_else(maker: ModuleType, tmp_path: Path) -> None:
    def record(row: str, right: float, **more: object) -> dict[str, object]:
        scores = {"mean4": 0.5, "boosting": 0.6, "boosting_auc": 0.7}
        figures = {
            "c2st_accuracy": right,
            "c2st_auc": right,
            "tstr": scores,
            "margin_excess": 0.01,
            "broken_format": [],
        }
        return {"set": "adult", "row": row, "seed": 0, "trained": 10, "judged": 9, **figures, **more}

    records = [
        record("ours", 0.55, jsd_lower=0.01, cpu_seconds=50.0),
        record("CTGAN", 0.98, jsd_lower=0.6, cpu_seconds=2000.0),
        record("CTGAN, repaired", 0.8, jsd_lower=0.3, cpu_seconds=2000.0),
    ]
    assert maker.completing(tmp_path) == maker.size(tmp_path) == ""
    (tmp_path / "benchmark_tables.json").write_text(json.dumps({"records": records}))
    by = {"jsd_lower": None, "accuracy": 0.5, "words_right": 0.7, "rank_error": 0.1, "cpu_seconds": 3.0}
    whole = {"set": "Adult", "rows": 8, "judged": 8, "hidden": 0.2, "trained": 10, "by": {"us": by}}
    (tmp_path / "complete.json").write_text(json.dumps(whole))
    step = {"fit": {"cpu_seconds": 7.4, "wall_seconds": 9.0, "peak_memory_mb": 1234}}
    (tmp_path / "tables_size.json").write_text(json.dumps({"10 rows": {"steps": step}}))
    page = maker.page(tmp_path)
    expected = (
        "adult: classifier accuracy (50 % is guessing) of ours 55.0 %; CTGAN 98.0 %, CTGAN, repaired 80.0 %."
    )
    assert expected in page
    assert "40.0 times as many CPU seconds as ours" in page
    assert "certified bound 0.0100 against 0.3000" in page
    assert "| us | none | 50.0 | 70.0 | 0.100 | 3 |" in page
    assert "| 10 rows | fit | 7 | 9 | 1,234 |" in page
