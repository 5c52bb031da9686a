"""The report of every kind of run: its figures are drawn into the folder, and the page holds each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saddlepoint.fitting import FitOptions
from saddlepoint.runs.report import write_report
from saddlepoint.runs.session import Session, Source

pytestmark = pytest.mark.usefixtures("quick_looks")

RNG = np.random.default_rng(0)
NOISY = RNG.integers(0, 256, size=(60, 20, 18), dtype=np.uint8)
CASES = {
    "one column": (RNG.normal(size=(80, 1)), {}, {"figure1", "curves"}),
    "two columns, with checks": (
        RNG.normal(size=(600, 2)),
        {"until": "budget"},
        {"field", "lines", "checks", "curves"},
    ),
    "four columns": (RNG.normal(size=(80, 4)), {}, {"pairs", "curves"}),
    "pictures": (NOISY, {}, {"samples", "strip", "interpolation", "curves"}),
    "pictures with classes": ("digits", {}, {"samples", "strip", "interpolation", "curves"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_report_has_the_figures_of_its_kind(name: str, tmp_path: Path) -> None:
    rows, options, figures = CASES[name]
    data, label = "digits", "class"
    if not isinstance(rows, str):
        data, label = str(tmp_path / "rows.npy"), None
        np.save(data, rows)
    session = Session.start(
        tmp_path / "run",
        Source(data=data, label=label),
        FitOptions(rounds=2, capacity="small", conditional=label is not None, **options),
    )
    for _ in session.play():
        pass
    session.close()
    page = write_report(tmp_path / "run", preparation=session.preparation).read_text()
    drawn = {path.stem for path in (tmp_path / "run" / "pictures").glob("*.png")}
    assert drawn == figures
    assert page.count("data:image/png;base64,") == len(figures)
    for each in figures:
        with Image.open(tmp_path / "run" / "pictures" / f"{each}.png") as picture:
            assert len(picture.convert("L").getcolors(1000)) > 5  # something is drawn
    assert ("power in the top octave" in page) is (name == "pictures")
