"""Judging a run: fresh samples of its model against rows that it never saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from saddlepoint import compute
from saddlepoint.data.opening import open_holdout
from saddlepoint.errors import InputError
from saddlepoint.fitting import Preparation, restore
from saddlepoint.judging.inputs import Pair, open_pair
from saddlepoint.runs.folder import RunFolder
from saddlepoint.runs.sampling import load_model
from saddlepoint.runs.session import Source

_FAKES_PER_REAL = 4


def is_run(path: Path) -> bool:
    """Whether a path is a run folder or a saved model, rather than rows."""
    return (path / "settings.json").is_file() or (path / "model.json").is_file()


def open_run(
    run: Path, real: str | None = None, *, random_state: int = 0, train: Any = None, **options: Any
) -> tuple[Pair, str | None]:
    """Return a run's fresh samples beside real rows, and what is known of those: "declared", "no", or None.

    real names a file of rows; left out, the run's own vault is taken, which no round has seen. Four samples are drawn for
    each real row. For a run folder the training rows are at hand, so copies are looked for.

    Raises:
        InputError: there is no run, no vault, or the rows do not fit.
    """
    model = load_model(run)
    preparation = _preparation(run) if (run / "settings.json").is_file() else None
    known = None
    if real is None:
        if preparation is None or preparation.vault is None:
            raise InputError(
                f"{run} holds no rows back to judge by; name a file of real rows: saddlepoint judge REAL {run}."
            )
        held, known = preparation.vault, "declared"
    else:
        held = open_holdout(real, preparation.train.in_memory() if preparation is not None else model.like)
        if preparation is not None and held.fingerprint() == preparation.fingerprint:
            known = "no"
    fakes = model.draw(
        _FAKES_PER_REAL * len(held), random_state=compute.derived_seed(random_state, "judged")
    )[0]
    like = model.like
    if train is None and preparation is not None:
        train = replace(preparation.train.in_memory(), labels=None)
    sides = [replace(held, labels=None), replace(like, rows=fakes, labels=None)]
    return open_pair(*sides, train=train, **options), known


def _preparation(run: Path) -> Preparation:
    settings = RunFolder.open(run).settings()
    dataset, holdout = Source(**settings["source"]).open()
    return restore(dataset, settings, holdout=holdout)
