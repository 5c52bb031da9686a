"""Which functions of the package does one column enter, from a CSV file to G's gradient and to the file of samples?

python -m benchmarks.column_walk [--list]

A CSV of one numeric column is trained on for one round and sampled by the command line, under `sys.setprofile`. Counted
are the package's own functions that were entered (each once; comprehensions and the report's drawing are left out).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import saddlepoint
from saddlepoint.cli import app

PACKAGE = Path(saddlepoint.__file__).parent
_LEFT_OUT = ("drawing", "runs/report", "runs/table_report", "runs/portrait", "runs/table_portrait", "runs/figures",
             "runs/page", "runs/html_page", "runs/card", "runs/verdict_page", "judging")  # fmt: skip


class Walk:
    """The functions entered, in the order of the first time, and how often."""

    def __init__(self) -> None:
        self.entered: Counter[str] = Counter()

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Count a call of one of our functions."""
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(str(PACKAGE)):
            return
        place = str(Path(code.co_filename).relative_to(PACKAGE).with_suffix(""))
        if code.co_name.startswith("<") or place.startswith(_LEFT_OUT):
            return
        self.entered[f"{place}:{code.co_qualname}"] += 1


def main() -> None:
    """Walk, and print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="print each function with its number of calls")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = np.random.default_rng(0).gamma(2.0, 30.0, 400)
        lines = [("" if number % 9 == 0 else f"{value:.2f}") for number, value in enumerate(rows)]
        file = Path(folder) / "column.csv"
        file.write_text("amount\n" + "\n".join(f'"{line}"' for line in lines) + "\n")
        run, target = str(Path(folder) / "run"), str(Path(folder) / "samples.csv")
        walk = Walk()
        sys.setprofile(walk)
        try:
            app(
                ["train", str(file), "--rounds", "1", "--compile", "off", "--quiet", "--out", run],
                standalone_mode=False,
            )
            app(["sample", run, "-n", "10", "--seed", "0", "--out", target], standalone_mode=False)
        finally:
            sys.setprofile(None)
    if given.list:
        for name, calls in walk.entered.items():
            print(f"{calls:8,} {name}")
    print(f"{len(walk.entered)} functions entered, {walk.entered.total():,} calls")


if __name__ == "__main__":
    main()
