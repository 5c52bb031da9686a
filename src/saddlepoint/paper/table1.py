"""Table 1: Parzen log-likelihoods of the paper's recipe, of single changes to it, of the modern recipe, and controls.

A game is played in its run folder with one seed; the curve of its validation log-likelihood comes from planned rounds.
No test row takes part in any choice: sigma, and the round that "stopped by validation" keeps, are chosen on validation
rows. The average of G is kept beside the game and does not change it; its rows are rows of their own.
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
from numpy.typing import NDArray
from torch import nn

from saddlepoint import compute
from saddlepoint.errors import InputError, nearest
from saddlepoint.fitting import Fit
from saddlepoint.judging import judge
from saddlepoint.model import Model
from saddlepoint.paper import table1_page, window
from saddlepoint.paper.controls import CONTROLS, control
from saddlepoint.paper.datasets import Parts, fractions
from saddlepoint.paper.games import GAMES, planned_game
from saddlepoint.paper.results import Results
from saddlepoint.paper.resumable_game import Course, generate

Floats = NDArray[np.float64]

_LAST, _AVERAGED = "last", "average"
_STOPPED = "stopped by validation"


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of the protocol is done: all of it, or a quick part that says so."""

    samples: int = window.SAMPLES
    rounds: int | None = None
    judged: int = 10_000
    pool: str = "full"
    look_epochs: tuple[int, ...] = (1, 3)
    look_every: int = 5


QUICK = Size(samples=1_000, rounds=100, judged=250, pool="quick", look_every=1)


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
    """Bring the rows of these models and this seed into the table; return False if a game is not at its end yet.

    Rows that are there are not made again; a verdict that a game's row still lacks is asked for if judged.

    Raises InputError for an unknown model, and for a sigma at the grid's edge.
    """
    refuse_unknown(models)
    size = size or (QUICK if quick else Size())
    table = Table(results, f"table1-{parts.name}{'-quick' if quick else ''}", parts, seed, size, say, command)
    whole = True
    for model in models:
        if model in CONTROLS:
            if table.has(model):
                say(f"{model}, seed {seed}: its row is there")
            else:
                began = time.process_time()
                samples = control(model, parts, size.samples, seed)
                table.add(model, samples, rounds=0, seconds=time.process_time() - began, judged=judged)
            continue
        folder = runs / f"table1-{parts.name}{'-quick' if quick else ''}" / f"{slug(model)}-seed{seed}"
        finished = _game(table, model, folder, rounds, minutes, judged, threads, device, interrupted)
        whole = whole and finished
        if interrupted():
            break
    table1_page.write(results, table.name, data=parts.name, quick=quick)
    return whole


def refuse_unknown(models: Sequence[str]) -> None:
    """Refuse a model that the table does not have.

    Raises:
        InputError: naming it and the nearest one.
    """
    for model in models:
        if model not in MODELS:
            raise InputError(
                f"Unknown model {model!r}{nearest(model, MODELS) or '.'} `saddlepoint paper table1 --help` names them all."
            )


