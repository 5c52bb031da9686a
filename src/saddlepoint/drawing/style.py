"""Style shared by all figures (colours, line styles, fonts), fitting of their text, and saving as PNG.

The roles are those of Figure 1 of Goodfellow et al. 2014: data dotted and dark, model (generator) solid and green,
discriminator dashed and blue. Each role also has its own lightness, dash and marker, so a figure is readable in
greyscale and for colour-blind readers. PNG files are written completely or not at all.
"""

from __future__ import annotations

import functools
import io
import os
import textwrap
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from PIL import Image

from saddlepoint.errors import InputError, StoredFileError

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
"""Dots per inch of every figure: two dots per CSS pixel, so that it is sharp on a page."""
WIDTH = 8.0
"""Width of a full figure in inches."""
TITLE = 10.5
TEXT = 8.5
SMALL = 7.5
"""Font sizes in points."""

FIELD = LinearSegmentedColormap.from_list("probability", ["#c3ecdf", "#ffffff", "#9ea5b2"], N=255)
"""D(x) from 0 (the model's tint) over white at 1/2 to 1 (the data's tint)."""

# The user's matplotlib settings must not change our figures, and ours must not change the user's: each drawing
# function runs in a context that starts from matplotlib's defaults. Settings of the window system are left alone.
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
    """Return all matplotlib settings that the figures depend on."""
    defaults = dict(matplotlib.rcParamsDefault)
    kept = {key: value for key, value in defaults.items() if not key.startswith(_LEFT_ALONE)}
    return kept | _OURS


def styled(function: Callable[P, T]) -> Callable[P, T]:
    """Run `function` with these settings, one thread at a time, and restore the user's matplotlib settings."""

    @functools.wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        with _LOCK, matplotlib.rc_context(settings()):
            return function(*args, **kwargs)

    return inside


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of width x height inches with constrained layout, not attached to a window."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


_EM = 0.6  # mean width of a DejaVu Sans character in em, on the wide side so that text never overruns
_BOX = "\u25a1"
_EDGE = 0.09  # inches between the text and the edge of the figure
_LEADING = 1.45


@functools.cache
def _drawable() -> frozenset[int]:
    font = FT2Font(font_manager.findfont("DejaVu Sans"))
    return frozenset(font.get_charmap())


def plain(text: object) -> str:
    """Return `text` in one line, with a box for every character that the font cannot draw.

    >>> plain("pay\\n(monthly)")
    'pay (monthly)'
    """
    line = " ".join(str(text).split())
    return "".join(letter if ord(letter) in _drawable() else _BOX for letter in line)


def fit(text: object, inches: float, size: float) -> str:
    """Return `text` shortened with an ellipsis to fit into `inches` at `size` points, but at least 3 letters."""
    line, room = plain(text), max(3, int(inches * 72.0 / (_EM * size)))
    return line if len(line) <= room else line[: room - 1].rstrip() + "…"


def wrap(text: object, inches: float, size: float) -> list[str]:
    """Return `text` as lines that fit into `inches` at `size` points."""
    return textwrap.wrap(plain(text), max(8, int(inches * 72.0 / (_EM * size))))


def number(value: float) -> str:
    """Return a number as text: 3 significant digits, thousands separators for large numbers.

    >>> number(0.0123456), number(1234567.0), number(-3.2e12)
    ('0.0123', '1,234,567', '−3.2e+12')
    """
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"
    return "−" + text[1:] if text.startswith("-") else text


def letter(
    figure: Figure,
    title: str | None,
    notes: Iterable[str],
    *,
    key: Sequence[Artist] = (),
    key_columns: int | None = None,
    left: float = _EDGE,
) -> None:
    """Write the title and the legend above a figure with constrained layout, and the notes below it; call it last.

    The figure grows by the height of these lines, so that its axes keep their size.

    title: the title, or None.
    notes: paragraphs below the figure.
    key: handles of the legend.
    key_columns: columns of the legend; None puts it in one line.
    left: left edge of the legend in inches.
    """
    inches, height = figure.get_size_inches()
    heading = wrap(title, inches - 2 * _EDGE, TITLE) if title else []
    below = [line for note in notes for line in wrap(note, inches - 2 * _EDGE, SMALL)]
    heading_inches = len(heading) * TITLE * _LEADING / 72.0 + _EDGE
    columns = key_columns or len(key)
    key_inches = -(-len(key) // columns) * SMALL * _LEADING / 72.0 + 0.5 * _EDGE if key else 0.0
    below_inches = len(below) * SMALL * _LEADING / 72.0 + _EDGE if below else 0.0
    total = height + heading_inches + key_inches + below_inches
    figure.set_size_inches(inches, total)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0.0, below_inches / total, 1.0, height / total))  # type: ignore[call-arg]

    def write(lines: Sequence[str], top: float, **style: Any) -> None:
        for index, line in enumerate(lines):
            place = (top - index * style["fontsize"] * _LEADING / 72.0) / total
            figure.text(_EDGE / inches, place, line, va="top", parse_math=False, **style)

    write(heading, total - _EDGE, fontsize=TITLE, fontweight="bold")
    write(below, below_inches, fontsize=SMALL, color=QUIET)
    if key:
        place = (left / inches, (total - heading_inches) / total)
        figure.legend(
            handles=list(key),
            loc="upper left",
            bbox_to_anchor=place,
            ncols=columns,
            columnspacing=1.6,
            borderpad=0.0,
            borderaxespad=0.0,
        )
    # The layout is computed once and frozen; otherwise it would depend on the dpi of an earlier drawing.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


@styled
def to_png(figure: Figure, *, dpi: float | None = None, colours: int | None = None) -> bytes:
    """Return the figure as PNG bytes; the same figure gives the same bytes.

    dpi: dots per inch; None takes the figure's own, at which pictures keep their exact pixels.
    colours: size of the palette; None keeps all colours. A palette makes the file of a chart at least three times smaller.

    Raises InputError if `dpi` is not between 10 and 1200 or `colours` not between 2 and 256.
    """
    if dpi is not None and not 10 <= dpi <= 1200:
        raise InputError(
            f"dpi is {dpi}; give a number of dots per inch between 10 and 1200, or leave it out."
        )
    if colours is not None and not 2 <= colours <= 256:
        raise InputError(f"colours is {colours}; give a number between 2 and 256, or leave it out.")
    buffer = io.BytesIO()
    resolution = figure.dpi if dpi is None else dpi
    # A version number in the file would change its bytes with every release of matplotlib.
    metadata = {"Software": "saddlepoint"}
    figure.savefig(buffer, format="png", backend="agg", dpi=resolution, metadata=metadata)
    if colours is None:
        return buffer.getvalue()
    with Image.open(buffer) as image:
        few = image.convert("RGB").quantize(
            colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )
    smaller = io.BytesIO()
    few.save(smaller, "PNG", optimize=True, dpi=(resolution, resolution))
    return smaller.getvalue()


def save(figure: Figure, path: str | os.PathLike[str], *, dpi: float | None = None) -> Path:
    """Write the figure to `path` (.png), completely or not at all, even if interrupted.

    Raises InputError for another suffix or an impossible `dpi`, StoredFileError if the file cannot be
    written.
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise InputError(f"The picture is to be written to {str(target)!r}; its name must end in .png.")
    content = to_png(figure, dpi=dpi)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoredFileError(
            f"The picture {str(target)!r} cannot be written: {error.strerror or error}."
        ) from error
    return target
