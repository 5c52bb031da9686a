"""Write docs/modes.md and its picture from benchmarks/results/modes*.json and sizes.json: `python -m docs.make_modes`.

No figure on that page is typed by hand.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.suites.modes import table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "modes.json"
PEERS, SIZES = RESULTS.with_name("modes_peers.json"), RESULTS.with_name("sizes.json")
PAGE = ROOT / "docs" / "modes.md"
PICTURE = ROOT / "docs" / "images" / "modes.png"
GOALS = ("ring", "grid")
UNLIMITED = 10_000  # judged rows; real sets have fewer
Records = list[dict[str, Any]]

HEAD = """# Every mode, kept: what the default recipe reaches on points

```sh
python -m benchmarks modes                                   # ring and grid, all columns, one seed
python -m benchmarks modes --sets "curved 12-D" --seeds 10   # where a mixture of Gaussians cannot follow
```

![Certified bound of the game beside that of the mixture it started from, seed by seed](images/modes.png)

*What the game adds: the certified lower bound of the Jensen-Shannon distance to fresh data (nats; nearer to the data is
further left), of the mixture of Gaussians that the game starts from (open) and of what was kept at its end (filled), one line
a seed.*
"""

WHAT = """
## What each was given

- **mixture+game** (the default): the charts of a mixture of Gaussians fitted to the training rows, drawn by their weights, and a
  correction that the game learns. Every mode of the ring and the grid is there *before* the first round: these figures show
  that the game does not lose it, not that the game found it. With fewer than 2,000 training rows no snapshot is kept that the
  copying test calls copies, and a game has at most a round for each training row (300 at least): on the digits, samples near
  to copies came with the later rounds of longer ones. (*mixture+game, half as long* had a round for two rows: it gained less.)
- **mixture**: that mixture alone, without a game. On low-dimensional sets it does as well as the game.
- **learned** (`--start learned`): the charts, but neither their frequencies nor their shapes.
- **noise** (`--start noise`): nothing but the columns' means and spreads; noise on raw coordinates.
- **real**: other real rows in the place of samples.

Plain starts keep the snapshot nearest to held-back rows. Two earlier settings of theirs are in the table, each with the
fresh seeds that showed what it lacked:

- *noise, first*: waves of equal height, coins that all left one spot. Modes were lost.
- *noise, second*: fainter fast waves, coins spread over the range, 3,000 rounds. Every mode came, but in too many grid
  games too few samples lay in them, or their weights were off. Three causes were seen and removed: a G as fast as D swings
  about each mode by more than its width, which D takes for width, so that the average of G, in which the swing cancels,
  is too narrow and every wide snapshot blurred (now G slows down before D); waves repeat beyond the data's range, and stray
  samples settled in traces of modes there (now they stand still outside it); the weights of modes froze too early (now the
  penalty stays firm for a fifth of 5,000 rounds).

Modes, high quality (within three standard deviations of a mode; 98.9 % of real rows of the grid are) and reverse KL follow
PacGAN's protocol. The bound and the accuracy (of being told right from real rows, by referees that never saw them) are the
judge's, on up to 10,000 rows a side. Seeds from 4000 on chose no setting; what failed on 4000 to 4019 (noise, first) and on
5000 to 5019 (noise, second) is why the plain start was worked on, and 6000 to 6019 are its fresh ones.

## All figures
"""


def hard(records: Records, game: str = "mixture+game") -> dict[str, list[tuple[int, float, float]]]:
    """Return (seed, mixture's bound, game's bound) by set, for sets whose mixture is told from the data."""
    by: dict[str, dict[int, dict[str, float]]] = {}
    for each in records:
        if each["jsd_lower"] is not None and each["column"] in ("mixture", game):
            by.setdefault(each["set"], {}).setdefault(each["seed"], {})[each["column"]] = each["jsd_lower"]
    pairs = {
        name: [(seed, both["mixture"], both[game]) for seed, both in sorted(seeds.items()) if len(both) == 2]
        for name, seeds in by.items()
    }
    return {
        name: found
        for name, found in pairs.items()
        if found and sorted(mixture for _, mixture, _ in found)[len(found) // 2] > 0.02
    }


def sentences(records: Records) -> str:
    """Return what the records say of the goals."""
    lines = ["\n## In short\n"]
    for name in GOALS:
        for column in ("mixture+game", "learned", "noise"):
            seen = [r for r in records if (r["set"], r["column"]) == (name, column) and r["coverage"]]
            if seen:
                full = sum(r["coverage"]["modes20"] == r["coverage"]["of"] for r in seen)
                good = sum(_plain_goal(r["coverage"]) for r in seen)
                metrics = f" (also high quality at least 95 % and reverse KL at most .05: {good})" * (
                    column == "noise"
                )
                lines.append(f"- {name}, {column}: all modes in {full} of {len(seen)} seeds{metrics}.")
    for column in ("mixture+game", "mixture+game, half as long"):
        for name, found in hard(records, column).items():
            nearer = sum(game < mixture for _, mixture, game in found)
            gain = statistics.median(mixture - game for _, mixture, game in found)
            lines.append(
                f"- {name}{column.removeprefix('mixture+game')}: the game's bound is below its mixture's in {nearer} of {len(found)} "
                f"seeds, by {gain:.3f} nats (median)."
            )
    return "\n".join([*lines, *others(records)]) + "\n"


def _plain_goal(seen: dict[str, float]) -> bool:
    return seen["modes20"] == seen["of"] and seen["high_quality"] >= 0.95 and seen["reverse_kl"] <= 0.05


def others(records: Records) -> list[str]:
    """Return what the referees' accuracy says of the default: beside 52 %, and beside that of its own mixture."""
    right = {
        (r["set"], r["seed"], r["column"]): 100 * r["accuracy"] for r in records if r["accuracy"] is not None
    }
    wide = sorted({r["set"] for r in records if r["judged"] == UNLIMITED} - {"mnist"})
    medians = {
        name: statistics.median(found)
        for name in wide
        if (
            found := [
                value for (one, _, column), value in right.items() if (one, column) == (name, "mixture+game")
            ]
        )
    }
    above = [f"{name} ({value:.1f})" for name, value in medians.items() if value > 52]
    pairs = [
        (name, seed, value - right[name, seed, "mixture"])
        for (name, seed, column), value in right.items()
        if column == "mixture+game" and (name, seed, "mixture") in right
    ]
    judged = {(r["set"], r["seed"]): r["judged"] for r in records}
    worse = [
        f"{name}, seed {seed} (by {more:.1f}, on {judged[name, seed]:,} rows)"
        for name, seed, more in pairs
        if more > 0.5
    ]
    return [
        f"- Sets of unlimited rows, charts: told right at most 52 % (median of the seeds) in {len(medians) - len(above)} of "
        f"{len(medians)}; above it: {', '.join(above) or 'none'}.",
        f"- More than half a point worse than the mixture alone: {len(worse)} of {len(pairs)} runs"
        f"{': ' + '; '.join(worse) if worse else ''}.",
    ]


