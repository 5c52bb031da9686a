"""From a data set and options to a game ready to play: split, encoder, plan, and the choices for this machine.

The rows are split into training rows, validation rows (monitor) and held-out test rows (vault). Everything is decided once,
written down (`to_dict`) and reused on resume, so that a resumed run is the same run.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saddlepoint import compute, recipes
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.encoders import Encoder, encoder_from_dict, fit_encoder
from saddlepoint.data.encoders.gaussian_mixture import MOST_COMPONENTS, MixtureEncoder
from saddlepoint.data.encoders.picture import PicturesEncoder
from saddlepoint.data.encoders.standard import PointsEncoder, smallest_scale
from saddlepoint.data.pictures import mirrored_at_random, with_mirror_images
from saddlepoint.data.pseudo_labels import find_clusters
from saddlepoint.data.splits import refuse_large_batch, split_rows
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.fitting.check_schedule import CheckOptions, CheckSchedule, refuse_few, schedule_checks
from saddlepoint.fitting.fit import Fit, build_pair, multiply_adds_of
from saddlepoint.fitting.monitor import copies
from saddlepoint.fitting.options import FitOptions
from saddlepoint.fitting.pretrain import STEPS
from saddlepoint.model import describe_classes
from saddlepoint.recipes import Plan
from saddlepoint.training import Settings
from saddlepoint.training.autotune import (
    EAGER,
    SHORT,
    RoundChoice,
    choose_round,
    plainly_short,
    stored_choice,
)
from saddlepoint.training.compiling import CompiledRound

Parts = tuple[Dataset, Dataset | None, Dataset | None]


def split(dataset: Dataset, seed: int, holdout: Dataset | None) -> Parts:
    """Return training rows, validation rows (monitor) and held-out test rows (vault).

    dataset: the rows.
    seed: seed of the random split.
    holdout: rows to use as the vault; then only validation rows are split off.

    Raises:
        InputError: the holdout is of another kind or shape.
    """
    if holdout is not None and (
        holdout.kind != dataset.kind or holdout.rows.shape[1:] != dataset.rows.shape[1:]
    ):
        raise InputError(
            f"The held-out rows are {holdout.kind} of shape {holdout.rows.shape[1:]}, the training rows "
            f"{dataset.kind} of shape {dataset.rows.shape[1:]}; give held-out rows of the same kind and shape."
        )
    splits = split_rows(
        len(dataset),
        seed=seed,
        groups=dataset.groups,
        rows=dataset.identities(),
        vault=None if holdout is None else 0,
    )
    monitor = dataset.take(splits.monitor) if len(splits.monitor) else None
    vault = dataset.take(splits.vault) if len(splits.vault) else None
    parts = dataset.take(splits.train), monitor, vault if holdout is None else holdout
    return _with_mirror_images(*parts, seed) if dataset.flips else parts


def _with_mirror_images(train: Dataset, monitor: Dataset | None, vault: Dataset | None, seed: int) -> Parts:
    return (
        with_mirror_images(train),
        None if monitor is None else mirrored_at_random(monitor, seed, "monitor"),
        None if vault is None else mirrored_at_random(vault, seed, "vault"),
    )


_TRIAL_SHARE, _TRIAL_SECONDS, _MARGIN = (
    0.02,
    5.0,
    0.95,
)  # share of the minutes for measuring, at most seconds; margin
_TRIAL_OF_CHECKS = 0.5  # seconds
_START_SHARE = 0.5  # of the minutes, at most, for fitting a table's start
_MANY = 2_000


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """A game ready to play: the three parts of the rows, an encoder, a plan, and the choices for this machine."""

    train: Dataset
    monitor: Dataset | None
    vault: Dataset | None
    encoder: Encoder
    plan: Plan
    fingerprint: str
    threads: int
    device: torch.device
    classes: list[Any] | None = None
    class_shares: list[float] | None = None
    codes: np.ndarray[Any, Any] | None = None
    clustered: bool = False
    checks: CheckSchedule | None = None
    round_choice: RoundChoice = EAGER
    play_round: CompiledRound | None = None
    start_steps: int | None = None

    def fit(self, folder: Path | None = None, *, strip: bool = True) -> Fit:
        """Return the fit at round 0.

        folder: where checkpoints go (None: nowhere).
        strip: whether samples from the same noise are shown at planned rounds.
        """
        return Fit(
            self.train,
            self.encoder,
            self.plan,
            folder=folder,
            device=self.device,
            threads=self.threads,
            classes=self.classes,
            class_shares=self.class_shares,
            codes=self.codes,
            monitor=self.monitor,
            checks=self.checks,
            strip=strip,
            play_round=self.play_round,
            start_steps=self.start_steps,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the rows as plain JSON values."""
        return {
            "recipe": self.plan.recipe,
            "generator": self.plan.generator,
            "discriminator": self.plan.discriminator,
            "settings": self.plan.settings.to_dict(),
            "encoder": self.encoder.to_dict(),
            "rows": {"train": len(self.train), "monitor": _size(self.monitor), "vault": _size(self.vault)},
            "fingerprint": self.fingerprint,
            "conditional": self.classes is not None,
            "clustered": self.clustered,
            "class_shares": self.class_shares,
            "threads": self.threads,
            "rounds_played": self.round_choice.to_dict(),
            "device": self.device.type,
            "checks": None if self.checks is None else self.checks.to_dict(),
            "start_steps": self.start_steps,
        }


