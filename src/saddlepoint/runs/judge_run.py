"""Two-sample data for judging a run: fresh samples of its model beside held-out rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saddlepoint.data.opening import open_holdout
from saddlepoint.errors import InputError
from saddlepoint.fitting import Preparation, restore
from saddlepoint.fitting.final_verdict import model_pair
from saddlepoint.judging.inputs import Pair
from saddlepoint.runs.folder import RunFolder
from saddlepoint.runs.sampling import load_model
from saddlepoint.runs.session import Source


def is_run(path: Path) -> bool:
    """Return whether a path is a run folder or a saved model, rather than data."""
    return (path / "settings.json").is_file() or (path / "model.json").is_file()


def open_run(
    run: Path, real: str | None = None, *, random_state: int = 0, train: Any = None, **options: Any
) -> tuple[Pair, str | None]:
    """Return real rows and a run's fresh samples, and whether the real rows were held out: "declared", "no", None (unknown).

    Four samples are drawn for each real row. For a run folder the training rows are opened too, for the memorisation test.

    run: a run folder or a saved model.
    real: file of real rows; without it the run's held-out test rows (vault), which training never read.
    random_state: seed of the samples.
    train: training rows for the memorisation test, in place of the run's own.
    options: passed to `open_pair`.

    Raises:
        InputError: there is no run, no vault, or the rows do not fit.
    """
    model = load_model(run)
    preparation = _preparation(run) if (run / "settings.json").is_file() else None
    known = None
    if real is None:
        if preparation is None or preparation.vault is None:
            raise InputError(
                f"{run} has no held-out test rows (vault) to judge by; give a file of real rows: saddlepoint judge REAL {run}."
            )
        real_rows, known = preparation.vault, "declared"
    else:
        real_rows = open_holdout(
            real, preparation.train.in_memory() if preparation is not None else model.like
        )
        if preparation is not None and real_rows.fingerprint() == preparation.fingerprint:
            known = "no"
    if train is None and preparation is not None:
        train = preparation.train
    return model_pair(model, real_rows, train, seed=random_state, **options), known


def _preparation(run: Path) -> Preparation:
    settings = RunFolder.open(run).settings()
    dataset, holdout = Source(**settings["source"]).open()
    return restore(dataset, settings, holdout=holdout)
