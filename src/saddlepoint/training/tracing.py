"""A game seen as placeholders, so that the lines of `algorithm` can be traced into one graph.

A round is a pure function of the game's tensors and of its inputs: rows, draws, and the numbers that schedules give.
`pure_round` writes it as such a function, by playing the algorithm itself on such a game.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

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
        state = game.movers[player].state()
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
                for name, entries in self.movers[player].state().items()
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
        pace = self.scalars[place : place + 2]
        self.movers[name].arithmetic(leaves, gradients, self.entries[name], pace, self.movement(name))
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
        numbers += game.movers[player].scalars(game.movement(player), game.round, game.settings.horizon)
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
