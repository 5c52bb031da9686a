"""Odd but lawful inputs: tiny samples, constants, empty columns, huge scales. None may warn or fail."""

import numpy as np
import pytest

from saddlepoint.judging import judge


def rng():
    return np.random.default_rng(0)


def points(n, d=2):
    return rng().standard_normal((n, d))


def nulls(n):
    rows = rng().integers(0, 3, (n, 4)).astype(float)
    rows[:, 1] = np.nan
    rows[::3, 2] = np.nan
    rows[:, 3] = rng().standard_normal(n)
    return rows


CASES = {
    "thirty points": (points(30), points(30)[::-1] + 0.5, {}),
    "thirty rows of a table": (nulls(30), nulls(33), {"categorical": [True, False, True, False]}),
    "thirty pictures": (
        rng().integers(0, 256, (30, 5, 7)).astype(np.uint8),
        rng().integers(0, 99, (31, 5, 7)).astype(np.uint8),
        {},
    ),
    "one-pixel pictures": (
        rng().integers(0, 256, (60, 1, 1, 3)).astype(np.uint8),
        rng().integers(0, 99, (60, 1, 1, 3)).astype(np.uint8),
        {},
    ),
    "constant columns": (np.ones((100, 2)), np.ones((90, 2)), {}),
    "constant against another constant": (np.ones((200, 1)), np.zeros((200, 1)), {}),
    "one column of categories": (
        rng().integers(0, 300, (400, 1)).astype(float),
        rng().integers(0, 200, (400, 1)).astype(float),
        {"categorical": [True]},
    ),
    "only nulls": (np.full((60, 2), np.nan), np.full((70, 2), np.nan), {"kind": "tables"}),
    "huge and tiny scales": (points(200) * [1e30, 1e-30], points(220) * [1.5e30, 1e-30], {}),
    "more columns than rows": (points(60, 80), points(70, 80) * 1.5, {}),
    "one fake for a hundred": (points(6000), points(60) + 3, {}),
    "booleans": (points(100) > 0, points(90) > 1, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_odd_inputs_get_a_verdict(name):
    real, fake, options = CASES[name]
    verdict = judge(real, fake, **options)
    assert verdict.jsd_lower is not None
    assert 0 <= verdict.jsd_lower <= np.log(2)
    assert len(str(verdict).splitlines()) <= 24
    if name == "constant against another constant":
        assert verdict.jsd_lower > 0.4


def test_hundreds_of_empty_columns_are_no_difference():
    rows = np.zeros((80, 300))
    verdict = judge(rows, rows[:70], pool="quick", control=False)
    assert verdict.jsd_lower == 0