class Table:
    """The JSON file of one data set's table: rows in the protocol's form, verdicts and curves beside them."""

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
        """Return whether a model's row of this seed is there, or its verdict (kind "verdicts")."""
        found = self.results.read(self.name).get(kind, [])
        return any((each["model"], each["seed"]) == (model, self.seed) for each in found)

    def add(self, model: str, samples: Floats, *, rounds: int, seconds: float, judged: bool) -> None:
        """Score samples in [0, 1] and write their row; judge them as pictures if asked."""
        found = window.score(samples, self.validation, self.test)
        row = {
            "model": model,
            "seed": self.seed,
            **dataclasses.asdict(found),
            "rounds": rounds,
            "seconds": round(seconds, 1),
        }
        with self.results.changing(self.name) as content:
            content["data"] = self.parts.name
            content["n_validation"] = min(window.VALIDATION, len(self.validation))
            content |= {"note": self.parts.note} if self.parts.note else {}
            content.setdefault("rows", []).append(row)
            content.setdefault("commands", {})[f"{model}, seed {self.seed}"] = self.command
        self.say(
            f"{model}, seed {self.seed}: {found.log_likelihood:.1f} +- {found.standard_error:.1f} nats, "
            f"sigma {found.sigma:g}, {rounds:,} rounds, {seconds:,.0f} CPU s"
        )
        if judged:
            self.judge(model, samples)

    def judge(self, model: str, samples: Floats) -> None:
        """Judge samples, as grey levels, against the test rows, and keep the verdict."""
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
        self.say(f"{model}: the judge finds {bound}")

    def keep_curve(self, model: str, course: Course) -> None:
        """Write down the looks of a game so far in place of the older ones."""
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
    course = Course(folder, table.parts.train, plan, threads=threads, device=device)
    try:
        settings = course.fit.plan.settings
        end = rounds or settings.horizon
        epoch = max(1, len(table.parts.train) // settings.batch)
        looks = [epoch * each for each in table.size.look_epochs]
        step = max(epoch * table.size.look_every, end // 25)  # a look costs as much as a hundred rounds
        looks += range(step, end, step)
        table.say(f"{model}, seed {table.seed}: round {course.fit.round:,} of {end:,} in {folder}")
        seer = _Seer(table, model, course)
        finished = course.play(
            sorted({each for each in looks if each < end} | {end}),
            seer.look,
            seconds=None if minutes is None else 60 * minutes,
            interrupted=interrupted,
            say=table.say,
        )
        table.keep_curve(model, course)
        if finished:
            seer.write_rows(judged)
        return finished
    finally:
        course.close()


class _Seer:
    """Looks at a game's G and at the average of G on validation rows, and keeps the best of each."""

    def __init__(self, table: Table, model: str, course: Course) -> None:
        self.table, self.model, self.course = table, model, course

    def look(self, fit: Fit) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for kind, generator in self._generators(fit).items():
            samples = self._samples(fit, generator, f"look/{fit.round}")
            value, sigma, edge = window.on_validation(samples, self.table.validation)
            found |= {kind: round(value, 3), f"{kind}_sigma": round(sigma, 4), f"{kind}_edge": edge}
            best = max(
                (line[kind] for line in self.course.curve if not line[f"{kind}_edge"]), default=-np.inf
            )
            if value > best and not edge:
                self._kept(fit, generator).save(self.course.run.model / kind)
        found |= self._played(fit)
        self.table.keep_curve(self.model, self.course)
        return found

    def write_rows(self, judged: bool) -> None:
        """Write the rows of the last round and of the round that validation would have stopped at."""
        fit, last = self.course.fit, self.course.fit.round
        for kind, generator in self._generators(fit).items():
            name = self.model if kind == _LAST else f"{self.model} + average of G"
            asked = judged
            if GAMES[self.model][0] == "modern":  # whose own sampler is the average
                name = self.model if kind == _AVERAGED else f"{self.model}, without average of G"
                asked = judged and kind == _AVERAGED
            self._row(name, generator, last, asked)
            curve = [line for line in self.course.curve if not line[f"{kind}_edge"]]
            best = max(curve, key=lambda line: line[kind])["round"] if curve else last
            if best == last:
                continue
            kept = Model.load(self.course.run.model / kind)
            self._row(f"{name}, {_STOPPED}", kept.generator.to(fit.device), best, judged=False)

    def _row(self, name: str, generator: nn.Module, round_: int, judged: bool) -> None:
        asked = judged and not self.table.has(name, "verdicts")
        if self.table.has(name) and not asked:
            return
        samples = self._samples(self.course.fit, generator, "table1")
        if self.table.has(name):
            self.table.judge(name, samples)
            return
        cpu = [line["cpu_seconds"] for line in self.course.curve if line["round"] <= round_]
        self.table.add(name, samples, rounds=round_, seconds=cpu[-1] if cpu else 0.0, judged=judged)

    def _generators(self, fit: Fit) -> dict[str, nn.Module]:
        average = fit.game.average
        found = {_LAST: fit.game.generator}
        return found if average is None else {**found, _AVERAGED: average.module}

    def _samples(self, fit: Fit, generator: nn.Module, purpose: str) -> Floats:
        rows = generate(fit, generator, self.table.size.samples, purpose)
        return rows.clamp(0, 1).permute(0, 2, 3, 1).flatten(1).double().numpy()

    def _kept(self, fit: Fit, generator: nn.Module) -> Model:
        return fit.playing(generator)

    def _played(self, fit: Fit) -> dict[str, float]:
        """Return mean D on validation rows and on samples, without dropout."""
        game = fit.game
        with torch.no_grad():
            rows = self.table.parts.validation.rows[:1000]
            real = game.discriminator(fit.encoder.encode(rows).to(fit.device))
            z = compute.noise(
                game.settings.noise_law, 1000, game.settings.noise_width, compute.stream(0, "look")
            )
            fake = game.discriminator(game.generator(z.to(fit.device)))
        return {
            "D_on_validation": round(float(torch.sigmoid(real).mean()), 4),
            "D_on_samples": round(float(torch.sigmoid(fake).mean()), 4),
        }


def slug(model: str) -> str:
    """Return a model's name as a file name."""
    return "-".join("".join(sign if sign.isalnum() else " " for sign in model.lower()).split())
