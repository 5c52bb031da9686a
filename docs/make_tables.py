"""Write docs/tables.md and its pictures from benchmarks/results: `python -m docs.make_tables`.

No figure on that page is typed by hand.
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

HEAD = """# Tables: how near, how useful, how fast, beside what else there is

```sh
python -m benchmarks tables --sets diabetes,cancer                                       # what scikit-learn ships
python -m benchmarks tables --data data --peer adult:CTGAN=adult-ctgan.csv               # Adult, Titanic, taxis, a peer
```

![What a fresh classifier tells right, by who made the rows](images/tables.png)

*How often a fresh boosted classifier tells made rows from real ones that nobody was trained on, by table and maker; 50 % is
guessing, and where real rows themselves lie. One mark a seed.*

A table is cut in two halves by row number: one to train on, one to judge by. Adult comes as two files. No seed, recipe or
setting was chosen by the rows judged here.
"""

WHAT = """
## What each figure is

- **certified JSD**: with 95 % confidence the Jensen-Shannon divergence to the data is at least this (nats; 0 is nothing
  certified, 0.693 the largest there is): `saddlepoint judge` on the held-out half, as many made rows as were trained on.
- **told right**: a boosted classifier is shown real and made rows (60 % to learn from, 40 % to be asked); the mean of two
  splits, and its area under the ROC curve.
- **four models, boosted**: trained on made rows, tested on real ones: F1 of the rarer class (R² where a number is
  predicted) of a linear model, a tree, AdaBoost and a small network, their mean; and of boosted trees.
- **worst margin**: the column whose shares are farthest from the held-out rows' (total variation, numbers in 20 bins), less
  what real training rows have.
- **columns of broken format**: made cells outside the training rows' bounds, or with fractions or digits that no real cell has.
- **SDMetrics**: its quality score against the held-out rows. It averages columns and pairs, most of which show no trend, and
  rates independent columns about as high as CTGAN (SDMetrics issue 815): a score near 1 says that margins are right, little
  more.
- **CPU s, MB**: of a process of its own (imports included; of CTGAN all its processes), to fit and sample. One thread.
  Nearly all ran while other jobs shared the two cores, not always as many; busy caches cost CPU seconds too. An earlier recipe
  took 39 s for Adult beside CTGAN in the same hour, 1/37 of its seconds.

