"""docs/judge.md shows what the stored measurements say, and they are what was asked for."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def stored(name):
    return json.loads((RESULTS / f"judge_{name}.json").read_text())["rows"]


def test_the_page_is_what_the_results_say():
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "judge_tables.py"), "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, "run python -m benchmarks.judge_tables"


def test_known_truths_are_met():
    rows = [row for row in stored("truth") if row["n"] == 10_000 and row["jsd"] >= 0.03]
    assert len(rows) >= 15
    assert statistics.median(row["lower"] / row["jsd"] for row in rows) >= 0.75
    assert statistics.median(abs(row["estimate"] / row["jsd"] - 1) for row in rows) <= 0.12


def test_coverage_null_and_power_are_met():
    assert len(stored("coverage")) == 4
    assert all(row["repeats"] >= 400 and row["share_above"] <= 0.05 for row in stored("coverage"))
    assert all(
        row["certified"] <= 0.05 * row["seeds"] and row["columns_named"] == 0 for row in stored("null")
    )
    shuffled = [
        row["right"] for row in stored("power") if row["case"].endswith(" shuffled") and "right" in row
    ]
    assert len(shuffled) == 20
    assert sum(shuffled) >= 18
