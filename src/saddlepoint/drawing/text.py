"""Words inside a figure: made safe to draw, cut or wrapped to the room there is."""

import functools
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from saddlepoint.drawing.style import QUIET, SMALL, TITLE

_EM = 0.6  # mean width of a DejaVu Sans character in em, on the wide side so that text never overruns
_BOX = "\u25a1"
_EDGE = 0.09  # inches between the words and the edge of the figure
_LEADING = 1.45


@functools.cache
def _drawable() -> frozenset[int]:
    font = FT2Font(font_manager.findfont("DejaVu Sans"))
    return frozenset(font.get_charmap())


def plain(words: object) -> str:
    """Return `words` in one line with every character that the font cannot draw replaced by a box.

    >>> plain("pay\\n(monthly)")
    'pay (monthly)'
    """
    line = " ".join(str(words).split())
    return "".join(letter if ord(letter) in _drawable() else _BOX for letter in line)


def fit(words: object, inches: float, size: float) -> str:
    """Return `words` cut with an ellipsis to what `inches` hold at `size` points, 3 letters at least."""
    line, room = plain(words), max(3, int(inches * 72.0 / (_EM * size)))
    return line if len(line) <= room else line[: room - 1].rstrip() + "…"


def wrap(words: object, inches: float, size: float) -> list[str]:
    """Return `words` as lines that fit into `inches` at font size `size` points."""
    return textwrap.wrap(plain(words), max(8, int(inches * 72.0 / (_EM * size))))


def number(value: float) -> str:
    """Return a number as a person writes it: 3 significant digits, a thousands separator for large ones.

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
    """Write the title and the key above, the notes below a figure that arranges its own axes.

    The figure grows by the height of these lines, so that its axes keep their size; call it last. `left` is
    where the key begins, in inches; it is one line, or as many as its columns make.
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

    def write(lines: Sequence[str], top: float, **look: Any) -> None:
        for index, line in enumerate(lines):
            place = (top - index * look["fontsize"] * _LEADING / 72.0) / total
            figure.text(_EDGE / inches, place, line, va="top", parse_math=False, **look)

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
    # Arranged once and for all: else the places would depend on the dpi of whoever drew the figure before.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
