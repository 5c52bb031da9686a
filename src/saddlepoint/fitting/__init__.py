"""Fits: `prepare` makes splits, encoder and plan; `Fit` plays rounds, estimates, saves, and stops with a reason."""

from saddlepoint.fitting.events import (
    Checked,
    Estimated,
    Event,
    Judged,
    Played,
    Pretraining,
    RolledBack,
    Sampled,
    Saved,
    Stopped,
)
from saddlepoint.fitting.final_verdict import with_final_verdict
from saddlepoint.fitting.fit import Fit
from saddlepoint.fitting.monitor import gain_of_game
from saddlepoint.fitting.options import FitOptions
from saddlepoint.fitting.preparation import Preparation, prepare, restore

__all__ = [
    "Checked",
    "Estimated",
    "Event",
    "Fit",
    "FitOptions",
    "Judged",
    "Played",
    "Preparation",
    "Pretraining",
    "RolledBack",
    "Sampled",
    "Saved",
    "Stopped",
    "gain_of_game",
    "prepare",
    "restore",
    "with_final_verdict",
]
