"""MADE for tables: each feature block of a row is drawn given the blocks before it, and given any cells that are known.

    p(row | known) = prod_t p(block t | blocks before t, known cells)

A masked autoencoder for distribution estimation (MADE: Germain et al. 2015, arXiv 1502.03509) with hidden units of its own
for each block. Its inputs are the blocks before and, wherever they stand, the known cells. The same weights give the
likelihood of whole rows in one pass and draw rows block by block: one-hot forward, with the softmax's gradient backward
(straight-through estimator: Bengio et al. 2013, arXiv 1308.3432).

A block is drawn by one softmax over its *code*. The code of a category is its one-hot entry. The number of a block, its
*score* s, is drawn as a histogram around a ridge-regression prediction N(m, c^2): "other" is divided into bins that are
equally likely under the prediction, the bins of r = Phi((s - m) / c). With few rows the bin probabilities stay uniform and
the model is linear-Gaussian; with many rows it can fit any distribution. Each drawn value is an input to all later blocks, a
score together with the bin of its own rank Phi(s). The network does not know what a block stands for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from saddlepoint.networks.mlp import leaky

LEAST_RANK = 1e-4
_FARTHEST = 3.719  # ndtri(1 - LEAST_RANK)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Where one feature block lies: its outputs, and the inputs through which later blocks see it.

    Outputs are a logit for each code, then m and log c if the block has a score. The first `atoms` codes are one entry each;
    a block with a score has its bins after them. Inputs are the code, then the score.

    outputs, inputs: slices of the network's outputs and inputs.
    atoms: number of codes that are an entry of their own.
    entry: position of the first entry in a row.
    other: position of the entry that all bins share, if there is one.
    score: which of a row's scores belongs to the block.
    """

    outputs: slice
    inputs: slice
    atoms: int
    entry: int
    other: int | None = None
    score: int | None = None

    @property
    def codes_in(self) -> slice:
        """Return the inputs of the code."""
        return slice(self.inputs.start, self.inputs.stop - (self.score is not None))

    @property
    def codes_out(self) -> slice:
        """Return the outputs of the code's logits."""
        return slice(self.outputs.start, self.outputs.stop - 2 * (self.score is not None))

    @property
    def prediction(self) -> slice:
        """Return the outputs m and log c of the prediction; empty for a block without a score."""
        return slice(self.codes_out.stop, self.outputs.stop)


