"""One fit: splits, encoder and plan; then rounds, looks, saving, and a stop with a reason."""

from saddlepoint.fitting.events import Event, Looked, Played, Sampled, Saved, Stopped
from saddlepoint.fitting.fit import Fit
from saddlepoint.fitting.looks import added
from saddlepoint.fitting.preparation import Choices, Preparation, prepare, restore

__all__ = [
    "Choices",
    "Event",
    "Fit",
    "Looked",
    "Played",
    "Preparation",
    "Sampled",
    "Saved",
    "Stopped",
    "added",
    "prepare",
    "restore",
]
