"""Write docs/images/digits.png from the run of `make demo`: samples beside their nearest training digits.

python -m docs.make_picture [RUN]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from saddlepoint.drawing.pictures import sample_grid
from saddlepoint.drawing.style import to_png
from saddlepoint.fitting import restore
from saddlepoint.runs.figures import nearest_rows
from saddlepoint.runs.folder import RunFolder
from saddlepoint.runs.sampling import load_model
from saddlepoint.runs.session import Source

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "digits.png"
ROWS, COLUMNS = 4, 6


def main(run: Path) -> None:
    """Draw samples of a run beside their nearest training pictures."""
    settings = RunFolder.open(run).settings()
    train = restore(Source(**settings["source"]).open()[0], settings).train
    samples, _ = load_model(run).draw(ROWS * COLUMNS, random_state=0)
    pair = [
        np.rint(rows * (255 / train.levels)).astype(np.uint8)
        for rows in (samples, nearest_rows(samples, train.rows))
    ]
    figure = sample_grid(pair[0], pair[1], columns=COLUMNS)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(to_png(figure, colours=32))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "runs" / "demo")