class MADELayout(nn.Module):
    """The layout of feature blocks ((entries, scored), ...) and the masks of MADE; nothing here is learnt.

    A row is (entries + scores); its inputs are, block after block, the code and then the score. Each block has `units` units
    in each hidden layer. The masks: a unit sees inputs of earlier blocks, and units of its own and earlier blocks.
    """

    entry_scores: Tensor
    source: Tensor
    is_bin: Tensor
    bin_score: Tensor
    bin_number: Tensor
    block_of_input: Tensor
    before_unit: Tensor
    before_output: Tensor
    unit_to_unit: Tensor
    unit_to_output: Tensor

    def __init__(self, feature_blocks: Sequence[tuple[int, bool]], bins: int, units: int) -> None:
        super().__init__()
        self.bins, self.units, self.feature_blocks = bins, units, len(feature_blocks)
        self.entries = sum(entries for entries, _ in feature_blocks)
        self.scores = sum(bool(scored) for _, scored in feature_blocks)
        self.steps = _steps(feature_blocks, bins)
        self.inputs, self.outputs = self.steps[-1].inputs.stop, self.steps[-1].outputs.stop
        self.hidden = units * len(self.steps)
        ones = self.entries + self.scores  # a 1 is appended to a row, for bins without an entry
        source, is_bin, bin_score, bin_number = [], [], [], []
        for step in self.steps:
            bins_here = 0 if step.score is None else bins
            source += [step.entry + code for code in range(step.atoms)]
            source += [ones if step.other is None else step.other] * bins_here
            source += [] if step.score is None else [self.entries + step.score]
            rest = [False] * (step.score is not None)
            is_bin += [False] * step.atoms + [True] * bins_here + rest
            bin_score += [step.score or 0] * (step.atoms + bins_here + len(rest))
            bin_number += [0] * step.atoms + list(range(bins_here)) + [0] * len(rest)
        sizes_in = torch.tensor([step.inputs.stop - step.inputs.start for step in self.steps])
        sizes_out = torch.tensor([step.outputs.stop - step.outputs.start for step in self.steps])
        numbers = torch.arange(len(self.steps))
        step_in, step_out = numbers.repeat_interleave(sizes_in), numbers.repeat_interleave(sizes_out)
        step_unit = numbers.repeat_interleave(units)
        for name, values in (
            ("source", torch.tensor(source)),
            ("is_bin", torch.tensor(is_bin)),
            ("bin_score", torch.tensor(bin_score)),
            ("bin_number", torch.tensor(bin_number)),
            ("block_of_input", step_in),
            ("before_unit", step_in[:, None] < step_unit),
            ("before_output", step_in[:, None] < step_out),
            ("unit_to_unit", step_unit[:, None] <= step_unit),
            ("unit_to_output", step_unit[:, None] <= step_out),
        ):
            self.register_buffer(name, values, persistent=False)
        self.register_buffer("entry_scores", torch.zeros(self.entries))

    def inputs_of_rows(self, rows: Tensor) -> Tensor:
        """Return the inputs (n, inputs) of rows (n, entries + scores)."""
        seen = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)[:, self.source]
        if not self.scores:
            return seen
        numbers = self.bin_of(torch.special.ndtr(rows[:, self.entries :]))
        here = numbers[:, self.bin_score] == self.bin_number
        inputs: Tensor = torch.where(self.is_bin, seen * here.to(seen.dtype), seen)
        return inputs

    def bin_of(self, ranks: Tensor) -> Tensor:
        """Return the number of the bin that each rank lies in."""
        return (ranks * self.bins).floor().clamp(0, self.bins - 1).long()

    def row(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return rows (n, entries + scores) from the inputs (n, codes and score) of all blocks."""
        parts, scores = [], []
        for step, seen in zip(self.steps, inputs, strict=True):
            if step.score is None:
                parts.append(seen)
                continue
            scores.append(seen[:, -1:])
            if step.other is not None:
                parts += [seen[:, : step.atoms], seen[:, step.atoms : -1].sum(1, keepdim=True)]
        return torch.cat([*parts, *scores], 1)

    def inputs_of_draw(self, step: Block, code: Tensor, position: Tensor, prediction: Tensor) -> Tensor:
        """Return a block's inputs (n, codes and score) for a drawn code.

        The score of bin k is m + c ndtri((k + position) / bins); an atom has the fixed score of its entry.

        code: one-hot draws (n, codes).
        position: position within the bin, in [0, 1], (n,).
        prediction: m and log c, (n, 2).
        """
        bins = code[:, step.atoms :]
        other = bins.sum(1, keepdim=True)
        numbers = torch.arange(self.bins, dtype=code.dtype, device=code.device)
        rank = ((bins @ numbers + position) / self.bins).clamp(LEAST_RANK, 1 - LEAST_RANK)
        score = (prediction[:, 0] + torch.exp(prediction[:, 1]) * torch.special.ndtri(rank)).clamp(
            -_FARTHEST, _FARTHEST
        )
        score = other[:, 0] * score
        if step.atoms:
            fixed = self.entry_scores[step.entry : step.entry + step.atoms].to(code.dtype)
            score = score + code[:, : step.atoms] @ fixed
        here = self.bin_of(torch.special.ndtr(score.detach()))[:, None] == numbers
        return torch.cat([code[:, : step.atoms], other * here.to(code.dtype), score[:, None]], 1)

    def start_bias(self, log_frequencies: Tensor) -> Tensor:
        """Return outputs (outputs,) with these log-frequencies of entries, uniform bins and predictions N(0, 1)."""
        bias = torch.zeros(self.outputs)
        for step in self.steps:
            first = step.outputs.start
            bias[first : first + step.atoms] = log_frequencies[step.entry : step.entry + step.atoms]
            if step.other is not None:
                bias[first + step.atoms : step.codes_out.stop] = log_frequencies[step.other] - math.log(
                    self.bins
                )
        return bias


def _steps(feature_blocks: Sequence[tuple[int, bool]], bins: int) -> list[Block]:
    steps: list[Block] = []
    inputs = outputs = entry = score = 0
    for entries, scored in feature_blocks:
        atoms = max(0, entries - 1) if scored else entries
        codes = atoms + (bins if scored else 0)
        out, seen = slice(outputs, outputs + codes + 2 * scored), slice(inputs, inputs + codes + scored)
        steps.append(
            Block(
                outputs=out,
                inputs=seen,
                atoms=atoms,
                entry=entry,
                other=entry + entries - 1 if scored and entries else None,
                score=score if scored else None,
            )
        )
        inputs, outputs, entry, score = seen.stop, out.stop, entry + entries, score + scored
    return steps


Weights = Mapping[str, Tensor]
_NEVER = -1e4


class MADEGenerator(nn.Module):
    """An autoregressive generator (MADE). Noise: [free | one number for each block], all N(0, 1).

    Its weights are initial + delta: the initial weights are buffers, fitted by maximum likelihood, and the deltas are the
    parameters that the game trains, zero at first. So before round 0 G samples the fitted distribution exactly, and
    `reset_to_start` returns to it. The condition is [classes], or [classes | rows | known]: a row (entries + scores) of which
    the blocks with known = 1 are kept and conditioned on.
    """

    uniforms = 0

    def __init__(
        self,
        *,
        noise_width: int,
        feature_blocks: Sequence[tuple[int, bool]],
        bins: int = 32,
        units: int = 12,
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        self.order = MADELayout(feature_blocks, bins, units)
        self.classes = condition_width
        self.free = noise_width - len(self.order.steps)
        for name, shape in self._shapes().items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))
            self.register_buffer(f"start_{name}", torch.zeros(shape))

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        o, context = self.order, self.order.feature_blocks + self.classes
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
        """Return weights of independent blocks with these log-frequencies of entries; hidden units by torch's own generator."""
        weights = {name: torch.zeros(shape) for name, shape in self._shapes().items()}
        # About two inputs of a block are not 0.
        weights["enter"].normal_(std=1 / math.sqrt(2 * self.order.feature_blocks))
        weights["mix"].normal_().div_(self.order.unit_to_unit.sum(0).sqrt())
        weights["leave_bias"] = self.order.start_bias(log_frequencies)
        return weights

    @torch.no_grad()
    def init_from_data(self, weights: Weights, entry_scores: Tensor) -> None:
        """Set the initial weights, and the fixed scores that go with entries."""
        for name, value in weights.items():
            getattr(self, f"start_{name}").copy_(value)
        self.order.entry_scores.copy_(entry_scores)

    @torch.no_grad()
    def reset_to_start(self) -> None:
        """Set all deltas to zero: G samples the fitted distribution again."""
        for value in self.parameters():
            value.zero_()

    def weights(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return the weights in use, initial + delta."""
        return {
            name: getattr(self, f"start_{name}").to(dtype) + value.to(dtype)
            for name, value in self.named_parameters()
        }

    def forward(self, z: Tensor, condition: Tensor | None = None, *, never: Tensor | None = None) -> Tensor:
        """Return rows (batch, entries + scores).

        z: noise (batch, noise_width).
        condition: (batch, width), as the class describes it.
        never: booleans (entries,) of the entries that must not be drawn.
        """
        classes, rows, known = self._split_condition(z, condition)
        weights = self.weights(z.dtype)
        if never is not None:
            weights["leave_bias"] = weights["leave_bias"] + _NEVER * self._outputs_of(never).to(z.dtype)
        given = None if rows is None else self.order.inputs_of_rows(rows)
        return sample_rows(self.order, weights, z[:, self.free :], z[:, : self.free], classes, given, known)

    def _split_condition(
        self, z: Tensor, condition: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        o = self.order
        if condition is None:
            return (z.new_zeros(len(z), self.classes) if self.classes else None), None, None
        widths = [self.classes, o.entries + o.scores, o.feature_blocks]
        if condition.shape[1] == self.classes:
            return condition, None, None
        classes, rows, known = torch.split(condition, widths, 1)
        return (classes if self.classes else None), rows, known

    @torch.no_grad()
    def log_weights(self, z: Tensor, condition: Tensor, drawn_rows: Tensor) -> Tensor:
        """Return log p(row) - log p(unknown | known), (n,), of rows (n, entries + scores) that `forward` drew.

        The distribution of whole rows, restricted to rows with these known cells, has the density p(row) up to a factor.
        Rows accepted with a probability proportional to the exponential of this weight follow it, however well
        p(unknown | known) was trained (rejection sampling).
        """
        classes, _, known = self._split_condition(z, condition)
        if known is None:
            return z.new_zeros(len(z))
        weights, seen, free = self.weights(z.dtype), self.order.inputs_of_rows(drawn_rows), z[:, : self.free]
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
    order: MADELayout,
    weights: Weights,
    seen: Tensor,
    known: Tensor,
    classes: Tensor | None = None,
    free: Tensor | None = None,
) -> Tensor:
    """Return log p(unknown cells | known ones, classes, free noise) in nats, (n, blocks), 0 where known.

    The density of a score is that of its rank, so that independent blocks give minus the entropy of their entries. Which bin
    a score lies in has no gradient: the prediction is trained by its own Gaussian likelihood, the bins by what remains.

    seen: inputs (n, inputs) of whole rows.
    known: 1 for each block that is known, (n, blocks).
    classes: one-hot classes (n, classes).
    free: free noise; 0 if left out.
    """
    context = known if classes is None else torch.cat([known, classes], 1)
    both = torch.cat([seen, seen * known[:, order.block_of_input], context], 1)

    def stacked(name: str, direct: str, before: Tensor) -> Tensor:
        return torch.cat([weights[name] * before, weights[name] * ~before, weights[direct]], 0)

    bias = weights["enter_bias"]
    if free is not None:
        bias = torch.addmm(bias, free, weights["noise"])
    h = leaky(torch.addmm(bias, both, stacked("enter", "context", order.before_unit)))
    h = h + leaky(torch.addmm(weights["mix_bias"], h, weights["mix"] * order.unit_to_unit))
    raw = torch.addmm(weights["leave_bias"], h, weights["leave"] * order.unit_to_output)
    raw = torch.addmm(raw, both, stacked("direct", "context_direct", order.before_output))
    found: list[Tensor] = []
    for step in order.steps:
        logits = raw[:, step.codes_out]
        taken = seen[:, step.codes_in] * logits
        if step.score is None:
            found.append(taken.sum(1) - torch.logsumexp(logits, 1))
            continue
        atoms, score = taken[:, : step.atoms].sum(1), seen[:, step.inputs.stop - 1]
        other = seen[:, step.inputs.start + step.atoms : step.inputs.stop - 1].sum(1)
        mean, scale = raw[:, step.prediction].unbind(1)
        standardised = (score - mean) * torch.exp(-scale)
        bins = order.bin_of(torch.special.ndtr(standardised.detach()))
        height = logits[:, step.atoms :].gather(1, bins[:, None])[:, 0] + math.log(order.bins)
        gaussian = (score**2 - standardised**2) / 2 - scale
        found.append(atoms + other * (height + gaussian) - torch.logsumexp(logits, 1))
    return torch.stack(found, 1) * (1 - known)


def sample_rows(
    order: MADELayout,
    weights: Weights,
    noise: Tensor,
    free: Tensor,
    classes: Tensor | None = None,
    given: Tensor | None = None,
    known: Tensor | None = None,
) -> Tensor:
    """Return rows (n, entries + scores), drawn by noise (n, blocks) and free noise (n, any number), all N(0, 1).

    given: inputs (n, inputs) of rows whose known blocks are kept.
    known: 1 for each block that is known, (n, blocks).
    """
    n, w = len(noise), order.units
    units = torch.addmm(weights["enter_bias"], free, weights["noise"])
    outputs = weights["leave_bias"].expand(n, -1)
    mixed = weights["mix_bias"].expand(n, -1)
    context, at = None, slice(order.feature_blocks)
    if given is not None and known is not None:
        here = given * known[:, order.block_of_input]
        units = torch.addmm(units, here, weights["enter"] * ~order.before_unit)
        outputs = torch.addmm(outputs, here, weights["direct"] * ~order.before_output)
        context = known
    if classes is not None:
        context = classes if context is None else torch.cat([context, classes], 1)
        at = slice(order.feature_blocks, None) if known is None else slice(None)
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
        code, position = _sample_one_hot(outputs[:, :codes], uniform[:, t])
        new = (
            code
            if step.score is None
            else order.inputs_of_draw(step, code, position, outputs[:, codes:width])
        )
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


def _sample_one_hot(logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Return one-hot draws of a softmax by inversion of uniform numbers (n,), and the remainder of these numbers.

    The remainder, (n,), is uniform on (0, 1) and independent of the draw.
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
