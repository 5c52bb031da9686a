"""Before the first round: do these two networks and this data fit together? Told in words, not by a stack of calls."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from saddlepoint.errors import InputError
from saddlepoint.training.game import Game, Rows

_PASSES = 6.0
"""A round takes some six passes of the batch through the weights, as `recipes.Plan.multiply_adds` counts."""


def check_players(generator: object, discriminator: object) -> None:
    """Refuse what is no network, or has nothing to train.

    Raises:
        InputError: a player is a class, no torch module, has no parameters, or holds some that are frozen.
    """
    for name, module in (("generator", generator), ("discriminator", discriminator)):
        if isinstance(module, type):
            raise InputError(
                f"The {name} is the class {module.__name__} itself; give a network made from it: "
                f"{module.__name__}(...)."
            )
        if not isinstance(module, nn.Module):
            raise InputError(f"The {name} is a {type(module).__name__}; it must be a torch.nn.Module.")
        parameters = dict(module.named_parameters())
        if not parameters:
            raise InputError(
                f"The {name} has no parameters, so it cannot learn; give it a layer with weights, such as nn.Linear."
            )
        frozen = [each for each, value in parameters.items() if not value.requires_grad]
        if frozen:
            raise InputError(
                f"The {name}'s parameter {frozen[0]!r} has requires_grad=False; set it to True, or register it as a "
                "buffer if it is not to be trained."
            )


@torch.no_grad()
def check_shapes(game: Game, batch: Rows) -> float:
    """Let G make one batch and D look at real and generated rows, and say in words what does not fit.

    Returns roughly how many multiply-adds one round will take.

    Raises:
        InputError: G refuses the noise, its rows have another shape than the data's, or D does not return one logit
            a row.
    """
    rows = game.settings.batch // game.share.count
    raw = batch[0] if isinstance(batch, tuple) else batch
    if not raw.is_floating_point():
        raise InputError(
            f"The batches hold {str(raw.dtype).removeprefix('torch.')} numbers; the game needs floating-point rows: "
            "convert them, for example with batch.float() / 255."
        )
    if len(raw) != rows:
        raise InputError(
            f"The first batch has {len(raw)} rows, the settings say {rows} for this process: "
            f"use Settings(batch={len(raw) * game.share.count}) or batches of {rows}."
        )
    real, condition = game.next_batch(iter([batch]))
    modes = [(module, module.training) for module in (game.generator, game.discriminator)]
    try:
        for module, _ in modes:
            module.eval()  # a look must not move running statistics
        z = game.noise(0)
        with _counted(game.generator) as made:
            fake = _attempt(game, "generator", f"noise of shape {_shape(z)}", z, condition, 0)
        if fake.shape != real.shape:
            raise InputError(
                f"The generator made rows of shape {_shape(fake[0])} from noise of width {game.settings.noise_width}, "
                f"but the data's rows have shape {_shape(real[0])}: change the generator's last layer or the batches."
            )
        for name, points in (("the data's", real), ("the generator's", fake)):
            with _counted(game.discriminator) as looked:
                logits = _attempt(
                    game, "discriminator", f"{name} rows of shape {_shape(points[0])}", points, condition, 0
                )
            if logits.numel() != len(points):
                raise InputError(
                    f"The discriminator returned shape {_shape(logits)} for {len(points)} rows; it must return one "
                    f"logit a row, shape ({len(points)},) or ({len(points)}, 1), and no sigmoid."
                )
    finally:
        for module, training in modes:
            module.train(training)
    return _PASSES * (sum(made) + sum(looked)) * game.share.count


def _attempt(game: Game, player: str, what: str, rows: Tensor, condition: Tensor | None, step: int) -> Tensor:
    module = game.player(player)
    uniforms = game.uniforms(module, player, step)
    try:
        return game.run(module, rows, condition, uniforms)
    except InputError:
        raise
    except TypeError as error:
        if condition is not None and _takes(module, 1) and not _takes(module, 2):
            raise InputError(
                f"The batches are pairs (rows, condition), but the {player} takes rows alone: leave out the second of "
                "each pair, or give networks whose forward takes (rows, condition)."
            ) from error
        if condition is None and _takes(module, 2) and not _takes(module, 1):
            raise InputError(
                f"The {player} takes a condition, but the batches are rows alone: give pairs (rows, condition)."
            ) from error
        raise InputError(f"The {player} cannot take {what}: {str(error).splitlines()[0]}.") from error
    except (RuntimeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"The {player} cannot take {what}: {reason}.") from error


def _takes(module: nn.Module, count: int) -> bool:
    """Return whether a network can be called with so many tensors."""
    parameters = [
        each for each in inspect.signature(module.forward).parameters.values() if each.name != "uniforms"
    ]
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return True
    places = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return sum(each.default is each.empty for each in places) <= count <= len(places)


@contextmanager
def _counted(module: nn.Module) -> Iterator[list[float]]:
    """Collect the multiply-adds of the layers of a network while it is called."""
    found: list[float] = []

    def note(layer: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        # A weight (out, in, ...) meets each number that comes out; that of a transposed convolution, each that goes in.
        moved = inputs[0] if getattr(layer, "transposed", False) and inputs else output
        if isinstance(moved, Tensor):
            for weight in layer.parameters(recurse=False):
                if weight.ndim > 1:
                    found.append(moved.numel() * weight[0].numel())

    hooks = [layer.register_forward_hook(note) for layer in module.modules()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
