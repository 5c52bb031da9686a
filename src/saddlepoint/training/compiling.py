"""A round of `algorithm` compiled: the very same lines, traced once into one graph of plain tensor operations.

A round is a pure function of the game's tensors and of its inputs (rows, draws, and the numbers that schedules give).
So it can be played once on placeholders: what comes out is a graph without Python, modules or automatic
differentiation (double backward included), which torch.compile turns into machine code. Two numbers of a compiled round
and of an eager one agree to rounding; a compiled round repeats itself to the bit.

What a graph freezes: every decision that Python takes in the networks, and their attributes that are no tensors.

A game seen as placeholders, so that the lines of `algorithm` can be traced into one graph.

A round is a pure function of the game's tensors and of its inputs: rows, draws, and the numbers that schedules give.
`pure_round` writes it as such a function, by playing the algorithm itself on such a game.
"""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from saddlepoint.errors import InputError
from saddlepoint.training.algorithm import form_of
from saddlepoint.training.game import Game, Player, Rows
from saddlepoint.training.records import Record

PLAYERS: tuple[Player, Player] = ("discriminator", "generator")
Asked = tuple[str, tuple[Any, ...]]
"""A draw or a batch that a round asks for: the method of the game, and its arguments."""


def tensors(game: Game) -> list[Tensor]:
    """Return all tensors that a round moves, and the players' buffers, without gradients: they share memory."""
    found: list[Tensor] = []
    for player in PLAYERS:
        module = game.player(player)
        found += [*module.parameters(), *module.buffers()]
    if game.average is not None:
        found += [*game.average.module.parameters(), *game.average.module.buffers()]
    for player in PLAYERS:
        state = game.player_optimisers[player].state()
        found += [each for name, entries in state.items() if name != "step" for each in entries]
    return [each.detach() for each in found]


class _TracedGame(Game):
    """A game while its round is traced: its tensors, draws and numbers are placeholders."""

    given: dict[Asked, Tensor]
    rows: Iterator[tuple[Tensor, Tensor | None]]
    own: dict[str, dict[str, Tensor]]
    leaves: dict[str, list[Tensor]]
    entries: dict[str, dict[str, list[Tensor]]]
    scalars: Tensor

    def stand_on(self, state: list[Tensor], scalars: Tensor) -> None:
        """Take the tensors of `tensors` and the numbers of `_scalars` in their order."""
        left = iter(state)
        self.own, self.leaves = {}, {}
        for player in PLAYERS:
            module = self.player(player)
            leaves = {name: next(left).detach().requires_grad_() for name, _ in module.named_parameters()}
            self.leaves[player] = list(leaves.values())
            self.own[player] = leaves | {name: next(left) for name, _ in module.named_buffers()}
        if self.average is not None:
            self.means = [next(left) for _ in self.average.module.parameters()]
            self.kept = [next(left) for _ in self.average.module.buffers()]
        self.entries = {
            player: {
                name: [next(left) for _ in entries]
                for name, entries in self.player_optimisers[player].state().items()
                if name != "step"
            }
            for player in PLAYERS
        }
        self.scalars = scalars
        self.penalties = [
            (penalty, partial(self._weight, place)) for place, (penalty, _) in enumerate(self.penalties)
        ]

    def _weight(self, place: int, round_: int) -> Tensor:
        return self.scalars[5 + place]

    def noise(self, step: int) -> Tensor:
        """Return the placeholder of z."""
        return self.given["noise", (step,)]

    def mix(self, step: int) -> Tensor:
        """Return the placeholder of the mixing weights."""
        return self.given["mix", (step,)]

    def changes(self, side: str, step: int) -> Tensor | None:
        """Return the placeholder of the draws by which pictures are changed, or None."""
        return self.given.get(("changes", (side, step)))

    def uniforms(self, module: nn.Module, purpose: str, step: int) -> Tensor | None:
        """Return the placeholder of a network's uniform numbers, or None."""
        return self.given.get(("uniforms", (self.name_of(module), purpose, step)))

    def next_batch(self, batches: Iterator[Rows]) -> tuple[Tensor, Tensor | None]:
        """Return the placeholders of the next rows and their condition."""
        return next(self.rows)

    def weights(self, module: nn.Module) -> dict[str, Tensor] | None:
        """Return the placeholders of a network's parameters and buffers."""
        return self.own[self.name_of(module)]

    def gradients(self, name: Player, loss: Tensor, *, keep_graph: bool = False) -> list[Tensor]:
        """Return the gradient of a loss by the placeholders of one player."""
        return list(
            torch.autograd.grad(
                loss, self.leaves[name], retain_graph=keep_graph, allow_unused=True, materialize_grads=True
            )
        )

    @torch.no_grad()
    def move(self, name: Player, gradients: list[Tensor]) -> Tensor:
        """Move the placeholders of one player by plain arithmetic; return the gradient's norm."""
        place = 2 * PLAYERS.index(name)
        leaves = [leaf.detach() for leaf in self.leaves[name]]
        set_rate = self.scalars[place : place + 2]
        self.player_optimisers[name].arithmetic(
            leaves, gradients, self.entries[name], set_rate, self.optimiser_settings(name)
        )
        squares = torch.stack([gradient.square().sum() for gradient in gradients])
        return squares.sum().sqrt()

    @torch.no_grad()
    def end_round(self, *values: Tensor) -> Record:
        """Move the average and return the record; counting is done outside."""
        if self.average is not None:
            for mean, leaf in zip(self.means, self.leaves["generator"], strict=True):
                mean.lerp_(leaf.detach(), self.scalars[4])
            buffers = [name for name, _ in self.generator.named_buffers()]
            for kept, name in zip(self.kept, buffers, strict=True):
                kept.copy_(self.own["generator"][name])
        return Record(self.round, torch.stack([value.detach().mean() for value in values]))


