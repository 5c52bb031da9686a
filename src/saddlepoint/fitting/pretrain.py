"""The start of a table's game: a MADE fitted to the training rows by maximum likelihood, before round 0.

First come initial weights in closed form: a ridge-regression prediction (`guess`) of each normal score from the columns
before it, and pointwise mutual information between codes. Ridge regression takes the penalty with the least generalised
cross-validation error, n RSS / (n - df)^2 (Golub, Heath, Wahba 1979), which is also the variance to expect on new rows.

Then minibatches and Adam follow. An average of the weights is evaluated on the validation rows (monitor), and the game
starts from the best. Everything is a function of (seed, step), as in the game.
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
_IMPOSSIBLE = -3.0  # a pair that is seen a twentieth as often as for independent columns counts as impossible


@torch.no_grad()
def ridge_regressions(
    order: MADELayout, encoder: TableTransformer, cell_codes: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """Return the ridge regressions of all normal scores on the columns before: weights (inputs, outputs), biases (outputs,).

    They give the mean m and the log standard deviation log c of each score.

    order: the layout of the MADE.
    encoder: the fitted encoder.
    cell_codes: codes of the training rows, (n, feature blocks).
    seed: seed of the run.
    """
    draws = compute.random_generator(seed, "likelihood/guesses")
    some = _evenly_spread(cell_codes, _MOST_GUESSED_FROM)
    uniforms = torch.rand(len(some), encoder.draws, generator=draws).to(some.device)
    coded = order.inputs_of_rows(encoder.to_features(some, uniforms)).cpu().double()
    weights, biases = torch.zeros(order.inputs, order.outputs), torch.zeros(order.outputs)
    before: list[int] = []
    for step in order.steps:
        at = step.inputs.start + step.atoms
        if step.score is not None:
            free = coded[:, at : step.inputs.stop - 1].sum(1) > 0
            if int(free.sum()) >= _FEWEST_ROWS:
                found, mean, variance = _ridge(coded[free][:, before], coded[free, step.inputs.stop - 1])
                weights[before, step.prediction.start] = found.float()
                biases[step.prediction.start] = mean
                biases[step.prediction.start + 1] = 0.5 * torch.log(variance)
            before.append(step.inputs.stop - 1)
        before += range(step.inputs.start, at)
    return weights, biases


def _ridge(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return coefficients (p,), intercept and residual variance, at the penalty with the least GCV error."""
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
        # With more regressors than rows a small penalty leaves no residual at all, whatever the regressors are.
        risks = torch.where(freedom > _LEAST_FREEDOM, left.clamp_min(0.0) / freedom**2, torch.inf)
        best = int(risks.argmin())
        coefficients[used] = vectors @ (shrunk[best] * toward) / spread[used]
        variance = risks[best]
    else:
        variance = torch.tensor(total / n, dtype=x.dtype)
    return coefficients, level - middle @ coefficients, variance.clamp_min(_LEAST_VARIANCE)


@torch.no_grad()
def associations(
    order: MADELayout, encoder: TableTransformer, cell_codes: Tensor, guess: tuple[Tensor, Tensor], seed: int
) -> Tensor:
    """Return log p(i, j) / (p(i) p(j)), the pointwise mutual information of codes of two feature blocks, (inputs, outputs).

    One is added to all counts. Values are multiplied by 0.2, except those of (almost) impossible pairs. For a score, code i
    is the bin of its own rank, and code j its bin relative to the prediction `guess`.
    """
    counts = torch.zeros(order.inputs, order.outputs)
    ones, others = torch.zeros(order.inputs), torch.zeros(order.outputs)
    draws = compute.random_generator(seed, "likelihood/pairs")
    some = _evenly_spread(cell_codes, _MOST_COUNTED)
    for part in torch.split(some, 8192):
        uniforms = torch.rand(len(part), encoder.draws, generator=draws).to(part.device)
        coded = order.inputs_of_rows(encoder.to_features(part, uniforms)).cpu()
        targets = _targets(order, coded, coded @ guess[0] + guess[1])
        counts += coded.T @ targets
        ones, others = ones + coded.sum(0), others + targets.sum(0)
    found = torch.log((counts + _FEW) / (torch.outer(ones, others) / len(some) + _FEW))
    found = torch.where(found < _IMPOSSIBLE, found, _PAIRS * found)
    for step in order.steps:
        found[step.inputs, step.outputs] = 0.0
        if step.score is not None:
            found[step.inputs.stop - 1] = 0.0
            found[:, step.prediction] = 0.0
    return found


