"""How good are tables, beside peers and baselines, on rows that nothing was trained on and nothing was chosen by?

A row of the table is a maker: `real` (the training rows themselves, what no maker can beat), `ours`, `base` (what our
generator started from, where it started from anything), `independent`, `copula`, and the files of peers.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from benchmarks.suites.table_baselines import MAKERS, made_apart, repaired
from benchmarks.suites.table_metrics import figures, sdmetrics_quality
from benchmarks.suites.table_sets import TableSet

ROWS = ("real", *MAKERS)
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
    """Return one record: what a maker took, and the figures of its rows; None where there is no such maker.

    peers: files of rows that others made of the same training rows; "NAME, repaired" mends the format of NAME first.
    """
    facts: dict[str, Any] = {}
    began = time.process_time()
    if row == "real":
        made: pd.DataFrame | None = tables.train
    elif peers is not None and row.removesuffix(", repaired") in peers:
        path = peers[row.removesuffix(", repaired")]
        made = _as_words(pd.read_csv(path)[list(tables.train.columns)], tables.train)
        beside = path.with_suffix(".json")
        facts = json.loads(beside.read_text()) if beside.is_file() else {}
        made = repaired(made, tables.train) if row.endswith(", repaired") else made
    else:
        made, facts = made_apart(row, tables.train, seed, folder, rounds=rounds)
    if made is None:
        return None
    found = figures(tables, made, bound=bound, copies=row != "real")
    if sdmetrics is not None:
        found["sdmetrics"] = sdmetrics_quality(tables, made, sdmetrics)
    return {
        "set": tables.name,
        "row": row,
        "seed": seed,
        "trained": len(tables.train),
        **facts,
        **found,
        "judging_cpu_seconds": round(time.process_time() - began, 1),
    }


def _as_words(made: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    """Return made rows with the codes of a column of words, which a peer was given as numbers, as these words."""
    for name in train:
        if pd.api.types.is_numeric_dtype(made[name]) and not pd.api.types.is_numeric_dtype(train[name]):
            words = {str(word).rpartition(" ")[2]: word for word in train[name].dropna().unique()}
            made = made.assign(**{str(name): made[name].map("{:g}".format).map(words)})
    return made


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
    """Measure every set, row and seed, keeping each record in `out`/tables.json at once; what is there is not redone.

    peers: by set and name, files of made rows; each is measured raw and repaired, once.
    """
    path = out / "tables.json"
    records: list[dict[str, Any]] = json.loads(path.read_text())["records"] if path.is_file() else []
    done = {(record["set"], record["row"], record["seed"]) for record in records}
    rows, seeds = list(rows), list(seeds)
    for tables in sets:
        files = (peers or {}).get(tables.name, {})
        wanted = [(row, seed) for row in rows for seed in (seeds if row in ("ours", "base") else seeds[:1])]
        wanted += [(f"{name}{mended}", seeds[0]) for name in files for mended in ("", ", repaired")]
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
        f"{record['set']}, {record['row']}, seed {record['seed']}: {bound}, told right "
        f"{100 * record['c2st_accuracy']:.1f} %, mean4 {record['tstr']['mean4']:.3f}, boosting "
        f"{record['tstr']['boosting']:.3f}"
    )


def table(records: list[dict[str, Any]]) -> str:
    """Return the records as one Markdown table a set; several seeds as their mean and range."""
    parts = []
    for name in dict.fromkeys(record["set"] for record in records):
        mine = [record for record in records if record["set"] == name]
        score = "R²" if mine[0]["tstr"].get("boosting_auc") is None else "F1"
        parts += [
            f"### {name}: {mine[0]['trained']:,} rows to train on, {mine[0].get('judged', 0):,} to judge by",
            "",
            f"| rows made by | seeds | certified JSD ≥ | told right, % (AUC) | four models' {score} | boosted {score} | worst "
            "margin | columns of broken format | exact copies, % | copying found | SDMetrics | CPU s | MB |",
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
