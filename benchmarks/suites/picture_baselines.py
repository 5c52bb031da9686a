"""Resumable games on one set of pictures: the default recipe, the same without pseudo-labels, DCGAN and WGAN-GP.

The older games have the settings of their papers. DCGAN (Radford et al. 2016, arXiv 1511.06434): non-saturating objective, Adam
with rate 2e-4 and momentum .5, no penalty. WGAN-GP (Gulrajani et al. 2017, arXiv 1704.00028): Wasserstein objective, five steps
of D per round, gradient penalty of weight 10, Adam with rate 1e-4 and no momentum. Networks, start, batch, augmentation and
average of G are ours, so that only the game differs; our networks have no batch normalisation.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.suites.picture_sets import PictureSet

from saddlepoint.data.opening import open_source
from saddlepoint.data.pictures import refuse_flips
from saddlepoint.fitting import FitOptions, Preparation, Saved, prepare
from saddlepoint.model import Model
from saddlepoint.training import OptimiserSettings, PenaltySettings, Schedule, Settings

GAMES = ("ours", "unclustered", "dcgan", "wgan-gp")
"""`unclustered` is ours without pseudo-labels (`--cluster off`), like the older games; no game uses labels."""


def settings_of(game: str, ours: Settings) -> Settings:
    """Return the settings of a game, derived from those of our game on the same data."""
    if game == "dcgan":
        optimiser = OptimiserSettings(rate=Schedule(start=2e-4), betas=(0.5, 0.999))
        changes: dict[str, Any] = {"objective": "non-saturating", "penalties": (), "fresh_noise": True}
    elif game == "wgan-gp":
        optimiser = OptimiserSettings(rate=Schedule(start=1e-4), betas=(0.0, 0.9))
        penalty = PenaltySettings(name="gradient-penalty", weight=Schedule(start=10.0))
        changes = {
            "objective": "wasserstein",
            "penalties": (penalty,),
            "discriminator_steps": 5,
            "fresh_noise": True,
        }
    else:
        return ours
    return dataclasses.replace(ours, discriminator=optimiser, generator=optimiser, **changes)


def prepared(pictures: PictureSet, game: str, seed: int, rounds: int | None) -> Preparation:
    """Return a prepared game, on one thread with eager rounds, whose test rows (vault) are the set's held-out pictures."""
    rows, held_out = (open_source(part, name=pictures.name) for part in (pictures.train, pictures.held_out))
    rows = refuse_flips(rows) if pictures.flips else rows
    choices = FitOptions(seed=seed, rounds=rounds, compile="off", cluster="auto" if game == "ours" else "off")
    preparation = prepare(rows, choices, holdout=held_out, device="cpu")
    plan = preparation.plan
    plan = dataclasses.replace(plan, settings=settings_of(game, plan.settings))
    return dataclasses.replace(preparation, plan=plan, threads=1)


def played(
    preparation: Preparation,
    folder: Path,
    *,
    cpu_seconds: float | None = None,
    say: Callable[[str], None] = print,
) -> tuple[Model, dict[str, Any]]:
    """Return the model at the end of a game and its costs; a game that was interrupted is resumed.

    preparation: the prepared game.
    folder: its folder.
    cpu_seconds: CPU seconds after which to stop, over all sessions.
    say: prints progress.
    """
    fit = preparation.fit(folder / "checkpoint", strip=False)
    spent = folder / "spent.json"
    fit.resume()
    before = json.loads(spent.read_text())["cpu_seconds"] if spent.is_file() and fit.round else 0.0
    began, at = time.process_time(), fit.round

    def now() -> float:
        return before + time.process_time() - began

    if fit.round < preparation.plan.settings.horizon and (cpu_seconds is None or now() < cpu_seconds):
        over = (lambda: False) if cpu_seconds is None else (lambda: now() >= cpu_seconds)
        for event in fit.play(interrupted=over):
            if isinstance(event, Saved):
                spent.write_text(json.dumps({"cpu_seconds": now(), "round": event.round}))
                if time.process_time() - began > 60 and event.round - at >= 500:
                    at = event.round
                    say(f"{preparation.train.name}: round {event.round:,}, {now():,.0f} CPU s")
    model = fit.model()
    model.save(folder / "model")
    facts = {
        "rounds": fit.round,
        "cpu_seconds": round(now(), 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "trained": len(preparation.train),
        "batch": preparation.plan.settings.batch,
        "weights": {
            name: sum(each.numel() for each in player.parameters())
            for name, player in (("generator", model.generator), ("discriminator", model.discriminator))
        },
    }
    return model, facts