def _evenly_spread(rows: Tensor, most: int) -> Tensor:
    """Return at most `most` rows, evenly spread because a file may be sorted."""
    return rows if len(rows) <= most else rows[torch.linspace(0, len(rows) - 1, most).long()]


def _targets(order: MADELayout, coded: Tensor, raw: Tensor) -> Tensor:
    """Return the one-hot code that each step of the MADE has to predict, (n, outputs)."""
    targets = torch.zeros(len(coded), order.outputs)
    for step in order.steps:
        targets[:, step.codes_out] = coded[:, step.codes_in]
        if step.score is not None:
            first = step.outputs.start + step.atoms
            other = coded[:, step.inputs.start + step.atoms : step.inputs.stop - 1].sum(1)
            mean, scale = raw[:, step.prediction].unbind(1)
            bins = order.bin_of(
                torch.special.ndtr((coded[:, step.inputs.stop - 1] - mean) * torch.exp(-scale))
            )
            targets[:, first : step.codes_out.stop] = 0.0
            targets[torch.arange(len(coded)), first + bins] = other
    return targets


STEPS = 400
"""Steps of the fit, unless the validation rows end it before."""
_RATE, _LAST, _WARM_UP = 3e-3, 0.02, 20
_FULL_RATE_ROWS, _LEAST_RATE = 2000.0, 1 / 3  # few rows are soon overfitted
_DECAYING_ROWS, _MOST_DECAY = 2100.0, 0.3  # weight decay towards the initial weights, stronger for few rows
_BATCH, _BATCHES_AN_EPOCH = 500, 8
_EVALUATIONS, _MOST_VALIDATION = 12, 4_000
_DECAY = 0.99
_FEWEST_TO_SPLIT = 10
_WORSE = 0.1  # of the gain so far: a larger rise of the validation loss counts as overfitting
_TO_OUTPUTS = ("leave", "direct", "context_direct", "leave_bias")

Weights = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class PretrainResult:
    """The result of `pretrain`.

    steps: steps played.
    kept: the step whose weights are kept.
    validation_curve: [step, nats per row on validation rows] at each evaluation.
    weaker: whether weights of an earlier step were kept because samples of the best were copies of training rows.
    copies: whether even samples of the earliest step are copies, while samples of independent columns are not.
    """

    steps: int
    kept: int
    validation_curve: list[list[float]]
    weaker: bool = False
    copies: bool = False


@dataclass(frozen=True, kw_only=True)
class _Evaluated:
    """The weights at a step, and their nats per row on validation rows."""

    step: int
    nats: float
    weights: Weights


