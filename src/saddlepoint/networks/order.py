"""Where the spans of a row lie when they are drawn one after the other: steps, codes of rows and rows of codes.

A span takes one step, a softmax over its *code*: its one-hot entries, where "other" of a scored span is told apart into
bins of the score s about a guess N(m, c^2), equally likely under it: the bins of r = Phi((s - m) / c). So few rows, whose
bins stay alike, give a Gaussian law with linear means, and many rows any law. What a step draws is input to all later
ones, a score with the bin of its own rank Phi(s). A network does not know what a span stands for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LEAST_RANK = 1e-4
_FARTHEST = 3.719  # ndtri(1 - LEAST_RANK)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: the span it belongs to, its outputs, and the inputs that it reveals to later steps.

    Outputs are a logit for each code, and behind them m and log c where the span is scored. The first `atoms` codes stand
    for an entry each, the first of them at `entry` of a row; bins follow where the span is scored, and `other` is the row's
    entry of all bins together, if there is one. Inputs are the code, and behind it the score, number `score` of a row.
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
    def guess(self) -> slice:
        """Return the outputs m and log c, none of a span without a score."""
        return slice(self.codes_out.stop, self.outputs.stop)


class Order(nn.Module):
    """The geometry of spans ((entries, scored), ...) in order; nothing here is learnt.

    A row is (entries + scores); its inputs are, span after span, the code and then the score. Each step has `units` units
    in each hidden layer. Masks say what each may see: inputs of earlier steps, units of its own and earlier ones.
    """

    entry_scores: Tensor
    source: Tensor
    is_bin: Tensor
    bin_score: Tensor
    bin_number: Tensor
    span_of_input: Tensor
    before_unit: Tensor
    before_output: Tensor
    unit_to_unit: Tensor
    unit_to_output: Tensor

    def __init__(self, spans: Sequence[tuple[int, bool]], bins: int, units: int) -> None:
        super().__init__()
        self.bins, self.units, self.spans = bins, units, len(spans)
        self.entries = sum(entries for entries, _ in spans)
        self.scores = sum(bool(scored) for _, scored in spans)
        self.steps = _steps(spans, bins)
        self.inputs, self.outputs = self.steps[-1].inputs.stop, self.steps[-1].outputs.stop
        self.hidden = units * len(self.steps)
        ones = self.entries + self.scores  # behind a row stands a 1, for bins without an entry
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
            ("span_of_input", step_in),
            ("before_unit", step_in[:, None] < step_unit),
            ("before_output", step_in[:, None] < step_out),
            ("unit_to_unit", step_unit[:, None] <= step_unit),
            ("unit_to_output", step_unit[:, None] <= step_out),
        ):
            self.register_buffer(name, values, persistent=False)
        self.register_buffer("entry_scores", torch.zeros(self.entries))

    def coded(self, rows: Tensor) -> Tensor:
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
        """Return rows (n, entries + scores) of the inputs (n, codes and score) of all steps."""
        parts, scores = [], []
        for step, seen in zip(self.steps, inputs, strict=True):
            if step.score is None:
                parts.append(seen)
                continue
            scores.append(seen[:, -1:])
            if step.other is not None:
                parts += [seen[:, : step.atoms], seen[:, step.atoms : -1].sum(1, keepdim=True)]
        return torch.cat([*parts, *scores], 1)

    def revealed(self, step: Step, code: Tensor, place: Tensor, guess: Tensor) -> Tensor:
        """Return the inputs (n, codes and score) of a code (n, codes), a place within its bin (n,) and a guess (n, 2).

        The score of bin k is m + c ndtri((k + place) / bins), that of an atom the one that goes with its entry.
        """
        bins = code[:, step.atoms :]
        other = bins.sum(1, keepdim=True)
        numbers = torch.arange(self.bins, dtype=code.dtype, device=code.device)
        rank = ((bins @ numbers + place) / self.bins).clamp(LEAST_RANK, 1 - LEAST_RANK)
        score = (guess[:, 0] + torch.exp(guess[:, 1]) * torch.special.ndtri(rank)).clamp(
            -_FARTHEST, _FARTHEST
        )
        score = other[:, 0] * score
        if step.atoms:
            fixed = self.entry_scores[step.entry : step.entry + step.atoms].to(code.dtype)
            score = score + code[:, : step.atoms] @ fixed
        here = self.bin_of(torch.special.ndtr(score.detach()))[:, None] == numbers
        return torch.cat([code[:, : step.atoms], other * here.to(code.dtype), score[:, None]], 1)

    def start_bias(self, log_frequencies: Tensor) -> Tensor:
        """Return outputs (outputs,) under which entries have their shares, bins are alike, guesses N(0, 1)."""
        bias = torch.zeros(self.outputs)
        for step in self.steps:
            first = step.outputs.start
            bias[first : first + step.atoms] = log_frequencies[step.entry : step.entry + step.atoms]
            if step.other is not None:
                bias[first + step.atoms : step.codes_out.stop] = log_frequencies[step.other] - math.log(
                    self.bins
                )
        return bias


def _steps(spans: Sequence[tuple[int, bool]], bins: int) -> list[Step]:
    steps: list[Step] = []
    inputs = outputs = entry = score = 0
    for entries, scored in spans:
        atoms = max(0, entries - 1) if scored else entries
        codes = atoms + (bins if scored else 0)
        out, seen = slice(outputs, outputs + codes + 2 * scored), slice(inputs, inputs + codes + scored)
        steps.append(
            Step(
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
