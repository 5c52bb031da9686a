"""Benchmark of synthetic tables: ours beside peers and baselines, on rows used for neither training nor any choice.

A row of the results is a source of samples: `real` (the training rows themselves, an upper limit for all), `ours`, `base` (the
fitted start of our generator, if it has one), `independent`, `copula`, and the files of peers.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from benchmarks.suites.table_baselines import SOURCES, repaired, samples_in_subprocess
from benchmarks.suites.table_metrics import figures, sdmetrics_quality
from benchmarks.suites.table_sets import TableSet

ROWS = ("real", *SOURCES)
_ORDER = ("real", "ours", "base", "independent", "copula")


def measure(
    tables: TableSet,
    row: str,
    seed: int,
    folder: Path,
    *,
    peers: Mapping[str, Path] | None = None,
    rounds: int | None = None,
    bound: bool = True,
    sdmetrics: str | None = None,
) -> dict[str, Any] | None:
    """Return one record: the cost of a source and the metrics of its rows; None if there is no such source.

    tables: the set.
    row: the source of rows.
    seed: seed of the source.
    folder: folder of the generated rows.
    peers: files of rows that other programs generated from the same training rows; "NAME, repaired" first repairs the format.
    rounds: rounds of our game; by recipe if None.
    bound: also judge the rows.
    sdmetrics: a Python interpreter that has SDMetrics.
    """
    facts: dict[str, Any] = {}
    began = time.process_time()
    if row == "real":
        samples: pd.DataFrame | None = tables.train
    elif peers is not None and row.removesuffix(", repaired") in peers:
        path = peers[row.removesuffix(", repaired")]
        samples = _words_restored(pd.read_csv(path)[list(tables.train.columns)], tables.train)
        costs = path.with_suffix(".json")
        facts = json.loads(costs.read_text()) if costs.is_file() else {}
        samples = repaired(samples, tables.train) if row.endswith(", repaired") else samples
    else:
        samples, facts = samples_in_subprocess(row, tables.train, seed, folder, rounds=rounds)
    if samples is None:
        return None
    found = figures(tables, samples, bound=bound, copies=row != "real")
    if sdmetrics is not None:
        found["sdmetrics"] = sdmetrics_quality(tables, samples, sdmetrics)
    return {
        "set": tables.name,
        "row": row,
        "seed": seed,
        "trained": len(tables.train),
        **facts,
        **found,
        "judging_cpu_seconds": round(time.process_time() - began, 1),
    }


def _words_restored(samples: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    """Return a peer's rows with words restored in columns of words that the peer was given as numbers."""
    for name in train:
        if pd.api.types.is_numeric_dtype(samples[name]) and not pd.api.types.is_numeric_dtype(train[name]):
            words = {str(word).rpartition(" ")[2]: word for word in train[name].dropna().unique()}
            samples = samples.assign(**{str(name): samples[name].map("{:g}".format).map(words)})
    return samples


def run(
    sets: Iterable[TableSet],
    rows: Iterable[str],
    seeds: Iterable[int],
    out: Path,
    *,
    peers: Mapping[str, Mapping[str, Path]] | None = None,
    say: Callable[[str], None] = print,
    **how: Any,
) -> list[dict[str, Any]]:
    """Measure every set, row and seed; each record is stored in `out`/tables.json at once, and stored ones are not repeated.

    sets: the sets.
    rows: the sources of rows.
    seeds: the seeds of our game; other sources have the first only.
    out: folder of tables.json, tables.md and generated rows.
    peers: files of peers' rows, by set and name; each is measured once as it is and once repaired.
    say: prints progress.
    how: further arguments of `measure`.
    """
    path = out / "tables.json"
    records: list[dict[str, Any]] = json.loads(path.read_text())["records"] if path.is_file() else []
    done = {(record["set"], record["row"], record["seed"]) for record in records}
    rows, seeds = list(rows), list(seeds)
    for tables in sets:
        files = (peers or {}).get(tables.name, {})
        wanted = [(row, seed) for row in rows for seed in (seeds if row in ("ours", "base") else seeds[:1])]
        wanted += [(f"{name}{suffix}", seeds[0]) for name in files for suffix in ("", ", repaired")]
        for row, seed in wanted:
            if (tables.name, row, seed) in done:
                continue
            record = measure(tables, row, seed, out / "made" / tables.name, peers=files, **how)
            if record is None:
                continue
            records.append(record)
            out.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"records": records}, indent=1, default=float) + "\n")
            say(_line(record))
    (out / "tables.md").write_text(table(records))
    return records


def _line(record: Mapping[str, Any]) -> str:
    bound = "no bound" if record.get("jsd_lower") is None else f"JSD >= {record['jsd_lower']:.4f}"
    return (
        f"{record['set']}, {record['row']}, seed {record['seed']}: {bound}, classifier accuracy "
        f"{100 * record['c2st_accuracy']:.1f} %, TSTR mean4 {record['tstr']['mean4']:.3f}, boosting "
        f"{record['tstr']['boosting']:.3f}"
    )


def table(records: list[dict[str, Any]]) -> str:
    """Return the records as one Markdown table for each set; several seeds are shown by mean and range."""
    parts = []
    for name in dict.fromkeys(record["set"] for record in records):
        mine = [record for record in records if record["set"] == name]
        score = "R²" if mine[0]["tstr"].get("boosting_auc") is None else "F1"
        parts += [
            f"### {name}: {mine[0]['trained']:,} training rows, {mine[0].get('judged', 0):,} test rows",
            "",
            f"| samples from | seeds | certified JSD ≥ | classifier accuracy, % (AUC) | TSTR: four models' {score} | TSTR: "
            f"boosted trees' {score} | worst marginal, TV | columns with broken format | exact copies, % | copies found "
            "(memorisation test) | SDMetrics | CPU s | MB |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for row in sorted(dict.fromkeys(record["row"] for record in mine), key=_place):
            parts.append(_row(row, [record for record in mine if record["row"] == row]))
        parts.append("")
    return "\n".join(parts)


def _place(row: str) -> tuple[int, str]:
    return (_ORDER.index(row) if row in _ORDER else len(_ORDER), row)


def _row(row: str, found: list[dict[str, Any]]) -> str:
    def spread(values: list[Any], form: str) -> str:
        kept = [value for value in values if value is not None]
        if not kept:
            return "-"
        middle = format(statistics.mean(kept), form)
        low, high = format(min(kept), form), format(max(kept), form)
        return middle if low == high else f"{middle} ({low} to {high})"

    copied = [record["copying"]["copying"] for record in found if record.get("copying")]
    cells = [
        row,
        str(len(found)),
        spread([record.get("jsd_lower") for record in found], ".4f"),
        f"{spread([100 * record['c2st_accuracy'] for record in found], '.1f')} "
        f"({spread([record['c2st_auc'] for record in found], '.3f')})",
        spread([record["tstr"]["mean4"] for record in found], ".3f"),
        spread([record["tstr"]["boosting"] for record in found], ".3f"),
        spread([record["margin_excess"] for record in found], ".3f"),
        spread([len(record["broken_format"]) for record in found], ".0f"),
        spread([None if (x := record.get("exact_copies")) is None else 100 * x for record in found], ".2f"),
        f"{sum(copied)} of {len(copied)}" if copied else "-",
        spread([record.get("sdmetrics") for record in found], ".3f"),
        spread([record.get("cpu_seconds") for record in found], ".0f"),
        spread([record.get("peak_memory_mb") for record in found], ".0f"),
    ]
    return f"| {' | '.join(cells)} |"
