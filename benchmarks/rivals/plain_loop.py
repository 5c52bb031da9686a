"""A training loop in the style of popular reference scripts.

BCEWithLogitsLoss against ones and zeros; zero_grad, backward and step for G and then for D; losses are read in each round.
R1 and R2 by autograd.grad with create_graph, dropout by nn.Dropout's own draws, the average of G parameter by parameter.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from benchmarks.speed_games import make
from torch import Tensor, nn

VARIANTS = ("default optimiser", "foreach optimiser", "fused optimiser", "fused optimiser, compiled networks")
"""The last one only for games without penalties, because torch.compile does not support second derivatives."""


class Dropped(nn.Module):
    """The maxout discriminator with nn.Dropout before each layer, as a script would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.logit = nn.Linear(784, 1200), nn.Linear(240, 1200), nn.Linear(240, 1)
        self.light, self.heavy = nn.Dropout(0.2), nn.Dropout(0.5)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits (batch, 1)."""
        h = self.first(self.light(rows.flatten(1))).view(-1, 240, 5).amax(2)
        h = self.second(self.heavy(h)).view(-1, 240, 5).amax(2)
        logit: Tensor = self.logit(self.heavy(h))
        return logit


def begin(name: str, how: str) -> Callable[[int], None]:
    """Return a function that plays `count` rounds of a game; how is one of `VARIANTS`."""
    made = make(name)
    settings, generator = made.settings, made.generator
    discriminator = Dropped() if name == "b" else made.discriminator
    extra = {"foreach": True} if how == "foreach optimiser" else {"fused": True} if "fused" in how else {}
    players = (generator, discriminator)
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.SGD(player.parameters(), lr=0.05, momentum=0.5, **extra)
        if name == "b"
        else torch.optim.Adam(player.parameters(), lr=2e-4, betas=(0.5, 0.999), **extra)
        for player in players
    ]
    if "compiled" in how:
        generator, discriminator = torch.compile(generator), torch.compile(discriminator)
    loss = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(settings.batch, 1), torch.zeros(settings.batch, 1)
    penalised, paired = name in "de", name == "e"
    average = copy.deepcopy(generator) if paired else None
    batches = made.batches()

    def penalty(rows: Tensor) -> tuple[Tensor, Tensor]:
        rows = rows.detach().requires_grad_()
        logits = discriminator(rows)
        (slope,) = torch.autograd.grad(logits.sum(), rows, create_graph=True)
        return logits, slope.flatten(1).square().sum(1).mean() / 2

    def play(count: int) -> None:
        for _ in range(count):
            real = next(batches)
            z = torch.randn(settings.batch, settings.noise_width)
            optimisers[0].zero_grad()
            fake = generator(z)
            logits = discriminator(fake)
            g_loss = loss(logits - discriminator(real), ones) if paired else loss(logits, ones)
            g_loss.backward()
            optimisers[0].step()
            optimisers[1].zero_grad()
            if penalised:
                (on_real, r1), (on_fake, r2) = penalty(real), penalty(fake)
            else:
                on_real, on_fake, r1, r2 = discriminator(real), discriminator(fake.detach()), 0.0, 0.0
            if paired:
                d_loss = loss(on_real - on_fake, ones)
            else:
                d_loss = (loss(on_real, ones) + loss(on_fake, zeros)) / 2
            (d_loss + r1 + r2).backward()
            optimisers[1].step()
            if average is not None:
                with torch.no_grad():
                    for mean, live in zip(average.parameters(), generator.parameters(), strict=True):
                        mean.mul_(0.999).add_(live, alpha=0.001)
            g_loss.item(), d_loss.item()

    play(3)
    return play
