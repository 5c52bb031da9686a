"""Panels side by side: one key for all of them where it is asked for, and what cannot be drawn is refused."""

from __future__ import annotations

import pytest

from saddlepoint.drawing.curves import Panel, Trace, panels
from saddlepoint.errors import InputError


def two(role: str = "first") -> list[Panel]:
    lines = [
        Trace(x=[0, 1], y=[0, 1], role=role, label="one"),
        Trace(x=[0, 1], y=[1, 0], role="model", label="other"),
    ]
    return [Panel(title=title, across="x", traces=lines) for title in ("left", "right")]


def test_with_key_columns_one_key_above_names_each_line_once():
    figure = panels(two(), key_columns=1)
    (key,) = figure.legends
    assert [text.get_text() for text in key.get_texts()] == ["one", "other"]
    assert not any(axes.get_legend() for axes in figure.axes)
    # Two lines of one column make the figure higher than one line of two.
    assert figure.get_figheight() > panels(two(), key_columns=2).get_figheight()
    assert all(axes.get_legend() for axes in panels(two()).axes)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="There are 5 panels; a figure holds 1 to 4"):
        panels([two()[0]] * 5)
    with pytest.raises(InputError, match=r"'fourth' .* data, model"):
        panels(two("fourth"))
