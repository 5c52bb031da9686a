"""The start of a table's game: heads in order fitted to the training rows by their likelihood, before round 0.

Minibatches and Adam; an average of the weights is looked at on the monitor rows, and the best seen is what the game starts
from. Everything is a function of (seed, step), as in the game.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from saddlepoint import compute
from saddlepoint.data.table_encoder import TableEncoder
from saddlepoint.fitting.batches import RowOrder, masks
from saddlepoint.networks import OrderedGenerator
from saddlepoint.networks.order import Order
from saddlepoint.networks.ordered import log_likelihood

_RATE, _LAST, _WARM_UP = 3e-3, 0.02, 20
_EPOCHS, _MOST_STEPS, _FEWEST_STEPS = 8.0, 400, 400
_BATCH, _BATCHES_AN_EPOCH = 500, 8
_LOOKS, _MOST_HELD = 12, 4_000
_DECAY = 0.99
_FEWEST_TO_PART = 10
_WORSE = 0.1  # of what was gained
_DECAYING_ROWS, _MOST_DECAY = 2100.0, 0.3  # weight decay: few rows are soon learnt by heart
_PAIRS, _FEW, _MOST_COUNTED = 0.2, 1.0, 200_000
_IMPOSSIBLE = -3.0  # one in twenty of what independent columns would show


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What was fitted: steps played, the step kept, and nats a row on held-out rows at each look, [step, nats]."""

    steps: int
    kept: int
    looks: list[list[float]]


