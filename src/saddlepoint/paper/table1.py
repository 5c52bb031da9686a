"""Table 1: Parzen-window log-likelihoods of the paper's recipe, of variants, of the modern recipe, and of controls.

A game is played in its run folder with one seed; the curve of its validation log-likelihood is measured at planned rounds.
No test row takes part in any choice: sigma, and the round that "stopped by validation" keeps, are chosen on validation
rows. The average of G (EMA) is kept beside the game and does not change it; it has table rows of its own.

The Parzen-window protocol is the authors' (parzen_ll.py): 10,000 samples of G, grey levels in [0, 1]. Sigma is the one of 10
values, log-spaced from 0.1 to 1, with the largest mean log-likelihood of the first 1,000 validation rows. The score is the
mean over all test rows; its "+-" is the standard deviation divided by the square root of their number. A sigma at the edge of
the grid is refused: the best one is outside, so the score would be meaningless (with sigma = .01 the authors' code printed
-256,075).

A Parzen score has no scale of its own, so the table holds controls beside the games. Real rows show what perfect samples would
score; the same rows with one known fault show how much each fault lowers or raises the score; k-means centres and pixels drawn
independently are not samples of digits at all.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import nn

from saddlepoint import compute
from saddlepoint.drawing.curves import ROLE_PENS, Panel, Trace, panels
from saddlepoint.errors import InputError, nearest
from saddlepoint.fitting import Fit
from saddlepoint.judging import judge
from saddlepoint.judging.metrics.parzen import log_densities, log_density
from saddlepoint.model import Model
from saddlepoint.paper.datasets import Parts, fractions
from saddlepoint.paper.games import GAMES, planned_game
from saddlepoint.paper.results import Results
from saddlepoint.paper.resumable_game import ResumableGame, generate

Floats = NDArray[np.float64]

SIGMAS: tuple[float, ...] = tuple(float(sigma) for sigma in np.logspace(-1, 0, 10))
SAMPLES = 10_000
VALIDATION = 1_000


@dataclass(frozen=True, kw_only=True)
class Score:
    """A Parzen-window score: mean log-likelihood of the test rows, its standard error (both in nats), and the protocol."""

    log_likelihood: float
    standard_error: float
    sigma: float
    n_samples: int
    n_test: int


def on_validation(samples: NDArray[np.float64], validation: NDArray[np.float64]) -> tuple[float, float, bool]:
    """Return the best mean log-likelihood of the first 1,000 validation rows, its sigma, and whether sigma is an edge."""
    means = log_densities(validation[:VALIDATION], samples, SIGMAS).mean(axis=1)
    best = int(np.argmax(means))
    return float(means[best]), SIGMAS[best], best in (0, len(SIGMAS) - 1)


def score(samples: NDArray[np.float64], validation: NDArray[np.float64], test: NDArray[np.float64]) -> Score:
    """Return the score of samples (n, d) by the protocol.

    samples: the samples.
    validation: rows by which sigma is chosen.
    test: rows that are scored.

    Raises:
        InputError: the best sigma is at an edge of the grid.
    """
    best, sigma, edge = on_validation(samples, validation)
    if edge:
        raise InputError(
            f"The best sigma of the grid {SIGMAS[0]:g} ... {SIGMAS[-1]:g} is its edge {sigma:g} (validation "
            f"log-likelihood {best:.1f}), so the score would mean nothing: train longer, or draw other samples."
        )
    log_likelihoods = log_density(test, samples, sigma)
    return Score(
        log_likelihood=float(log_likelihoods.mean()),
        standard_error=float(log_likelihoods.std() / np.sqrt(len(log_likelihoods))),
        sigma=round(sigma, 4),
        n_samples=len(samples),
        n_test=len(test),
    )


_Fault = Callable[[Floats, np.random.Generator], Floats]
"""Pictures (n, H, W, C) of grey levels in [0, 1] -> the same pictures with a fault."""

BLUR = 0.6
DROPPED = 0.05


def _half_repeated(rows: Floats, random: np.random.Generator) -> Floats:
    return rows[np.arange(len(rows)) % -(-len(rows) // 2)]


def _pixels_dropped(rows: Floats, random: np.random.Generator) -> Floats:
    return np.where(random.random(rows.shape) < DROPPED, 0.0, rows)


def _binarised(rows: Floats, random: np.random.Generator) -> Floats:
    return np.round(rows)


def _blurred(rows: Floats, random: np.random.Generator) -> Floats:
    return np.asarray(gaussian_filter(rows, (0.0, BLUR, BLUR, 0.0)), dtype=np.float64)


FAULTS: dict[str, _Fault] = {
    "half of the real rows": _half_repeated,
    "real rows with gaps": _pixels_dropped,
    "real rows in black or white": _binarised,
    "real rows blurred": _blurred,
}
CONTROLS = {
    "real rows": "training rows, unchanged",
    "k-means centres": "cluster centres of the training rows, as many as samples, at most half as many as rows; not samples",
    "each pixel apart": "every pixel drawn independently from the training rows",
    "half of the real rows": "half as many training rows, each twice",
    "real rows with gaps": f"training rows, {100 * DROPPED:.0f} % of their pixels set to black at random",
    "real rows in black or white": "training rows, grey levels rounded to 0 or 1",
    "real rows blurred": f"training rows under a Gaussian filter of {BLUR:g} pixels",
}
"""The controls that replace samples, by name, and what each is."""


def control(model: str, parts: Parts, n: int, seed: int) -> Floats:
    """Return at most n rows (n, H W C) in [0, 1] of a control, in the place of samples.

    model: a name in CONTROLS.
    parts: the data, of which only training rows are used.
    n: the number of rows.
    seed: seed of the random choices.
    """
    rows = fractions(parts.train)
    random = np.random.default_rng(compute.derived_seed(seed, f"control/{model}"))
    n = min(n, len(rows))
    if model == "each pixel apart":
        return np.stack([random.permutation(rows[:, column])[:n] for column in range(rows.shape[1])], axis=1)
    if model == "k-means centres":
        return _centres(
            rows, min(n, len(rows) // 2), seed
        )  # with as many centres as rows they would be the rows
    chosen = rows[random.permutation(len(rows))[:n]]
    if model not in FAULTS:
        return chosen
    pictures = chosen.reshape(n, *parts.train.rows.shape[1:])
    return FAULTS[model](pictures, random).reshape(n, -1)


def _centres(rows: Floats, n: int, seed: int) -> Floats:
    from sklearn.cluster import KMeans

    fitted = KMeans(n, init="random", n_init=1, max_iter=20, random_state=seed).fit(rows.astype(np.float32))
    return np.asarray(fitted.cluster_centers_, dtype=np.float64)


LEVELS = {"mnist": 225.0}
"""The paper's own scores, by data."""
_KINDS = (("last", "last G"), ("average", "average of G"))
_LAST, _AVERAGED = "last", "average"
_STOPPED = "stopped by validation"


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the protocol: the full one, or a quick version whose files are named so.

    samples: samples that are scored.
    rounds: rounds of each game; by recipe if None.
    judged: the most rows of each side that the judge reads.
    pool: the judge's classifiers, "full" or "quick".
    curve_epochs: epochs after which the curve is measured, early in the game.
    curve_every: epochs between two later measurements, at least.
    """

    samples: int = SAMPLES
    rounds: int | None = None
    judged: int = 10_000
    pool: str = "full"
    curve_epochs: tuple[int, ...] = (1, 3)
    curve_every: int = 5


QUICK = Size(samples=1_000, rounds=100, judged=250, pool="quick", curve_every=1)


MODELS = (*GAMES, *CONTROLS)


def run(
    parts: Parts,
    models: Sequence[str],
    seed: int,
    *,
    results: Results,
    runs: Path,
    size: Size | None = None,
    quick: bool = False,
    rounds: int | None = None,
    minutes: float | None = None,
    judged: bool = True,
    threads: int = 1,
    device: str | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
    command: str = "",
) -> bool:
    """Add the rows of these models and this seed to the table; return False if a game has not ended yet.

    Rows that are stored are not measured again; a verdict that a game's row still lacks is added if `judged`.

    parts: the data.
    models: names of games and controls.
    seed: seed of the games and controls.
    results: where the table is stored.
    runs: folder of the games' run folders.
    size: the size of the protocol; by `quick` if None.
    quick: the quick version.
    rounds: rounds of each game; by size or recipe if None.
    minutes: wall time after which a game pauses.
    judged: also judge samples against test rows.
    threads: threads of a game.
    device: device of a game.
    interrupted: asked between rounds whether to pause.
    say: prints progress.
    command: the command that is stored beside the rows.

    Raises:
        InputError: a model is unknown, or a sigma is at the grid's edge.
    """
    refuse_unknown(models)
    size = size or (QUICK if quick else Size())
    table = Table(results, f"table1-{parts.name}{'-quick' if quick else ''}", parts, seed, size, say, command)
    all_finished = True
    for model in models:
        if model in CONTROLS:
            if table.has(model):
                say(f"{model}, seed {seed}: already in the table")
            else:
                began = time.process_time()
                samples = control(model, parts, size.samples, seed)
                table.add(model, samples, rounds=0, seconds=time.process_time() - began, judged=judged)
            continue
        folder = runs / f"table1-{parts.name}{'-quick' if quick else ''}" / f"{slug(model)}-seed{seed}"
        finished = _game(table, model, folder, rounds, minutes, judged, threads, device, interrupted)
        all_finished = all_finished and finished
        if interrupted():
            break
    if (figure := curves(results.read(table.name))) is not None:
        results.picture(figure, f"{table.name}-curves")
    return all_finished


def refuse_unknown(models: Sequence[str]) -> None:
    """Refuse a name that is neither a game nor a control of the table.

    Raises:
        InputError: names it and the most similar one.
    """
    for model in models:
        if model not in MODELS:
            raise InputError(
                f"Unknown model {model!r}{nearest(model, MODELS) or '.'} `saddlepoint paper table1 --help` lists all models."
            )


class Table:
    """The JSON file of one data set's table: rows by the protocol, verdicts and validation curves."""

    def __init__(
        self,
        results: Results,
        name: str,
        parts: Parts,
        seed: int,
        size: Size,
        say: Callable[[str], None],
        command: str,
    ) -> None:
        self.results, self.name, self.parts, self.seed, self.size = results, name, parts, seed, size
        self.say, self.command = say, command
        self.validation, self.test = fractions(parts.validation), fractions(parts.test)

    def has(self, model: str, kind: str = "rows") -> bool:
        """Return whether a model's row of this seed is stored, or its verdict (kind "verdicts")."""
        stored = self.results.read(self.name).get(kind, [])
        return any((each["model"], each["seed"]) == (model, self.seed) for each in stored)

    def add(self, model: str, samples: Floats, *, rounds: int, seconds: float, judged: bool) -> None:
        """Score samples in [0, 1] and store their row; with `judged` also judge them as pictures."""
        scored = score(samples, self.validation, self.test)
        row = {
            "model": model,
            "seed": self.seed,
            **dataclasses.asdict(scored),
            "rounds": rounds,
            "seconds": round(seconds, 1),
        }
        with self.results.changing(self.name) as content:
            content["data"] = self.parts.name
            content["n_validation"] = min(VALIDATION, len(self.validation))
            content |= {"note": self.parts.note} if self.parts.note else {}
            content.setdefault("rows", []).append(row)
            content.setdefault("commands", {})[f"{model}, seed {self.seed}"] = self.command
        self.say(
            f"{model}, seed {self.seed}: {scored.log_likelihood:.1f} +- {scored.standard_error:.1f} nats, "
            f"sigma {scored.sigma:g}, {rounds:,} rounds, {seconds:,.0f} CPU s"
        )
        if judged:
            self.judge(model, samples)

    def judge(self, model: str, samples: Floats) -> None:
        """Judge samples, as grey levels, against the test rows, and store the verdict."""
        data, most = self.parts.test, self.size.judged
        grey = np.round(samples[:most] * data.levels).clip(0, data.levels).astype(np.uint8)
        verdict = judge(
            data.rows[:most],
            grey.reshape(-1, *data.rows.shape[1:]),
            train=self.parts.train.rows,
            held_out="declared",
            random_state=self.seed,
            pool="quick" if self.size.pool == "quick" else "full",
        )
        with self.results.changing(self.name) as content:
            content.setdefault("verdicts", []).append(
                {"model": model, "seed": self.seed, **verdict.to_dict()}
            )
        bound = "no bound" if verdict.jsd_lower is None else f"a JSD of at least {verdict.jsd_lower:.3f}"
        self.say(f"{model}: the judge certifies {bound}")

    def keep_curve(self, model: str, course: ResumableGame) -> None:
        """Store the curve of a game so far, in place of an older one."""
        curve = {
            "model": model,
            "seed": self.seed,
            "device": course.fit.device.type,
            "settings": course.fit.plan.settings.to_dict(),
            "looks": course.curve,
        }
        with self.results.changing(self.name) as content:
            others = [
                each
                for each in content.get("curves", [])
                if (each["model"], each["seed"]) != (model, self.seed)
            ]
            content["data"] = self.parts.name
            content["curves"] = [*others, curve]


