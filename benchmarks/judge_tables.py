"""Write the measured tables of docs/judge.md from benchmarks/results/judge_*.json.

    python -m benchmarks.judge_tables [--check]

Each table is between `<!-- NAME -->` and `<!-- end -->`;
--check exits 1 if the page is not what the results say.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "judge.md"


def stored(name: str) -> dict:
    return json.loads((RESULTS / f"judge_{name}.json").read_text())


def grid(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def truth() -> str:
    rows = stored("truth")["rows"]
    sizes = sorted({row["n"] for row in rows})
    by_pair: dict[str, dict[int, dict]] = {}
    for row in rows:
        by_pair.setdefault(row["pair"], {})[row["n"]] = row
    lines = []
    for name, found in by_pair.items():
        truth = next(iter(found.values()))["jsd"]
        cells = [
            f"{found[n]['estimate']:.4f} / {found[n]['lower']:.4f} / {found[n]['seconds']:.0f} s"
            if n in found
            else ""
            for n in sizes
        ]
        lines.append([name.replace("|", "vs"), f"{truth:.5f}", *cells])
    out = grid(["pair", "true JSD", *(f"{n:,} rows: estimate / bound / time" for n in sizes)], lines)
    for n in sizes:
        large = [row for row in rows if row["n"] == n and row["jsd"] >= 0.03]
        share = statistics.median(row["lower"] / row["jsd"] for row in large)
        error = statistics.median(abs(row["estimate"] / row["jsd"] - 1) for row in large)
        above = sum(row["lower"] > row["jsd"] for row in rows if row["n"] == n)
        out += (
            f"\n\nAt {n:,} rows, median over the {len(large)} pairs with a JSD of at least 0.03: bound "
            f"{100 * share:.0f} % of the truth, estimate {100 * error:.1f} % off; "
            f"{above} of {len(by_pair)} bounds above the truth."
        )
    return out


def coverage() -> str:
    found = stored("coverage")
    rows = []
    for row in found["rows"]:
        share, name = f"{100 * row['share_above']:.1f} %", row["pair"].replace("|", "vs")
        rows.append([name, f"{row['jsd']:.6f}", row["repeats"], share, f"{row['median_lower']:.4f}"])
    head = ["pair", "true JSD", "repeats", "bound above the truth", "median bound"]
    about = (
        f"Pool: {found['pool']}; {found['real_rows']:,} real rows, {found['fakes_per_real']} fakes for each."
    )
    return f"{grid(head, rows)}\n\n{about}"


def null() -> str:
    rows = [
        [row["data"], f"{row['real_rows']:,} / {row['fake_rows']:,}", row["seeds"], row["certified"],
         row["columns_named"], f"{100 * row['mean_accuracy']:.1f} %"]
        for row in stored("null")["rows"]
    ]  # fmt: skip
    return grid(["data", 'real / "fake" rows', "seeds", "certified", "columns named", "mean accuracy"], rows)


def power() -> str:
    cases: dict[str, list[dict]] = {}
    for row in stored("power")["rows"]:
        name = "MNIST without one class" if row["case"].startswith("MNIST") else row["case"]
        cases.setdefault(name, []).append(row)
    rows = []
    for name, found in cases.items():
        lower = statistics.median(row["lower"] for row in found)
        right = f"{sum(row['right'] for row in found)} of {len(found)}" if "right" in found[0] else ""
        estimate = statistics.median(row["estimate"] for row in found)
        rows.append([name, len(found), f"{lower:.4f}", f"{estimate:.4f}", right])
    return grid(["planted", "runs", "median bound", "median estimate", "certified and correctly named"], rows)


def speed() -> str:
    found = stored("speed")
    rows = [
        [
            row["case"],
            f"{row['seconds']:.0f} s",
            f"{row['limit']} s",
            row["load_before"],
            row["peak_memory_gib"],
        ]
        for row in found["rows"]
    ]
    head = ["verdict with null control", "time", "wanted", "load before", "peak memory, GiB (so far)"]
    return grid(head, rows)


def foreign() -> str:
    rows = []
    for row in stored("foreign")["rows"]:
        right = f"{100 * row['accuracy']:.1f} %"
        rows.append(
            [row["generator"], f"{row['lower']:.4f}", f"{row['estimate']:.4f}", right, len(row["formats"])]
        )
    return grid(["generator", "bound", "estimate", "classifier accuracy", "columns of another format"], rows)


def copies() -> str:
    found = stored("copies")
    rows = [[name, f"{row['found']} of {row['runs']}"] for name, row in found["cases"].items()]
    return f"{grid(['case', 'copies found'], rows)}\n\nLevel {found['level']}."


TABLES = {table.__name__: table for table in (truth, coverage, null, power, speed, foreign, copies)}


def filled(page: str) -> str:
    for name, table in TABLES.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(page):
            raise SystemExit(f"docs/judge.md has no place for the table {name!r}")
        page = pattern.sub(lambda found, table=table: found[1] + table() + "\n" + found[2], page)
    return page


if __name__ == "__main__":
    page = PAGE.read_text()
    if "--check" in sys.argv:
        raise SystemExit(int(filled(page) != page))
    PAGE.write_text(filled(page))
