"""Compiled rounds: one round of `algorithm` traced into a single graph and compiled by torch's inductor.

A round is a pure function of the game's tensors and of its inputs: rows, random numbers, and the numbers that schedules give.
`pure_round` writes it as such a function, by running the code of `algorithm` on a game of placeholders (`_TracedGame`). Its
trace is a graph of plain tensor operations, without Python, modules or automatic differentiation (double backward included).
Compiled and eager rounds agree up to rounding; a compiled round is reproducible bit for bit.

A graph is fixed: it keeps every branch that Python took in the networks, and their attributes that are not tensors.
"""

from __future__ import annotations

import copy
import itertools
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
Request = tuple[str, tuple[Any, ...]]
"""Random numbers or a batch that a round requests: the name of the game's method, and its arguments."""


def tensors(game: Game) -> list[Tensor]:
    """Return all tensors that a round updates, and the players' buffers: detached views of the same memory."""
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
    """A game whose tensors, random numbers and scheduled numbers are placeholders, for tracing a round.

    draws: the random numbers of the round, by request.
    rows: the batches of the round.
    network_tensors: parameters and buffers of each player, by name.
    leaves: parameters of each player, as leaves of the autograd graph.
    optimiser_state: tensors of each player's optimiser, by name.
    scalars: the numbers of `scalars_of`.
    """

    draws: dict[Request, Tensor]
    rows: Iterator[tuple[Tensor, Tensor | None]]
    network_tensors: dict[str, dict[str, Tensor]]
    leaves: dict[str, list[Tensor]]
    optimiser_state: dict[str, dict[str, list[Tensor]]]
    scalars: Tensor

    def bind(self, state: list[Tensor], scalars: Tensor) -> None:
        """Use these tensors (in the order of `tensors`) and numbers (in the order of `scalars_of`)."""
        remaining = iter(state)
        self.network_tensors, self.leaves = {}, {}
        for player in PLAYERS:
            module = self.player(player)
            leaves = {
                name: next(remaining).detach().requires_grad_() for name, _ in module.named_parameters()
            }
            self.leaves[player] = list(leaves.values())
            self.network_tensors[player] = leaves | {
                name: next(remaining) for name, _ in module.named_buffers()
            }
        if self.average is not None:
            self.ema_parameters = [next(remaining) for _ in self.average.module.parameters()]
            self.ema_buffers = [next(remaining) for _ in self.average.module.buffers()]
        self.optimiser_state = {
            player: {
                name: [next(remaining) for _ in entries]
                for name, entries in self.player_optimisers[player].state().items()
                if name != "step"
            }
            for player in PLAYERS
        }
        self.scalars = scalars
        self.penalties = [
            (penalty, partial(self._weight, index)) for index, (penalty, _) in enumerate(self.penalties)
        ]

    def _weight(self, index: int, round_: int) -> Tensor:
        """Return the placeholder of a penalty's weight."""
        return self.scalars[5 + index]

    def noise(self, step: int) -> Tensor:
        """Return the placeholder of z."""
        return self.draws["noise", (step,)]

    def mix(self, step: int) -> Tensor:
        """Return the placeholder of the mixing weights."""
        return self.draws["mix", (step,)]

    def augmentation_draws(self, side: str, step: int) -> Tensor | None:
        """Return the placeholder of the random numbers for augmentation, or None."""
        return self.draws.get(("augmentation_draws", (side, step)))

    def uniforms(self, module: nn.Module, purpose: str, step: int) -> Tensor | None:
        """Return the placeholder of a network's uniform numbers, or None."""
        return self.draws.get(("uniforms", (self.name_of(module), purpose, step)))

    def next_batch(self, batches: Iterator[Rows]) -> tuple[Tensor, Tensor | None]:
        """Return the placeholders of the next rows and their condition."""
        return next(self.rows)

    def weights(self, module: nn.Module) -> dict[str, Tensor] | None:
        """Return the placeholders of a network's parameters and buffers."""
        return self.network_tensors[self.name_of(module)]

    def gradients(self, name: Player, loss: Tensor, *, keep_graph: bool = False) -> list[Tensor]:
        """Return the gradient of a loss with respect to the placeholders of one player's parameters."""
        return list(
            torch.autograd.grad(
                loss, self.leaves[name], retain_graph=keep_graph, allow_unused=True, materialize_grads=True
            )
        )

    @torch.no_grad()
    def move(self, name: Player, gradients: list[Tensor]) -> Tensor:
        """Update the placeholders of one player by plain tensor operations; return the norm of the gradient."""
        first = 2 * PLAYERS.index(name)
        leaves = [leaf.detach() for leaf in self.leaves[name]]
        scalars = self.scalars[first : first + 2]
        self.player_optimisers[name].arithmetic(
            leaves, gradients, self.optimiser_state[name], scalars, self.optimiser_settings(name)
        )
        squares = torch.stack([gradient.square().sum() for gradient in gradients])
        return squares.sum().sqrt()

    @torch.no_grad()
    def end_round(self, *values: Tensor) -> Record:
        """Update the EMA and return the record; the round is counted outside the graph."""
        if self.average is not None:
            for mean, leaf in zip(self.ema_parameters, self.leaves["generator"], strict=True):
                mean.lerp_(leaf.detach(), self.scalars[4])
            names = [name for name, _ in self.generator.named_buffers()]
            for buffer, name in zip(self.ema_buffers, names, strict=True):
                buffer.copy_(self.network_tensors["generator"][name])
        return Record(self.round, torch.stack([value.detach().mean() for value in values]))


