"""The picture of the checks: every state is drawn, in its colour, with the lines that were asked for."""

import pytest

from saddlepoint.drawing.checks import STATES, checks_chart
from saddlepoint.drawing.style import to_png
from saddlepoint.errors import InputError
from saddlepoint.judging.monitor import stopping


def check(place, state, **more):
    known = {"round": 100 * place, "estimate": 0.1, "lower": 0.05, "upper": 0.2, "missing": [], "narrow": []}
    return known | {"state": state} | more


def test_every_state_has_a_colour_of_its_own():
    assert set(STATES) == set(stopping.STATES)
    assert (
        len({colour for colour, _ in STATES.values()})
        == len({mark for _, mark in STATES.values()})
        == len(STATES)
    )


def test_lines_states_and_regions_are_drawn():
    records = [check(i, name, floor=0.01) for i, name in enumerate(STATES)]
    long = "the region with a-long-name near 12,345.6, another-long-name near 40.2"
    records.append(
        check(
            9,
            "improving",
            floor=0.01,
            missing=["the region around (2, 0)", long],
            narrow=["$x$ near _1_"],
            indicative=True,
        )
    )
    figure = checks_chart(
        records, tolerance=0.02, power=(0.007, "2 % missing"), kept=300, verdict=(900, 0.0, 0.01)
    )
    labels = {text.get_text() for text in figure.axes[0].get_legend().get_texts()}
    assert {*STATES, "floor", "tolerance", "2 % missing", "kept", "final verdict"} <= labels
    told = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    assert told[::2] == ["around (2, 0)", "$x$ near _1_"]
    assert told[1].replace("-\n", "-").replace("\n", " ") == long.removeprefix(
        "the region with "
    )  # wrapped, not cut
    assert to_png(figure, dpi=50).startswith(b"\x89PNG")
    assert len(checks_chart(records[:3]).axes) == 1


def test_no_checks_are_told():
    with pytest.raises(InputError, match="There are no checks to draw"):
        checks_chart([])
