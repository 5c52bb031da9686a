"""Tables side by side: categories with their names, dates as dates, and every row that a panel can show."""

import datetime

import numpy as np
import pytest
from matplotlib.text import Text

from saddlepoint.drawing.style import DATA, MODEL, to_png
from saddlepoint.drawing.tables import MOST_COLUMNS, MOST_NAMES, Drawn, table_pairs
from saddlepoint.errors import InputError

RNG = np.random.default_rng(0)


def words(figure):
    return " | ".join(text.get_text() for text in figure.findobj(Text) if text.get_visible())


def bars(axes, pen):
    def same(patch):
        return np.allclose(patch.get_facecolor()[:3], _rgb(pen.colour))

    return [round(patch.get_height(), 6) for patch in axes.patches if same(patch)]


def _rgb(colour):
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def panel(figure, down, across, width):
    return figure.axes[down * width + across]


def test_a_missing_cell_is_left_out_of_its_own_panels_only():
    """Titanic: 687 of 891 cabins are missing and Pclass is 24/21/55 % all the same."""
    pclass = np.repeat([1.0, 2.0, 3.0], [216, 184, 491])
    age = np.where(np.arange(891) % 5 == 0, np.nan, 30.0 + np.arange(891) % 37)
    real = np.column_stack([pclass, age])
    figure = table_pairs(real, real, [Drawn(name="Pclass"), Drawn(name="Age")])
    shares = np.array([216, 184, 491]) / 891
    assert bars(figure.axes[0], DATA) == pytest.approx(shares, abs=1e-5)
    assert bars(figure.axes[0], MODEL) == pytest.approx(shares, abs=1e-5)
    assert [tick for tick in figure.axes[0].get_xticks() if 0.5 < tick < 3.5] == [1, 2, 3]
    points = np.concatenate([marks.get_offsets() for marks in panel(figure, 1, 0, 2).collections])
    assert len(points) == 2 * np.isfinite(age).sum()
    assert "Age 20.1% of real and 20.1% of fake cells" in words(figure).replace(" | ", " ")


def test_categories_are_bars_with_names_the_frequent_first_and_others():
    names = tuple(f"town {i}" for i in range(12))
    real = np.repeat(np.arange(12.0), np.arange(40, 4, -3))[:, None]
    figure = table_pairs(real, real, [Drawn(name="town", kind="category", words=names)])
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == [*names[:MOST_NAMES], "6 others"]
    assert sum(bars(figure.axes[0], DATA)) == pytest.approx(1, abs=1e-5)


def test_missing_categories_are_a_bar_of_their_own():
    real, fake = np.array([[0.0], [0], [1], [np.nan]]), np.array([[0.0], [1], [np.nan], [np.nan]])
    figure = table_pairs(real, fake, [Drawn(name="deck", kind="category", words=("A", "B"))])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["A", "B", "missing"]
    assert bars(figure.axes[0], DATA) == pytest.approx([0.5, 0.25, 0.25])
    assert bars(figure.axes[0], MODEL) == pytest.approx([0.25, 0.25, 0.5])


def test_no_correlation_of_codes_and_dates_are_dates():
    start = datetime.datetime(2019, 3, 1, tzinfo=datetime.UTC).timestamp()
    rows = np.column_stack(
        [start + 86400 * RNG.uniform(0, 30, 90), RNG.integers(0, 2, 90), RNG.normal(size=(90, 2))]
    )
    kinds = [
        Drawn(name="when", kind="date"),
        Drawn(name="sex", kind="category", words=("male", "female")),
        Drawn(name="a"),
        Drawn(name="b"),
    ]
    figure = table_pairs(rows, rows, kinds)
    said = words(figure)
    assert said.count("r = ") == 2  # one pair of numbers, both sides
    assert "2019-03-" in said
    assert "e9" not in said
    assert "male" in said
    assert {"real", "fake"} <= set(said.split(" | "))
    assert "model" not in said


@pytest.mark.parametrize(
    "cells",
    [
        np.full(20, np.nan),
        np.zeros(0),
        np.full(9, 1e30),
        np.array([1e300, -1e300, 0.0]),
        np.array([np.inf, 1.0, np.nan]),
    ],
)
@pytest.mark.parametrize("kind", ["number", "date", "category"])
def test_odd_columns_still_give_a_figure(cells, kind):
    rows = np.column_stack([cells, np.arange(len(cells), dtype=float)])
    figure = table_pairs(rows, rows[:1], [Drawn(name="$x", kind=kind), Drawn(name="y")])
    for axes in figure.axes:
        assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()
    assert len(to_png(figure, dpi=40)) > 1000


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"shapes \(3, 2\) and \(3, 1\) for 2 columns"):
        table_pairs(np.zeros((3, 2)), np.zeros((3, 1)), [Drawn(name="a"), Drawn(name="b")])


def test_of_many_columns_the_first_are_drawn_and_the_number_is_told():
    rows = RNG.normal(size=(20, MOST_COLUMNS + 2))
    figure = table_pairs(rows, rows, [Drawn(name=f"x{i}") for i in range(MOST_COLUMNS + 2)])
    assert len(figure.axes) >= MOST_COLUMNS**2
    assert f"{MOST_COLUMNS} of {MOST_COLUMNS + 2} columns" in words(figure)