def scalars_of(game: Game) -> Tensor:
    """Count a step of both optimisers, and return the numbers of this round that schedules give.

    They are: two of D's optimiser, two of G's (`PlayerOptimiser.scalars`), 1 - d of the EMA, and the penalties' weights.
    """
    numbers: list[float] = []
    for player in PLAYERS:
        numbers += game.player_optimisers[player].scalars(
            game.optimiser_settings(player), game.round, game.settings.horizon
        )
    numbers.append(0.0 if game.average is None else 1.0 - game.average.decay(game.round))
    numbers += [float(weight(game.round)) for _, weight in game.penalties]
    return torch.tensor(numbers, dtype=game.dtype, device=game.device)


def pure_round(
    game: Game, requests: list[Request], has_conditions: list[bool]
) -> Callable[[list[Tensor], Tensor, list[Tensor]], Tensor]:
    """Return a round as a function (tensors, scalars, inputs) -> values of the record; it updates the tensors in place.

    game: gives the networks' code and the settings.
    requests: the random numbers that come first among the inputs.
    has_conditions: for each batch that follows, whether a condition comes after its rows.
    """

    def round_(state: list[Tensor], scalars: Tensor, inputs: list[Tensor]) -> Tensor:
        traced = object.__new__(_TracedGame)
        traced.__dict__.update(game.__dict__)
        remaining = iter(inputs)
        traced.draws = {request: next(remaining) for request in requests}
        batches = [(next(remaining), next(remaining) if condition else None) for condition in has_conditions]
        traced.rows = iter(batches)
        traced.bind(state, scalars)
        return form_of(traced)(traced, iter(())).values

    return round_


def record_requests(game: Game, requests: list[Request]) -> None:
    """Make a game append to a list which random numbers and batches a round requests, in order; random numbers once each."""
    noise, mix, augmentation_draws = game.noise, game.mix, game.augmentation_draws
    uniforms, next_batch = game.uniforms, game.next_batch

    def note(name: str, *arguments: Any) -> None:
        if name == "rows" or (name, arguments) not in requests:
            requests.append((name, arguments))

    def uniforms_(module: nn.Module, purpose: str, step: int) -> Tensor | None:
        note("uniforms", game.name_of(module), purpose, step)
        return uniforms(module, purpose, step)

    def noise_(step: int) -> Tensor:
        note("noise", step)
        return noise(step)

    def augmentation_draws_(side: str, step: int) -> Tensor | None:
        note("augmentation_draws", side, step)
        return augmentation_draws(side, step)

    def mix_(step: int) -> Tensor:
        note("mix", step)
        return mix(step)

    def next_batch_(batches: Iterator[Rows]) -> tuple[Tensor, Tensor | None]:
        note("rows")
        return next_batch(batches)

    for name, recording in (
        ("noise", noise_),
        ("mix", mix_),
        ("augmentation_draws", augmentation_draws_),
        ("uniforms", uniforms_),
        ("next_batch", next_batch_),
    ):
        setattr(game, name, recording)


def draw(game: Game, name: str, arguments: tuple[Any, ...]) -> Tensor | None:
    """Return the random numbers of a request."""
    if name == "uniforms":
        player, purpose, step = arguments
        return game.uniforms(game.player(player), purpose, step)
    numbers: Tensor | None = getattr(game, name)(*arguments)
    return numbers


Backend = Callable[[torch.fx.GraphModule], Callable[..., Tensor]]


class CannotCompileError(Exception):
    """A round cannot be traced into one graph; the message says why."""