def _game(
    table: Table,
    model: str,
    folder: Path,
    rounds: int | None,
    minutes: float | None,
    judged: bool,
    threads: int,
    device: str | None,
    interrupted: Callable[[], bool],
) -> bool:
    plan = planned_game(model, table.parts, table.seed, rounds or table.size.rounds)
    course = ResumableGame(folder, table.parts.train, plan, threads=threads, device=device)
    try:
        settings = course.fit.plan.settings
        end = rounds or settings.horizon
        epoch = max(1, len(table.parts.train) // settings.batch)
        planned = [epoch * each for each in table.size.curve_epochs]
        # A measurement costs as much as a hundred rounds.
        step = max(epoch * table.size.curve_every, end // 25)
        planned += range(step, end, step)
        table.say(f"{model}, seed {table.seed}: round {course.fit.round:,} of {end:,} in {folder}")
        recorder = _CurveRecorder(table, model, course)
        finished = course.play(
            sorted({each for each in planned if each < end} | {end}),
            recorder.measure,
            seconds=None if minutes is None else 60 * minutes,
            interrupted=interrupted,
            say=table.say,
        )
        table.keep_curve(model, course)
        if finished:
            recorder.write_rows(judged)
        return finished
    finally:
        course.close()


class _CurveRecorder:
    """Measures the last G and the average of G on validation rows, and keeps the best round of each."""

    def __init__(self, table: Table, model: str, course: ResumableGame) -> None:
        self.table, self.model, self.course = table, model, course

    def measure(self, fit: Fit) -> dict[str, Any]:
        """Return the validation score of each generator, its sigma and whether that is an edge; save each if it is the best."""
        measured: dict[str, Any] = {}
        for kind, generator in self._generators(fit).items():
            samples = self._samples(fit, generator, f"look/{fit.round}")
            value, sigma, edge = on_validation(samples, self.table.validation)
            measured |= {kind: round(value, 3), f"{kind}_sigma": round(sigma, 4), f"{kind}_edge": edge}
            best = max(
                (line[kind] for line in self.course.curve if not line[f"{kind}_edge"]), default=-np.inf
            )
            if value > best and not edge:
                self._snapshot(fit, generator).save(self.course.run.model / kind)
        measured |= self._mean_outputs_of_d(fit)
        self.table.keep_curve(self.model, self.course)
        return measured

    def write_rows(self, judged: bool) -> None:
        """Write the table rows of the last round and of the round at which validation would have stopped."""
        fit, last = self.course.fit, self.course.fit.round
        for kind, generator in self._generators(fit).items():
            name = self.model if kind == _LAST else f"{self.model} + average of G"
            with_verdict = judged
            if GAMES[self.model][0] == "modern":  # its own sampler is the average
                name = self.model if kind == _AVERAGED else f"{self.model}, without average of G"
                with_verdict = judged and kind == _AVERAGED
            self._row(name, generator, last, with_verdict)
            curve = [line for line in self.course.curve if not line[f"{kind}_edge"]]
            best = max(curve, key=lambda line: line[kind])["round"] if curve else last
            if best == last:
                continue
            kept = Model.load(self.course.run.model / kind)
            self._row(f"{name}, {_STOPPED}", kept.generator.to(fit.device), best, judged=False)

    def _row(self, name: str, generator: nn.Module, round_: int, judged: bool) -> None:
        verdict_missing = judged and not self.table.has(name, "verdicts")
        if self.table.has(name) and not verdict_missing:
            return
        samples = self._samples(self.course.fit, generator, "table1")
        if self.table.has(name):
            self.table.judge(name, samples)
            return
        cpu = [line["cpu_seconds"] for line in self.course.curve if line["round"] <= round_]
        self.table.add(name, samples, rounds=round_, seconds=cpu[-1] if cpu else 0.0, judged=judged)

    def _generators(self, fit: Fit) -> dict[str, nn.Module]:
        average = fit.game.average
        generators = {_LAST: fit.game.generator}
        return generators if average is None else {**generators, _AVERAGED: average.module}

    def _samples(self, fit: Fit, generator: nn.Module, purpose: str) -> Floats:
        rows = generate(fit, generator, self.table.size.samples, purpose)
        return rows.clamp(0, 1).permute(0, 2, 3, 1).flatten(1).double().numpy()

    def _snapshot(self, fit: Fit, generator: nn.Module) -> Model:
        return fit.playing(generator)

    def _mean_outputs_of_d(self, fit: Fit) -> dict[str, float]:
        """Return the mean of D on validation rows and on samples, without dropout."""
        game = fit.game
        with torch.no_grad():
            rows = self.table.parts.validation.rows[:1000]
            real = game.discriminator(fit.encoder.encode(rows).to(fit.device))
            z = compute.noise(
                game.settings.noise_distribution,
                1000,
                game.settings.noise_width,
                compute.random_generator(0, "look"),
            )
            fake = game.discriminator(game.generator(z.to(fit.device)))
        return {
            "D_on_validation": round(float(torch.sigmoid(real).mean()), 4),
            "D_on_samples": round(float(torch.sigmoid(fake).mean()), 4),
        }


def slug(model: str) -> str:
    """Return a model's name in the form of a file name."""
    return "-".join("".join(sign if sign.isalnum() else " " for sign in model.lower()).split())


def mean(rows: list[dict[str, Any]]) -> float:
    """Return the mean score of table rows."""
    return float(np.mean([row["log_likelihood"] for row in rows]))


def curves(content: dict[str, Any]) -> Figure | None:
    """Return a figure of the validation curves of a table's games; None if there are none."""
    drawn = [curve for curve in content.get("curves", []) if len(curve["looks"]) > 1]
    if not drawn:
        return None
    roles = list(ROLE_PENS)
    models = list(dict.fromkeys(curve["model"] for curve in drawn))[: len(roles)]
    plots = []
    lowest = min(
        point[kind]
        for curve in drawn
        for point in curve["looks"][len(curve["looks"]) // 10 :]
        for kind, _ in _KINDS
    )
    longest = max(curve["looks"][-1]["cpu_seconds"] for curve in drawn) / 60
    levels = _levels(content)
    for kind, title in _KINDS:
        traces, named = [], set()
        for curve in drawn:
            if curve["model"] not in models:
                continue
            label = "" if curve["model"] in named else curve["model"]
            named.add(curve["model"])
            points = [point for point in curve["looks"] if point[kind] >= lowest]
            traces.append(
                Trace(
                    x=[point["cpu_seconds"] / 60 for point in points],
                    y=[point[kind] for point in points],
                    role=roles[(models.index(curve["model"]) + 1) % len(roles)],
                    label=label,
                )
            )
        plots.append(
            Panel(
                title=title,
                across="CPU minutes of training",
                up="nats" if kind == "last" else "",
                traces=traces,
                levels=levels
                if kind == "last"
                else {" " * number: level for number, level in enumerate(levels.values())},
                levels_left=True,
                log_x=True,
                ticks_x=[each for each in (0.1, 1, 10, 100) if each <= 2 * longest],
            )
        )
    number = content.get("n_validation", VALIDATION)
    return panels(
        plots, title=f"Parzen log-likelihood of {number:,} validation rows", height=3.3, key_columns=2
    )


def _levels(content: dict[str, Any]) -> dict[str, float]:
    """Return the reference scores: the paper's, and that of real rows."""
    references = {f"the paper: {level:g}": level for name, level in LEVELS.items() if name == content["data"]}
    real = [row for row in content.get("rows", []) if row["model"] == "real rows"]
    return references | ({f"real rows: {mean(real):.0f}": mean(real)} if real else {})
