"""A fitted estimator on disk: the folder of its model with `estimator.json` in it; no rows of data, no executable code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from saddlepoint.aliases import REMOVED_OPTIONS, modernise
from saddlepoint.data.tables.form import FrameForm
from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.estimator.gan import GAN
from saddlepoint.judging.verdict import Verdict
from saddlepoint.model import Model


def load(path: str | os.PathLike[str]) -> GAN:
    """Return a fitted GAN from a folder that `GAN.save` or `Model.save` wrote, or from a run folder.

    Raises:
        InputError: there is no model in the folder.
        StoredFileError: the model is damaged.
    """
    folder = Path(path)
    is_run = (folder / "settings.json").is_file()
    if is_run and not (folder / "model" / "model.json").is_file():
        raise InputError(f"The run in {folder} has not saved a model yet: train it until it first saves.")
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
            gan._frame = FrameForm.of(like.rows)
        else:
            gan._frame = FrameForm(library="pandas", columns=like.columns, dtypes=like.dtypes or ())
    if (folder / "estimator.json").is_file():
        _restore(gan, folder / "estimator.json")
    return gan


def _verdicts_of(folder: Path) -> tuple[list[dict[str, Any]], Verdict | None]:
    """Return the checks and the latest final verdict of a run folder."""
    path, checks, verdict = folder / "verdicts.jsonl", [], None
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            record = modernise(json.loads(line))
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
        stored = modernise(json.loads(path.read_bytes()))
        removed = {option.removeprefix("--") for option in REMOVED_OPTIONS}
        gan.set_params(**{name: value for name, value in stored["parameters"].items() if name not in removed})
        gan.records_, gan.stop_reason_ = stored["records"], stored["stop_reason"]
        gan.verdicts_ = stored.get("verdicts", [])
        found = stored.get("verdict")
        gan.verdict_ = None if found is None else Verdict.from_dict(found)
        gan.splits_, gan._sigma = stored["splits"], stored["sigma"]
        frame = stored["frame"]
        gan._frame = None if frame is None else FrameForm.from_dict(frame)
    except (OSError, ValueError, KeyError, TypeError, StoredFileError) as error:
        raise StoredFileError(f"{path} cannot be read ({error}).") from error
    named = gan._frame is not None and all(isinstance(label, str) for label in gan._frame.columns)
    if not named:
        gan.__dict__.pop("feature_names_in_", None)
