"""Algorithm 1 of Goodfellow et al. 2014 (arXiv 1406.2661, section 4), line by line.

    for number of training iterations do                               rounds
        for k steps do                                                 alternating
            sample minibatch of m noise samples z                          game.noise, game.generate
            sample minibatch of m examples x                               game.next_batch
            update the discriminator by ascending its gradient             discriminator_loss, game.descend
        end for
        sample minibatch of m noise samples z
        update the generator by descending its gradient                    generator_loss, game.descend
    end for

Ascending V = E log D(x) + E log(1 - D(G(z))) is descending the objective's discriminator_loss. Gradients are taken
with respect to the parameters of one player; the other does not change. `simultaneous` is what the authors' own code does
instead of Algorithm 1: both players are updated once, from the same fakes and the same dropout masks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from saddlepoint.objectives import between
from saddlepoint.training.game import Critic, Game, Rows
from saddlepoint.training.records import Record

PlayRound = Callable[[Game, Iterator[Rows]], Record]


def rounds(
    game: Game, batches: Iterator[Rows], count: int, play_round: PlayRound | None = None
) -> Iterator[Record]:
    """Play `count` further rounds and yield one record per round.

    batches: yields the real rows of this rank.
    play_round: the same round in compiled form (`compiling.CompiledRound`), or None for the functions below.
    """
    play_round = play_round or form_of(game)
    for _ in range(count):
        with game.seeded_modules():
            record = play_round(game, batches)
        yield record


def form_of(game: Game) -> PlayRound:
    """Return the function that plays one round as the settings say."""
    if game.settings.accumulation_steps > 1:
        from saddlepoint.training.accumulate import accumulated_round  # it imports the losses below

        return accumulated_round
    return {"alternating": alternating, "simultaneous": simultaneous}[game.settings.form]


def alternating(game: Game, batches: Iterator[Rows]) -> Record:
    """Play one round of Algorithm 1: k steps of D, then one of G.

    With fresh_noise G's step draws new noise, as Algorithm 1 says. Without it G's step reuses the fakes of D's last
    step, which saves one forward pass through G.
    """
    k, fresh = game.settings.discriminator_steps, game.settings.fresh_noise
    for step in range(k):
        z = game.noise(step)
        real, condition = game.next_batch(batches)
        fake = game.generate(z, condition, step, graph=step == k - 1 and not fresh)
        d_loss, real_logits, fake_logits = discriminator_loss(game, real, fake.detach(), condition, step)
        d_norm = game.descend("discriminator", d_loss)
    if fresh:
        fake = game.generate(game.noise(k), condition, k, graph=True)
    g_loss = generator_loss(game, real, fake, condition, k)
    g_norm = game.descend("generator", g_loss)
    return game.end_round(d_loss, g_loss, real_logits, fake_logits, d_norm, g_norm)


def simultaneous(game: Game, batches: Iterator[Rows]) -> Record:
    """Play one round in which both players are updated at once, from the same parameters, fakes and dropout masks."""
    real, condition = game.next_batch(batches)
    fake = game.clipped(game.generate(game.noise(0), condition, 0, graph=True))
    d_loss, real_logits, fake_logits = discriminator_loss(game, real, fake, condition, 0)
    if any(penalty.where == "fake" for penalty, _ in game.penalties):  # D's pass was on detached fakes
        fake_logits = game.critic("fake", condition, 0)(fake)
    g_loss = game.objective.generator_loss(real_logits.detach(), fake_logits).mean()
    d_gradients = game.gradients("discriminator", d_loss, keep_graph=True)
    g_gradients = game.gradients("generator", g_loss)
    d_norm, g_norm = game.move("discriminator", d_gradients), game.move("generator", g_gradients)
    return game.end_round(d_loss, g_loss, real_logits, fake_logits, d_norm, g_norm)


def discriminator_loss(
    game: Game, real: Tensor, fake: Tensor, condition: Tensor | None, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return D's mean loss in nats with its penalties, and D's logits on real and fake rows."""
    if game.can_share_pass(real, fake, condition):
        both = game.critic("both", condition, step)
        logits, penalty = criticise(game, both, torch.cat([real, fake]), "real", "fake")
        real_logits, fake_logits = logits.chunk(2)
    else:
        real_logits, penalty = criticise(game, game.critic("real", condition, step), real, "real")
        fake_logits, on_fake = criticise(game, game.critic("fake", condition, step), fake, "fake")
        penalty = penalty + on_fake
    loss = game.objective.discriminator_loss(real_logits, fake_logits).mean() + penalty
    if any(penalty.where == "between" for penalty, _ in game.penalties):
        points = between(real, fake.detach(), game.mix(step))
        loss = loss + criticise(game, game.critic("fake", condition, step), points, "between")[1]
    return loss, real_logits, fake_logits


def criticise(game: Game, critic: Critic, rows: Tensor, *sides: str) -> tuple[Tensor, Tensor]:
    """Return D's logits on rows (one batch for each of the sides), and the weighted sum of these sides' penalties."""
    logits, total = None, torch.zeros((), device=rows.device, dtype=rows.dtype)
    for measure in dict.fromkeys(each.measure for each, _ in game.penalties if each.where in sides):
        logits, values = measure(critic, rows)
        for side, part in zip(sides, values.chunk(len(sides)), strict=True):
            for penalty, weight in game.penalties:
                if penalty.where == side and penalty.measure is measure:
                    total = total + penalty.factor * weight(game.round) * part.mean()
    return (critic(rows) if logits is None else logits), total


def generator_loss(game: Game, real: Tensor, fake: Tensor, condition: Tensor | None, step: int) -> Tensor:
    """Return G's mean loss in nats; D's logits on real rows are computed only if the objective needs them."""
    fake_logits = game.critic("fake", condition, step)(game.clipped(fake))
    real_logits = torch.zeros_like(fake_logits)
    if game.objective.generator_needs_real:
        with torch.no_grad():
            real_logits = game.critic("real", condition, step)(real)
    return game.objective.generator_loss(real_logits, fake_logits).mean()
