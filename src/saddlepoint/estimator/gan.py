"""`GAN`: a scikit-learn estimator that trains a GAN; with its Parzen-window score and its `verbose` lines.

`__init__` only stores its arguments, `fit` validates them and returns self, and fitted attributes end in an underscore.
`score_samples` is the paper's Parzen-window estimate (section 5) on standardised columns.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted

from saddlepoint import compute
from saddlepoint.atomic import write_atomically
from saddlepoint.data.encoders.gaussian_mixture import MixtureEncoder
from saddlepoint.data.encoders.standard import PointsEncoder
from saddlepoint.errors import InputError
from saddlepoint.estimator.validation import (
    check_classes,
    open_rows,
    rows_as_fitted,
    seed_of,
    to_python,
    unless_default,
)
from saddlepoint.fitting import (
    Checked,
    Event,
    FitOptions,
    Judged,
    Played,
    Preparation,
    Pretraining,
    Stopped,
    prepare,
    with_final_verdict,
)
from saddlepoint.judging.metrics.parzen import choose_sigma, log_density
from saddlepoint.judging.verdict import Verdict
from saddlepoint.model import Model

_SECONDS_BETWEEN_LINES = 5.0


def print_progress(events: Iterable[Event], preparation: Preparation) -> Iterable[Event]:
    """Yield events unchanged and print them: the beginning, the end, every check, and the progress every 5 seconds."""
    settings = preparation.plan.settings
    print(
        f"GAN: {preparation.train.describe()} to train on; recipe {preparation.plan.recipe}, objective "
        f"{settings.objective}, batch {settings.batch}, {settings.horizon:,} rounds"
    )
    began = printed = time.monotonic()
    for event in events:
        if isinstance(event, Stopped):
            print(f"GAN: {event.sentence}")
        elif isinstance(event, Checked):
            print(f"GAN: check at round {event.round:,}: {event.record['state']}, {event.record['evidence']}")
        elif (now := time.monotonic()) - printed < _SECONDS_BETWEEN_LINES:
            pass
        elif isinstance(event, Pretraining):
            printed = now
            print(f"GAN: {event.sentence}")
        elif isinstance(event, Played):
            printed, numbers = now, event.record.to_dict()
            played = event.record.round + 1
            print(
                f"GAN: round {played:,} of {settings.horizon:,}, {played / (now - began):.0f} rounds/s, loss D "
                f"{numbers['discriminator_loss']:.3f} G {numbers['generator_loss']:.3f}"
            )
        yield event


SAMPLES, ROWS = 10_000, 1_000
_SIGMAS = tuple(float(sigma) for sigma in np.logspace(-2, 0, 13))


@dataclass(frozen=True, kw_only=True, eq=False)
class ParzenScore:
    """The Parzen-window density of a model's samples (a Gaussian kernel density).

    encoder: standardises columns.
    samples: encoded samples, (n, columns).
    sigma: standard deviation of the Gaussian around each sample.
    volume: sum of the logarithms of the columns' scales, by which encoding changes a log-density.
    """

    encoder: PointsEncoder
    samples: NDArray[Any]
    sigma: float
    volume: float

    @classmethod
    def of(
        cls, model: Model, *, held_out: NDArray[Any] | None = None, sigma: float | None = None
    ) -> ParzenScore:
        """Return the score of a model.

        model: the model.
        held_out: rows on which sigma is chosen (None: fresh samples).
        sigma: the width of the Gaussians, where it is known.

        Raises:
            InputError: the model is of tables or pictures.
        """
        encoder = _points_of(model)

        def drawn(n: int, purpose: str) -> NDArray[Any]:
            return _encoded(encoder, model.draw(n, random_state=compute.derived_seed(0, purpose))[0])

        samples = drawn(SAMPLES, "parzen")
        if sigma is None:
            rows = drawn(ROWS, "window") if held_out is None else _encoded(encoder, held_out)
            sigma = choose_sigma(rows, samples, _SIGMAS)
        scales = [column.scale for column in encoder.columns if not column.constant]
        return cls(encoder=encoder, samples=samples, sigma=sigma, volume=float(np.log(scales).sum()))

    def log_density(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return the log-density (nats) of rows (n, d), in the original units of the rows."""
        return log_density(_encoded(self.encoder, rows), self.samples, self.sigma) - self.volume