def peers(records: Records, made: Records) -> str:
    """Return the table of peers, each set's own columns of the same seeds first."""
    lines = [
        "\n## Peers measured so far\n",
        "`python -m benchmarks.modes_peers` (its head names every setting): a neural spline flow, flow matching, the settings "
        "of a much copied script and PacGAN's, each for the CPU seconds that `mixture+game` took on the same rows, before the same "
        "quick referees. One seed, no tuning: read large differences only.\n",
        "| set | made by | bound (nats) | told right, % | modes | in modes, % | reverse KL | CPU s | steps |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    places = list(dict.fromkeys((each["set"], each["seed"]) for each in made))
    for place in places:
        own = [r for r in records if (r["set"], r["seed"]) == place]
        for each in [*own, *(r for r in made if (r["set"], r["seed"]) == place)]:
            seen = each["coverage"]
            modes = (
                f"{seen['modes20']} of {seen['of']} | {100 * seen['high_quality']:.1f} | {seen['reverse_kl']:.3f}"
                if seen
                else "- | - | -"
            )
            lines.append(
                f"| {each['set']} | {each['column']} | {each['jsd_lower']:.4f} | {100 * each['accuracy']:.1f} | {modes} "
                f"| {each['cpu_seconds']:.0f} | {each.get('rounds') or '-'} |"
            )
    return "\n".join(lines) + "\n"


def sizes(found: Records) -> str:
    """Return the table of sizes."""
    lines = [
        "\n## Sizes measured so far\n",
        "`python -m benchmarks.sizes`, times in CPU seconds. The charts look at 20,000 rows at most and a round at 256, so "
        "that rows only cost their own encoding; columns cost a mixture (d x d numbers a chart, at most 100,000 in all) "
        "and more rounds, by the square root (but at most a round for each training row).\n",
        "| rows | columns | components | prepare, s | encode, build, s | a round, ms | rounds by rule | MB of rows | MB more |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in found:
        lines.append(
            f"| {each['rows']:,} | {each['columns']} | {each['components']} | {each['prepare_seconds']:.1f} "
            f"| {each['encode_seconds']:.1f} | {each['round_milliseconds']:.1f} | {each['rounds_planned']:,} "
            f"| {each['megabytes_of_rows']:.0f} | {each['megabytes_more']} |"
        )
    return "\n".join(lines) + "\n"


def page(results: Path = RESULTS) -> str:
    """Return the whole page."""
    records: Records = json.loads(results.read_text())["records"]
    made: Records = json.loads(PEERS.read_text())["records"] if PEERS.is_file() else []
    measured: Records = json.loads(SIZES.read_text())["sizes"] if SIZES.is_file() else []
    return (
        HEAD
        + sentences(records)
        + WHAT
        + "\n"
        + table(records)
        + (peers(records, made) if made else "")
        + (sizes(measured) if measured else "")
    )


def draw(results: Path = RESULTS) -> bytes:
    """Return the picture of the hard sets, as PNG."""
    from matplotlib.figure import Figure

    from saddlepoint.drawing import style
    from saddlepoint.drawing.style import to_png

    found = hard(json.loads(results.read_text())["records"])
    figure = Figure(figsize=(7.2, 0.5 + 1.5 * len(found)), layout="constrained", facecolor=style.PAPER)
    panels = figure.subplots(len(found), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (name, seeds) in zip(panels, found.items(), strict=True):
        for height, (_, mixture, game) in enumerate(seeds):
            panel.plot([mixture, game], [height, height], color=style.FAINT, lw=1.6, zorder=1)
            panel.plot(mixture, height, "o", mfc=style.PAPER, mec=style.QUIET, ms=5)
            panel.plot(game, height, style.MODEL.marker, color=style.MODEL.colour, ms=6)
        panel.set_title(
            f"{name}, {len(seeds)} seed{'s' * (len(seeds) > 1)}", loc="left", fontsize=9, color=style.INK
        )
        panel.set_yticks([])
        panel.tick_params(labelsize=8, colors=style.QUIET)
        for side in ("top", "right", "left"):
            panel.spines[side].set_visible(False)
        panel.spines["bottom"].set_color(style.FAINT)
    panels[-1].set_xlim(0, 1.03 * max(max(pair[1:]) for seeds in found.values() for pair in seeds))
    panels[-1].set_xlabel("certified bound (nats): mixture alone (open), after the game (filled)", fontsize=9)
    return to_png(figure, colours=64)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    PICTURE.write_bytes(draw())
