"""Closed forms that heads in order begin with: a Gaussian guess of each score, and which codes go together.

The guess is ridge regression of a normal score on what is drawn before it. Its weight is the one of least generalised
cross-validation, n RSS / (n - df)^2 (Golub, Heath, Wahba 1979), which is also the variance that new rows will show.
"""

from __future__ import annotations

import torch
from torch import Tensor

from saddlepoint import compute
from saddlepoint.data.table_encoder import TableEncoder
from saddlepoint.networks.order import Order

_MOST_GUESSED_FROM, _MOST_REGRESSORS = 10_000, 128
_PENALTIES = torch.logspace(-6, 2, 25)  # times the number of rows
_LEAST_VARIANCE = 1e-5
_FEWEST_ROWS, _LEAST_FREEDOM = 4, 0.3
_PAIRS, _FEW, _MOST_COUNTED = 0.2, 1.0, 200_000
_IMPOSSIBLE = -3.0  # one in twenty of what independent columns would show


@torch.no_grad()
def guesses(order: Order, encoder: TableEncoder, levels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Return weights (inputs, outputs) and biases (outputs,) of all m and log c: ridge regression on entries and scores."""
    draws = compute.stream(seed, "likelihood/guesses")
    some = _spread(levels, _MOST_GUESSED_FROM)
    uniforms = torch.rand(len(some), encoder.draws, generator=draws).to(some.device)
    seen = order.coded(encoder.expand(some, uniforms)).cpu().double()
    weights, biases = torch.zeros(order.inputs, order.outputs), torch.zeros(order.outputs)
    before: list[int] = []
    for step in order.steps:
        at = step.inputs.start + step.atoms
        if step.score is not None:
            free = seen[:, at : step.inputs.stop - 1].sum(1) > 0
            if int(free.sum()) >= _FEWEST_ROWS:
                found, mean, variance = _ridge(seen[free][:, before], seen[free, step.inputs.stop - 1])
                weights[before, step.guess.start] = found.float()
                biases[step.guess.start] = mean
                biases[step.guess.start + 1] = 0.5 * torch.log(variance)
            before.append(step.inputs.stop - 1)
        before += range(step.inputs.start, at)
    return weights, biases


def _ridge(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return coefficients (p,), the intercept and the variance of what is left, at the penalty of least GCV."""
    n, p = x.shape
    middle, level = x.mean(0), y.mean()
    x, y = x - middle, y - level
    spread = (x**2).mean(0).sqrt().clamp_min(1e-3)
    with_y = (x / spread).T @ y
    used = torch.argsort(with_y.abs(), descending=True)[:_MOST_REGRESSORS]
    coefficients = torch.zeros(p, dtype=x.dtype)
    total = float(y @ y)
    if len(used):
        z = x[:, used] / spread[used]
        values, vectors = torch.linalg.eigh(z.T @ z / n)
        values = values.clamp_min(0.0)
        toward = vectors.T @ with_y[used] / n
        shrunk = 1 / (values[None] + _PENALTIES.to(x.dtype)[:, None])
        left = total / n - (toward**2 * (2 * shrunk - values * shrunk**2)).sum(1)
        freedom = 1 - (1 + (values * shrunk).sum(1)) / n
        # With more regressors than rows a small penalty leaves nothing, whatever the regressors are.
        risks = torch.where(freedom > _LEAST_FREEDOM, left.clamp_min(0.0) / freedom**2, torch.inf)
        best = int(risks.argmin())
        coefficients[used] = vectors @ (shrunk[best] * toward) / spread[used]
        variance = risks[best]
    else:
        variance = torch.tensor(total / n, dtype=x.dtype)
    return coefficients, level - middle @ coefficients, variance.clamp_min(_LEAST_VARIANCE)


@torch.no_grad()
def associations(
    order: Order, encoder: TableEncoder, levels: Tensor, guess: tuple[Tensor, Tensor], seed: int
) -> Tensor:
    """Return log p(i, j) / (p(i) p(j)) of codes i and codes j of other spans, (inputs, outputs), counts + a few.

    The bins of i are those of a score's own rank, the bins of j those about its guess.
    """
    counts = torch.zeros(order.inputs, order.outputs)
    ones, others = torch.zeros(order.inputs), torch.zeros(order.outputs)
    draws = compute.stream(seed, "likelihood/pairs")
    some = _spread(levels, _MOST_COUNTED)
    for part in torch.split(some, 8192):
        uniforms = torch.rand(len(part), encoder.draws, generator=draws).to(part.device)
        seen = order.coded(encoder.expand(part, uniforms)).cpu()
        taken = _taken(order, seen, seen @ guess[0] + guess[1])
        counts += seen.T @ taken
        ones, others = ones + seen.sum(0), others + taken.sum(0)
    found = torch.log((counts + _FEW) / (torch.outer(ones, others) / len(some) + _FEW))
    found = torch.where(found < _IMPOSSIBLE, found, _PAIRS * found)
    for step in order.steps:
        found[step.inputs, step.outputs] = 0.0
        if step.score is not None:
            found[step.inputs.stop - 1] = 0.0
            found[:, step.guess] = 0.0
    return found


def _spread(levels: Tensor, most: int) -> Tensor:
    """Return so many rows at most, evenly spread: a file may be sorted."""
    return levels if len(levels) <= most else levels[torch.linspace(0, len(levels) - 1, most).long()]


def _taken(order: Order, seen: Tensor, raw: Tensor) -> Tensor:
    """Return which code each step took, one-hot, (n, outputs)."""
    taken = torch.zeros(len(seen), order.outputs)
    for step in order.steps:
        taken[:, step.codes_out] = seen[:, step.codes_in]
        if step.score is not None:
            first = step.outputs.start + step.atoms
            other = seen[:, step.inputs.start + step.atoms : step.inputs.stop - 1].sum(1)
            mean, scale = raw[:, step.guess].unbind(1)
            bins = order.bin_of(
                torch.special.ndtr((seen[:, step.inputs.stop - 1] - mean) * torch.exp(-scale))
            )
            taken[:, first : step.codes_out.stop] = 0.0
            taken[torch.arange(len(seen)), first + bins] = other
    return taken
