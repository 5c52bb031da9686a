"""Heads in order: each span of a row is drawn given the spans before it, and given any cells that are known.

    p(row | known) = prod_t p(step t | steps before t, known cells)

A masked perceptron (Germain et al. 2015, arXiv 1502.03509) with hidden units of its own for each step; its inputs are the
steps before and, wherever they stand, the known cells. The same weights give the likelihood of rows at once and draw rows
step by step, one-hot forward with the softmax's gradient backward (straight through: Bengio et al. 2013, arXiv 1308.3432).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from saddlepoint.networks.dense import leaky
from saddlepoint.networks.order import Order

Weights = Mapping[str, Tensor]
_NEVER = -1e4


class OrderedGenerator(nn.Module):
    """G whose heads see what was drawn before them. Noise: [free | one number a step], all N(0, 1).

    Its weights are a start, kept as buffers, plus what the game taught, the parameters, zero at first: before round 0 G
    samples the law it was started with, exactly, and `forget` goes back to it. The condition is [classes], or
    [classes | rows | known]: a row (entries + scores) of which the spans with known = 1 are kept and conditioned on.
    """

    uniforms = 0

    def __init__(
        self,
        *,
        noise_width: int,
        spans: Sequence[tuple[int, bool]],
        bins: int = 32,
        units: int = 12,
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        self.order = Order(spans, bins, units)
        self.classes = condition_width
        self.free = noise_width - len(self.order.steps)
        for name, shape in self._shapes().items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))
            self.register_buffer(f"start_{name}", torch.zeros(shape))

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        o, context = self.order, self.order.spans + self.classes
        return {
            "enter": (o.inputs, o.hidden),
            "context": (context, o.hidden),
            "noise": (self.free, o.hidden),
            "enter_bias": (o.hidden,),
            "mix": (o.hidden, o.hidden),
            "mix_bias": (o.hidden,),
            "leave": (o.hidden, o.outputs),
            "direct": (o.inputs, o.outputs),
            "context_direct": (context, o.outputs),
            "leave_bias": (o.outputs,),
        }

    def first_weights(self, log_frequencies: Tensor) -> dict[str, Tensor]:
        """Return weights of independent spans with these shares of entries; hidden units by torch's own generator."""
        weights = {name: torch.zeros(shape) for name, shape in self._shapes().items()}
        # About two inputs a span are not 0.
        weights["enter"].normal_(std=1 / math.sqrt(2 * self.order.spans))
        weights["mix"].normal_().div_(self.order.unit_to_unit.sum(0).sqrt())
        weights["leave_bias"] = self.order.start_bias(log_frequencies)
        return weights

    @torch.no_grad()
    def start_with(self, weights: Weights, entry_scores: Tensor) -> None:
        """Start at these weights, which the game then corrects; keep the scores that go with entries."""
        for name, value in weights.items():
            getattr(self, f"start_{name}").copy_(value)
        self.order.entry_scores.copy_(entry_scores)

    @torch.no_grad()
    def forget(self) -> None:
        """Take back all that the game taught: G samples the law it was started with again."""
        for value in self.parameters():
            value.zero_()

    def weights(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return the weights in use, start + taught."""
        return {
            name: getattr(self, f"start_{name}").to(dtype) + value.to(dtype)
            for name, value in self.named_parameters()
        }

    def forward(self, z: Tensor, condition: Tensor | None = None, *, never: Tensor | None = None) -> Tensor:
        """Return rows (batch, entries + scores); never: entries (entries,) that must not be drawn, as booleans."""
        classes, rows, known = self._parts(z, condition)
        weights = self.weights(z.dtype)
        if never is not None:
            weights["leave_bias"] = weights["leave_bias"] + _NEVER * self._outputs_of(never).to(z.dtype)
        given = None if rows is None else self.order.coded(rows)
        return drawn(self.order, weights, z[:, self.free :], z[:, : self.free], classes, given, known)

    def _parts(
        self, z: Tensor, condition: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        o = self.order
        if condition is None:
            return (z.new_zeros(len(z), self.classes) if self.classes else None), None, None
        widths = [self.classes, o.entries + o.scores, o.spans]
        if condition.shape[1] == self.classes:
            return condition, None, None
        classes, rows, known = torch.split(condition, widths, 1)
        return (classes if self.classes else None), rows, known

    @torch.no_grad()
    def log_weights(self, z: Tensor, condition: Tensor, drawn_rows: Tensor) -> Tensor:
        """Return log p(row) - log p(unknown | known), (n,), of rows (n, entries + scores) that `forward` drew so.

        The law of whole rows, restricted to rows with these known cells, has p(row) as its density up to a factor: rows
        kept with a chance in proportion to the exponential of this follow it, whatever practice p(unknown | known) had.
        """
        classes, _, known = self._parts(z, condition)
        if known is None:
            return z.new_zeros(len(z))
        weights, seen, free = self.weights(z.dtype), self.order.coded(drawn_rows), z[:, : self.free]
        whole, part = (
            log_likelihood(self.order, weights, seen, each, classes, free).sum(1)
            for each in (torch.zeros_like(known), known)
        )
        return whole - part

    def _outputs_of(self, entries: Tensor) -> Tensor:
        found = torch.zeros(self.order.outputs, dtype=torch.bool)
        for step in self.order.steps:
            first = step.outputs.start
            found[first : first + step.atoms] = entries[step.entry : step.entry + step.atoms]
        return found.to(self.order.entry_scores.device)


def log_likelihood(
    order: Order,
    weights: Weights,
    seen: Tensor,
    known: Tensor,
    classes: Tensor | None = None,
    free: Tensor | None = None,
) -> Tensor:
    """Return log p(unknown cells | known ones, classes, free noise) in nats, (n, spans), 0 where known.

    seen: inputs (n, inputs) of whole rows; known: 1 for each span that is known, (n, spans); free: noise, 0 if left out.
    The density of a score is that of its rank, so that independent spans give minus the entropy of their entries. Which bin
    a score lies in has no gradient: a guess is taught by its own Gaussian likelihood, the bins by what is left.
    """
    context = known if classes is None else torch.cat([known, classes], 1)
    both = torch.cat([seen, seen * known[:, order.span_of_input], context], 1)

    def around(name: str, direct: str, before: Tensor) -> Tensor:
        return torch.cat([weights[name] * before, weights[name] * ~before, weights[direct]], 0)

    bias = weights["enter_bias"]
    if free is not None:
        bias = torch.addmm(bias, free, weights["noise"])
    h = leaky(torch.addmm(bias, both, around("enter", "context", order.before_unit)))
    h = h + leaky(torch.addmm(weights["mix_bias"], h, weights["mix"] * order.unit_to_unit))
    raw = torch.addmm(weights["leave_bias"], h, weights["leave"] * order.unit_to_output)
    raw = torch.addmm(raw, both, around("direct", "context_direct", order.before_output))
    found: list[Tensor] = []
    for step in order.steps:
        logits = raw[:, step.codes_out]
        taken = seen[:, step.codes_in] * logits
        if step.score is None:
            found.append(taken.sum(1) - torch.logsumexp(logits, 1))
            continue
        atoms, score = taken[:, : step.atoms].sum(1), seen[:, step.inputs.stop - 1]
        other = seen[:, step.inputs.start + step.atoms : step.inputs.stop - 1].sum(1)
        mean, scale = raw[:, step.guess].unbind(1)
        away = (score - mean) * torch.exp(-scale)
        bins = order.bin_of(torch.special.ndtr(away.detach()))
        height = logits[:, step.atoms :].gather(1, bins[:, None])[:, 0] + math.log(order.bins)
        guessed = (score**2 - away**2) / 2 - scale
        found.append(atoms + other * (height + guessed) - torch.logsumexp(logits, 1))
    return torch.stack(found, 1) * (1 - known)


def drawn(
    order: Order,
    weights: Weights,
    noise: Tensor,
    free: Tensor,
    classes: Tensor | None = None,
    given: Tensor | None = None,
    known: Tensor | None = None,
) -> Tensor:
    """Return rows (n, entries + scores), drawn by noise (n, steps) and free noise (n, any number), all N(0, 1).

    given: inputs (n, inputs) of rows whose spans `known`, (n, spans), are kept as they are.
    """
    n, w = len(noise), order.units
    units = torch.addmm(weights["enter_bias"], free, weights["noise"])
    outputs = weights["leave_bias"].expand(n, -1)
    mixed = weights["mix_bias"].expand(n, -1)
    context, at = None, slice(order.spans)
    if given is not None and known is not None:
        here = given * known[:, order.span_of_input]
        units = torch.addmm(units, here, weights["enter"] * ~order.before_unit)
        outputs = torch.addmm(outputs, here, weights["direct"] * ~order.before_output)
        context = known
    if classes is not None:
        context = classes if context is None else torch.cat([context, classes], 1)
        at = slice(order.spans, None) if known is None else slice(None)
    if context is not None:
        units = torch.addmm(units, context, weights["context"][at])
        outputs = torch.addmm(outputs, context, weights["context_direct"][at])
    uniform = torch.special.ndtr(noise)
    inputs: list[Tensor] = []
    for t, step in enumerate(order.steps):
        later, width = (t + 1) * w, step.outputs.stop - step.outputs.start
        h = leaky(units[:, :w])
        mixed = torch.addmm(mixed, h, weights["mix"][t * w : later, t * w :])
        h = h + leaky(mixed[:, :w])
        outputs = torch.addmm(outputs, h, weights["leave"][t * w : later, step.outputs.start :])
        codes = step.codes_out.stop - step.codes_out.start
        code, place = _chosen(outputs[:, :codes], uniform[:, t])
        new = code if step.score is None else order.revealed(step, code, place, outputs[:, codes:width])
        if given is not None and known is not None:
            new = torch.where(known[:, t, None] > 0, given[:, step.inputs], new)
        inputs.append(new)
        if t + 1 < len(order.steps):
            units = torch.addmm(units[:, w:], new, weights["enter"][step.inputs, later:])
            outputs = torch.addmm(
                outputs[:, width:], new, weights["direct"][step.inputs, step.outputs.stop :]
            )
            mixed = mixed[:, w:]
    return order.row(inputs)


def _chosen(logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Return one-hot draws of a softmax, the inverse of its distribution at uniform numbers (n,), and what is left of them.

    What is left, (n,), is uniform on (0, 1) and independent of the draw.
    """
    soft = torch.softmax(logits, 1)
    with torch.no_grad():
        heights = soft.cumsum(1)
        at = uniform * heights[:, -1]
        code = (heights[:, :-1] <= at[:, None]).sum(1, keepdim=True)
        hard = torch.zeros_like(soft).scatter_(1, code, 1.0)
        share = soft.gather(1, code)[:, 0]
        left = 1 - (heights.gather(1, code)[:, 0] - at) / share.clamp_min(torch.finfo(soft.dtype).tiny)
    return (hard + soft - soft.detach() if soft.requires_grad else hard), left.clamp(0, 1)
