"""A run folder that version 0.1.0 wrote opens, samples and goes on in this version."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import saddlepoint as sp
from saddlepoint.runs.sampling import load_model
from saddlepoint.runs.session import Session
from saddlepoint.training import checkpoint

GOLDEN = Path(__file__).parents[1] / "golden" / "run-1"


def test_it_samples_what_it_sampled_then() -> None:
    rows, _ = load_model(GOLDEN / "run").draw(5, random_state=0)
    assert rows == pytest.approx(
        np.load(GOLDEN / "samples.npy"), abs=1e-4
    )  # other builds of torch round otherwise
    assert np.asarray(sp.load(GOLDEN / "run").sample(5, random_state=0)) == pytest.approx(rows)


def test_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(GOLDEN, tmp_path / "golden")
    monkeypatch.chdir(tmp_path / "golden")
    session = Session.resume(Path("run"))
    assert session.fit.round == 6
    list(session.play(until_round=8))
    session.close()
    assert checkpoint.load(tmp_path / "golden" / "run" / "checkpoint").round == 8
