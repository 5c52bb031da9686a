"""A round of `algorithm` compiled: the very same lines, traced once into one graph of plain tensor operations.

A round is a pure function of the game's tensors and of its inputs (rows, draws, and the numbers that schedules give).
So it can be played once on placeholders: what comes out is a graph without Python, modules or automatic
differentiation (double backward included), which torch.compile turns into machine code. Two numbers of a compiled round
and of an eager one agree to rounding; a compiled round repeats itself to the bit.

What a graph freezes: every decision that Python takes in the networks, and their attributes that are no tensors.
"""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from saddlepoint.errors import InputError
from saddlepoint.training.algorithm import form_of
from saddlepoint.training.game import Game, Rows
from saddlepoint.training.records import Record
from saddlepoint.training.tracing import Asked, draw_of, listen, pure_round, scalars_of, tensors

Backend = Callable[[torch.fx.GraphModule], Callable[..., Tensor]]


class CannotCompileError(Exception):
    """A round that cannot be one graph, and why."""


class CompiledRound:
    """Plays rounds of any game of one structure: `compiled(game, batches)` moves the game as the algorithm would.

    backend turns the traced graph into something to call; the default is torch's compiler. The graph is made at the
    first round, or again after the structure of the game has changed (a remedy may add a penalty).

    Raises:
        CannotCompileError: at the first round; the sentence says why, and the game has not moved.
    """

    def __init__(self, backend: Backend | None = None) -> None:
        self.backend = backend or _inductor
        self.trace_seconds, self.compile_seconds = 0.0, 0.0
        self._structure: object = None
        self._known: tuple[object, ...] = ()
        self._tensors: list[Tensor] = []
        self._asked: list[Asked] = []
        self._given: set[Asked] = set()
        self._graph: Callable[..., Tensor] | None = None
        self._traced = torch.fx.GraphModule({}, torch.fx.Graph())

    def __call__(self, game: Game, batches: Iterator[Rows]) -> Record:
        """Play one round."""
        known = _identity(game)
        if len(known) != len(self._known) or any(a is not b for a, b in zip(known, self._known, strict=True)):
            if self._structure != structure(game):
                batches = self.trace(game, batches)
            self._tensors, self._known = tensors(game), _identity(game)
        if (graph := self._graph) is None:
            return self._first(game, batches)
        rows: list[Tensor | None] = []
        given: dict[Asked, Tensor | None] = {}
        for asked in self._asked:
            name, key = asked
            if name == "rows":
                rows += game.next_batch(batches)
            else:
                given[asked] = draw_of(game, name, key)
        inputs = [*(each for each in given.values() if each is not None), *(r for r in rows if r is not None)]
        with torch.no_grad():
            values = graph(self._tensors, scalars_of(game), inputs)
        record = Record(game.round, values)
        game.round += 1
        return record

    def trace(self, game: Game, batches: Iterator[Rows]) -> Iterator[Rows]:
        """Trace a round without moving the game; return the batches with those put back that were looked at."""
        from torch.fx.experimental.proxy_tensor import (
            make_fx,
        )  # takes half a second: not for those who never compile

        began = time.perf_counter()
        taken: list[Rows] = []
        trial = copy.deepcopy(game)
        self._asked = []

        def kept() -> Iterator[Rows]:
            for batch in batches:
                taken.append(batch)
                yield batch

        listen(trial, self._asked)
        form_of(trial)(trial, kept())
        game._rows_apart = trial._rows_apart
        trial = copy.deepcopy(game)
        state = [each.clone() for each in tensors(trial)]
        source = iter(taken)
        rows = [part for name, _ in self._asked if name == "rows" for part in trial.next_batch(source)]
        draws = {asked: draw_of(trial, *asked) for asked in self._asked if asked[0] != "rows"}
        self._given = {asked for asked, draw in draws.items() if draw is not None}
        inputs = [*(d for d in draws.values() if d is not None), *(r for r in rows if r is not None)]
        try:
            traced = make_fx(pure_round(trial, list(draws), self._given, [row is not None for row in rows]))(
                state, scalars_of(trial), inputs
            )
        except RuntimeError as error:
            raise CannotCompileError(f"it cannot be traced: {str(error).splitlines()[0]}") from error
        drawing = [node for node in traced.graph.nodes if _draws(node.target)]
        if drawing:
            raise CannotCompileError("the networks draw random numbers of their own")
        traced.graph.eliminate_dead_code()
        traced.recompile()
        self._traced, self._graph, self._structure = traced, None, structure(game)
        self.trace_seconds = time.perf_counter() - began
        return _chained(taken, batches)

    def _first(self, game: Game, batches: Iterator[Rows]) -> Record:
        began = time.perf_counter()
        self._graph = self.backend(self._traced)
        record = self(game, batches)
        self.compile_seconds = time.perf_counter() - began
        return record


def structure(game: Game) -> object:
    """Return what a graph is made for: another structure needs another graph."""
    settings = game.settings
    return (
        type(game.generator),
        type(game.discriminator),
        tuple(tuple(each.shape) for each in tensors(game)),
        tuple(penalty.name for penalty, _ in game.penalties),
        (settings.form, settings.discriminator_steps, settings.fresh_noise, settings.batch, settings.clip),
        (settings.generator.betas, settings.discriminator.betas, settings.generator.eps),
        game.objective.name,
        torch.get_num_threads(),
    )


def _identity(game: Game) -> tuple[object, ...]:
    """Return what a game's tensors and structure hang on: while these are the same objects, so are those."""
    states = (mover.optimiser.state for mover in game.movers.values())
    return (game, game.settings, game.penalties, *states)


def compiler_missing() -> str | None:
    """Return in words what the compiler lacks on this machine, None if nothing."""
    if torch.cuda.is_available() or any(shutil.which(name) for name in ("g++", "clang++", "c++")):
        return None
    return "this machine has no C++ compiler (g++ or clang++)"


def refuse_without_compiler() -> None:
    """Refuse compiled rounds where nothing can compile them.

    Raises:
        InputError: there is no C++ compiler.
    """
    if missing := compiler_missing():
        raise InputError(
            f"Rounds were to be compiled, but {missing}: install one, or use --compile off (compile='off')."
        )


def _inductor(traced: torch.fx.GraphModule) -> Callable[..., Tensor]:
    """Hand the graph to torch's compiler itself: what torch.compile lays around it (guards, the wait for a change of
    Python's mind) cost a twentieth of a small round, and here nothing can change.
    """
    (output,) = (node for node in traced.graph.nodes if node.op == "output")
    output.args = (tuple(output.args[0]),)
    traced.graph.set_codegen(torch.fx.graph.CodeGen())  # plain arguments in a row, a tuple back
    for node in traced.graph.nodes:
        node.meta.clear()  # the trace's own stand-ins for tensors are not the compiler's
    traced.recompile()
    compiled: list[Callable[..., tuple[Tensor]]] = []

    def play(state: list[Tensor], scalars: Tensor, inputs: list[Tensor]) -> Tensor:
        given: list[Any] = [*state, scalars, *inputs]
        if not compiled:
            # On a CPU a small round spends as long in Python between the products as in all that is not a product.
            options = {"size_asserts": False, "cpp_wrapper": scalars.device.type == "cpu"}
            compiled.append(torch._inductor.compile(traced, given, options=options))
        return compiled[0](*given)[0]

    return play


def _draws(target: object) -> bool:
    return torch.Tag.nondeterministic_seeded in getattr(target, "tags", ())


def _chained(taken: list[Rows], batches: Iterator[Rows]) -> Iterator[Rows]:
    yield from taken
    yield from batches
