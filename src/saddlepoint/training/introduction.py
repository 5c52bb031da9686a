"""Before the first round: do these two networks and this data fit together? Told in words, not by a stack of calls."""

from __future__ import annotations

import torch
from torch import Tensor

from saddlepoint.errors import InputError
from saddlepoint.training.game import Game, Rows


@torch.no_grad()
def introduce(game: Game, batch: Rows) -> None:
    """Let G make one batch and D look at real and generated rows, and say in words what does not fit.

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
        fake = _attempt(game, "generator", f"noise of shape {_shape(z)}", z, condition, 0)
        if fake.shape != real.shape:
            raise InputError(
                f"The generator made rows of shape {_shape(fake[0])} from noise of width {game.settings.noise_width}, "
                f"but the data's rows have shape {_shape(real[0])}: change the generator's last layer or the batches."
            )
        for name, points in (("the data's", real), ("the generator's", fake)):
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


def _attempt(game: Game, player: str, what: str, rows: Tensor, condition: Tensor | None, step: int) -> Tensor:
    module = game.player(player)
    try:
        return game.run(module, rows, condition, game.uniforms(module, player, step))
    except InputError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"The {player} cannot take {what}: {reason}.") from error


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
