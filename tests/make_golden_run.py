"""How tests/golden/run-1 was made, with version 0.1.0; it is kept, never made again: later versions must open it.

python tests/make_golden_run.py FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np

from saddlepoint.cli import app


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = np.random.default_rng(0).normal(size=(80, 2))
    np.savetxt(folder / "points.csv", rows, delimiter=",", header="x,y", comments="", fmt="%.4f")
    options = ["--rounds", "6", "--capacity", "small", "--quiet"]
    app(["train", str(folder / "points.csv"), *options, "--out", str(folder / "run")], standalone_mode=False)
    shutil.rmtree(folder / "run" / "pictures")
    (folder / "run" / "report.html").unlink()
    app(
        ["sample", str(folder / "run"), "-n", "5", "--seed", "0", "--out", str(folder / "samples.npy")],
        standalone_mode=False,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
