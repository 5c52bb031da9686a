"""The start of a table's game: heads in order fitted to the training rows by their likelihood, before round 0.

Closed forms first (`ridge_regressions`), then minibatches and Adam; an average of the weights is looked at on the monitor rows, and
the best seen is what the game starts from. Everything is a function of (seed, step), as in the game.

Closed forms that heads in order begin with: a Gaussian guess of each score, and which codes go together.

The guess is ridge regression of a normal score on what is drawn before it. Its weight is the one of least generalised
cross-validation, n RSS / (n - df)^2 (Golub, Heath, Wahba 1979), which is also the variance that new rows will show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from saddlepoint import compute
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.fitting.batches import RowOrder, masks
from saddlepoint.fitting.events import Pretraining
from saddlepoint.networks import MADEGenerator
from saddlepoint.networks.made import MADELayout, log_likelihood

_MOST_GUESSED_FROM, _MOST_REGRESSORS = 10_000, 128
_PENALTIES = torch.logspace(-6, 2, 25)  # times the number of rows
_LEAST_VARIANCE = 1e-5
_FEWEST_ROWS, _LEAST_FREEDOM = 4, 0.3
_PAIRS, _FEW, _MOST_COUNTED = 0.2, 1.0, 200_000
_IMPOSSIBLE = -3.0  # one in twenty of what independent columns would show


@torch.no_grad()
def ridge_regressions(
    order: MADELayout, encoder: TableTransformer, levels: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """Return weights (inputs, outputs) and biases (outputs,) of all m and log c: ridge regression on entries and scores."""
    draws = compute.random_generator(seed, "likelihood/guesses")
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
    order: MADELayout, encoder: TableTransformer, levels: Tensor, guess: tuple[Tensor, Tensor], seed: int
) -> Tensor:
    """Return log p(i, j) / (p(i) p(j)) of codes i and codes j of other spans, (inputs, outputs), counts + a few.

    The bins of i are those of a score's own rank, the bins of j those about its guess.
    """
    counts = torch.zeros(order.inputs, order.outputs)
    ones, others = torch.zeros(order.inputs), torch.zeros(order.outputs)
    draws = compute.random_generator(seed, "likelihood/pairs")
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


def _taken(order: MADELayout, seen: Tensor, raw: Tensor) -> Tensor:
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


STEPS = 400
"""Steps of the fit, if held-out rows do not end it before."""
_RATE, _LAST, _WARM_UP = 3e-3, 0.02, 20
_FULL_RATE_ROWS, _LEAST_RATE = 2000.0, 1 / 3  # few rows are soon learnt by heart
_DECAYING_ROWS, _MOST_DECAY = 2100.0, 0.3  # and the weights decay towards where they began
_BATCH, _BATCHES_AN_EPOCH = 500, 8
_LOOKS, _MOST_HELD = 12, 4_000
_DECAY = 0.99
_FEWEST_TO_PART = 10
_WORSE = 0.1  # of what was gained
_TO_OUTPUTS = ("leave", "direct", "context_direct", "leave_bias")

Weights = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class PretrainResult:
    """What was fitted: steps played, the step kept, and nats a row on held-out rows at each look, [step, nats].

    weaker: whether fewer steps were kept because samples of the best counted as copies of training rows. copies: whether
    those of the weakest still do, and those of independent columns do not.
    """

    steps: int
    kept: int
    looks: list[list[float]]
    weaker: bool = False
    copies: bool = False


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Weights at a step, and the nats a row of held-out rows under them."""

    step: int
    nats: float
    weights: Weights


