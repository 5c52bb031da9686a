"""Lightning with manual optimisation, as in its own GAN example: python -m benchmarks.rivals.lightning_loop GAME

Runs in a separate environment that has lightning, torch and saddlepoint (games a, b, d). Rows come from a DataLoader; each step
toggles a player's optimiser, draws noise and calls manual_backward. There is no logger, progress bar or checkpoint.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import warnings
from typing import Any

import lightning
import torch
from benchmarks.rivals.plain_loop import Dropped
from benchmarks.speed_games import make
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class GAN(lightning.LightningModule):
    """Both players, and a training step that updates both."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.automatic_optimization = False
        made = make(name)
        self.made, self.sgd, self.penalised = made, name == "b", name == "d"
        self.generator = made.generator
        self.discriminator = Dropped() if name == "b" else made.discriminator
        self.loss = nn.BCEWithLogitsLoss()

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[Any]]:
        """Return G's and D's optimiser."""
        optimisers = [
            torch.optim.SGD(player.parameters(), lr=0.05, momentum=0.5)
            if self.sgd
            else torch.optim.Adam(player.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for player in (self.generator, self.discriminator)
        ]
        return optimisers, []

    def discriminator_loss(self, rows: Tensor, label: float) -> Tensor:
        """Return D's loss on rows, with the gradient penalty if the game has penalties."""
        rows = rows.detach().requires_grad_(self.penalised)
        logits = self.discriminator(rows)
        loss = self.loss(logits, torch.full_like(logits, label)) / 2
        if self.penalised:
            (slope,) = torch.autograd.grad(logits.sum(), rows, create_graph=True)
            loss = loss + slope.flatten(1).square().sum(1).mean() / 2
        return loss

    def training_step(self, batch: list[Tensor], _: int) -> None:
        """Update G, then D."""
        (real,) = batch
        of_g, of_d = self.optimizers()
        self.toggle_optimizer(of_g)
        z = torch.randn(len(real), self.made.settings.noise_width)
        fake = self.generator(z)
        logits = self.discriminator(fake)
        of_g.zero_grad()
        self.manual_backward(self.loss(logits, torch.ones_like(logits)))
        of_g.step()
        self.untoggle_optimizer(of_g)
        self.toggle_optimizer(of_d)
        of_d.zero_grad()
        self.manual_backward(self.discriminator_loss(real, 1.0) + self.discriminator_loss(fake, 0.0))
        of_d.step()
        self.untoggle_optimizer(of_d)


class Turns(lightning.Callback):
    """Reads a number of rounds from stdin when the previous ones are done, and answers with their CPU seconds."""

    def __init__(self) -> None:
        self.left, self.asked, self.cpu, self.clock = 3, 0, 0.0, 0.0

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Count a round; after the last one of a turn, answer and wait."""
        self.left -= 1
        if self.left:
            return
        spent = {"cpu": time.process_time() - self.cpu, "clock": time.perf_counter() - self.clock}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**spent, "peak_mb": peak} if self.asked else {"ready": True}), flush=True)
        if not (line := sys.stdin.readline()):
            trainer.should_stop = True
            self.left = 1
            return
        self.left = self.asked = int(line)
        self.cpu, self.clock = time.process_time(), time.perf_counter()


def main(name: str) -> None:
    """Play until stdin ends."""
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    game = GAN(name)
    rows = DataLoader(TensorDataset(game.made.rows), game.made.settings.batch, shuffle=True, drop_last=True)
    trainer = lightning.Trainer(
        max_epochs=-1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Turns()],
    )
    trainer.fit(game, rows)


if __name__ == "__main__":
    main(sys.argv[1])
