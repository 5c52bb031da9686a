"""The judge: a certified lower bound for the distance between real and fake rows, whatever generator made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saddlepoint.judging.inputs import judge as judge
    from saddlepoint.judging.verdict import Verdict as Verdict

__all__ = ["Verdict", "judge"]


def __getattr__(name: str) -> Any:
    if name == "judge":
        from saddlepoint.judging.inputs import judge

        return judge
    if name == "Verdict":
        from saddlepoint.judging.verdict import Verdict

        return Verdict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
