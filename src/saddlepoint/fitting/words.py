"""The sentence with which a fit ends."""

from __future__ import annotations

from saddlepoint.fitting.check_plan import ruler_in_words
from saddlepoint.fitting.checks import Checks
from saddlepoint.fitting.events import Reason

_STATES = {
    "reached": "not told apart at the tolerance",
    "plateau": "no longer improving",
    "diverging": "getting worse",
    "collapsed": "collapsed",
    "memorising": "memorising",
}


def said_at_the_stop(
    reason: Reason, round_: int, last: int, limit: float | None, spent: float, checks: Checks | None
) -> str:
    """Return why a fit ended, with the evidence of its checks.

    limit, spent: seconds allowed and used; last: the round that was asked for.
    """
    minutes = f" ({spent / 60:.1f} minutes)"
    if reason in _STATES and checks is not None:
        state = checks.state_at(len(checks.history))
        seen = _ruler(checks) if state.settled else ""  # what was found needs no word on what would have been
        return f"stopped at round {round_:,} of {last:,}, {_STATES[reason]}: {state.evidence}{seen}{minutes}"
    sentence = {
        "minutes": f"the limit of {(limit or 0) / 60:g} min is reached after {round_:,} of {last:,} rounds",
        "interrupted": f"interrupted after {round_:,} of {last:,} rounds; everything is saved",
    }.get(reason, f"all {round_:,} rounds are played")
    if checks is None or reason == "interrupted":
        return sentence + minutes
    state = checks.state_at(len(checks.history), spent=True)
    return f"{sentence}, {_STATES.get(state.name, 'not settled')}: {state.evidence}{_ruler(checks)}{minutes}"


def _ruler(checks: Checks) -> str:
    """Return what the monitor rows could have shown, and so what nothing found would mean."""
    words = ruler_in_words(checks.plan.ruler)
    if words is None or not checks.history:
        return ""
    return f"; on {checks.plan.ruler[0]['rows']:,} held-back rows {words}"