def fit_start(
    generator: OrderedGenerator,
    encoder: TableEncoder,
    levels: Tensor,
    held: Tensor | None,
    *,
    seed: int,
    codes: tuple[Tensor, Tensor | None] | None = None,
) -> Fitted:
    """Fit a generator's start to levels (n, spans) of training rows; held-out levels choose when to stop.

    codes: the class numbers of both, of a generator with classes. The generator samples the fitted law afterwards.
    """
    device = generator.order.entry_scores.device
    if held is None and len(levels) >= _FEWEST_TO_PART:
        # No rows are held back from so few: a fifth tells when the others begin to be learnt by heart.
        part = len(levels) // 5
        levels, held = levels[part:], levels[:part]
        if codes is not None:
            codes = codes[0][part:], codes[0][:part]
    with torch.random.fork_rng([]):
        torch.manual_seed(compute.key(seed, "likelihood/weights"))
        first = generator.first_weights(encoder.log_frequencies)
    generator.start_with(first, encoder.entry_scores)
    first["direct"] = associations(generator.order, encoder, levels, seed)
    weights = {name: value.to(device).requires_grad_() for name, value in first.items()}
    kept = {name: value.detach().clone() for name, value in weights.items()}
    average = {name: value.clone() for name, value in kept.items()}
    batch = max(8, min(_BATCH, len(levels) // _BATCHES_AN_EPOCH))
    steps = int(min(_MOST_STEPS, max(_FEWEST_STEPS, _EPOCHS * len(levels) / batch)))
    decay = min(_MOST_DECAY, _DECAYING_ROWS / len(levels))
    groups = [
        {"params": [value], "weight_decay": 0.0 if "bias" in name else decay}
        for name, value in weights.items()
    ]
    optimiser = torch.optim.AdamW(groups, lr=_RATE, betas=(0.9, 0.99))
    order, seen = RowOrder(len(levels), compute.key(seed, "likelihood/rows")), _Rows(generator, encoder, seed)
    looks: list[list[float]] = []
    best, chosen = math.inf, 0
    for step in range(steps):
        if held is not None and step % max(1, steps // _LOOKS) == 0:
            nats = seen.held(average, held, None if codes is None else codes[1])
            looks.append([step, round(nats, 4)])
            if nats < best:
                best, chosen = nats, step
                kept = {name: value.clone() for name, value in average.items()}
            elif nats - best > _WORSE * (looks[0][1] - best):
                break  # the rows are being learnt by heart; less than that a falling rate still mends
        at = torch.from_numpy(order.rows(step * batch, batch))
        classes = None if codes is None else codes[0][at]
        loss = -seen.likelihood(weights, levels[at.to(levels.device)], classes, step, seed).sum(1).mean()
        gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
        for value, gradient in zip(weights.values(), gradients, strict=True):
            value.grad = gradient
        share = step / steps
        pace = min(1.0, (step + 1) / _WARM_UP) * (_LAST + (1 - _LAST) * (1 + math.cos(math.pi * share)) / 2)
        for group in optimiser.param_groups:
            group["lr"] = _RATE * pace
        optimiser.step()
        keep = min(_DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in average.items():
                value.lerp_(weights[name], 1 - keep)
    else:
        nats = -math.inf if held is None else seen.held(average, held, None if codes is None else codes[1])
        looks += [] if held is None else [[steps, round(nats, 4)]]
        if nats < best:
            kept, chosen = average, steps
    generator.start_with(kept, encoder.entry_scores)
    return Fitted(steps=step + 1, kept=chosen, looks=looks)


class _Rows:
    """Levels as inputs of an ordered generator, with scores, masks and classes of a step."""

    def __init__(self, generator: OrderedGenerator, encoder: TableEncoder, seed: int) -> None:
        self.generator, self.encoder = generator, encoder
        self.groups = torch.tensor(encoder.columns_of_spans)
        self.still: tuple[Tensor, Tensor] | None = None
        self.seed = seed

    def likelihood(
        self, weights: dict[str, Tensor], levels: Tensor, codes: Tensor | None, step: int, seed: int
    ) -> Tensor:
        """Return log p of the rows of one step, (n, spans), some of their cells known."""
        known = masks(len(levels), self.groups, compute.stream(seed, "likelihood/masks", step))
        uniforms = torch.rand(
            len(levels), self.encoder.draws, generator=compute.stream(seed, "likelihood/scores", step)
        )
        return self._log(weights, levels, codes, known.to(levels.device), uniforms.to(levels.device))

    @torch.no_grad()
    def held(self, weights: dict[str, Tensor], levels: Tensor, codes: Tensor | None) -> float:
        """Return the mean nats of held-out rows, half of them with known cells, always the same ones and scores."""
        levels = levels[:_MOST_HELD]
        draws = compute.stream(self.seed, "likelihood/held")
        known = masks(len(levels), self.groups, draws)
        uniforms = torch.rand(len(levels), self.encoder.draws, generator=draws)
        codes = None if codes is None else codes[:_MOST_HELD]
        found = self._log(weights, levels, codes, known.to(levels.device), uniforms.to(levels.device))
        return -float(found.sum(1).double().mean())

    def _log(
        self,
        weights: dict[str, Tensor],
        levels: Tensor,
        codes: Tensor | None,
        known: Tensor,
        uniforms: Tensor,
    ) -> Tensor:
        rows = self.generator.order.coded(self.encoder.expand(levels, uniforms))
        classes = None
        if codes is not None:
            hot = torch.nn.functional.one_hot(codes.to(levels.device), self.generator.classes)
            classes = hot.to(rows.dtype)
        return log_likelihood(self.generator.order, weights, rows, known, classes)


@torch.no_grad()
def associations(order: Order, encoder: TableEncoder, levels: Tensor, seed: int) -> Tensor:
    """Return log p(i, j) / (p(i) p(j)) of inputs i and codes j of other spans, (inputs, outputs), counts + a few."""
    counts = torch.zeros(order.inputs, order.inputs)
    draws = compute.stream(seed, "likelihood/pairs")
    for part in torch.split(levels[:_MOST_COUNTED], 8192):
        uniforms = torch.rand(len(part), encoder.draws, generator=draws).to(part.device)
        seen = order.coded(encoder.expand(part, uniforms)).cpu()
        counts += seen.T @ seen
    found = torch.zeros(order.inputs, order.outputs)
    codes = [step for step in order.steps if step.score is None]
    rows = min(len(levels), _MOST_COUNTED)
    for one in codes:
        for other in codes:
            if one is not other:
                here = counts[one.inputs, other.inputs]
                expected = here.sum(1, keepdim=True) * here.sum(0, keepdim=True) / rows
                found[one.inputs, other.outputs] = torch.log((here + _FEW) / (expected + _FEW))
    return torch.where(found < _IMPOSSIBLE, found, _PAIRS * found)
