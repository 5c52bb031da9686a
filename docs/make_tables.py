"""Write docs/tables.md and its pictures from benchmarks/results: `python -m docs.make_tables`.

No result on that page is typed by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.suites.tables import table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "tables.md"
PICTURE = ROOT / "docs" / "images" / "tables.png"
Records = list[dict[str, Any]]

HEAD = """# Tables: fidelity, usefulness and speed, compared with other methods

```sh
python -m benchmarks tables --sets diabetes,cancer                                       # the sets in scikit-learn
python -m benchmarks tables --data data --peer adult:CTGAN=adult-ctgan.csv               # Adult, Titanic, taxis, a peer
```

![Classifier accuracy by source of the samples](images/tables.png)

*Accuracy of a new boosted classifier of synthetic rows and real test rows, by table and source; 50 % is guessing, which is also
what real rows reach. One mark per seed.*

A table is split in two halves at random: training and test rows. Adult comes as two files. No seed, recipe or setting was
chosen on the test rows used here.
"""

WHAT = """
## Metrics

- **certified JSD**: with 95 % confidence the Jensen-Shannon divergence to the data is at least this (nats; 0 means that no
  difference is certified, 0.693 is the largest possible value): `saddlepoint judge` on the test rows, with as many synthetic
  rows as training rows.
- **classifier accuracy** (C2ST): a boosted classifier of real and synthetic rows (60 % to fit, 40 % to test); the mean of two
  splits, and its area under the ROC curve. 50 % is guessing.
- **TSTR** (train on synthetic rows, test on real ones): F1 of the rarer class (R² if a number is predicted); the mean
  of a linear model, a tree, AdaBoost and a small network, and that of boosted trees.
- **worst marginal**: the largest total variation distance of a column to the test rows (numbers in 20 bins), minus that of real
  training rows.
- **columns with broken format**: with synthetic cells outside the training rows' range, or with fractions or decimals that no
  real cell has.
- **SDMetrics**: its quality score against the test rows. It averages over columns and pairs, most of which show no trend, and
  scores independent columns about as high as CTGAN (SDMetrics issue 815): a score near 1 means that marginals are right, little
  more.
- **CPU s, MB**: of a separate process (imports included; for CTGAN of all its processes), to fit and sample. One thread. Nearly
  all ran while other jobs used the same two cores, not always equally many; full caches cost CPU seconds too. An earlier recipe
  took 39 s for Adult, beside CTGAN in the same hour: 1/37 of its seconds.

Sources: **real** are the training rows themselves, an upper limit for all; **ours** is the default recipe; **base** is the
fitted start of its generator, before the game; **independent** draws every column independently; **copula** is a Gaussian
copula with empirical marginals. Peers have their own names and default settings (300 epochs); *repaired*: every number moved to
the nearest training value, and functional dependencies restored, which saddlepoint's encoding does anyway.
"""


def records_of(results: Path) -> Records:
    """Return the stored records; none if there is no results file."""
    path = results / "benchmark_tables.json"
    records: Records = json.loads(path.read_text())["records"] if path.is_file() else []
    return records


def sentences(records: Records) -> str:
    """Return a summary of each set's records in words."""
    lines = ["\n## Summary\n"]
    for name in dict.fromkeys(record["set"] for record in records):
        mine = {
            row: [r for r in records if (r["set"], r["row"]) == (name, row)] for row in _rows(records, name)
        }
        ours = mine.get("ours")
        if not ours:
            continue
        others = [
            f"{row} {_mean(found, 'c2st_accuracy', 100):.1f} %"
            for row, found in mine.items()
            if row not in ("ours", "base")
        ]
        lines.append(
            f"- {name}: classifier accuracy (50 % is guessing) of ours {_mean(ours, 'c2st_accuracy', 100):.1f} %; "
            f"{', '.join(others)}."
        )
        lines += [f"  - {note}" for note in dict.fromkeys(record.get("note") for record in ours) if note]
        if base := mine.get("base"):
            before, after = (_mean(each, "c2st_accuracy", 100) for each in (base, ours))
            effect = "the game changed little" if abs(before - after) < 1.5 else "the game helped"
            effect = "here the game made it worse" if after - before >= 1.5 else effect
            lines.append(f"  - the start of the generator, before the game: {before:.1f} %; {effect}.")
        for peer in [
            row for row in mine if row.startswith(("CTGAN", "TVAE")) and not row.endswith("repaired")
        ]:
            seconds = mine[peer][0].get("cpu_seconds")
            repaired = mine.get(f"{peer}, repaired", mine[peer])
            theirs = min(_mean(mine[peer], "jsd_lower", 1), _mean(repaired, "jsd_lower", 1))
            bounds = [_mean(ours, "jsd_lower", 1), theirs]
            if seconds and ours[0].get("cpu_seconds"):
                # If a peer was measured on another machine than ours, its record also holds the time of ours there.
                ratio = seconds / (mine[peer][0].get("ours_cpu_seconds") or _mean(ours, "cpu_seconds", 1))
                lines.append(
                    f"  - {peer} took {ratio:.1f} times as many CPU seconds as ours; certified bound {bounds[0]:.4f} against "
                    f"{bounds[1]:.4f} for {peer} (repaired, if that is lower)."
                )
        copied = [record for record in ours if record.get("copying", {}).get("copying")]
        if copied:
            shares = [100 * record["copying"]["share"] for record in copied]
            lines.append(
                f"  - the memorisation test found samples too near to training rows in {len(copied)} of {len(ours)} games "
                f"({min(shares):.0f} to {max(shares):.0f} % nearer to one than to a test row, 50 % expected; no exact copies)."
            )
    return "\n".join(lines) + "\n"


