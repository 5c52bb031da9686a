"""Figure of a run's checks: JSD estimate and band over the rounds, training states as colours, the kept snapshot marked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from saddlepoint.drawing.style import (
    FAINT,
    INK,
    MODEL,
    QUIET,
    SMALL,
    WIDTH,
    fit,
    letter,
    new_figure,
    styled,
    wrap,
)
from saddlepoint.errors import InputError

STATES: Mapping[str, tuple[str, str]] = {
    "improving": ("#18a57b", "o"),
    "reached": ("#1d4f9f", "*"),
    "plateau": ("#8a7a12", "s"),
    "diverging": ("#c2571a", "^"),
    "collapsed": ("#b01e3c", "X"),
    "memorising": ("#7a5195", "D"),
    "budget": ("#5d6673", "P"),
}
"""Colour and marker of each training state; the markers differ, so the states are distinct in greyscale too."""
_LINEAR = 0.01  # nats; below it the axis is linear, above logarithmic
_TICKS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.693)
_MOST_REGIONS = 6
_LABEL_INCHES = 2.2


@styled
def checks_chart(
    checks: Sequence[Mapping[str, Any]],
    *,
    tolerance: float | None = None,
    power: tuple[float, str] | None = None,
    kept: int | None = None,
    verdict: tuple[float, float, float] | None = None,
    title: str | None = None,
) -> Figure:
    """Return the estimates of the JSD (nats) through the rounds, and below them the regions that were not covered.

    The band reaches from the certified lower bound to the upper end of the quick estimate's interval.

    checks: records with round, estimate, lower, upper, state, missing, narrow.
    tolerance: drawn as a line (nats).
    power: (nats, label) of the power analysis, drawn as a line.
    kept: the round of the kept snapshot.
    verdict: (round, bound, estimate) of the final verdict.
    title: of the figure.

    Raises InputError if there are no checks.
    """
    if not checks:
        raise InputError("There are no checks to draw; train with --until settled or --until budget.")
    regions = _worst(checks)
    labels = [_label(region) for region in regions]
    room = 0.35 + sum(0.08 + 0.14 * (1 + label.count("\n")) for label in labels) if regions else 0.0
    figure = new_figure(WIDTH, 3.1 + room)
    if regions:
        upper, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.7, room])
        _regions(below, checks, regions, labels)
    else:
        upper = below = figure.subplots(1, 1)
    _distance(upper, checks)
    _marks(upper, tolerance, power, checks, kept, verdict)
    upper.legend(loc="upper left", bbox_to_anchor=(1.0, 1.03), handlelength=1.6, borderaxespad=0.2)
    below.set_xlabel("rounds")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    below.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    notes = [
        "Band: from the certified lower bound of the JSD (all checks jointly, 95 %) to the upper end of the quick estimate's "
        "interval, which is no bound for the JSD."
    ]
    if all("floor" in check for check in checks):
        notes.append("Floor: the JSD near which this number of rows begins to certify a difference.")
    if any(check.get("indicative") for check in checks):
        notes.append("After a remedy the bounds are indicative only (hollow marks).")
    letter(figure, title, notes)
    return figure


def _distance(axes: Axes, checks: Sequence[Mapping[str, Any]]) -> None:
    rounds = np.array([check["round"] for check in checks])
    estimate, lower, upper = (
        np.clip([check[name] for check in checks], 0.0, np.log(2)) for name in ("estimate", "lower", "upper")
    )
    axes.set_yscale("symlog", linthresh=_LINEAR, linscale=0.6)
    axes.set_ylim(-0.0012, 0.85)
    axes.yaxis.set_major_locator(FixedLocator(_TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_title("JSD between data and samples (nats)", parse_math=False)
    axes.grid(axis="y")
    axes.fill_between(rounds, lower, upper, color=MODEL.colour, alpha=0.16, linewidth=0)
    axes.plot(rounds, lower, color=MODEL.colour, linewidth=0.9)
    axes.plot(rounds, estimate, color=QUIET, linewidth=0.8)
    for name, (colour, marker) in STATES.items():
        here = np.array([check["state"] == name for check in checks])
        hollow = np.array([bool(check.get("indicative")) for check in checks])
        for mask, face in ((here & ~hollow, colour), (here & hollow, "white")):
            if mask.any():
                label = name if not (face == "white" and (here & ~hollow).any()) else None
                axes.plot(
                    rounds[mask],
                    estimate[mask],
                    linestyle="none",
                    marker=marker,
                    color=colour,
                    markerfacecolor=face,
                    markersize=6.5,
                    clip_on=False,
                    label=label,
                )


def _marks(
    axes: Axes,
    tolerance: float | None,
    power: tuple[float, str] | None,
    checks: Sequence[Mapping[str, Any]],
    kept: int | None,
    verdict: tuple[float, float, float] | None,
) -> None:
    if tolerance is not None:
        axes.axhline(tolerance, color=INK, linewidth=0.9, linestyle=(0, (4, 2)), label="tolerance")
    if all("floor" in check for check in checks):
        axes.plot(
            [check["round"] for check in checks],
            [check["floor"] for check in checks],
            color=QUIET,
            linewidth=0.9,
            linestyle=(0, (6, 1.5, 1, 1.5)),
            label="floor",
        )
    if power is not None:
        axes.axhline(
            power[0], color=INK, linewidth=0.9, linestyle=(0, (1, 1.2)), label=fit(power[1], 1.7, SMALL)
        )
    if kept is not None:
        near = min(checks, key=lambda check: abs(check["round"] - kept))
        at = float(np.clip(near["estimate"], 0, 0.7))
        axes.plot(
            [near["round"]],
            [at],
            marker="o",
            markersize=13,
            markerfacecolor="none",
            markeredgecolor=INK,
            linestyle="none",
            clip_on=False,
            label="kept",
        )
    if verdict is not None:
        round_, bound, estimate = verdict
        round_ += 0.025 * max(1, checks[-1]["round"])  # beside the last check, not on top of it
        axes.plot([round_, round_], [bound, max(bound, estimate)], color=INK, linewidth=2.2)
        axes.plot(
            [round_], [bound], marker="_", markersize=11, color=INK, linestyle="none", label="final verdict"
        )


def _worst(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the regions that were missing or narrow most often, the most frequent first."""
    counts: dict[str, int] = {}
    for check in checks:
        for region in (*check["missing"], *check["narrow"]):
            counts[region] = counts.get(region, 0) + 1
    return sorted(counts, key=lambda region: -counts[region])[:_MOST_REGIONS]


def _label(region: str) -> str:
    """Return a region's name without "the region", in at most two lines."""
    lines = wrap(region.removeprefix("the region with ").removeprefix("the region "), _LABEL_INCHES, SMALL)
    if len(lines) > 2:
        lines = [lines[0], fit(" ".join(lines[1:]), _LABEL_INCHES, SMALL)]
    return "\n".join(lines)


def _regions(axes: Axes, checks: Sequence[Mapping[str, Any]], regions: list[str], labels: list[str]) -> None:
    axes.set_title("regions missing (cross) or too narrow (bar), the most frequent", parse_math=False)
    for place, region in enumerate(regions):
        axes.axhline(place, color=FAINT, linewidth=0.5)
        for kind, marker in (("missing", "x"), ("narrow", "|")):
            at = [check["round"] for check in checks if region in check[kind]]
            axes.plot(at, [place] * len(at), linestyle="none", marker=marker, color="#b01e3c", markersize=5.5)
    axes.set_yticks(range(len(regions)), labels, parse_math=False)
    axes.set_ylim(len(regions) - 0.5, -0.5)
