"""What cannot be judged is refused in a sentence that names it."""

import numpy as np
import pytest

from saddlepoint.errors import InputError
from saddlepoint.judging.samples import check

points = np.random.default_rng(0).random((20, 3))
pictures = np.zeros((20, 8, 8), dtype=np.uint8)


def test_kinds_are_told_by_the_arrays():
    assert check(points, points).kind == "points"
    assert check(points, points, categorical=[True, False, False]).kind == "tables"
    assert check(points, points, kind="tables").kind == "tables"
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
    assert check(holed, points, kind="tables").kind == "tables"
    with pytest.raises(InputError, match=r"1 values of the real rows .* row 4, column x2"):
        check(holed, points)
    holed[7, 2] = -np.inf
    with pytest.raises(InputError, match=r"1 values of the fake rows .* row 7, column c\. "):
        check(points, holed, kind="tables", names=["a", "b", "c"])


@pytest.mark.parametrize(
    ("real", "fake", "options", "words"),
    [
        (points, points[:, :2], {}, "real rows have 3 columns and the fake rows 2"),
        (
            points,
            pictures,
            {},
            r"real rows are of kind points \(shape \(3,\)\) and the fake rows of kind pictures \(shape \(8, 8\)\)",
        ),
        (pictures, pictures[:, :4], {}, r"shape \(8, 8, 1\) and the fake ones \(4, 8, 1\)"),
        (pictures.astype(float), pictures, {}, "real pictures are of type float64; give 8-bit levels"),
        (points, points, {"names": ["a"]}, "1 names were given for 3 columns"),
        (points, points, {"categorical": [True]}, r"mask has shape \(1,\); 3 columns need \(3,\)"),
        (
            points,
            points,
            {"kind": "tabel"},
            "'tabel', did you mean 'tables'. Allowed are points, tables, pictures",
        ),
        (points, points, {"kind": "pictures"}, r"shape \(20, 3\); pictures have shape"),
        (pictures, pictures, {"kind": "points"}, r"shape \(20, 8, 8\); rows of kind points have shape"),
        (points[:0], points, {}, "There are no real rows"),
        (points, np.array(["a", "b"]), {}, "fake rows are of type <U1"),
        (points[:, :0], points[:, :0], {}, "The rows have no columns"),
        (points[:, :, None, None, None], points, {}, r"shape \(20, 3, 1, 1, 1\); give rows of numbers"),
        (pictures[:, :, :0], pictures[:, :, :0], {}, "height, width and channels must be at least 1"),
    ],
)
def test_refusals_name_what_was_given(real, fake, options, words):
    with pytest.raises(InputError, match=words):
        check(real, fake, **options)
