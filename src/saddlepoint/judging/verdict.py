"""The verdict: one frozen record of what the judge found, as JSON, and as text of at most 24 lines of 100 columns.

The text begins with whether the real rows were held out. It never states a value or an upper bound for the JSD, and it
says that finding nothing is no proof of equality. Metrics that were asked for come after the 24 lines.
"""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from scipy.stats import binom

from saddlepoint.aliases import modernise
from saddlepoint.errors import StoredFileError

HELD_OUT = ("unknown", "declared", "no")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of a two-sample test; JSDs in nats (at most log 2 = 0.693), None = not tested.

    certified: a difference is certified at level `confidence`; also False where the bound cannot hold (held_out "no", a
        failed control, the same rows twice).
    jsd_lower: the certified lower bound for the JSD; None without a bound.
    jsd_estimate: the mean payoff on the evaluate rows: an estimate of what the referee detects, not of the JSD.
    floor: the JSD of the two distributions near which this many rows begin to certify a difference; a smaller one may be
        missed, and the certified bound of a larger one may be any positive number.
    accuracy: classifier accuracy on the evaluate rows, real and fake rows weighted equally; 0.5 is guessing.
    tv_lower: a lower bound for the total variation distance, at level `confidence` on its own.
    referee: which combination of the classifiers gave the bound.
    n_fit, n_select, n_evaluate: numbers of real rows.
    fakes_per_real: fake rows read for each real row.
    held_out: "declared", "no" or "unknown": whether the real rows were kept from the generator.
    control: the null control, real rows against real rows.
    power: the smallest planted defect that was found.
    where: places, jointly at level `confidence`.
    memorisation: the memorisation test against training rows.
    noise_smoothed: bounds after the same noise on both sides, jointly at level `confidence`.
    notes: sentences; the reason for a missing bound comes first.
    metrics: figures reported beside the bound, see `metrics.gan_metrics.Metric`; they are not bounds.
    """

    certified: bool
    jsd_lower: float | None
    jsd_estimate: float | None
    confidence: float
    floor: float | None
    accuracy: float | None
    tv_lower: float | None
    referee: str | None
    n_fit: int
    n_select: int
    n_evaluate: int
    fakes_per_real: float
    held_out: str
    control: dict[str, Any] | None = None
    power: dict[str, Any] | None = None
    where: tuple[dict[str, Any], ...] = ()
    memorisation: dict[str, Any] | None = None
    protocol: str = "betting bound, fixed n"
    seconds: float | None = None
    noise_smoothed: tuple[dict[str, Any], ...] | None = None
    notes: tuple[str, ...] = ()
    metrics: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values."""
        out = asdict(self)
        out["where"] = list(out["where"])
        out["noise_smoothed"] = None if out["noise_smoothed"] is None else list(out["noise_smoothed"])
        out["notes"] = list(out["notes"])
        out["metrics"] = list(out["metrics"])
        return out

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Verdict:
        """Return the verdict that `to_dict` wrote; StoredFileError names keys that are unknown or missing."""
        stored = modernise(stored)
        known = {field.name for field in fields(cls)}
        needed = {"certified", "jsd_lower", "jsd_estimate", "confidence", "held_out", "n_evaluate"}
        unknown, missing = sorted(set(stored) - known), sorted(needed - set(stored))
        if unknown or missing:
            faults = [f"unknown keys: {', '.join(unknown)}"] if unknown else []
            faults += [f"missing keys: {', '.join(missing)}"] if missing else []
            raise StoredFileError(
                f"This is not a verdict of this version ({'; '.join(faults)}); judge again."
            )
        values = {
            **dict.fromkeys(("floor", "accuracy", "tv_lower", "referee")),
            **{"n_fit": 0, "n_select": 0, "fakes_per_real": 1},
            **stored,
        }
        for name in ("where", "notes", "noise_smoothed", "metrics"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        return cls(**values)

    def __str__(self) -> str:
        return describe(self)


WIDTH, LINES, MOST_PLACES = 100, 24, 6
CONTROL_LEVEL = 0.0005  # two-sided, of the control's accuracy: see `c2st.validity_checks`
REAL_ROWS = {
    "declared": "The real rows were held out from the generator, as declared.",
    "unknown": "Unknown whether the real rows were held out: the bound holds only for rows the generator never "
    "saw.",
    "no": "The generator was trained on these real rows, so the bound below does NOT hold: it is only "
    "indicative.",
}


def describe(verdict: Verdict) -> str:
    """Return the verdict as text: at most 24 lines of at most 100 characters, then the lines of its metrics."""
    lines = [line for paragraph in paragraphs(verdict) for line in _wrap(paragraph)]
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], "... (the rest is in the JSON form)"]
    metrics = [line for paragraph in metric_lines(verdict) for line in _wrap(paragraph)]
    return "\n".join(lines + metrics)


def metric_lines(verdict: Verdict) -> list[str]:
    """Return the metrics as text: a heading, which says that they are not bounds, and one line each; empty without any."""
    if not verdict.metrics:
        return []
    rows = sorted({each["rows"] for each in verdict.metrics})
    count = f"{rows[0]:,}" if len(rows) == 1 else f"{rows[0]:,} to {rows[-1]:,}"
    features = dict.fromkeys(each["features"].split(", scales")[0] for each in verdict.metrics)
    return [
        f"Metrics, none of them a bound, on {count} rows of each sample ({'; '.join(features)}):",
        *(f"  {each['name']}: {metric_figures(each)}" for each in verdict.metrics),
    ]