def _points_of(model: Model) -> PointsEncoder:
    encoder = model.encoder
    points = encoder.points if isinstance(encoder, MixtureEncoder) else encoder
    if encoder.kind == "tables":
        raise InputError(
            "A Parzen log-density needs distances, and categories have none, so there is no score for a table; compare "
            "samples with saddlepoint.judge, or use decision_function."
        )
    if not isinstance(points, PointsEncoder):
        raise InputError(
            "A Parzen log-density of pictures is not informative, so there is no score; compare samples with "
            "saddlepoint.judge, or use decision_function."
        )
    return points


def _encoded(encoder: PointsEncoder, rows: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(encoder.encode(rows, dtype=torch.float64).numpy())


class GAN(DensityMixin, BaseEstimator):
    """Learn to sample from the rows of X, or from P(x | y) where y is given.

    Parameters
    ----------
    recipe : {"auto", "goodfellow2014", "modern"}, default="auto"
        Networks, objective and settings; "auto" chooses by the kind of data.
    start : {"auto", "mixture", "autoregressive", "learned", "noise"}, default="auto"
        Where the generator starts. "mixture" (points): a mixture of Gaussians fitted to the rows; the game corrects it, and
        the result is kept only if it is measurably better. "learned" (points): the components of that mixture, without
        their weights and shapes. "autoregressive" (tables): a masked network (MADE) that draws each column given those
        before it, fitted by maximum likelihood; the game corrects it. "noise": noise alone, as in the paper. "auto" is
        "mixture" for points, "autoregressive" for tables and "noise" for pictures.
    capacity : {"small", "medium", "large"}, default="medium"
        Width of the networks.
    rounds : int, optional
        Rounds to play, the horizon of the schedules; the recipe decides if left out.
    minutes : float, optional
        Time limit in minutes; the horizon is set from a measured rate. With `rounds` too, the limit reached first stops.
    objective : str, optional
        One of `saddlepoint.objectives.OBJECTIVES`, instead of the recipe's.
    batch : int, optional
        Rows in a minibatch, instead of the recipe's.
    until : {"settled", "budget"}, optional
        Check at planned rounds on validation rows (monitor), and judge the result on held-out test rows (vault).
        "settled" stops when samples cannot be distinguished from data at the tolerance, no longer improve, or get worse;
        "budget" plays to the end. Needs at least 500 rows.
    tolerance : str or float, default="5%"
        With `until`: a difference that does not matter, in nats, or as a missing cluster in per cent.
    on_collapse : {"stop", "rollback", "remedy"}, default="stop"
        With `until`, when a region of the data is lost: stop ("settled" only), go back to the safest snapshot, or go back
        and continue with half the learning rates and three times the penalty.
    augment : {"auto", "on", "off"}, default="auto"
        Whether D sees augmented pictures (shifted, cut out, lighter or darker), real and fake alike; "auto": for fewer than
        2,000 pictures of more than 256 numbers each.
    cluster : {"auto", "on", "off"}, default="auto"
        Whether clusters of pictures are found by k-means, one for every 100 pictures and at most 100, and learnt as classes
        (pseudo-labels); `classes_` are then their numbers. "auto": for at least 2,000 pictures without y, of at most
        40 x 40 pixels and more than 256 numbers, with sharp changes of grey levels.
    accumulation_steps : int, default=1
        Micro-batches per batch (gradient accumulation): the same steps in less memory. It must divide the batch.
    recompute : bool, default=False
        Compute activations again in the backward pass (activation checkpointing), for residual networks of large pictures.
    power : {"quick", "full"}, default="quick"
        With `until`: power analysis, which plants a defect of the tolerance's size in the rows ("quick") or defects of five
        sizes ("full"), and reports which are found.
    metrics : str or sequence of str, optional
        With `until`: metrics beside the final verdict, in `verdict_.metrics`: "neighbours", "mmd" or "all".
    precision : {"float32", "bf16", "float64"}, default="float32"
        Number format of the networks and the game.
    compile : {"auto", "on", "off"}, default="auto"
        Compile the round (needs a C++ compiler). "auto" measures whether the game is long enough to gain more time than
        compiling takes. Compiled and eager rounds agree only up to rounding: use "on" or "off" where long fits must be
        bit-identical.
    device : str, optional
        "cpu", "cuda", ...; by default a GPU where there is one.
    columns : dict of str to str, optional
        Kinds of a frame's columns, instead of the inferred ones, such as {"age": "integer"}: numeric, integer, boolean,
        categorical, date-time, identifier, constant. With it a frame of plain numbers is learnt as a table too.
    verbose : bool, default=False
        Print progress: a line when the fit begins, one every few seconds, one for each check, and one when it stops.
    random_state : int, RandomState instance or None, default=None
        An int makes `fit` repeatable.

    Attributes
    ----------
    model_ : Model
        Encoder, generator and discriminator (plain torch modules), `sample(noise=z)`, `save`.
    n_rounds_ : int
        Rounds played.
    stop_reason_ : str
        The reason why the fit ended.
    verdicts_ : list of dict
        With `until`: all checks, each with the state of the game (improving, reached, plateau, diverging, collapsed,
        memorising, budget) and its evidence; otherwise empty.
    verdict_ : saddlepoint.judging.Verdict or None
        With `until`: the final verdict, on the held-out test rows (vault).
    records_ : list of dict
        Losses (nats), mean logits and gradient norms at planned rounds.
    splits_ : dict of str to int
        Number of training rows ("train"), validation rows ("monitor") and held-out test rows ("vault").
    classes_ : ndarray of shape (n_classes,)
        The values of y, where y was given; the cluster numbers, where clusters were found in pictures (`cluster`).
    n_features_in_ : int
        Columns of X, or numbers in one picture.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X was a frame with text for names.

    References
    ----------
    Goodfellow et al., "Generative Adversarial Nets", 2014 (arXiv 1406.2661). `saddlepoint.cite(gan)` lists the papers
    behind the choices of a fitted model.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> GAN(rounds=20, random_state=0).fit(X).sample(3).shape
    (3, 2)
    """

    def __init__(
        self,
        recipe: str = "auto",
        *,
        start: str = "auto",
        capacity: str = "medium",
        rounds: int | None = None,
        minutes: float | None = None,
        objective: str | None = None,
        batch: int | None = None,
        until: str | None = None,
        tolerance: Any = "5%",
        on_collapse: str = "stop",
        augment: str = "auto",
        cluster: str = "auto",
        accumulation_steps: int = 1,
        recompute: bool = False,
        power: str = "quick",
        metrics: str | Sequence[str] | None = None,
        precision: str = "float32",
        compile: str = "auto",
        device: str | None = None,
        columns: dict[str, str] | None = None,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.recipe = recipe
        self.start = start
        self.capacity = capacity
        self.rounds = rounds
        self.minutes = minutes
        self.objective = objective
        self.batch = batch
        self.until = until
        self.tolerance = tolerance
        self.on_collapse = on_collapse
        self.augment = augment
        self.cluster = cluster
        self.accumulation_steps = accumulation_steps
        self.recompute = recompute
        self.power = power
        self.metrics = metrics
        self.precision = precision
        self.compile = compile
        self.device = device
        self.columns = columns
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, groups: Any = None) -> Self:
        """Train on the rows of X; return self.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), frame, or pictures
            Numbers, as an array or a pandas, polars or pyarrow frame; a frame with text, categories, dates or missing
            cells, which is learnt column by column; or pictures, an array of shape (n_samples, H, W),
            (n_samples, H, W, C) or (n_samples, C, H, W): whole grey levels 0..255 or fractions in [0, 1].
        y : array-like of shape (n_samples,), optional
            Classes to condition on.
        groups : array-like of shape (n_samples,), optional
            Rows of one group stay together when rows are split into training, validation and test rows.

        Returns
        -------
        self : GAN

        Raises
        ------
        InputError (a ValueError)
            X, y or a parameter cannot be used; the message says why.
        GameError
            A loss or gradient is no longer finite.
        """
        y = check_classes(y)
        dataset, self._frame = open_rows(self, X, y, groups, columns=self.columns)
        choices = FitOptions(
            recipe=self.recipe,
            start=self.start,
            capacity=self.capacity,
            objective=self.objective,
            batch=to_python(self.batch),
            rounds=to_python(self.rounds),
            minutes=to_python(self.minutes),
            until=self.until,
            tolerance=unless_default(self, "tolerance"),
            on_collapse=unless_default(self, "on_collapse"),
            augment=self.augment,
            cluster=self.cluster,
            accumulation_steps=to_python(self.accumulation_steps),
            recompute=self.recompute,
            power=unless_default(self, "power"),
            metrics=(self.metrics,) if isinstance(self.metrics, str) else self.metrics,
            precision=self.precision,
            compile=self.compile,
            seed=seed_of(self.random_state),
            conditional=y is not None,
        )
        preparation = prepare(dataset, choices, device=self.device)
        fit = preparation.fit(strip=False)
        played = fit.play(seconds=None if self.minutes is None else 60 * self.minutes)
        events: Iterable[Event] = with_final_verdict(
            played, fit, preparation.checks, preparation.train, preparation.vault
        )
        if self.verbose:
            events = print_progress(events, preparation)
        self.records_: list[dict[str, float]] = []
        self.verdicts_: list[dict[str, Any]] = []
        self.verdict_: Verdict | None = None
        for event in events:
            if isinstance(event, Played) and event.planned:
                self.records_.append(event.record.to_dict())
            elif isinstance(event, Checked):
                self.verdicts_.append(event.record)
            elif isinstance(event, Judged):
                self.verdict_ = event.verdict
            elif isinstance(event, Stopped):
                self.stop_reason_ = event.sentence
        self.model_ = fit.model()
        self.n_rounds_ = fit.round
        self.splits_ = preparation.to_dict()["rows"]
        self.__dict__.pop("classes_", None)
        if self.model_.classes is not None:
            self.classes_ = np.asarray(self.model_.classes)
        self.__dict__.pop("_parzen_score", None)
        self._sigma: float | None = None
        monitor = preparation.monitor or preparation.train
        self._validation = monitor.rows[:ROWS] if dataset.kind == "points" else None
        return self

    def sample(self, n_samples: int = 1, random_state: Any = None, given: Any = None) -> Any:
        """Draw samples in the form of the training data: array, frame of the same library, or pictures.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples.
        random_state : int, RandomState instance or None, default=None
            None gives new samples at each call; an int repeats them, and is the same as `--seed` on the command line.
        given : scalar, array-like of shape (n_samples,), dict or list of str, optional
            One class for all rows, or one per row; if left out, classes are drawn by their shares in training. For a table,
            conditions on its columns: {"income": ">50K", "age": (30, 40), "city": ["Rome", "Oslo"]}, or ["age=30..40", ...].

        Returns
        -------
        X : array, frame or pictures

        Raises
        ------
        NotFittedError
            `fit` was not called.
        InputError (a ValueError)
            n_samples is below 1, or the class is unknown.
        """
        check_is_fitted(self, "model_")
        seed = None if random_state is None else seed_of(random_state)
        rows = self.model_.sample(n_samples, given=given, random_state=seed)
        return rows if self._frame is None else self._frame.restore(rows)

    def complete(self, X: Any, random_state: Any = None, columns: Sequence[str] | None = None) -> Any:
        """Fill in the missing cells of a table (imputation), drawn given the known cells of their row, which do not change.

        Parameters
        ----------
        X : frame
            A table with the columns of the training data; a column that is absent is filled completely.
        random_state : int, RandomState instance or None, default=None
            None gives a new draw at each call; an int repeats it.
        columns : sequence of str, optional
            The columns to fill in; by default all except identifiers.

        Returns
        -------
        X : frame of the library that the training rows came in

        Raises
        ------
        NotFittedError
            `fit` was not called.
        InputError (a ValueError)
            The model was not trained on a table, or X has columns or values that were not learnt.
        """
        check_is_fitted(self, "model_")
        seed = None if random_state is None else seed_of(random_state)
        rows = self.model_.complete(X, columns=columns, random_state=seed)
        return rows if self._frame is None else self._frame.restore(rows)

    def decision_function(self, X: Any, y: Any = None) -> np.ndarray[Any, Any]:
        """Return D's logit for each row, (n_samples,): above 0 where D takes it for data, below 0 for a sample.

        Where the model learnt P(x | y), the logit is that of the pair (x, y); without y it is the mean over the classes,
        weighted by their shares. Objectives that compare pairs (relativistic) fix a logit only up to a constant.

        Raises
        ------
        NotFittedError
            `fit` was not called.
        InputError (a ValueError)
            X cannot be used, y names an unknown class, or the model learnt no classes.
        """
        check_is_fitted(self, "model_")
        rows = rows_as_fitted(self, X, self.model_.like)
        classes = self.model_.classes
        if classes is None or y is not None:
            return self.model_.logits(rows, y)
        shares = np.asarray(self.model_.description["class_shares"])
        return np.asarray(np.stack([self.model_.logits(rows, value) for value in classes], 1) @ shares)

    def score_samples(self, X: Any) -> np.ndarray[Any, Any]:
        """Return the Parzen-window log-density (nats) of each row under 10,000 samples of the generator, (n_samples,).

        log p(x) = log mean_i N(x; s_i, sigma^2 I) on standardised columns, in the units of X; columns that are constant in
        training are left out. sigma is chosen on validation rows; for a model loaded from a run folder, which contains no
        rows, it is chosen on fresh samples. It is the paper's own score (section 5), good for ranking fits of the same data
        in few dimensions. It is not a likelihood of the model.

        Raises
        ------
        NotFittedError
            `fit` was not called.
        InputError (a ValueError)
            The model is of pictures, where this number is not informative, or of tables.
        """
        check_is_fitted(self, "model_")
        return self._parzen_score.log_density(rows_as_fitted(self, X, self.model_.like))

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of `score_samples(X)` (nats); y is ignored."""
        return float(self.score_samples(X).mean())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the fitted estimator to a folder (safetensors and JSON, no rows of data); `saddlepoint.load` reads it.

        Raises
        ------
        NotFittedError
            `fit` was not called.
        StoredFileError
            The folder cannot be written.
        """
        check_is_fitted(self, "model_")
        self.model_.save(path)
        parameters = {name: to_python(value) for name, value in self.get_params().items()}
        if not isinstance(parameters["random_state"], int | None):
            parameters["random_state"] = (
                None  # a generator's state has changed since, so it could not repeat the fit
            )
        stored = {
            "parameters": parameters,
            "records": self.records_,
            "stop_reason": self.stop_reason_,
            "verdicts": self.verdicts_,
            "verdict": None if self.verdict_ is None else self.verdict_.to_dict(),
            "splits": self.splits_,
            "frame": None if self._frame is None else self._frame.to_dict(),
            "sigma": self._parzen_score.sigma if self.model_.like.kind == "points" else None,
        }
        write_atomically(Path(path) / "estimator.json", json.dumps(stored).encode())

    @cached_property
    def _parzen_score(self) -> ParzenScore:
        return ParzenScore.of(self.model_, held_out=self._validation, sigma=self._sigma)