class CompiledRound:
    """Plays compiled rounds: `compiled(game, batches)` does to the game what the round of `algorithm` does.

    The graph is made in the first round, and again whenever the structure of the game has changed (a remedy for mode
    collapse may add a penalty).

    backend: turns the traced graph into a function; by default torch's inductor.

    Raises:
        CannotCompileError: in the first round; the message says why, and the game is unchanged.
    """

    def __init__(self, backend: Backend | None = None) -> None:
        self.backend = backend or _inductor
        self.trace_seconds, self.compile_seconds = 0.0, 0.0
        self._structure: object = None
        self._identity: tuple[object, ...] = ()
        self._tensors: list[Tensor] = []
        self._requests: list[Request] = []
        self._graph: Callable[..., Tensor] | None = None
        self._traced = torch.fx.GraphModule({}, torch.fx.Graph())

    def __call__(self, game: Game, batches: Iterator[Rows]) -> Record:
        """Play one round."""
        found, known = _identity(game), self._identity
        if len(found) != len(known) or any(a is not b for a, b in zip(found, known, strict=True)):
            if self._structure != structure(game):
                batches = self.trace(game, batches)
            self._tensors, self._identity = tensors(game), _identity(game)
        if (graph := self._graph) is None:
            return self._compile_and_play(game, batches)
        rows: list[Tensor | None] = []
        draws: list[Tensor | None] = []
        for name, arguments in self._requests:
            if name == "rows":
                rows += game.next_batch(batches)
            else:
                draws.append(draw(game, name, arguments))
        inputs = [each for each in (*draws, *rows) if each is not None]
        with torch.no_grad():
            values = graph(self._tensors, scalars_of(game), inputs)
        record = Record(game.round, values)
        game.round += 1
        return record

    def trace(self, game: Game, batches: Iterator[Rows]) -> Iterator[Rows]:
        """Trace a round without changing the game; return the batches, those that the trace used put back in front."""
        # This import takes half a second, so only those who compile pay for it.
        from torch.fx.experimental.proxy_tensor import make_fx

        began = time.perf_counter()
        taken: list[Rows] = []
        trial = copy.deepcopy(game)
        self._requests = []

        def remembered() -> Iterator[Rows]:
            for batch in batches:
                taken.append(batch)
                yield batch

        record_requests(trial, self._requests)
        form_of(trial)(trial, remembered())
        game._row_independent = trial._row_independent
        trial = copy.deepcopy(game)
        state = [each.clone() for each in tensors(trial)]
        source = iter(taken)
        rows = [trial.next_batch(source) for name, _ in self._requests if name == "rows"]
        draws = {request: draw(trial, *request) for request in self._requests if request[0] != "rows"}
        requests = [request for request, numbers in draws.items() if numbers is not None]
        has_conditions = [condition is not None for _, condition in rows]
        inputs = [each for each in (*draws.values(), *itertools.chain(*rows)) if each is not None]
        try:
            traced = make_fx(pure_round(trial, requests, has_conditions))(state, scalars_of(trial), inputs)
        except RuntimeError as error:
            raise CannotCompileError(f"it cannot be traced: {str(error).splitlines()[0]}") from error
        if any(_is_random(node.target) for node in traced.graph.nodes):
            raise CannotCompileError("the networks draw their own random numbers")
        traced.graph.eliminate_dead_code()
        traced.recompile()
        self._traced, self._graph, self._structure = traced, None, structure(game)
        self.trace_seconds = time.perf_counter() - began
        return itertools.chain(taken, batches)

    def _compile_and_play(self, game: Game, batches: Iterator[Rows]) -> Record:
        """Compile the traced graph and play the first round with it."""
        began = time.perf_counter()
        self._graph = self.backend(self._traced)
        record = self(game, batches)
        self.compile_seconds = time.perf_counter() - began
        return record


def structure(game: Game) -> object:
    """Return all that a graph depends on: a game of another structure needs another graph."""
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
    """Return objects that determine a game's tensors and structure: while they are the same, so are those."""
    states = (each.optimiser.state for each in game.player_optimisers.values())
    return (game, game.settings, game.penalties, *states)


def compiler_missing() -> str | None:
    """Return a sentence about what this machine lacks for compiling, or None."""
    if torch.cuda.is_available() or any(shutil.which(name) for name in ("g++", "clang++", "c++")):
        return None
    return "this machine has no C++ compiler (g++ or clang++)"


def refuse_without_compiler() -> None:
    """Refuse compiled rounds on a machine that cannot compile.

    Raises:
        InputError: there is no C++ compiler.
    """
    if missing := compiler_missing():
        raise InputError(
            f"Compiled rounds were asked for, but {missing}: install one, or use --compile off (compile='off')."
        )


def _inductor(traced: torch.fx.GraphModule) -> Callable[..., Tensor]:
    """Compile the graph with inductor directly.

    The guards that torch.compile would add cost about 5 % of a small round, and here nothing can change between rounds.
    """
    (output,) = (node for node in traced.graph.nodes if node.op == "output")
    output.args = (tuple(output.args[0]),)
    traced.graph.set_codegen(torch.fx.graph.CodeGen())  # takes plain arguments, returns a tuple
    for node in traced.graph.nodes:
        node.meta.clear()  # inductor cannot use the fake tensors of the trace
    traced.recompile()
    compiled: list[Callable[..., tuple[Tensor]]] = []

    def play(state: list[Tensor], scalars: Tensor, inputs: list[Tensor]) -> Tensor:
        arguments: list[Any] = [*state, scalars, *inputs]
        if not compiled:
            # With a Python wrapper, a small round on a CPU spends as much time in Python between the matrix products as in
            # all other operations.
            options = {"size_asserts": False, "cpp_wrapper": scalars.device.type == "cpu"}
            compiled.append(torch._inductor.compile(traced, arguments, options=options))
        return compiled[0](*arguments)[0]

    return play


def _is_random(target: object) -> bool:
    """Return whether an operation draws random numbers."""
    return torch.Tag.nondeterministic_seeded in getattr(target, "tags", ())