def metric_figures(metric: dict[str, Any]) -> str:
    """Return one metric as text: its value, its standard error and what to compare it with."""
    text = f"{metric['value']:.4g} +- {metric['error']:.2g}"
    if metric["same_distribution"] is not None:
        text += f" ({metric['same_distribution']:.3g} if both had the same distribution)"
    if metric["p"] is not None:
        text += f" (p = {metric['p']:.3g}, by permutation)"
    return text


def paragraphs(verdict: Verdict) -> list[str]:
    """Return the verdict as paragraphs, details indented; whether the real rows were held out comes first."""
    words = [REAL_ROWS[verdict.held_out]]
    notes = list(verdict.notes)
    if verdict.jsd_lower is None:
        words.append("No verdict. " + (notes.pop(0) if notes else "The reason was not recorded."))
    else:
        words += _finding(verdict)
    if verdict.control is not None:
        words.append(_control(verdict.control))
    if verdict.power is not None:
        words.append(_power(verdict.power))
    words += [_place(place) for place in _places(verdict)]
    if verdict.noise_smoothed:
        bounds = ", ".join(
            f"{each['sigma']:g} sd: >= {each['jsd_lower']:.3f}" for each in verdict.noise_smoothed
        )
        words.append(
            f"JSD after the same noise was added to both sides (nats, jointly {_level(verdict)}): {bounds}."
        )
    if verdict.memorisation is not None:
        words.append(_memorisation(verdict.memorisation))
    return [*words, *(f"Note: {note}" for note in notes)]


def _wrap(paragraph: str) -> list[str]:
    indent = "      " if paragraph.startswith("  ") else "  "
    return textwrap.wrap(paragraph, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _level(verdict: Verdict) -> str:
    return f"{100 * verdict.confidence:g} %"


def _finding(verdict: Verdict) -> list[str]:
    rows = f"{verdict.n_evaluate:,} real rows read once, {_per(verdict.fakes_per_real)}"
    accuracy = (
        f"Fresh classifiers ({verdict.referee}): classifier accuracy {100 * (verdict.accuracy or 0):.1f} % "
        f"(50 % is guessing)"
    )
    if (verdict.jsd_lower or 0) > 0:
        return [
            "The fake rows differ from the data.",
            f"  JSD >= {verdict.jsd_lower:.4f} nats ({_level(verdict)}, {verdict.protocol}; {rows}; estimate "
            f"{verdict.jsd_estimate:.4f}; the largest possible is 0.693, no overlap).",
            f"  {accuracy}; TV >= {verdict.tv_lower:.3f}.",
        ]
    return [
        f"No difference certified: bound 0 ({_level(verdict)}, {verdict.protocol}; {rows}; estimate "
        f"{verdict.jsd_estimate:.4f} of at most 0.693 nats).",
        f"  {accuracy}. This is no proof of equality: this many rows may miss a JSD below "
        f"{verdict.floor:.5f} nats, and other classifiers may find what these do not.",
    ]


def _per(fakes_per_real: float) -> str:
    if fakes_per_real >= 1:
        return f"{fakes_per_real:g} fake row{'s' if fakes_per_real > 1 else ''} for each"
    return f"{1 / fakes_per_real:g} for each fake row"


def _control(control: dict[str, Any]) -> str:
    state = "passed" if control["passed"] else "FAILED"
    text = (
        f"Control, real against real: {state}, classifier accuracy {100 * control['accuracy']:.1f} %, "
        f"bound {control['jsd_lower']:.4f}"
    )
    if not control["passed"] or not control.get("rows_read"):
        return f"{text}."
    low, high = binom.interval(1 - CONTROL_LEVEL, control["rows_read"], 0.5) / np.array(control["rows_read"])
    return (
        f"{text} (passed means a bound of 0 and an accuracy that guessing reaches: {100 * low:.0f} to "
        f"{100 * high:.0f} % on {control['rows_read']:,} rows)."
    )


def _power(power: dict[str, Any]) -> str:
    return (
        f"Power: a missing region of {100 * power['mass']:g} % (JSD {power['jsd']:.4f}) was found "
        f"{power['found']} of {power['of']} times (mean estimate {100 * power['recall']:.0f} % of that JSD)."
    )


def _places(verdict: Verdict) -> list[dict[str, Any]]:
    columns = [place for place in verdict.where if place["kind"] in ("column", "pair")]
    regions = [place for place in verdict.where if place["kind"] == "region"]
    return columns[: MOST_PLACES - min(len(regions), 2)] + regions[:2]


def _place(place: dict[str, Any]) -> str:
    if place["kind"] == "region":
        return (
            f"  Where: {place['name']} holds {100 * place['real_share']:.1f} % of the real and "
            f"{100 * place['fake_share']:.1f} % of the fake rows (JSD >= {place['jsd_lower']:.4f})."
        )
    if place["kind"] == "pair":
        one, other = place["columns"]
        return (
            f"  Where: columns {one} and {other} together, neither alone (JSD >= {place['jsd_lower']:.4f})."
        )
    if place["how"] == "values":
        return f"  Where: column {place['name']}, its own values (JSD >= {place['jsd_lower']:.4f})."
    partners = ", ".join(place["with"][:4]) + (", ..." if len(place["with"]) > 4 else "")
    return f"  Where: column {place['name']}, its relation to {partners} (JSD >= {place['jsd_lower']:.4f})."


def _memorisation(memorisation: dict[str, Any]) -> str:
    if memorisation.get("sentence"):
        return str(memorisation["sentence"])
    if memorisation["copying"]:
        return (
            f"Copies of training rows found ({memorisation['exact_copies']} exact, p = "
            f"{memorisation['p']:.2g})."
        )
    return f"No copies found by the memorisation test (share {memorisation['share']:.3f}, p = {memorisation['p']:.2g})."
