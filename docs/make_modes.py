"""Write docs/modes.md and its picture from benchmarks/results/modes.json: `python docs/make_modes.py`.

No figure on that page is typed by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from saddlepoint.benchmarks.modes import table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "modes.json"
PAGE = ROOT / "docs" / "modes.md"
PICTURE = ROOT / "docs" / "images" / "modes.png"
GOALS = {"ring": "plain, charts, learned", "grid": "plain, charts, learned"}
Records = list[dict[str, Any]]

HEAD = """# Every mode, kept: what the default recipe reaches on points

```sh
saddlepoint benchmark modes                                   # ring and grid, all columns, one seed
saddlepoint benchmark modes --sets "curved 12-D" --seeds 10   # where a mixture of Gaussians cannot follow
```

![Certified bound of the game beside that of the mixture it started from, seed by seed](images/modes.png)

*What the game adds: the certified lower bound of the Jensen-Shannon distance to fresh data (nats; nearer to the data is
further left), of the mixture of Gaussians that the game starts from (open) and of what was kept at its end (filled), one line
a seed.*
"""

WHAT = """
## What each was given

- **charts** (the default): the charts of a mixture of Gaussians fitted to the training rows, drawn by their weights, and a
  correction that the game learns. Every mode of the ring and the grid is there *before* the first round: these figures show
  that the game does not lose it, not that the game found it. With fewer than 2,000 training rows no snapshot is kept that the
  copying test calls copies.
- **mixture**: that mixture alone, without a game. On low-dimensional sets it does as well as the game.
- **learned** (`--start learned`): the charts, but neither their frequencies nor their shapes.
- **plain** (`--start plain`): nothing; noise on raw coordinates.
- **real**: other real rows in the place of samples.

Modes, high quality (within three standard deviations of a mode; 98.9 % of real rows of the grid are) and reverse KL follow
PacGAN's protocol. The bound and the accuracy (of being told right from real rows, by referees that never saw them) are the
judge's, on up to 10,000 rows a side. Seeds from 4000 on took part in no choice.

## All figures
"""


def hard(records: Records) -> dict[str, list[tuple[int, float, float]]]:
    """Return (seed, mixture's bound, game's bound) by set, for sets whose mixture is told from the data."""
    by: dict[str, dict[int, dict[str, float]]] = {}
    for each in records:
        if each["jsd_lower"] is not None and each["column"] in ("mixture", "charts"):
            by.setdefault(each["set"], {}).setdefault(each["seed"], {})[each["column"]] = each["jsd_lower"]
    pairs = {
        name: [
            (seed, both["mixture"], both["charts"]) for seed, both in sorted(seeds.items()) if len(both) == 2
        ]
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
        for column in ("charts", "learned", "plain"):
            seen = [r for r in records if (r["set"], r["column"]) == (name, column) and r["coverage"]]
            if seen:
                full = sum(r["coverage"]["modes20"] == r["coverage"]["of"] for r in seen)
                lines.append(f"- {name}, {column}: all modes in {full} of {len(seen)} seeds.")
    for name, found in hard(records).items():
        nearer = sum(game < mixture for _, mixture, game in found)
        lines.append(f"- {name}: the game's bound is below its mixture's in {nearer} of {len(found)} seeds.")
    return "\n".join(lines) + "\n"


def page(results: Path = RESULTS) -> str:
    """Return the whole page."""
    records: Records = json.loads(results.read_text())["records"]
    return HEAD + sentences(records) + WHAT + "\n" + table(records)


def draw(results: Path = RESULTS) -> bytes:
    """Return the picture of the hard sets, as PNG."""
    from matplotlib.figure import Figure

    from saddlepoint.drawing import style
    from saddlepoint.drawing.saving import to_png

    found = hard(json.loads(results.read_text())["records"])
    figure = Figure(figsize=(7.2, 0.5 + 1.5 * len(found)), layout="constrained", facecolor=style.PAPER)
    panels = figure.subplots(len(found), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (name, seeds) in zip(panels, found.items(), strict=True):
        for height, (_, mixture, game) in enumerate(seeds):
            panel.plot([mixture, game], [height, height], color=style.FAINT, lw=1.6, zorder=1)
            panel.plot(mixture, height, "o", mfc=style.PAPER, mec=style.QUIET, ms=5)
            panel.plot(game, height, style.MODEL.marker, color=style.MODEL.colour, ms=6)
        panel.set_title(f"{name}, {len(seeds)} seeds", loc="left", fontsize=9, color=style.INK)
        panel.set_yticks([])
        panel.set_xlim(left=0)
        panel.tick_params(labelsize=8, colors=style.QUIET)
        for side in ("top", "right", "left"):
            panel.spines[side].set_visible(False)
        panel.spines["bottom"].set_color(style.FAINT)
    panels[-1].set_xlabel("certified bound (nats): mixture alone (open), after the game (filled)", fontsize=9)
    return to_png(figure, colours=64)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    PICTURE.write_bytes(draw())
