"""Choice between compiled and eager rounds: measured once before round 0, stored, and reused on resume.

All measurements are made on copies of the game.
"""

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

_MEASURING_SECONDS = 0.3  # in which a rate is measured
_SHORTEST = 30.0  # seconds; a shorter game is not even traced
_SAVED = 0.4  # fraction of the playing time that compiling usually saves
_COMPILE_PER_TRACE = 12.0  # compile time in units of the time of the trace
_LEAST_SPEEDUP = 1.02
_ROUND_OVERHEAD = 5e-3  # seconds; a rough estimate, as the next
_MULTIPLY_ADDS_PER_SECOND = 2e10


@dataclass(frozen=True, kw_only=True)
class RoundChoice:
    """How rounds are played, why, and what was measured.

    compiled: compiled or eager rounds.
    why: the reason, as the user reads it.
    eager_rate, compiled_rate: rounds per second; None if not measured.
    seconds: time spent on tracing, compiling and measuring.
    """

    compiled: bool
    why: str
    eager_rate: float | None = None
    compiled_rate: float | None = None
    seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as plain JSON values."""
        return asdict(self)

    def describe(self) -> str:
        """Return the choice and its reason in words."""
        return f"{'compiled' if self.compiled else 'eager'} rounds: {self.why}"


EAGER = RoundChoice(compiled=False, why="as asked")


# It holds no measured number, so that a short game stores the same choice in every run.
SHORT = RoundChoice(
    compiled=False,
    why=f"the game is so short (below {_SHORTEST:.0f} s) that compiling would take longer than it saves",
)


def stored_choice(stored: dict[str, Any] | None) -> tuple[RoundChoice, CompiledRound | None]:
    """Return a stored choice (`RoundChoice.to_dict`) and the function that plays its rounds; None means eager.

    Raises:
        InputError: compiled rounds were chosen and this machine has no compiler.
    """
    if stored is None:
        return EAGER, None
    choice = RoundChoice(**stored)
    if choice.compiled:
        refuse_without_compiler()
    return choice, CompiledRound() if choice.compiled else None


def plainly_short(count: int, multiply_adds: float) -> bool:
    """Return whether a game is, by a rough estimate, far too short for compiling to pay.

    The estimate for one round is 5 ms plus its multiply-adds at 20 G per second.

    count: rounds of the game.
    multiply_adds: of one round.
    """
    return count * (_ROUND_OVERHEAD + multiply_adds / _MULTIPLY_ADDS_PER_SECOND) < _SHORTEST


def refuse_unknown(option: str) -> None:
    """Refuse a value of the option `compile` that is not one of `names.COMPILE`.

    Raises:
        InputError: it is not auto, on or off; or it is "on" and this machine has no compiler.
    """
    if option not in COMPILE:
        raise InputError(
            f"compile is {option!r}{nearest(option, COMPILE) or '.'} Allowed are {', '.join(COMPILE)}."
        )
    if option == "on":
        refuse_without_compiler()


def measured_rate(
    game: Game, batches: Iterator[Rows], seconds: float, play_round: PlayRound | None = None
) -> float:
    """Return rounds per second, measured for about `seconds` on a copy of the game; the game itself does not change."""
    records = rounds(copy.deepcopy(game), batches, 10**9, play_round)
    for _ in range(3):
        next(records)
    start, count = time.monotonic(), 0
    while (elapsed := time.monotonic() - start) < seconds or count < 3:
        next(records)
        count += 1
    return count / elapsed


def choose_round(
    game: Game,
    batches: Callable[[], Iterator[Rows]],
    play_seconds: Callable[[float], float],
    option: str = "auto",
) -> tuple[RoundChoice, CompiledRound | None]:
    """Choose between compiled and eager rounds, with the CPU threads now in force.

    "on" and "off" are obeyed. "auto" compiles if compiling should save more time (0.4 of the game) than it costs, which is
    estimated from the time of a trace; then both are measured and the faster one is kept.

    game: at round 0; only copies of it are played.
    batches: returns a new iterator over the rows.
    play_seconds: maps a rate in rounds per second to the length of the game in seconds.
    option: "auto", "on" or "off".

    Raises:
        InputError: the option is "on" and the round cannot be compiled.
    """
    if option == "off":
        return EAGER, None
    if game.settings.accumulation_steps > 1:
        if option == "on":
            raise InputError(
                "Rounds with gradient accumulation (memory) cannot be compiled: use compile='off', or allow more memory."
            )
        return RoundChoice(compiled=False, why="gradient accumulation cannot be compiled"), None
    if game.process.count > 1:
        if option == "on":
            raise InputError(
                f"Rounds of {game.process.count} processes cannot be compiled: use one process, or compile='off'."
            )
        return RoundChoice(compiled=False, why="rounds of several processes cannot be compiled"), None
    compiled = CompiledRound()
    if option == "on":
        try:
            compiled.trace(copy.deepcopy(game), batches())
        except CannotCompileError as error:
            raise InputError(
                f"The rounds of this game cannot be compiled ({error}): use compile='off'."
            ) from error
        return RoundChoice(compiled=True, why="as asked"), CompiledRound()
    if missing := compiler_missing():
        return RoundChoice(compiled=False, why=missing), None
    eager = measured_rate(game, batches(), _MEASURING_SECONDS)
    whole = play_seconds(eager)
    if whole < _SHORTEST:
        return SHORT, None
    began = time.monotonic()
    try:
        trial = copy.deepcopy(game)
        compiled.trace(trial, batches())
        cost = _COMPILE_PER_TRACE * compiled.trace_seconds
        if whole * _SAVED < cost:
            why = f"compiling would take about {cost:.0f} s, of a game of about {whole:.0f} s"
            return RoundChoice(compiled=False, why=why, eager_rate=eager), None
        fast = measured_rate(trial, batches(), _MEASURING_SECONDS, compiled)
        # Eager rounds are measured again, since the machine's load may have changed meanwhile.
        eager = measured_rate(game, batches(), _MEASURING_SECONDS)
    except CannotCompileError as error:
        return RoundChoice(compiled=False, why=str(error), eager_rate=eager), None
    seconds = time.monotonic() - began
    better = fast > _LEAST_SPEEDUP * eager
    why = f"{fast:.3g} compiled rounds per second, {eager:.3g} eager ones, after {seconds:.0f} s of compiling"
    choice = RoundChoice(
        compiled=better, why=why, eager_rate=eager, compiled_rate=fast, seconds=round(seconds, 1)
    )
    return choice, compiled if better else None