def prepare(
    dataset: Dataset, choices: FitOptions, *, holdout: Dataset | None = None, device: str | None = None
) -> Preparation:
    """Split the rows, fit the encoder to the training rows, let the recipe plan, and choose threads and compilation.

    dataset: the rows.
    choices: the user's options.
    holdout: rows to use as the vault; then only validation rows are split off.
    device: name of the device, None: a GPU where there is one.

    Raises:
        InputError: the data do not fit the recipe, the holdout does not fit the data, or the batch is larger than the
            number of training rows.
    """
    recipe = recipes.choose(choices.recipe, dataset.kind)
    for name, what in (("augment", "augmentation"), ("cluster", "finding clusters")):
        if getattr(choices, name) == "on" and dataset.kind != "pictures":
            raise InputError(
                f"{name} is 'on', but {what} is for pictures, and {dataset.name} holds {dataset.kind}: leave {name} out."
            )
    parts = split(dataset, choices.seed, holdout)
    refuse_large_batch(choices.batch, len(parts[0]))
    start = recipes.start_of(recipe, dataset.kind, choices.start)
    classes, shares, codes = (None, None, None)
    if choices.conditional:
        classes, shares, codes = _classes(parts[0], clustered=False, seed=choices.seed)
    encoder: Encoder = (
        fit_encoder(parts[0], ends=recipe.name == "modern")
        if start in ("noise", "autoregressive")
        else _mixture_encoder(parts, codes, len(classes or ()), choices.seed)
    )
    data = recipes.Data(
        kind=dataset.kind,
        shape=encoder.shape,
        rows=len(parts[0]),
        condition_width=len(classes or ()),
        start=start,
        components=encoder.components if isinstance(encoder, MixtureEncoder) else 0,
        min_scale=_min_scale(encoder, parts[0]),
        ranges=encoder.ranges if isinstance(encoder, PointsEncoder) else (),
        feature_blocks=encoder.layout if isinstance(encoder, TableTransformer) else (),
        **_of_pictures(encoder, parts[0]),
    )
    planned = recipes.plan(recipe, data, capacity=choices.capacity)
    clustered = choices.cluster == "on" or (
        choices.cluster == "auto" and classes is None and _clusters_help(planned, len(parts[0]))
    )
    if clustered:
        classes, shares, codes = _classes(parts[0], clustered=True, seed=choices.seed)
        data = dataclasses.replace(data, condition_width=len(classes))
        planned = recipes.plan(recipe, data, capacity=choices.capacity)
    plan = _with_options(planned, choices)
    one_row = sum(multiply_adds_of(player) for player in build_pair(plan, encoder))
    preparation = Preparation(
        train=parts[0],
        monitor=parts[1],
        vault=parts[2],
        encoder=encoder,
        plan=plan,
        fingerprint=dataset.fingerprint(),
        threads=compute.choose_threads(plan.multiply_adds(one_row)),
        device=compute.choose_device(device),
        classes=classes,
        class_shares=shares,
        codes=codes,
        clustered=clustered,
    )
    preparation = _with_rounds(preparation, choices, plan.multiply_adds(one_row))
    if choices.minutes is not None:
        preparation = _with_minutes(preparation, choices)
    return preparation if choices.until is None else _with_checks(preparation, choices.check_options)


