"""What cannot be judged is refused in a sentence that names it."""

import numpy as np
import pytest

from saddlepoint.errors import InputError
from saddlepoint.judging.samples import check

points = np.random.default_rng(0).random((20, 3))
pictures = np.zeros((20, 8, 8), dtype=np.uint8)


def test_kinds_are_told_by_the_arrays():
    assert check(points, points).kind == "points"
    assert check(points, points, categorical=[True, False, False]).kind == "table"
    assert check(points, points, kind="table").kind == "table"
    assert check(pictures, pictures).kind == "pictures"
    assert check(pictures, pictures).real.shape == (20, 8, 8, 1)
    assert check(points[:, 0], points[:, 0]).real.shape == (20, 1)
    assert check(points.astype(np.float32), points).real.dtype == np.float64


def test_names_default_to_positions():
    assert check(points, points).names == ("x1", "x2", "x3")
    assert check(points, points, names=["a", "b", "c"]).names == ("a", "b", "c")


def test_nulls_are_allowed_in_tables_only():
    holed = points.copy()
    holed[4, 1] = np.nan
    assert check(holed, points, kind="table").kind == "table"
    with pytest.raises(
        InputError, match=r"1 values of the real rows are not finite, the first in row 4, column x2;"
    ):
        check(holed, points)
    holed[7, 2] = -np.inf
    with pytest.raises(InputError, match=r"1 values of the fake rows .* row 7, column c\. "):
        check(points, holed, kind="table", names=["a", "b", "c"])


@pytest.mark.parametrize(
    ("real", "fake", "options", "words"),
    [
        (points, points[:, :2], {}, "real rows have 3 columns and the fake rows 2"),
        (
            points,
            pictures,
            {},
            r"real rows are points of shape \(3,\) and the fake rows are pictures of shape \(8, 8\)",
        ),
        (pictures, pictures[:, :4], {}, r"shape \(8, 8, 1\) and the fake ones \(4, 8, 1\)"),
        (pictures.astype(float), pictures, {}, "real pictures are of type float64; give 8-bit levels"),
        (points, points, {"names": ["a"]}, "1 names were given for 3 columns"),
        (points, points, {"categorical": [True]}, r"mask has shape \(1,\); 3 columns need \(3,\)"),
        (
            points,
            points,
            {"kind": "tabel"},
            "'tabel', did you mean 'table'. Allowed are points, table, pictures",
        ),
        (points, points, {"kind": "pictures"}, r"shape \(20, 3\); pictures have shape"),
        (pictures, pictures, {"kind": "points"}, r"shape \(20, 8, 8\); a points has rows"),
        (points[:0], points, {}, "There are no real rows"),
        (points, np.array(["a", "b"]), {}, "fake rows are of type <U1"),
        (points[:, :0], points[:, :0], {}, "The rows have no columns"),
        (points[:, :, None, None, None], points, {}, r"shape \(20, 3, 1, 1, 1\); the judge reads"),
        (pictures[:, :, :0], pictures[:, :, :0], {}, "no side of a picture may be empty"),
    ],
)
def test_refusals_name_what_was_given(real, fake, options, words):
    with pytest.raises(InputError, match=words):
        check(real, fake, **options)
