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

To ascend V = E log D(x) + E log(1 - D(G(z))) is to descend the objective's discriminator_loss. Gradients are taken
with respect to one player alone, so the other stays as it is. `simultaneous` is the authors' own code rather than
Algorithm 1: both players move once, from the same fakes and the same dropout masks.
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
    """Play so many further rounds and yield one record a round; batches yields this rank's real rows.

    play_round, where given, is these very rounds compiled (`compiling.CompiledRound`).
    """
    play_round = play_round or form_of(game)
    for _ in range(count):
        with game.seeded_modules():
            record = play_round(game, batches)
        yield record


def form_of(game: Game) -> PlayRound:
    """Return the function that plays one round of a game's form."""
    if game.settings.accumulation_steps > 1:
        from saddlepoint.training.accumulate import accumulated_round  # which plays these very losses

        return accumulated_round
    return {"alternating": alternating, "simultaneous": simultaneous}[game.settings.form]


def alternating(game: Game, batches: Iterator[Rows]) -> Record:
    """Play one round of Algorithm 1: k steps of D, then one of G.

    With fresh_noise G's step samples anew, as Algorithm 1 says; without it G's step looks again at the fakes of D's
    last step, whose forward pass through G is then done once.
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
    """Play one round in which both players move at once, from the same parameters, fakes and masks."""
    real, condition = game.next_batch(batches)
    fake = game.clipped(game.generate(game.noise(0), condition, 0, graph=True))
    d_loss, real_logits, fake_logits = discriminator_loss(game, real, fake, condition, 0)
    if any(penalty.where == "fake" for penalty, _ in game.penalties):  # it saw the fakes apart from G
        fake_logits = game.critic("fake", condition, 0)(fake)
    g_loss = game.objective.generator_loss(real_logits.detach(), fake_logits).mean()
    d_gradients = game.gradients("discriminator", d_loss, keep_graph=True)
    g_gradients = game.gradients("generator", g_loss)
    d_norm, g_norm = game.move("discriminator", d_gradients), game.move("generator", g_gradients)
    return game.end_round(d_loss, g_loss, real_logits, fake_logits, d_norm, g_norm)


def discriminator_loss(
    game: Game, real: Tensor, fake: Tensor, condition: Tensor | None, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return D's mean loss in nats, its penalties included, and its logits on real and fake rows."""
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
    """Return D's logits on rows, which are one batch a side, and the weighted penalties of these sides."""
    logits, total = None, torch.zeros((), device=rows.device, dtype=rows.dtype)
    for measure in dict.fromkeys(each.measure for each, _ in game.penalties if each.where in sides):
        logits, values = measure(critic, rows)
        for side, part in zip(sides, values.chunk(len(sides)), strict=True):
            for penalty, weight in game.penalties:
                if penalty.where == side and penalty.measure is measure:
                    total = total + penalty.factor * weight(game.round) * part.mean()
    return (critic(rows) if logits is None else logits), total


def generator_loss(game: Game, real: Tensor, fake: Tensor, condition: Tensor | None, step: int) -> Tensor:
    """Return G's mean loss in nats; D looks at the real rows again only if the objective compares with them."""
    fake_logits = game.critic("fake", condition, step)(game.clipped(fake))
    real_logits = torch.zeros_like(fake_logits)
    if game.objective.generator_needs_real:
        with torch.no_grad():
            real_logits = game.critic("real", condition, step)(real)
    return game.objective.generator_loss(real_logits, fake_logits).mean()