def pretrain(
    generator: MADEGenerator,
    encoder: TableTransformer,
    cell_codes: Tensor,
    validation: Tensor | None,
    *,
    seed: int,
    codes: tuple[Tensor, Tensor | None] | None = None,
    most_steps: int | None = None,
    copied: Callable[[], bool] | None = None,
) -> Generator[Pretraining, None, PretrainResult]:
    """Fit a MADE generator to training rows by maximum likelihood, yield each step, and return the result.

    When the validation loss rises (overfitting), the remaining steps train only the weights that condition a column on
    later known columns; fewer rows are enough to learn these. Where samples of the fit are copies of training rows (small
    tables), the generator goes back to earlier steps, from half of the steps down to the closed form. Afterwards the
    generator samples the fitted distribution.

    generator: the generator to fit, in place.
    encoder: the fitted encoder.
    cell_codes: codes of the training rows, (n, feature blocks).
    validation: codes of the validation rows; None: a fifth of the training rows is used.
    seed: seed of the run.
    codes: class numbers of training and validation rows, for a generator with classes.
    most_steps: most steps; `STEPS` at most.
    copied: returns whether the generator's samples count as copies of training rows; None: no test.
    """
    if validation is None and len(cell_codes) >= _FEWEST_TO_SPLIT:
        # A table so small has no validation rows: a fifth of the training rows shows when the fit begins to overfit.
        part = len(cell_codes) // 5
        cell_codes, validation = cell_codes[part:], cell_codes[:part]
        if codes is not None:
            codes = codes[0][part:], codes[0][:part]
    last = STEPS if most_steps is None else min(STEPS, most_steps)
    if last:
        yield Pretraining(step=0, steps=last)  # before the closed forms, which take some time too
    with torch.random.fork_rng([]):
        torch.manual_seed(compute.derived_seed(seed, "likelihood/weights"))
        independent = generator.first_weights(encoder.log_frequencies)  # columns independent of each other
    generator.init_from_data(independent, encoder.entry_scores)
    guess = ridge_regressions(generator.order, encoder, cell_codes, seed)
    direct = guess[0] + associations(generator.order, encoder, cell_codes, guess, seed)
    initial = {**independent, "direct": direct, "leave_bias": independent["leave_bias"] + guess[1]}
    likelihood = _Likelihood(generator, encoder, seed)
    pretrainer = _Pretrainer(initial, generator.order, guess[1], len(cell_codes))
    batch = max(8, min(_BATCH, len(cell_codes) // _BATCHES_AN_EPOCH))
    order = RowOrder(len(cell_codes), compute.derived_seed(seed, "likelihood/rows"))
    best = _Evaluated(step=0, nats=math.inf, weights=pretrainer.average_weights())
    curve: list[list[float]] = []
    earlier: list[_Evaluated] = []
    worst = 0.0
    for step in range(last + 1):
        if validation is not None and (step % (STEPS // _EVALUATIONS) == 0 or step == last):
            now = pretrainer.average_weights()
            nats = likelihood.validation_nats(now, validation, None if codes is None else codes[1])
            curve.append([step, round(nats, 4)])
            worst = nats if step == 0 else worst
            if nats < best.nats:
                best = _Evaluated(
                    step=best.step if pretrainer.conditioning_only else step, nats=nats, weights=now
                )
                earlier += [best] if copied is not None and not pretrainer.conditioning_only else []
            elif nats - best.nats > _WORSE * (worst - best.nats):
                # From a smaller rise the fit still recovers while the learning rate falls.
                if pretrainer.conditioning_only:
                    break
                pretrainer, worst = pretrainer.only_conditioning_from(best.weights), best.nats
        if step == last:
            break
        yield Pretraining(step=step, steps=last)
        at = torch.from_numpy(order.rows(step * batch, batch))
        classes = None if codes is None else codes[0][at]
        rows = cell_codes[at.to(cell_codes.device)]
        loss = -likelihood.of_step(pretrainer.current_weights(), rows, classes, step).sum(1).mean()
        pretrainer.step(loss)
    if validation is None:
        best = _Evaluated(step=step, nats=math.inf, weights=pretrainer.average_weights())
    generator.init_from_data(best.weights, encoder.entry_scores)
    if copied is None or not copied():
        return PretrainResult(steps=step, kept=best.step, validation_curve=curve)
    weaker = [each for each in reversed(earlier) if each.step <= best.step // 2 and each.step < best.step]
    for each in weaker:
        generator.init_from_data(each.weights, encoder.entry_scores)
        if not copied():
            return PretrainResult(steps=step, kept=each.step, validation_curve=curve, weaker=True)
    # If even independent columns count as copies, an earlier step cannot help.
    generator.init_from_data(independent, encoder.entry_scores)
    found = not copied()
    kept = weaker[-1] if weaker and found else best
    generator.init_from_data(kept.weights, encoder.entry_scores)
    return PretrainResult(
        steps=step, kept=kept.step, validation_curve=curve, weaker=kept is not best, copies=found
    )


class _Pretrainer:
    """Trains weights `initial + scale * delta`: Adam on delta at a falling rate, weight decay of delta, an average of it.

    scale is 1, except for the mean of a prediction, where it is the prediction's standard deviation: so a step moves a mean
    by a fraction of its standard deviation, however small that is.

    initial: initial weights by name.
    order: the layout of the MADE.
    biases: biases of the ridge regressions, (outputs,).
    rows: number of training rows.
    conditioning_only: freeze the weights that define the unconditional distribution of rows, and train only those that
        condition a column on later known columns.
    """

    def __init__(
        self,
        initial: Mapping[str, Tensor],
        order: MADELayout,
        biases: Tensor,
        rows: int,
        *,
        conditioning_only: bool = False,
    ) -> None:
        device = order.entry_scores.device
        self.order, self.biases, self.rows = order, biases, rows
        self.initial = {name: value.to(device) for name, value in initial.items()}
        self.conditioning_only, self.played = conditioning_only, 0
        scale = torch.ones(order.outputs)
        for step in order.steps:
            scale[step.prediction][:1] = biases[step.prediction][1:].exp()
        self.scale = scale.to(device)
        self.delta = {
            name: torch.zeros_like(value, requires_grad=True) for name, value in self.initial.items()
        }
        self.average = {name: torch.zeros_like(value) for name, value in self.initial.items()}
        decay = min(_MOST_DECAY, _DECAYING_ROWS / rows)
        groups = [
            {"params": [value], "weight_decay": 0.0 if "bias" in name else decay}
            for name, value in self.delta.items()
        ]
        self.rate = _RATE * min(1.0, max(_LEAST_RATE, rows / _FULL_RATE_ROWS))
        self.optimiser = torch.optim.AdamW(groups, lr=self.rate, betas=(0.9, 0.99))

    def only_conditioning_from(self, weights: Mapping[str, Tensor]) -> _Pretrainer:
        """Return a new trainer that begins at these weights and trains only the conditioning on later known columns."""
        return _Pretrainer(weights, self.order, self.biases, self.rows, conditioning_only=True)

    def current_weights(self) -> Weights:
        """Return the current weights, for the loss."""
        return self._weights_from(self.delta)

    def average_weights(self) -> Weights:
        """Return the average of the weights over the steps."""
        return self._weights_from(self.average)

    def step(self, loss: Tensor) -> None:
        """Make one optimiser step by the gradient of a loss of `current_weights`."""
        gradients = torch.autograd.grad(loss, list(self.delta.values()), allow_unused=True)
        for value, gradient in zip(self.delta.values(), gradients, strict=True):
            value.grad = gradient
        fall = (1 + math.cos(math.pi * min(1.0, self.played / STEPS))) / 2
        factor = min(1.0, (self.played + 1) / _WARM_UP) * (_LAST + (1 - _LAST) * fall)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * factor
        self.optimiser.step()
        keep = min(_DECAY, (1 + self.played) / (10 + self.played))
        with torch.no_grad():
            for name, value in self.average.items():
                value.lerp_(self.delta[name], 1 - keep)
        self.played += 1

    def _weights_from(self, delta: Mapping[str, Tensor]) -> Weights:
        weights = {}
        for name, value in delta.items():
            more = value * self._conditioning_mask(name, value) if self.conditioning_only else value
            weights[name] = self.initial[name] + (more * self.scale if name in _TO_OUTPUTS else more)
        return weights

    def _conditioning_mask(self, name: str, value: Tensor) -> Tensor:
        """Return a mask, 0 or 1, of the weights that are used only where later cells are known."""
        if name in ("enter", "direct"):
            before = self.order.before_unit if name == "enter" else self.order.before_output
            return (~before).to(value.dtype)
        mask = torch.zeros_like(value)
        if name in ("context", "context_direct"):
            mask[: self.order.feature_blocks] = 1.0
        return mask


class _Likelihood:
    """The log-likelihood of rows under a MADE, with random scores within ties and random masks of known cells."""

    def __init__(self, generator: MADEGenerator, encoder: TableTransformer, seed: int) -> None:
        self.generator, self.encoder = generator, encoder
        self.groups = torch.tensor(encoder.columns_of_blocks)
        self.seed = seed

    def of_step(self, weights: Weights, cell_codes: Tensor, codes: Tensor | None, step: int) -> Tensor:
        """Return log p of the rows of one training step, (n, feature blocks), with random known cells in half of them."""
        known = masks(
            len(cell_codes), self.groups, compute.random_generator(self.seed, "likelihood/masks", step)
        )
        uniforms = torch.rand(
            len(cell_codes),
            self.encoder.draws,
            generator=compute.random_generator(self.seed, "likelihood/scores", step),
        )
        device = cell_codes.device
        return self._log_likelihood(weights, cell_codes, codes, known.to(device), uniforms.to(device))

    @torch.no_grad()
    def validation_nats(self, weights: Weights, cell_codes: Tensor, codes: Tensor | None) -> float:
        """Return the mean negative log-likelihood of validation rows (nats per row), always with the same random numbers."""
        cell_codes = cell_codes[:_MOST_VALIDATION]
        draws = compute.random_generator(self.seed, "likelihood/held")
        known = masks(len(cell_codes), self.groups, draws)
        uniforms = torch.rand(len(cell_codes), self.encoder.draws, generator=draws)
        codes = None if codes is None else codes[:_MOST_VALIDATION]
        device = cell_codes.device
        found = self._log_likelihood(weights, cell_codes, codes, known.to(device), uniforms.to(device))
        return -float(found.sum(1).double().mean())

    def _log_likelihood(
        self,
        weights: Weights,
        cell_codes: Tensor,
        codes: Tensor | None,
        known: Tensor,
        uniforms: Tensor,
    ) -> Tensor:
        rows = self.generator.order.inputs_of_rows(self.encoder.to_features(cell_codes, uniforms))
        classes = None
        if codes is not None:
            hot = torch.nn.functional.one_hot(codes.to(cell_codes.device), self.generator.classes)
            classes = hot.to(rows.dtype)
        return log_likelihood(self.generator.order, weights, rows, known, classes)
