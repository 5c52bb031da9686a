"""Checks before the first round that the two networks and the data fit; errors are sentences, not stack traces."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from saddlepoint.errors import InputError
from saddlepoint.training.game import Game, Rows

_PASSES = 6.0
"""Passes of one batch through the weights in one round, forward and backward, as in `recipes.Plan.multiply_adds`."""


def check_players(generator: object, discriminator: object) -> None:
    """Refuse players that are not networks, or that cannot be trained.

    Raises:
        InputError: a player is a class, is not a torch module, has no parameters, or has frozen ones.
    """
    for name, module in (("generator", generator), ("discriminator", discriminator)):
        if isinstance(module, type):
            raise InputError(
                f"The {name} is the class {module.__name__} itself; give an instance of it: "
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
    """Run G on noise and D on one real and one generated batch; return roughly the multiply-adds of one round.

    Raises:
        InputError: a network fails on its input, G's rows have another shape than the data's, or D does not return one
            logit per row.
    """
    rows = game.settings.batch // game.process.count
    raw = batch[0] if isinstance(batch, tuple) else batch
    if not raw.is_floating_point():
        raise InputError(
            f"The batches hold {str(raw.dtype).removeprefix('torch.')} numbers; the game needs floating-point rows: "
            "convert them, for example with batch.float() / 255."
        )
    if len(raw) != rows:
        raise InputError(
            f"The first batch has {len(raw)} rows, the settings say {rows} for this process: "
            f"use Settings(batch={len(raw) * game.process.count}) or batches of {rows}."
        )
    real, condition = game.next_batch(iter([batch]))
    modes = [(module, module.training) for module in (game.generator, game.discriminator)]
    try:
        for module, _ in modes:
            module.eval()  # this check must not change running statistics
        z = game.noise(0)
        with FlopCounterMode(display=False) as of_generator:
            fake = _attempt(game, "generator", f"noise of shape {_shape(z)}", z, condition, 0)
        if fake.shape != real.shape:
            raise InputError(
                f"The generator made rows of shape {_shape(fake[0])} from noise of width {game.settings.noise_width}, "
                f"but the data's rows have shape {_shape(real[0])}: change the generator's last layer or the batches."
            )
        for name, points in (("the data's", real), ("the generator's", fake)):
            with FlopCounterMode(display=False) as of_discriminator:
                logits = _attempt(
                    game, "discriminator", f"{name} rows of shape {_shape(points[0])}", points, condition, 0
                )
            if logits.numel() != len(points):
                raise InputError(
                    f"The discriminator returned shape {_shape(logits)} for {len(points)} rows; it must return one "
                    f"logit per row, of shape ({len(points)},) or ({len(points)}, 1), without a sigmoid."
                )
    finally:
        for module, training in modes:
            module.train(training)
    flops = of_generator.get_total_flops() + of_discriminator.get_total_flops()
    return float(_PASSES * flops / 2 * game.process.count)


def _attempt(game: Game, player: str, what: str, rows: Tensor, condition: Tensor | None, step: int) -> Tensor:
    """Return a player's output on rows; turn its errors into an InputError that names the input as `what`."""
    module = game.player(player)
    uniforms = game.uniforms(module, player, step)
    try:
        return game.run(module, rows, condition, uniforms)
    except InputError:
        raise
    except TypeError as error:
        if condition is not None and _takes(module, 1) and not _takes(module, 2):
            raise InputError(
                f"The batches are pairs (rows, condition), but the {player} takes only rows: give batches without a "
                "condition, or networks whose forward takes (rows, condition)."
            ) from error
        if condition is None and _takes(module, 2) and not _takes(module, 1):
            raise InputError(
                f"The {player} takes a condition, but the batches are only rows: give pairs (rows, condition)."
            ) from error
        raise InputError(f"The {player} cannot take {what}: {str(error).splitlines()[0]}.") from error
    except (RuntimeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"The {player} cannot take {what}: {reason}.") from error


def _takes(module: nn.Module, count: int) -> bool:
    """Return whether a network can be called with `count` tensors."""
    parameters = [
        each for each in inspect.signature(module.forward).parameters.values() if each.name != "uniforms"
    ]
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return True
    positional = [
        each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    return sum(each.default is each.empty for each in positional) <= count <= len(positional)


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
