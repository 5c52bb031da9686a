"""One fit: splits, encoder and plan; then rounds, looks, saving, and a stop with a reason."""

from saddlepoint.fitting.events import (
    Checked,
    Event,
    Fitting,
    Judged,
    Looked,
    Mended,
    Played,
    Sampled,
    Saved,
    Stopped,
)
from saddlepoint.fitting.final_verdict import judged
from saddlepoint.fitting.fit import Fit
from saddlepoint.fitting.monitor import added
from saddlepoint.fitting.options import Choices
from saddlepoint.fitting.preparation import Preparation, prepare, restore

__all__ = [
    "Checked",
    "Choices",
    "Event",
    "Fit",
    "Fitting",
    "Judged",
    "Looked",
    "Mended",
    "Played",
    "Preparation",
    "Sampled",
    "Saved",
    "Stopped",
    "added",
    "judged",
    "prepare",
    "restore",
]
