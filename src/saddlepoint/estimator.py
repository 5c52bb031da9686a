"""`GAN`: the game with scikit-learn's manners.

`__init__` only stores its arguments, `fit` validates them and returns self, and what was learnt ends in an underscore.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from saddlepoint import compute, objectives
from saddlepoint.data.charts import ChartsEncoder
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.frame_form import FrameForm
from saddlepoint.data.frames import is_frame
from saddlepoint.data.points import PointsEncoder
from saddlepoint.data.sources import open_source
from saddlepoint.data.splits import refuse_large_batch
from saddlepoint.data.table_form import TableForm
from saddlepoint.data.tables import frame_of
from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.fitting import (
    Checked,
    Choices,
    Event,
    Judged,
    Played,
    Preparation,
    Stopped,
    judged,
    prepare,
)
from saddlepoint.judging.parzen import choose_sigma, log_density
from saddlepoint.judging.verdict import Verdict
from saddlepoint.model import Model
from saddlepoint.training.checkpoint import write_atomically

_PARZEN_SAMPLES, _PARZEN_ROWS = 10_000, 1_000
_PARZEN_SIGMAS = tuple(float(sigma) for sigma in np.logspace(-2, 0, 13))
_RANDOM_STATES = 2**31 - 1
_SECONDS_BETWEEN_LINES = 5.0
_CLASSES = ("binary", "multiclass")


class GAN(DensityMixin, BaseEstimator):
    """Learn to sample from the rows of X, or from P(x | y) where y is given.

    Parameters
    ----------
    recipe : {"auto", "goodfellow2014", "modern"}, default="auto"
        Networks, objective and settings; "auto" picks by the kind of data.
    start : {"auto", "charts", "learned", "plain"}, default="auto"
        Where the generator of points begins. "charts": at a mixture of Gaussians fitted to the rows, which the game
        corrects where it can show that it helps; "learned": with the mixture's charts, but neither their weights nor
        their shapes; "plain": with noise alone, as in the paper. "auto" is "charts" for points and "plain" for pictures.
    capacity : {"small", "medium", "large"}, default="medium"
        One dial for the width of the networks.
    rounds : int, optional
        Rounds to play, the horizon of the schedules; by the recipe if left out.
    minutes : float, optional
        Minutes to play at most; fixes the horizon by a measured rate. Of two limits the first reached stops.
    objective : str, optional
        One of `saddlepoint.objectives.OBJECTIVES`, in place of the recipe's.
    batch : int, optional
        Rows of a minibatch, in place of the recipe's.
    until : {"settled", "budget"}, optional
        Check at planned rounds on held-back rows, and judge the result on others that nothing has seen. "settled" stops
        when samples cannot be told apart at the tolerance, no longer improve, or get worse; "budget" plays to the end.
        Needs at least 500 rows.
    tolerance : str or float, default="5%"
        With `until`: a difference that does not matter, in nats, or as a missing cluster in per cent.
    on_collapse : {"stop", "rollback", "remedy"}, default="stop"
        With `until`, when a region of the data is lost: stop ("settled" only), go back to the safest snapshot, or go back and
        on with half the learning rates and three times the penalty.
    ruler : {"quick", "full"}, default="quick"
        With `until`: plant one defect of the tolerance's size in the rows, or a table of five sizes, and see which are found.
    also : str or sequence of str, optional
        With `until`: companions of the final verdict, in `verdict_.companions`: "neighbours", "energy", "mmd", "frechet",
        "kernel" or "all".
    precision : {"float32", "bf16", "float64"}, default="float32"
        Of the networks and the game.
    device : str, optional
        "cpu", "cuda", ...; a GPU where there is one.
    columns : dict of str to str, optional
        Kinds of a frame's columns in place of those inferred, such as {"age": "integer"}: numeric, integer, boolean,
        categorical, date-time, identifier, constant. A frame of plain numbers is then learnt as a table too.
    verbose : bool, default=False
        Print what the fit does: a line when it begins, one every few seconds, and one when it stops.
    random_state : int, RandomState instance or None, default=None
        An int makes `fit` repeatable.

    Attributes
    ----------
    model_ : Model
        Encoder, generator and discriminator (plain torch modules), `sample(noise=z)`, `save`.
    n_rounds_ : int
        Rounds played.
    stop_reason_ : str
        Why the fit ended, in words.
    verdicts_ : list of dict
        With `until`: every check, with the state of the game (improving, reached, plateau, diverging, collapsed,
        memorising, budget) and its evidence; else empty.
    verdict_ : saddlepoint.judging.Verdict or None
        With `until`: the final verdict, on rows that nothing had seen before.
    records_ : list of dict
        Losses (nats), mean logits and gradient norms at planned rounds.
    splits_ : dict of str to int
        How many rows were trained on ("train") and held out ("monitor", "vault").
    classes_ : ndarray of shape (n_classes,)
        The values of y, where y was given.
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
        ruler: str = "quick",
        also: str | Sequence[str] | None = None,
        precision: str = "float32",
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
        self.ruler = ruler
        self.also = also
        self.precision = precision
        self.device = device
        self.columns = columns
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, groups: Any = None) -> Self:
        """Play the game about the rows of X; return self.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), frame, or pictures
            Numbers, as an array or a pandas, polars or pyarrow frame; a frame with text, categories, dates or missing
            cells, which is learnt column by column; or pictures, an array of shape (n_samples, H, W),
            (n_samples, H, W, C) or (n_samples, C, H, W): whole grey levels 0..255 or fractions in [0, 1].
        y : array-like of shape (n_samples,), optional
            Classes to condition on.
        groups : array-like of shape (n_samples,), optional
            Rows of one group are never torn by the split into training and held-out rows.

        Returns
        -------
        self : GAN

        Raises
        ------
        InputError (a ValueError)
            X, y or a parameter cannot be used; the sentence says why.
        GameError
            A loss or gradient is no longer finite.
        """
        y = _classes_of(y)
        dataset = self._dataset(X, y, groups)
        choices = Choices(
            recipe=self.recipe,
            start=self.start,
            capacity=self.capacity,
            objective=self.objective,
            batch=_plain(self.batch),
            rounds=_plain(self.rounds),
            minutes=_plain(self.minutes),
            until=self.until,
            tolerance=str(self.tolerance),
            on_collapse=self.on_collapse,
            ruler=self.ruler,
            also=(self.also,) if isinstance(self.also, str) else self.also,
            precision=self.precision,
            seed=_seed(self.random_state),
            conditional=y is not None,
        )
        preparation = prepare(dataset, choices, device=self.device)
        refuse_large_batch(choices.batch, len(preparation.train), "batch=")
        fit = preparation.fit(strip=False)
        played = fit.play(seconds=None if self.minutes is None else 60 * self.minutes)
        events: Iterable[Event] = judged(
            played, fit, preparation.checks, preparation.train, preparation.vault
        )
        if self.verbose:
            events = _said(events, preparation)
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
        self.__dict__.pop("_parzen", None)
        self._sigma: float | None = None
        monitor = preparation.monitor or preparation.train
        self._validation = monitor.rows[:_PARZEN_ROWS] if dataset.kind == "points" else None
        return self

    def sample(self, n_samples: int = 1, random_state: Any = None, given: Any = None) -> Any:
        """Draw rows in the form that came in: array, frame of the same library, or pictures.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            None draws afresh each call; an int gives the same draw again, that of `--seed` on the command line.
        given : scalar or array-like of shape (n_samples,), optional
            One class for all rows, or one a row; drawn by the shares seen in training if left out.

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
        seed = None if random_state is None else _seed(random_state)
        rows = self.model_.sample(n_samples, given=given, random_state=seed)
        return rows if self._frame is None else self._frame.restore(rows)

    def decision_function(self, X: Any, y: Any = None) -> np.ndarray[Any, Any]:
        """Return D's logit for each row, (n_samples,): above 0 where D takes it for data, below where for a sample.

        Of a model that learnt P(x | y) the logit is that of the pair (x, y); without y it is the mean over the classes by
        their shares. Objectives that compare pairs (relativistic) fix a logit only up to a constant.

        Raises
        ------
        NotFittedError
            `fit` was not called.
        InputError (a ValueError)
            X cannot be used, y names an unknown class, or the model learnt no classes.
        """
        rows = self._rows(X)
        classes = self.model_.classes
        if classes is None or y is not None:
            return self.model_.logits(rows, y)
        shares = np.asarray(self.model_.description["class_shares"])
        return np.asarray(np.stack([self.model_.logits(rows, value) for value in classes], 1) @ shares)

    def score_samples(self, X: Any) -> np.ndarray[Any, Any]:
        """Return the Parzen-window log-density (nats) of each row under 10,000 samples of the generator, (n_samples,).

        log p(x) = log mean_i N(x; s_i, sigma^2 I) on standardised columns, in the units of X; columns that never varied in
        training are left out. The window is chosen on held-out rows (of a run folder, which holds none, on fresh samples).
        It is the paper's own score (section 5), good for ranking fits of the same data in few dimensions, and no
        likelihood of the model.

        Raises
        ------
        NotFittedError
            `fit` was not called.
        InputError (a ValueError)
            The model makes pictures, where this number says nothing.
        """
        check_is_fitted(self, "model_")
        samples, sigma, volume = self._parzen
        rows = self._rows(X)
        return log_density(self._encoded(rows), samples, sigma) - volume

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of `score_samples(X)` (nats); y is ignored."""
        return float(self.score_samples(X).mean())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator into a folder (safetensors and JSON, no rows of data), for `saddlepoint.load`.

        Raises
        ------
        NotFittedError
            `fit` was not called.
        StoredFileError
            The folder cannot be written.
        """
        check_is_fitted(self, "model_")
        self.model_.save(path)
        parameters = {name: _plain(value) for name, value in self.get_params().items()}
        if not isinstance(parameters["random_state"], int | None):
            parameters["random_state"] = None  # a generator has moved on: its state would repeat nothing
        stored = {
            "parameters": parameters,
            "records": self.records_,
            "stop_reason": self.stop_reason_,
            "verdicts": self.verdicts_,
            "verdict": None if self.verdict_ is None else self.verdict_.to_dict(),
            "splits": self.splits_,
            "frame": None if self._frame is None else self._frame.to_dict(),
            "sigma": self._parzen[1] if self.model_.like.kind == "points" else None,
        }
        write_atomically(Path(path) / "estimator.json", json.dumps(stored).encode())

    # ------------------------------------------------------------------------------------------------------------

    def _dataset(self, X: Any, y: Any, groups: Any) -> Dataset:
        if isinstance(X, str | os.PathLike):
            raise InputError(
                f"X is the name {os.fspath(X)!r}; give the rows themselves: read the file first, for example with "
                f"pandas.read_csv({os.fspath(X)!r}), or run `saddlepoint train {os.fspath(X)}`."
            )
        self._frame: FrameForm | TableForm | None = None
        if self.columns is not None and not is_frame(X):
            raise InputError("columns= names the kinds of a frame's columns; X is no frame, so leave it out.")
        if _is_pictures(X):
            dataset = open_source(np.asarray(X), label=y, group=groups, name="X")
            self.__dict__.pop("feature_names_in_", None)
            self.n_features_in_ = int(np.prod(dataset.rows.shape[1:]))
            return dataset
        if is_frame(X) and not hasattr(X, "shape"):
            raise InputError(f"X is a {type(X).__name__}, which has no rows yet; give X.collect().")
        if not is_frame(X):
            values = validate_data(self, X, ensure_min_samples=2, dtype="numeric")
            return open_source(values, label=y, group=groups, name="X")
        dataset = open_source(X, label=y, group=groups, name="X", columns=self.columns)
        if dataset.kind == "tables":
            validate_data(self, X, skip_check_array=True)
            self._frame = TableForm.of(X)
            return dataset
        validate_data(self, X, ensure_min_samples=2, dtype="numeric")
        self._frame = FrameForm.of(X, dtypes=dataset.dtypes or ())
        return dataset

    def _rows(self, X: Any) -> Any:
        check_is_fitted(self, "model_")
        like = self.model_.like
        if like.kind == "tables":
            return frame_of(X, name="X")
        if like.kind == "pictures":
            return np.asarray(open_source(np.asarray(X), levels=like.levels, name="X").rows)
        return np.asarray(validate_data(self, X, reset=False, dtype="numeric"))

    def _encoded(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        encoder = self.model_.encoder
        points = encoder.points if isinstance(encoder, ChartsEncoder) else encoder
        return np.asarray(points.encode(rows, dtype=torch.float64).numpy())

    @cached_property
    def _parzen(self) -> tuple[np.ndarray[Any, Any], float, float]:
        """Encoded samples, the window, and the log-volume by which encoding shrinks the space."""
        encoder = self.model_.encoder
        points = encoder.points if isinstance(encoder, ChartsEncoder) else encoder
        if encoder.kind == "tables":
            raise InputError(
                "A Parzen log-density needs distances, which categories have not, so there is no score of a table; compare "
                "samples with saddlepoint.judge, or use decision_function."
            )
        if not isinstance(points, PointsEncoder):
            raise InputError(
                "A Parzen log-density of pictures says nothing about them, so there is no score; compare samples with "
                "saddlepoint.judge, or use decision_function."
            )
        samples = self._draw(_PARZEN_SAMPLES, "parzen")
        sigma = self._sigma
        if sigma is None:
            held_out = self._validation
            rows = self._draw(_PARZEN_ROWS, "window") if held_out is None else self._encoded(held_out)
            sigma = choose_sigma(rows, samples, _PARZEN_SIGMAS)
        scales = [column.scale for column in points.columns if not column.constant]
        return samples, sigma, float(np.log(scales).sum())

    def _draw(self, n: int, purpose: str) -> np.ndarray[Any, Any]:
        """Return n standardised samples, (n, width), the same each time."""
        return self._encoded(self.model_.draw(n, random_state=compute.key(0, purpose))[0])


def load(path: str | os.PathLike[str]) -> GAN:
    """Return a fitted GAN from a folder that `GAN.save` or `Model.save` wrote, or from a run folder.

    Raises:
        InputError: there is no model in the folder.
        StoredFileError: it is damaged.
    """
    folder = Path(path)
    is_run = (folder / "settings.json").is_file()
    if is_run and not (folder / "model" / "model.json").is_file():
        raise InputError(f"The run in {folder} has not saved a model yet: let it train until its first save.")
    gan = GAN()
    gan.model_ = Model.load(folder / "model" if is_run else folder)
    gan.n_rounds_ = int(gan.model_.description["rounds"])
    gan.records_, gan.stop_reason_, gan.splits_ = [], "loaded", {}
    gan.verdicts_, gan.verdict_ = _verdicts_of(folder) if is_run else ([], None)
    gan._validation, gan._sigma, gan._frame = None, None, None
    if gan.model_.classes is not None:
        gan.classes_ = np.asarray(gan.model_.classes)
    like = gan.model_.like
    gan.n_features_in_ = int(np.prod(like.rows.shape[1:]))
    if like.columns is not None:
        gan.feature_names_in_ = np.asarray(like.columns, dtype=object)
        if like.kind == "tables":
            gan._frame = TableForm.of(like.rows)
        else:
            gan._frame = FrameForm(library="pandas", columns=like.columns, dtypes=like.dtypes or ())
    if (folder / "estimator.json").is_file():
        _restore(gan, folder / "estimator.json")
    return gan


def _verdicts_of(folder: Path) -> tuple[list[dict[str, Any]], Verdict | None]:
    """Return the checks and the newest final verdict of a run folder."""
    path, checks, verdict = folder / "verdicts.jsonl", [], None
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # cut off by a crash
        if record.get("kind") == "check":
            checks.append(record)
        elif record.get("kind") == "verdict":
            fields = {
                name: value for name, value in record.items() if name not in ("kind", "round", "opened")
            }
            verdict = Verdict.from_dict(fields)
    return checks, verdict


def _restore(gan: GAN, path: Path) -> None:
    try:
        stored = json.loads(path.read_bytes())
        gan.set_params(**stored["parameters"])
        gan.records_, gan.stop_reason_ = stored["records"], stored["stop_reason"]
        gan.verdicts_ = stored.get("verdicts", [])
        found = stored.get("verdict")
        gan.verdict_ = None if found is None else Verdict.from_dict(found)
        gan.splits_, gan._sigma = stored["splits"], stored["sigma"]
        frame = stored["frame"]
        form = TableForm if frame is not None and "arrow" in frame else FrameForm
        gan._frame = None if frame is None else form.from_dict(frame)
    except (OSError, ValueError, KeyError, TypeError, StoredFileError) as error:
        raise StoredFileError(f"{path} cannot be read ({error}).") from error
    named = isinstance(gan._frame, TableForm) or (
        gan._frame is not None and all(isinstance(label, str) for label in gan._frame.columns)
    )
    if not named:
        gan.__dict__.pop("feature_names_in_", None)


def cite(model: GAN | Model) -> list[str]:
    """Return the papers behind a model's recipe, objective and penalties, one citation line each.

    Raises:
        NotFittedError: the estimator was not fitted.
        InputError: it is no model.
    """
    if not isinstance(model, GAN | Model):
        raise InputError(
            f"cite was given {model!r:.60}, a {type(model).__name__}; give a fitted GAN or a Model (the papers of one "
            "objective are in saddlepoint.objectives.get(NAME).references)."
        )
    if isinstance(model, GAN):
        check_is_fitted(model, "model_")
        model = model.model_
    keys = ["goodfellow2014", *objectives.get(model.description["objective"]).references]
    for name in model.description["penalties"]:
        keys += objectives.get_penalty(name).references
    return objectives.cite(keys)


def _is_pictures(X: Any) -> bool:
    if is_frame(X):
        return False
    axes = getattr(X, "ndim", None)
    if axes is None and isinstance(X, list | tuple):
        try:
            axes = np.ndim(X)
        except ValueError:  # ragged: scikit-learn has the words for it
            return False
    return axes in (3, 4)


def _classes_of(y: Any) -> Any:
    """Return y as it is, refusing what are no classes."""
    if y is None:
        return None
    values = np.asarray(y)
    if values.dtype.kind in "fO" and values.ndim == 1:
        missing = np.flatnonzero([value is None or value != value for value in values.tolist()])
        if len(missing):
            raise InputError(
                f"y has {len(missing):,} missing value{'s' * (len(missing) > 1)} (None or NaN), first in row "
                f"{missing[0] + 1}; fill in or leave out these rows."
            )
    kind = type_of_target(y, input_name="y", raise_unknown=True)
    if kind not in _CLASSES:
        raise InputError(
            f"y is {kind}; the classes to condition on must be one whole number or text a row: cut numbers into bins "
            "first, or put them among the columns of X."
        )
    return y


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _seed(random_state: Any) -> int:
    """Return an int as it is, and a draw from a generator otherwise; scikit-learn refuses anything else."""
    generator = check_random_state(random_state)
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(generator.randint(_RANDOM_STATES))


def _said(events: Iterable[Event], preparation: Preparation) -> Iterable[Event]:
    """Pass events on and print what happens, a line every few seconds."""
    settings = preparation.plan.settings
    print(
        f"GAN: {preparation.train.describe()} to train on; recipe {preparation.plan.recipe}, objective "
        f"{settings.objective}, batch {settings.batch}, {settings.horizon:,} rounds"
    )
    began = said = time.monotonic()
    for event in events:
        if isinstance(event, Stopped):
            print(f"GAN: {event.sentence}")
        elif isinstance(event, Checked):
            print(f"GAN: check at round {event.round:,}: {event.record['state']}, {event.record['evidence']}")
        elif isinstance(event, Played) and (now := time.monotonic()) - said >= _SECONDS_BETWEEN_LINES:
            said, numbers = now, event.record.to_dict()
            played = event.record.round + 1
            print(
                f"GAN: round {played:,} of {settings.horizon:,}, {played / (now - began):.0f} rounds/s, loss D "
                f"{numbers['discriminator_loss']:.3f} G {numbers['generator_loss']:.3f}"
            )
        yield event