def restore(dataset: Dataset, stored: dict[str, Any], *, holdout: Dataset | None = None) -> Preparation:
    """Return the preparation that `to_dict` stored, for the same rows.

    dataset: the rows that the run began with.
    stored: what `to_dict` returned.
    holdout: the held-out rows, where the run has any of its own.

    Raises:
        InputError: these are not the rows that the run began with.
        StoredFileError: the stored values cannot be read.
    """
    try:
        if dataset.fingerprint() != stored["fingerprint"]:
            raise InputError(
                f"{dataset.name!r} no longer holds the rows this run began with (its checksum has changed): put the old "
                "file back to go on, or start again with --restart."
            )
        settings = Settings.from_dict(stored["settings"])
        choice, play_round = stored_choice(
            stored.get("rounds_played")
        )  # older runs without this entry are eager
        train, monitor, vault = split(dataset, settings.seed, holdout)
        classes, shares, codes = (None, None, None)
        if stored["conditional"]:
            classes, shares, codes = _classes(
                train, clustered=stored.get("clustered", False), seed=settings.seed
            )
        if stored.get("clustered", False) and shares != stored["class_shares"]:
            raise InputError(
                f"The clusters found in {dataset.name!r} are not those this run began with (another machine or library version "
                "rounds k-means differently): go on where the run began, or start again with --restart."
            )
        device = compute.choose_device(None if stored["device"] == "cuda" else stored["device"])
        return Preparation(
            train=train,
            monitor=monitor,
            vault=vault,
            encoder=encoder_from_dict(stored["encoder"]),
            plan=Plan(
                recipe=stored["recipe"],
                generator=stored["generator"],
                discriminator=stored["discriminator"],
                settings=settings,
            ),
            fingerprint=stored["fingerprint"],
            threads=int(stored["threads"]),
            round_choice=choice,
            play_round=play_round,
            device=device,
            classes=classes,
            class_shares=shares,
            codes=codes,
            clustered=stored.get("clustered", False),
            checks=CheckSchedule.from_dict(stored.get("checks")),
            start_steps=stored.get("start_steps"),
        )
    except (KeyError, TypeError) as error:
        raise StoredFileError(
            f"The settings of this run cannot be read (missing or wrong: {error})."
        ) from error


