"""The verdict: one frozen record of what the judge found, as JSON and as what a person reads on one
screen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from saddlepoint.errors import StoredFileError

HELD_OUT = ("unknown", "declared", "no")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What fresh referees found between real and fake rows; JSDs in nats (log 2 = 0.693 at most), None = not
    tested.

    `certified`: a difference is certified, at level `confidence`; False also where the bound cannot hold
    (held_out "no", a failed control, the same rows twice). `jsd_lower`: the certified lower bound for the
    JSD, None where there is none. `jsd_estimate`: the mean payoff on the evaluate rows, an estimate of what
    the referee sees, not of the JSD. `floor`: the JSD of the two laws near which so many rows begin to
    certify a difference; a smaller one may well be missed, and the certified bound of a larger one may be any
    positive number. `tv_lower`: a bound for the total variation distance, at the same level on its own.
    `n_fit`, `n_select`, `n_evaluate`: real rows. `where`: places, jointly at level `confidence`. `ladder`:
    bounds after the same noise on both sides, jointly at level `confidence`. `notes`: sentences, the reason
    for a missing bound first. `companions`: figures asked for beside it, see `companions.Companion`; no bounds.
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
    ruler: dict[str, Any] | None = None
    where: tuple[dict[str, Any], ...] = ()
    memorisation: dict[str, Any] | None = None
    protocol: str = "betting bound, fixed n"
    seconds: float | None = None
    ladder: tuple[dict[str, Any], ...] | None = None
    notes: tuple[str, ...] = ()
    companions: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as what JSON can hold."""
        out = asdict(self)
        out["where"] = list(out["where"])
        out["ladder"] = None if out["ladder"] is None else list(out["ladder"])
        out["notes"] = list(out["notes"])
        out["companions"] = list(out["companions"])
        return out

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Verdict:
        """Return the verdict that `to_dict` wrote; StoredFileError names keys that are unknown or missing."""
        known = {field.name for field in fields(cls)}
        needed = {"certified", "jsd_lower", "jsd_estimate", "confidence", "held_out", "n_evaluate"}
        unknown, missing = sorted(set(stored) - known), sorted(needed - set(stored))
        if unknown or missing:
            what = [f"unknown keys: {', '.join(unknown)}"] if unknown else []
            what += [f"missing keys: {', '.join(missing)}"] if missing else []
            raise StoredFileError(f"This is no verdict of this version ({'; '.join(what)}); judge again.")
        values = {
            **dict.fromkeys(("floor", "accuracy", "tv_lower", "referee")),
            **{"n_fit": 0, "n_select": 0, "fakes_per_real": 1},
            **stored,
        }
        for name in ("where", "notes", "ladder", "companions"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        return cls(**values)

    def __str__(self) -> str:
        from saddlepoint.judging.wording import describe

        return describe(self)
