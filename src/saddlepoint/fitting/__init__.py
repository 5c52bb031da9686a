"""One fit: splits, encoder and plan; then rounds, looks, saving, and a stop with a reason."""

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
from saddlepoint.fitting.final_verdict import judged
from saddlepoint.fitting.fit import Fit
from saddlepoint.fitting.monitor import added
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
    "added",
    "judged",
    "prepare",
    "restore",
]