def pretrain(
    generator: MADEGenerator,
    encoder: TableTransformer,
    levels: Tensor,
    held: Tensor | None,
    *,
    seed: int,
    codes: tuple[Tensor, Tensor | None] | None = None,
    most_steps: int | None = None,
    copied: Callable[[], bool] | None = None,
) -> Generator[Pretraining, None, PretrainResult]:
    """Fit a generator's start to levels (n, spans) of training rows; held-out levels choose when to stop. Yield each step.

    Once held-out rows say that the rows are being learnt by heart, the steps left go to what known cells tell of earlier
    ones, which is learnt from fewer rows. codes: the class numbers of both, of a generator with classes. copied: asked of a
    small table whether the generator's samples count as copies; while they do, the start goes back to earlier steps, from
    half of them on, down to the closed forms. The generator samples the fitted law afterwards.
    """
    if held is None and len(levels) >= _FEWEST_TO_PART:
        # No rows are held back from so few: a fifth tells when the others begin to be learnt by heart.
        part = len(levels) // 5
        levels, held = levels[part:], levels[:part]
        if codes is not None:
            codes = codes[0][part:], codes[0][:part]
    last = STEPS if most_steps is None else min(STEPS, most_steps)
    if last:
        yield Pretraining(step=0, steps=last)  # before the closed forms, which take a while themselves
    with torch.random.fork_rng([]):
        torch.manual_seed(compute.derived_seed(seed, "likelihood/weights"))
        apart = generator.first_weights(encoder.log_frequencies)
    generator.init_from_data(apart, encoder.entry_scores)
    guess = ridge_regressions(generator.order, encoder, levels, seed)
    direct = guess[0] + associations(generator.order, encoder, levels, guess, seed)
    first = {**apart, "direct": direct, "leave_bias": apart["leave_bias"] + guess[1]}
    rows, course = _Rows(generator, encoder, seed), _Pretrainer(first, generator.order, guess[1], len(levels))
    batch = max(8, min(_BATCH, len(levels) // _BATCHES_AN_EPOCH))
    order = RowOrder(len(levels), compute.derived_seed(seed, "likelihood/rows"))
    best = _Seen(step=0, nats=math.inf, weights=course.weights())
    looks: list[list[float]] = []
    earlier: list[_Seen] = []
    worst = 0.0
    for step in range(last + 1):
        if held is not None and (step % (STEPS // _LOOKS) == 0 or step == last):
            now = course.weights()
            nats = rows.held(now, held, None if codes is None else codes[1])
            looks.append([step, round(nats, 4)])
            worst = nats if step == 0 else worst
            if nats < best.nats:
                best = _Seen(step=best.step if course.alone else step, nats=nats, weights=now)
                earlier += [best] if copied is not None and not course.alone else []
            elif nats - best.nats > _WORSE * (worst - best.nats):
                # Less than that a falling rate still mends.
                if course.alone:
                    break
                course, worst = course.of_known_cells(best.weights), best.nats
        if step == last:
            break
        yield Pretraining(step=step, steps=last)
        at = torch.from_numpy(order.rows(step * batch, batch))
        classes = None if codes is None else codes[0][at]
        loss = -rows.likelihood(course.playing(), levels[at.to(levels.device)], classes, step).sum(1).mean()
        course.step(loss)
    best = best if held is not None else _Seen(step=step, nats=math.inf, weights=course.weights())
    generator.init_from_data(best.weights, encoder.entry_scores)
    if copied is None or not copied():
        return PretrainResult(steps=step, kept=best.step, looks=looks)
    weaker = [each for each in reversed(earlier) if each.step <= best.step // 2 and each.step < best.step]
    for each in weaker:
        generator.init_from_data(each.weights, encoder.entry_scores)
        if not copied():
            return PretrainResult(steps=step, kept=each.step, looks=looks, weaker=True)
    # What even independent columns show is no copying that a weaker start could mend.
    generator.init_from_data(apart, encoder.entry_scores)
    found = not copied()
    kept = weaker[-1] if weaker and found else best
    generator.init_from_data(kept.weights, encoder.entry_scores)
    return PretrainResult(steps=step, kept=kept.step, looks=looks, weaker=kept is not best, copies=found)


class _Pretrainer:
    """Weights first + unit * taught, and steps that teach: Adam at a falling rate, decay of what is taught, an average.

    unit is 1, but of a guess's mean its spread: a step moves a mean by a part of its spread, however narrow that is.
    alone: only what known cells tell of spans before them is taught, so that the law of whole rows stays what it is.
    """

    def __init__(
        self,
        first: Mapping[str, Tensor],
        order: MADELayout,
        biases: Tensor,
        rows: int,
        *,
        alone: bool = False,
    ) -> None:
        device = order.entry_scores.device
        self.first, self.order, self.biases, self.rows = first, order, biases, rows
        self.first = {name: value.to(device) for name, value in first.items()}
        self.alone, self.played = alone, 0
        unit = torch.ones(order.outputs)
        for step in order.steps:
            unit[step.guess][:1] = biases[step.guess][1:].exp()
        self.unit = unit.to(device)
        self.taught = {
            name: torch.zeros_like(value, requires_grad=True) for name, value in self.first.items()
        }
        self.average = {name: torch.zeros_like(value) for name, value in self.first.items()}
        decay = min(_MOST_DECAY, _DECAYING_ROWS / rows)
        groups = [
            {"params": [value], "weight_decay": 0.0 if "bias" in name else decay}
            for name, value in self.taught.items()
        ]
        self.rate = _RATE * min(1.0, max(_LEAST_RATE, rows / _FULL_RATE_ROWS))
        self.optimiser = torch.optim.AdamW(groups, lr=self.rate, betas=(0.9, 0.99))

    def of_known_cells(self, weights: Mapping[str, Tensor]) -> _Pretrainer:
        """Return a course from these weights on that teaches what known cells tell of spans before them, and no more."""
        return _Pretrainer(weights, self.order, self.biases, self.rows, alone=True)

    def playing(self) -> Weights:
        """Return the weights as they are taught."""
        return self._of(self.taught)

    def weights(self) -> Weights:
        """Return the weights on average."""
        return self._of(self.average)

    def step(self, loss: Tensor) -> None:
        """Teach by the gradient of a loss of `playing`."""
        gradients = torch.autograd.grad(loss, list(self.taught.values()), allow_unused=True)
        for value, gradient in zip(self.taught.values(), gradients, strict=True):
            value.grad = gradient
        fall = (1 + math.cos(math.pi * min(1.0, self.played / STEPS))) / 2
        pace = min(1.0, (self.played + 1) / _WARM_UP) * (_LAST + (1 - _LAST) * fall)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * pace
        self.optimiser.step()
        keep = min(_DECAY, (1 + self.played) / (10 + self.played))
        with torch.no_grad():
            for name, value in self.average.items():
                value.lerp_(self.taught[name], 1 - keep)
        self.played += 1

    def _of(self, taught: Mapping[str, Tensor]) -> Weights:
        found = {}
        for name, value in taught.items():
            more = value * self._later(name, value) if self.alone else value
            found[name] = self.first[name] + (more * self.unit if name in _TO_OUTPUTS else more)
        return found

    def _later(self, name: str, value: Tensor) -> Tensor:
        """Return which weights only known cells use, 0 or 1."""
        if name in ("enter", "direct"):
            before = self.order.before_unit if name == "enter" else self.order.before_output
            return (~before).to(value.dtype)
        uses = torch.zeros_like(value)
        if name in ("context", "context_direct"):
            uses[: self.order.feature_blocks] = 1.0
        return uses


class _Rows:
    """Levels as inputs of an ordered generator, with scores, masks and classes of a step."""

    def __init__(self, generator: MADEGenerator, encoder: TableTransformer, seed: int) -> None:
        self.generator, self.encoder = generator, encoder
        self.groups = torch.tensor(encoder.columns_of_spans)
        self.seed = seed

    def likelihood(self, weights: Weights, levels: Tensor, codes: Tensor | None, step: int) -> Tensor:
        """Return log p of the rows of one step, (n, spans), some of their cells known."""
        known = masks(len(levels), self.groups, compute.random_generator(self.seed, "likelihood/masks", step))
        uniforms = torch.rand(
            len(levels),
            self.encoder.draws,
            generator=compute.random_generator(self.seed, "likelihood/scores", step),
        )
        return self._log(weights, levels, codes, known.to(levels.device), uniforms.to(levels.device))

    @torch.no_grad()
    def held(self, weights: Weights, levels: Tensor, codes: Tensor | None) -> float:
        """Return the mean nats of held-out rows, half of them with known cells, always the same ones and scores."""
        levels = levels[:_MOST_HELD]
        draws = compute.random_generator(self.seed, "likelihood/held")
        known = masks(len(levels), self.groups, draws)
        uniforms = torch.rand(len(levels), self.encoder.draws, generator=draws)
        codes = None if codes is None else codes[:_MOST_HELD]
        found = self._log(weights, levels, codes, known.to(levels.device), uniforms.to(levels.device))
        return -float(found.sum(1).double().mean())

    def _log(
        self,
        weights: Weights,
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
