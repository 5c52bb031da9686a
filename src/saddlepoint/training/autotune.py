"""Compiled rounds or eager ones? Measured once, on copies of the game, before round 0; written down and kept on resume."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from saddlepoint.errors import InputError, nearest
from saddlepoint.names import COMPILE
from saddlepoint.training.algorithm import PlayRound, rounds
from saddlepoint.training.compiling import (
    CannotCompileError,
    CompiledRound,
    compiler_missing,
    refuse_without_compiler,
)
from saddlepoint.training.game import Game, Rows

_LOOK = 0.3  # seconds in which a rate is measured
_LEAST = 30.0  # seconds of play below which not even a trace is made
_GAIN = 0.4  # of the play, what compiling usually saves
_COMPILE_PER_TRACE = 12.0  # what it costs beside the trace it begins with
_WORTH = 1.02
_OVERHEAD, _A_SECOND = 5e-3, 2e10


@dataclass(frozen=True, kw_only=True)
class RoundChoice:
    """How rounds are played, why, and what was measured: rounds a second, seconds to trace and compile."""

    compiled: bool
    why: str
    eager_rate: float | None = None
    compiled_rate: float | None = None
    seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as plain JSON values."""
        return asdict(self)

    def said(self) -> str:
        """Return the choice in words."""
        return f"{'compiled' if self.compiled else 'eager'} rounds: {self.why}"


EAGER = RoundChoice(compiled=False, why="as asked")


# No number in it: what is written down of a short game is the same in every run.
SHORT = RoundChoice(
    compiled=False, why=f"so short a game (below {_LEAST:.0f} s) does not earn back a compiler's time"
)


def stored_choice(stored: dict[str, Any] | None) -> tuple[RoundChoice, CompiledRound | None]:
    """Return the choice that was written down (`RoundChoice.to_dict`), and how to play by it; None is eager.

    Raises:
        InputError: compiled rounds were chosen and there is no compiler here.
    """
    if stored is None:
        return EAGER, None
    choice = RoundChoice(**stored)
    if choice.compiled:
        refuse_without_compiler()
    return choice, CompiledRound() if choice.compiled else None


def plainly_short(count: int, multiply_adds: float) -> bool:
    """Return whether so many rounds of so many multiply-adds are over long before compiling could pay, by a rough count.

    A round is taken to cost 5 ms and what 20 G multiply-adds a second cost.
    """
    return count * (_OVERHEAD + multiply_adds / _A_SECOND) < _LEAST


def refuse_unknown(wish: str) -> None:
    """Refuse a wish that is not one of `names.COMPILE`.

    Raises:
        InputError: it is none of auto, on, off; or "on" where there is no compiler.
    """
    if wish not in COMPILE:
        raise InputError(
            f"compile is {wish!r}{nearest(wish, COMPILE) or '.'} Allowed are {', '.join(COMPILE)}."
        )
    if wish == "on":
        refuse_without_compiler()


def measured_rate(
    game: Game, batches: Iterator[Rows], seconds: float, play_round: PlayRound | None = None
) -> float:
    """Return rounds a second, measured on a copy of the game so that nothing of it moves."""
    records = rounds(copy.deepcopy(game), batches, 10**9, play_round)
    for _ in range(3):
        next(records)
    start, count = time.monotonic(), 0
    while (spent := time.monotonic() - start) < seconds or count < 3:
        next(records)
        count += 1
    return count / spent


def choose_round(
    game: Game,
    batches: Callable[[], Iterator[Rows]],
    play_seconds: Callable[[float], float],
    wish: str = "auto",
) -> tuple[RoundChoice, CompiledRound | None]:
    """Choose how a game's rounds are played, on the threads that are in force.

    batches makes the rows anew; play_seconds tells how long the game will last at a rate in rounds a second. "on" and
    "off" are obeyed; "auto" compiles where the time that compiling usually saves (0.4 of the play) is more than it is
    expected to cost, which goes by a trace of the round, and keeps what then proves the faster.

    Raises:
        InputError: "on", and the round cannot be compiled.
    """
    if wish == "off":
        return EAGER, None
    if game.settings.accumulation_steps > 1:
        if wish == "on":
            raise InputError("Rounds played in parts (memory) cannot be compiled: use compile='off'.")
        return RoundChoice(compiled=False, why="batches are played in parts"), None
    if game.share.count > 1:
        if wish == "on":
            raise InputError(
                f"Rounds shared by {game.share.count} processes cannot be compiled: use one process, or compile='off'."
            )
        return RoundChoice(compiled=False, why="several processes play"), None
    compiled = CompiledRound()
    if wish == "on":
        try:
            compiled.trace(copy.deepcopy(game), batches())
        except CannotCompileError as error:
            raise InputError(
                f"The rounds of this game cannot be compiled ({error}): use compile='off'."
            ) from error
        return RoundChoice(compiled=True, why="as asked"), CompiledRound()
    if missing := compiler_missing():
        return RoundChoice(compiled=False, why=missing), None
    eager = measured_rate(game, batches(), _LOOK)
    whole = play_seconds(eager)
    if whole < _LEAST:
        return SHORT, None
    began = time.monotonic()
    try:
        trial = copy.deepcopy(game)
        compiled.trace(trial, batches())
        cost = _COMPILE_PER_TRACE * compiled.trace_seconds
        if whole * _GAIN < cost:
            why = f"compiling would take about {cost:.0f} s, of a game of about {whole:.0f} s"
            return RoundChoice(compiled=False, why=why, eager_rate=eager), None
        fast = measured_rate(trial, batches(), _LOOK, compiled)
        eager = measured_rate(
            game, batches(), _LOOK
        )  # beside each other: the machine's load may have changed
    except CannotCompileError as error:
        return RoundChoice(compiled=False, why=str(error), eager_rate=eager), None
    seconds = time.monotonic() - began
    better = fast > _WORTH * eager
    why = f"{fast:.3g} rounds a second against {eager:.3g}, after {seconds:.0f} s of compiling"
    choice = RoundChoice(
        compiled=better, why=why, eager_rate=eager, compiled_rate=fast, seconds=round(seconds, 1)
    )
    return choice, compiled if better else None
