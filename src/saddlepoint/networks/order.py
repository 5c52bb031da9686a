"""Where the spans of a row lie when they are drawn one after the other: steps, codes of rows and rows of codes.

A span takes one step, a softmax over its *code*: its one-hot entries, where "other" is told apart into equal bins of the
score's rank Phi(s). A scored span takes one more step, the place within the bin. What a step draws is input to all later
ones. A network does not know what a span stands for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LEAST_RANK = 1e-4


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: the span it belongs to, its outputs, and the inputs that it reveals to later steps.

    A step of codes has `atoms` codes that stand for an entry each, the first of them at `entry` of a row, and bins behind
    them where the span is scored; `other` is the row's entry of all bins together, if there is one. A step of places has
    its `score`, the number of the score in a row.
    """

    span: int
    outputs: slice
    inputs: slice
    atoms: int
    entry: int
    other: int | None = None
    binned: bool = False
    score: int | None = None


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
        for step, after in zip(self.steps, [*self.steps[1:], None], strict=True):
            codes = step.inputs.stop - step.inputs.start
            if step.score is not None:
                source.append(self.entries + step.score)
                bins_here = 0
            else:
                bins_here = codes - step.atoms
                source += [step.entry + code for code in range(step.atoms)]
                source += [ones if step.other is None else step.other] * bins_here
            is_bin += [False] * (codes - bins_here) + [True] * bins_here
            score = after.score if bins_here and after is not None and after.score is not None else 0
            bin_score += [score] * codes
            bin_number += [0] * (codes - bins_here) + list(range(bins_here))
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
            ("span_of_input", torch.tensor([step.span for step in self.steps])[step_in]),
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
        ranks = torch.special.ndtr(rows[:, self.entries :]) * self.bins
        numbers = ranks.floor().clamp(0, self.bins - 1).long()
        here = numbers[:, self.bin_score] == self.bin_number
        inputs: Tensor = torch.where(self.is_bin, seen * here.to(seen.dtype), seen)
        return inputs

    def row(self, codes: Sequence[Tensor], scores: Sequence[Tensor]) -> Tensor:
        """Return rows (n, entries + scores) of the codes (n, codes) and scores (n,) of all spans."""
        parts = []
        for step, code in zip((step for step in self.steps if step.score is None), codes, strict=True):
            if not step.binned:
                parts.append(code)
            elif step.other is not None:
                parts += [code[:, : step.atoms], code[:, step.atoms :].sum(1, keepdim=True)]
        return torch.cat([*parts, *scores], 1)

    def score(self, step: Step, code: Tensor, place: Tensor) -> Tensor:
        """Return the score (n, 1) of a code (n, codes) and a place within the bin (n,): ndtri((bin + place) / bins).

        That of an atom is the score that goes with its entry.
        """
        bins = code[:, step.atoms :]
        numbers = torch.arange(self.bins, dtype=code.dtype, device=code.device)
        rank = ((bins @ numbers + place) / self.bins).clamp(LEAST_RANK, 1 - LEAST_RANK)
        score = bins.sum(1) * torch.special.ndtri(rank)
        if step.atoms:
            fixed = self.entry_scores[step.entry : step.entry + step.atoms].to(code.dtype)
            score = score + code[:, : step.atoms] @ fixed
        column: Tensor = score[:, None]
        return column

    def start_bias(self, log_frequencies: Tensor) -> Tensor:
        """Return outputs (outputs,) under which entries have their shares, all bins of a span are alike, places uniform."""
        bias = torch.zeros(self.outputs)
        for step in self.steps:
            if step.score is not None:
                continue
            first = step.outputs.start
            bias[first : first + step.atoms] = log_frequencies[step.entry : step.entry + step.atoms]
            if step.binned and step.other is not None:
                bias[first + step.atoms : step.outputs.stop] = log_frequencies[step.other] - math.log(
                    self.bins
                )
        return bias


def _steps(spans: Sequence[tuple[int, bool]], bins: int) -> list[Step]:
    steps: list[Step] = []
    inputs = outputs = entry = score = 0
    for span, (entries, scored) in enumerate(spans):
        atoms = max(0, entries - 1) if scored else entries
        codes = atoms + (bins if scored else 0)
        other = entry + entries - 1 if scored and entries else None
        out, seen = slice(outputs, outputs + codes), slice(inputs, inputs + codes)
        steps.append(
            Step(span=span, outputs=out, inputs=seen, atoms=atoms, entry=entry, other=other, binned=scored)
        )
        inputs, outputs, entry = inputs + codes, outputs + codes, entry + entries
        if scored:
            out, seen = slice(outputs, outputs + 2), slice(inputs, inputs + 1)
            steps.append(Step(span=span, outputs=out, inputs=seen, atoms=0, entry=0, score=score))
            inputs, outputs, score = inputs + 1, outputs + 2, score + 1
    return steps