def _mixture_encoder(
    parts: Parts,
    codes: np.ndarray[Any, Any] | None,
    classes: int,
    seed: int,
) -> MixtureEncoder:
    """Fit the Gaussian mixture; for few rows the number of components is halved while its samples count as copies."""
    train, monitor, _ = parts

    def fitted(most: int) -> MixtureEncoder:
        return MixtureEncoder.fit(
            train.rows,
            None if monitor is None else monitor.rows,
            names=train.columns,
            codes=codes,
            classes=classes,
            seed=seed,
            most=most,
        )

    encoder = fitted(MOST_COMPONENTS)
    while (
        encoder.components > 1
        and monitor is not None
        and copies(train, monitor, encoder.draw(2_000, seed=seed))
    ):
        encoder = fitted(encoder.components // 2)
    return encoder


def _of_pictures(encoder: Encoder, train: Dataset) -> dict[str, float]:
    if not isinstance(encoder, PicturesEncoder):
        return {}
    return {"variance": encoder.variance(train.rows), "curvature": encoder.curvature(train.rows)}


def _min_scale(encoder: Encoder, train: Dataset) -> float:
    """Return the smallest scale of points that start from noise; 1 for all others, whose recipes do not use it."""
    if not isinstance(encoder, PointsEncoder):
        return 1.0
    some = train.rows[:: max(1, len(train) // 4_000)]
    return smallest_scale(encoder.encode(some))


def _clusters_help(plan: Plan, rows: int) -> bool:
    """Return whether pseudo-labels are known to help: for many small sharp pictures, which get strided convolutions."""
    return plan.generator["name"] == "strided-generator" and rows >= _MANY


def _classes(
    train: Dataset, *, clustered: bool, seed: int
) -> tuple[list[Any], list[float], np.ndarray[Any, Any]]:
    if clustered:
        return describe_classes(find_clusters(train, seed=seed))
    if train.labels is None:
        raise InputError(
            f"{train.name!r} has no classes to learn; give a label column, or train without a label."
        )
    return describe_classes(train.labels)


def _with_options(plan: Plan, choices: FitOptions) -> Plan:
    changes: dict[str, Any] = {"seed": choices.seed, "precision": choices.precision}
    if choices.objective is not None:
        changes["objective"] = choices.objective
    if choices.augment != "auto":
        changes["augment"] = recipes.AUGMENT if choices.augment == "on" else 0.0
    if choices.batch is not None:
        changes["batch"] = choices.batch
    if choices.rounds is not None:
        changes["horizon"] = choices.rounds
    if choices.accumulation_steps > 1:
        changes["accumulation_steps"] = choices.accumulation_steps
    plan = dataclasses.replace(plan, settings=dataclasses.replace(plan.settings, **changes))
    if not choices.recompute:
        return plan
    if plan.generator["name"] != "picture-generator":
        raise InputError(
            "recompute is for residual convolutional networks of pictures, and this game is between "
            f"{plan.generator['name']} and {plan.discriminator['name']}: leave recompute out."
        )
    again = {"recompute": True}
    return dataclasses.replace(
        plan, generator=plan.generator | again, discriminator=plan.discriminator | again
    )


def _with_rounds(preparation: Preparation, choices: FitOptions, multiply_adds: float) -> Preparation:
    """Choose compiled or eager rounds, once; a game that is clearly short is eager without a measurement."""
    horizon, minutes = preparation.plan.settings.horizon, choices.minutes
    if choices.compile == "auto" and minutes is None and plainly_short(horizon, multiply_adds):
        return dataclasses.replace(preparation, round_choice=SHORT)
    if choices.compile == "off":
        return preparation
    fit = preparation.fit(strip=False)

    def seconds(rate: float) -> float:
        whole = horizon / rate
        return whole if minutes is None else min(60 * minutes, whole if choices.rounds else math.inf)

    with compute.threads(preparation.threads):
        choice, play_round = choose_round(
            fit.game, lambda: fit.batches.from_round(0), seconds, choices.compile
        )
    return dataclasses.replace(preparation, round_choice=choice, play_round=play_round)


def _with_minutes(preparation: Preparation, choices: FitOptions) -> Preparation:
    """Set the horizon from a measured rate: the rounds that fit into the minutes, or the rounds asked for if fewer.

    Fitting a table's start counts too: it gets at most half of the minutes, and as many steps as fit into these.
    """
    seconds = (choices.minutes or 0.0) * 60
    trial = min(_TRIAL_SECONDS, _TRIAL_SHARE * seconds)
    fit = preparation.fit(strip=False)
    rate, steps = fit.measured_rate(trial), preparation.start_steps
    left = seconds - trial
    if (took := fit.measured_start(trial)) is not None:
        first, each = took
        steps = int(max(0.0, min(STEPS, (_START_SHARE * seconds - first) / each)))
        left -= trial + first + steps * each
    horizon = max(1, int(rate * left * _MARGIN))
    settings = dataclasses.replace(preparation.plan.settings, horizon=min(horizon, choices.rounds or horizon))
    plan = dataclasses.replace(preparation.plan, settings=settings)
    return dataclasses.replace(preparation, plan=plan, start_steps=steps)


def _with_checks(preparation: Preparation, options: CheckOptions) -> Preparation:
    """Schedule checks from a measured rate, once: a resumed run reuses the schedule."""
    monitor = refuse_few(preparation.monitor)
    fit = preparation.fit(strip=False)
    rate, model = fit.measured_rate(_TRIAL_OF_CHECKS), fit.playing()
    plan = schedule_checks(
        options,
        train=preparation.train.in_memory(),
        monitor=monitor,
        vault=preparation.vault,
        horizon=preparation.plan.settings.horizon,
        rate=rate,
        seed=preparation.plan.settings.seed,
        draw=lambda n: model.draw(n, random_state=0)[0],
    )
    return dataclasses.replace(preparation, checks=plan)


def _size(part: Dataset | None) -> int:
    return 0 if part is None else len(part)
