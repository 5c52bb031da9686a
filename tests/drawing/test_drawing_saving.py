import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from saddlepoint.drawing.pictures import sample_grid
from saddlepoint.drawing.points import decision_field
from saddlepoint.drawing.style import save, to_png
from saddlepoint.errors import InputError, StoredFileError


def chart():
    points = np.random.default_rng(0).normal(size=(40, 2))
    return decision_field(points, points + 1, logit=lambda x: x[:, 0], title="A title")


def test_the_same_input_gives_the_same_bytes_and_so_does_drawing_twice():
    figure = chart()
    first = to_png(figure)
    assert to_png(figure) == first
    assert to_png(chart()) == first


def test_the_users_matplotlib_settings_neither_leak_in_nor_out():
    plain = to_png(chart())
    theirs = {"font.size": 30.0, "axes.facecolor": "black", "savefig.bbox": "tight", "lines.linewidth": 9.0}
    with matplotlib.rc_context(theirs):
        before = dict(matplotlib.rcParams)
        assert to_png(chart()) == plain
        assert dict(matplotlib.rcParams) == before


def test_an_error_puts_the_users_settings_back():
    before = dict(matplotlib.rcParams)
    with pytest.raises(InputError):
        decision_field(np.zeros((3, 1)), np.zeros((3, 1)))
    assert dict(matplotlib.rcParams) == before


def test_pyplot_is_never_loaded():
    rooms = "pictures points figure1 curves style"
    code = "import sys\n" + "".join(f"import saddlepoint.drawing.{room}\n" for room in rooms.split())
    code += "print('matplotlib.pyplot' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_dpi_scales_the_picture_and_is_written_into_it():
    figure = sample_grid(np.zeros((1, 8, 8, 1), np.uint8))
    with (
        Image.open(io.BytesIO(to_png(figure))) as once,
        Image.open(io.BytesIO(to_png(figure, dpi=384))) as twice,
    ):
        assert twice.size == (2 * once.size[0], 2 * once.size[1])
        assert once.info["dpi"] == pytest.approx((192, 192), rel=1e-3)


def test_few_colours_make_a_smaller_file_of_the_same_size_in_dots():
    figure = chart()
    full, few = to_png(figure), to_png(figure, colours=64)
    with Image.open(io.BytesIO(full)) as one, Image.open(io.BytesIO(few)) as other:
        assert one.size == other.size
        assert one.info["dpi"] == pytest.approx(other.info["dpi"])
        assert len(other.convert("RGB").getcolors(1 << 24)) <= 64
    assert len(few) < len(full) / 2


@pytest.mark.parametrize("dpi", [0, 9, 1201, float("nan")])
def test_impossible_dpi_is_refused(dpi):
    with pytest.raises(InputError, match=f"dpi is {dpi}; .* between 10 and 1200"):
        to_png(chart(), dpi=dpi)


@pytest.mark.parametrize("colours", [1, 257])
def test_impossible_colours_are_refused(colours):
    with pytest.raises(InputError, match=f"colours is {colours}; .* between 2 and 256"):
        to_png(chart(), colours=colours)


def test_save_writes_what_to_png_returns_and_leaves_nothing_else(tmp_path):
    figure = chart()
    path = save(figure, tmp_path / "a.png")
    assert path.read_bytes() == to_png(figure)
    save(figure, path, dpi=50)
    assert path.read_bytes() == to_png(figure, dpi=50)
    assert list(tmp_path.iterdir()) == [path]


def test_save_refuses_another_suffix_and_says_why_it_cannot_write(tmp_path):
    with pytest.raises(InputError, match=r"a\.jpg'; its name must end in \.png"):
        save(chart(), tmp_path / "a.jpg")
    with pytest.raises(StoredFileError, match=r"nowhere/a\.png' cannot be written: No such file"):
        save(chart(), tmp_path / "nowhere" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(StoredFileError, match="cannot be written"):
        save(chart(), tmp_path / "folder.png")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]
