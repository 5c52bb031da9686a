"""Tests compute on one thread: the machine is shared, and bitwise claims should not hang on a thread count."""

from __future__ import annotations

import multiprocessing
import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["SADDLEPOINT_CACHE"] = tempfile.mkdtemp(prefix="saddlepoint-tests-")

import numpy as np
import pytest
import torch

torch.set_num_threads(1)

# Processes of tests are forked from one that has imported this once (start method "forkserver").
multiprocessing.set_forkserver_preload(
    ["saddlepoint.cli.train", "saddlepoint.runs.session", "torch._dynamo", "pytest"]
)


@pytest.fixture
def float64() -> object:
    """Let torch make float64 tensors by default inside a test."""
    torch.set_default_dtype(torch.float64)
    yield None
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def quick_looks():
    """Let estimates between rounds come of one cheap classifier: logistic regression, and trees for tables.

    They take most of a short test's time. For modules that hold what must be true whatever an estimate says; what it says is
    held in tests/fitting/test_snapshot_selection.py.
    """
    from saddlepoint.judging.classifiers.points import logistic

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("saddlepoint.judging.monitor.quick_c2st.network", logistic)
        for name in ("geometry", "pairs"):
            patch.setattr(
                f"saddlepoint.judging.monitor.quick_c2st.{name}",
                lambda real, fake, context: lambda rows: np.zeros(len(rows)),
            )
        yield


@pytest.fixture(scope="module")
def no_figures():
    """Let reports be written without their figures, which take longer to draw than a short run to train.

    For modules that hold what a run leaves beside its report; figures are held in tests/runs and tests/drawing.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("saddlepoint.runs.report.report_figures", lambda *arguments: ())
        yield