def _rows(records: Records, name: str) -> list[str]:
    return list(dict.fromkeys(record["row"] for record in records if record["set"] == name))


def _mean(found: Records, key: str, factor: float) -> float:
    values = [record[key] for record in found if record.get(key) is not None]
    return factor * sum(values) / len(values) if values else float("nan")


def completing(results: Path) -> str:
    """Return the section on imputation; empty if it was not measured."""
    path = results / "complete.json"
    if not path.is_file():
        return ""
    stored = json.loads(path.read_text())
    lines = [
        "\n## Imputation\n",
        f"`python -m benchmarks.complete_check`: in {stored['rows']:,} test rows of {stored['set']} "
        f"{100 * stored['hidden']:.0f} % of the cells were hidden and imputed; the completed table is judged against "
        f"{stored['judged']:,} other test rows. scikit-learn's IterativeImputer predicts the mean of a cell (or, with "
        "`sample_posterior`, draws from a normal distribution around it); `saddlepoint complete` draws from the learnt "
        "conditional distribution.\n",
        "| imputed by | certified JSD ≥ | classifier accuracy, % | correct words, % | mean error of numbers (ranks) | CPU s |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in stored["by"].items():
        bound = "none" if each["jsd_lower"] is None else f"{each['jsd_lower']:.4f}"
        lines.append(
            f"| {name} | {bound} | {100 * each['accuracy']:.1f} | {100 * each['words_right']:.1f} "
            f"| {each['rank_error']:.3f} | {each['cpu_seconds']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def conditions(results: Path) -> str:
    """Return the section on conditional rows; empty if they were not measured."""
    path = results / "conditions.json"
    if not path.is_file():
        return ""
    stored = json.loads(path.read_text())
    lines = [
        "\n## Conditional rows\n",
        "`python -m benchmarks.conditions_check`: Adult, one game. As many rows are drawn with `--given` as test rows meet the "
        "condition, and are judged against these on all columns except the given one. For comparison: as many unconditional "
        "rows (because a bound grows with the number of rows), and unconditional rows whose cell is overwritten.\n",
        "| condition | test rows | rows | certified JSD ≥ | classifier accuracy, % (AUC) |",
        "|---|---|---|---|---|",
    ]
    for name, found in stored["by"].items():
        for row, each in found.items():
            if isinstance(each, dict):
                bound = "none" if each["jsd_lower"] is None else f"{each['jsd_lower']:.4f}"
                lines.append(
                    f"| {name} | {found['rows']:,} ({100 * found['share']:.0f} %) | {row} | {bound} "
                    f"| {100 * each['c2st_accuracy']:.1f} ({each['c2st_auc']:.3f}) |"
                )
    slowest = max(found["cpu_seconds_for_1000"] for found in stored["by"].values())
    lines.append(f"\n1,000 rows of a condition take at most {slowest:.1f} CPU seconds.")
    return "\n".join(lines) + "\n"


_STEPS = {"bring all rows to levels": "encode all rows as codes"}
"""Steps as tables_size.json stores them, and in today's terms."""


def size(results: Path) -> str:
    """Return the section on large tables; empty if they were not measured."""
    path = results / "tables_size.json"
    if not path.is_file():
        return ""
    lines = [
        "\n## Large tables\n",
        "`python -m benchmarks.tables_size`; each in a separate process, one thread, on a machine whose two cores other jobs "
        "used too: wall seconds depend on these jobs, CPU seconds measure the work.\n",
        "| table | step | CPU s | wall s | peak memory, MB |",
        "|---|---|---|---|---|",
    ]
    stored = json.loads(path.read_text())
    for name, found in stored.items():
        for step, took in found["steps"].items():
            lines.append(
                f"| {name} | {step} | {took['cpu_seconds']:.0f} | {took['wall_seconds']:.0f} | {took['peak_memory_mb']:,} |"
            )
    for name, found in stored.items():
        if "rank_error" in found:
            lines.append(
                f"\n{name}: {found['columns']} columns ({found['file_mb']:,} MB), encoded as {found['width']} features; the "
                f"error of a number's rank is at most {100 * found['rank_error']:.4f} % of the rows."
            )
        if "share_real_and_made" in found:
            shares = "; ".join(
                f"{words}: {100 * real:.1f} % of rows, {100 * made:.1f} % of samples"
                for words, (real, made) in found["share_real_and_made"].items()
            )
            lines.append(
                f"\n{name} ({found['distinct_in_rows']:,} of them in {found['rows']:,} rows): {shares}. There are "
                f"{found['distinct_in_samples']:,} different ones in the samples, and "
                f"{found['distinct_in_as_many_rows']:,} in as many real rows."
            )
    text = "\n".join(lines) + "\n"
    for old, new in _STEPS.items():
        text = text.replace(f"| {old} |", f"| {new} |")
    return text


def page(results: Path = RESULTS) -> str:
    """Return the complete page."""
    records = records_of(results)
    return (
        HEAD
        + sentences(records)
        + WHAT
        + "\n## All results\n\n"
        + table(records)
        + conditions(results)
        + completing(results)
        + size(results)
    )


def draw(results: Path = RESULTS) -> bytes:
    """Return the picture, as PNG: classifier accuracy by set and source."""
    from matplotlib.figure import Figure

    from saddlepoint.drawing import style
    from saddlepoint.drawing.style import to_png

    records = records_of(results)
    sets = list(dict.fromkeys(record["set"] for record in records))
    rows = {name: sorted(_rows(records, name), key=_order) for name in sets}
    heights = [len(found) for found in rows.values()] or [1]
    figure = Figure(
        figsize=(7.2, 0.6 + 0.26 * sum(heights) + 0.3 * len(sets)),
        layout="constrained",
        facecolor=style.PAPER,
    )
    panels = figure.subplots(max(1, len(sets)), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for panel, name in zip(panels, sets, strict=False):
        for place, row in enumerate(rows[name]):
            found = [100 * r["c2st_accuracy"] for r in records if (r["set"], r["row"]) == (name, row)]
            pen = {"marker": "o", "mfc": style.PAPER, "mec": style.QUIET, "ms": 5}
            if row == "ours":
                pen = {"marker": style.MODEL.marker, "color": style.MODEL.colour, "ms": 6}
            panel.plot(found, [place] * len(found), ls="none", **pen)
        panel.axvline(50, color=style.FAINT, lw=1.2, zorder=0)
        panel.set_title(name, loc="left", fontsize=9, color=style.INK)
        panel.set_yticks(range(len(rows[name])), rows[name], fontsize=8)
        panel.set_ylim(len(rows[name]) - 0.5, -0.5)
        panel.tick_params(labelsize=8, colors=style.QUIET, length=0)
        for side in ("top", "right", "left"):
            panel.spines[side].set_visible(False)
        panel.spines["bottom"].set_color(style.FAINT)
    panels[-1].set_xlim(45, 101)
    panels[-1].set_xlabel("classifier accuracy, % (50 is guessing)", fontsize=9)
    return to_png(figure, colours=64)


def _order(row: str) -> tuple[int, str]:
    known = ("real", "ours", "base", "independent", "copula")
    return (known.index(row) if row in known else len(known), row)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    PICTURE.write_bytes(draw())