Makers: **real** are the training rows themselves, what no maker can beat; **ours** the default recipe; **base** what its
generator starts from before the game; **independent** every column drawn on its own; **copula** a Gaussian copula with
empirical margins; peers by their own names, at their own defaults (300 epochs), *repaired*: every number moved to the nearest
training value, and functions of a column restored, which saddlepoint's encoding does anyway.
"""


def records_of(results: Path) -> Records:
    """Return the records of a results file, none where it is not there."""
    path = results / "benchmark_tables.json"
    found: Records = json.loads(path.read_text())["records"] if path.is_file() else []
    return found


def sentences(records: Records) -> str:
    """Return what the records say of each set, in words."""
    lines = ["\n## In short\n"]
    for name in dict.fromkeys(record["set"] for record in records):
        mine = {
            row: [r for r in records if (r["set"], r["row"]) == (name, row)] for row in _rows(records, name)
        }
        ours = mine.get("ours")
        if not ours:
            continue
        said = [f"told right {_mean(ours, 'c2st_accuracy', 100):.1f} % of the time"]
        for row, found in mine.items():
            if row not in ("ours", "base"):
                said.append(f"{row} {_mean(found, 'c2st_accuracy', 100):.1f} %")
        lines.append(f"- {name}: ours are {said[0]}; {', '.join(said[1:])}.")
        lines += [f"  - {note}" for note in dict.fromkeys(record.get("note") for record in ours) if note]
        if base := mine.get("base"):
            before, after = (_mean(each, "c2st_accuracy", 100) for each in (base, ours))
            worse = "the game changed little" if abs(before - after) < 1.5 else "the game helped"
            worse = "here the game did harm" if after - before >= 1.5 else worse
            lines.append(f"  - before the game, from where its generator starts: {before:.1f} %; {worse}.")
        for peer in [
            row for row in mine if row.startswith(("CTGAN", "TVAE")) and not row.endswith("repaired")
        ]:
            seconds = mine[peer][0].get("cpu_seconds")
            mended = mine.get(f"{peer}, repaired", mine[peer])
            theirs = min(_mean(mine[peer], "jsd_lower", 1), _mean(mended, "jsd_lower", 1))
            bounds = [_mean(ours, "jsd_lower", 1), theirs]
            if seconds and ours[0].get("cpu_seconds"):
                # A peer measured on another machine than ours carries what ours took there.
                ratio = seconds / (mine[peer][0].get("ours_cpu_seconds") or _mean(ours, "cpu_seconds", 1))
                lines.append(
                    f"  - {peer} took {ratio:.1f} times as many CPU seconds as ours; certified bound {bounds[0]:.4f} against "
                    f"{bounds[1]:.4f} of {peer} (repaired, where that is lower)."
                )
        copied = [record for record in ours if record.get("copying", {}).get("copying")]
        if copied:
            shares = [100 * record["copying"]["share"] for record in copied]
            lines.append(
                f"  - the copying test found nearness to training rows in {len(copied)} of {len(ours)} games "
                f"({min(shares):.0f} to {max(shares):.0f} % nearest to one, 50 % expected; no exact copies)."
            )
    return "\n".join(lines) + "\n"


def _rows(records: Records, name: str) -> list[str]:
    return list(dict.fromkeys(record["row"] for record in records if record["set"] == name))


def _mean(found: Records, key: str, factor: float) -> float:
    values = [record[key] for record in found if record.get(key) is not None]
    return factor * sum(values) / len(values) if values else float("nan")


def completing(results: Path) -> str:
    """Return the section on filled-in cells, where it was measured."""
    path = results / "complete.json"
    if not path.is_file():
        return ""
    stored = json.loads(path.read_text())
    lines = [
        "\n## Missing cells filled in\n",
        f"`python -m benchmarks.complete_check`: of {stored['rows']:,} held-out rows of {stored['set']} "
        f"{100 * stored['hidden']:.0f} % of the cells were hidden and filled in; the completed table is judged against "
        f"{stored['judged']:,} others. scikit-learn's IterativeImputer fills in the mean of what a cell may be (or, by "
        "`sample_posterior`, a draw of a normal law about it); `saddlepoint complete` draws from what was learnt.\n",
        "| filled in by | certified JSD ≥ | told right, % | words right, % | error of numbers (ranks) | CPU s |",
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
    """Return the section on conditional rows, where they were measured."""
    path = results / "conditions.json"
    if not path.is_file():
        return ""
    stored = json.loads(path.read_text())
    lines = [
        "\n## Rows that meet a condition\n",
        "`python -m benchmarks.conditions_check`: Adult, one game; as many rows by `--given` as held-out rows meet the "
        "condition, judged against these on all columns but the one given; beside them as many unconditional rows, since a "
        "bound grows with the rows that show it, and unconditional rows whose cell is overwritten.\n",
        "| condition | held-out rows | rows | certified JSD ≥ | told right, % (AUC) |",
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


def size(results: Path) -> str:
    """Return the section on large tables, where it was measured."""
    path = results / "tables_size.json"
    if not path.is_file():
        return ""
    lines = [
        "\n## Large tables\n",
        "`python -m benchmarks.tables_size`; each in a process of its own, one thread, on a machine whose two cores others "
        "used too: wall seconds are of that hour, CPU seconds are the work.\n",
        "| what | step | CPU s | wall s | peak memory, MB |",
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
                f"\n{name}: {found['columns']} columns ({found['file_mb']:,} MB), encoded {found['width']} wide; a number's "
                f"rank is off by at most {100 * found['rank_error']:.4f} % of the rows."
            )
        if "share_real_and_made" in found:
            shares = "; ".join(
                f"{words}: {100 * real:.1f} % of rows, {100 * made:.1f} % of samples"
                for words, (real, made) in found["share_real_and_made"].items()
            )
            lines.append(
                f"\n{name} ({found['distinct_in_rows']:,} of them in {found['rows']:,} rows): {shares}. Samples hold "
                f"{found['distinct_in_samples']:,} different ones, as many real rows {found['distinct_in_as_many_rows']:,}."
            )
    return "\n".join(lines) + "\n"


def page(results: Path = RESULTS) -> str:
    """Return the whole page."""
    records = records_of(results)
    return (
        HEAD
        + sentences(records)
        + WHAT
        + "\n## All figures\n\n"
        + table(records)
        + conditions(results)
        + completing(results)
        + size(results)
    )


def draw(results: Path = RESULTS) -> bytes:
    """Return the picture, as PNG: what a fresh classifier tells right, by set and maker."""
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
    panels[-1].set_xlabel("told right by a fresh classifier, % (50 is guessing)", fontsize=9)
    return to_png(figure, colours=64)


def _order(row: str) -> tuple[int, str]:
    known = ("real", "ours", "base", "independent", "copula")
    return (known.index(row) if row in known else len(known), row)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    PICTURE.write_bytes(draw())