def scalars_of(game: Game) -> Tensor:
    """Return the numbers that schedules give in this round; counts the optimisers' steps."""
    numbers: list[float] = []
    for player in PLAYERS:
        numbers += game.player_optimisers[player].scalars(
            game.optimiser_settings(player), game.round, game.settings.horizon
        )
    numbers.append(0.0 if game.average is None else 1.0 - game.average.decay(game.round))
    numbers += [float(weight(game.round)) for _, weight in game.penalties]
    return torch.tensor(numbers, dtype=game.dtype, device=game.device)


def pure_round(
    game: Game, draws: list[Asked], given: set[Asked], rows: list[bool]
) -> Callable[[list[Tensor], Tensor, list[Tensor]], Tensor]:
    """Return a round as a function of (tensors, scalars, draws and rows) -> record; the tensors are moved in place."""

    def round_(state: list[Tensor], scalars: Tensor, inputs: list[Tensor]) -> Tensor:
        traced = object.__new__(_TracedGame)
        traced.__dict__.update(game.__dict__)
        left = iter(inputs)
        traced.given = {asked: next(left) for asked in draws if asked in given}
        # Of each batch its rows, which are always there, and its condition.
        batches = [(next(left), next(left) if condition else None) for condition in rows[1::2]]
        traced.rows = iter(batches)
        traced.stand_on(state, scalars)
        return form_of(traced)(traced, iter(())).values

    return round_


def listen(game: Game, asked: list[Asked]) -> None:
    """Let a game write down which draws and rows a round asks for, in order; each draw once."""
    noise, mix, changes = game.noise, game.mix, game.changes
    uniforms, next_batch = game.uniforms, game.next_batch

    def note(name: str, *key: Any) -> None:
        if name == "rows" or (name, key) not in asked:
            asked.append((name, key))

    def uniforms_(module: nn.Module, purpose: str, step: int) -> Tensor | None:
        note("uniforms", game.name_of(module), purpose, step)
        return uniforms(module, purpose, step)

    def noise_(step: int) -> Tensor:
        note("noise", step)
        return noise(step)

    def changes_(side: str, step: int) -> Tensor | None:
        note("changes", side, step)
        return changes(side, step)

    def mix_(step: int) -> Tensor:
        note("mix", step)
        return mix(step)

    def next_batch_(batches: Iterator[Rows]) -> tuple[Tensor, Tensor | None]:
        note("rows")
        return next_batch(batches)

    for name, listening in (
        ("noise", noise_),
        ("mix", mix_),
        ("changes", changes_),
        ("uniforms", uniforms_),
        ("next_batch", next_batch_),
    ):
        setattr(game, name, listening)


def draw_of(game: Game, name: str, key: tuple[Any, ...]) -> Tensor | None:
    """Return what a game draws when it is asked for this."""
    if name == "uniforms":
        player, purpose, step = key
        return game.uniforms(game.player(player), purpose, step)
    drawn: Tensor | None = getattr(game, name)(*key)
    return drawn


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
        game._row_independent = trial._row_independent
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
    states = (mover.optimiser.state for mover in game.player_optimisers.values())
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
