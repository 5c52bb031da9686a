"""One look for every figure: colours, line styles, sizes and fonts live here and nowhere else.

The paper's Figure 1 fixes the roles: data dotted and dark, model (generator) solid and green, discriminator
dashed and blue. Each role has its own lightness, dash and marker beside its hue, so that a figure still reads
in greyscale and for colour-blind eyes.
"""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Pen:
    """How one role is drawn: hue, dash pattern (in line widths) and marker."""

    colour: str
    dash: Any
    marker: str


DATA = Pen(colour="#20242b", dash=(0, (1.0, 1.1)), marker="o")
MODEL = Pen(colour="#18a57b", dash="solid", marker="^")
DISCRIMINATOR = Pen(colour="#1d4f9f", dash=(0, (4.0, 1.8)), marker="s")

INK = "#20242b"
QUIET = "#5d6673"
FAINT = "#d9dde3"
WASH = "#eceef1"
PAPER = "#ffffff"

DPI = 192
"""Dots per inch of every figure: two dots to a CSS pixel, so that a page shows it sharp."""
WIDTH = 8.0
"""Width of a full figure in inches."""
TITLE = 10.5
TEXT = 8.5
SMALL = 7.5
"""Font sizes in points."""

FIELD = LinearSegmentedColormap.from_list("probability", ["#c3ecdf", "#ffffff", "#9ea5b2"], N=255)
"""D(x) from 0 (the model's tint) over white at 1/2 to 1 (the data's tint)."""

# The user's own matplotlib settings must not change our figures, and ours must not change the user's: each
# drawing function runs inside a context that starts from matplotlib's defaults. What concerns the window
# system stays.
_LEFT_ALONE = (
    "animation",
    "backend",
    "date",
    "docstring",
    "interactive",
    "keymap",
    "macosx",
    "pdf",
    "pgf",
    "ps",
    "savefig.directory",
    "svg",
    "timezone",
    "tk",
    "toolbar",
    "webagg",
)
_OURS = {
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT,
    "text.color": INK,
    "figure.facecolor": PAPER,
    "figure.dpi": DPI,
    "figure.titlesize": TITLE,
    "figure.labelsize": SMALL,
    "figure.labelweight": "normal",
    "savefig.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT,
    "axes.titlesize": TEXT,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "lines.solid_capstyle": "butt",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "legend.handlelength": 2.4,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
}
_LOCK = threading.RLock()


@functools.cache
def settings() -> Any:
    """Return every matplotlib setting that a figure of ours depends on."""
    defaults = dict(matplotlib.rcParamsDefault)
    kept = {key: value for key, value in defaults.items() if not key.startswith(_LEFT_ALONE)}
    return kept | _OURS


def styled(function: Callable[P, T]) -> Callable[P, T]:
    """Run `function` in our look, one thread at a time, and put the user's matplotlib settings back."""

    @functools.wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        with _LOCK, matplotlib.rc_context(settings()):
            return function(*args, **kwargs)

    return inside


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of width x height inches that arranges its own axes; belongs to no window."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")
