"""Start-up time: `--help` compared with the bare command-line library, import, and time to the first round.

python -m benchmarks.startup   ->   benchmarks/results/startup.json   (wall seconds, medians of interleaved runs, with range)
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = (
    "import typer\napp = typer.Typer()\n"
    "@app.command()\ndef one(x: str): ...\n@app.command()\ndef two(x: str): ...\napp()"
)
COMMANDS = {
    "python, nothing": ["-c", "pass"],
    "bare typer --help": ["-c", BARE, "--help"],
    "saddlepoint --help": ["-m", "saddlepoint", "--help"],
    "import saddlepoint": ["-c", "import saddlepoint"],
    "import torch": ["-c", "import torch"],
    "train digits --rounds 1": [
        "-m",
        "saddlepoint",
        "train",
        "digits",
        "--rounds",
        "1",
        "--restart",
        "--quiet",
    ],
}


def main(repeats: int = 7) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            for name, arguments in COMMANDS.items():
                began = time.perf_counter()
                subprocess.run(
                    [sys.executable, *arguments], cwd=folder, check=True, capture_output=True, env=os.environ
                )
                seconds[name].append(time.perf_counter() - began)
    rows = {
        name: {
            "median": round(statistics.median(values), 3),
            "least": round(min(values), 3),
            "most": round(max(values), 3),
        }
        for name, values in seconds.items()
    }
    beyond = statistics.median(
        a - b for a, b in zip(seconds["saddlepoint --help"], seconds["bare typer --help"], strict=True)
    )
    results = {"repeats": repeats, "seconds": rows, "--help beyond the bare library": round(beyond, 3)}
    (Path(__file__).parent / "results" / "startup.json").write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
