"""Times of `--quick` for the paper's five commands: python -m benchmarks.paper_quick MNIST.npz CIFAR10.npz [NAME ...]

Each is run once, as a user would, in an empty folder. paper/results/quick.json stores CPU and wall seconds (start of Python
included), the machine's load, and whether the results are marked as a quick version. Stored commands are not run again.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from saddlepoint.paper.results import Results

OUT = Path(__file__).resolve().parents[1] / "paper" / "results"
COMMANDS = {
    "theory": ("theory", ""),
    "figure1": ("figure1", ""),
    "figure2": ("figure2", "--mnist {mnist} --runs {runs}"),
    "figure2, CIFAR-10, convolutional": ("figure2", "--data cifar10-conv --cifar10 {cifar10} --runs {runs}"),
    "figure3": ("figure3", "--mnist {mnist} --runs {runs}"),
    "table1": ("table1", "--mnist {mnist} --runs {runs}"),
}


def spent() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(verb: str, options: str, mnist: Path, cifar10: Path) -> dict[str, object]:
    """Run one command in an empty folder and return its times."""
    with tempfile.TemporaryDirectory() as folder:
        given = options.format(mnist=mnist, cifar10=cifar10, runs=f"{folder}/runs")
        line = ["saddlepoint", "paper", verb, "--quick", *given.split(), "--out", f"{folder}/out"]
        cpu, wall = spent(), time.monotonic()
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
        taken = {"cpu_seconds": round(spent() - cpu, 1), "wall_seconds": round(time.monotonic() - wall, 1)}
        written = list(Path(folder, "out").glob("*.json"))
        marked = bool(written) and all(path.stem.endswith("-quick") for path in written)
    command = " ".join(
        ["saddlepoint", "paper", verb, "--quick", *options.replace(" --runs {runs}", "").split()]
    )
    command = command.replace("{mnist}", mnist.name).replace("{cifar10}", cifar10.name)
    return {"command": command, **taken, "load": round(os.getloadavg()[0], 1), "says_quick": marked}


def main() -> None:
    """Measure the commands that are not yet stored."""
    mnist, cifar10 = (Path(each).resolve() for each in sys.argv[1:3])
    results = Results(OUT)
    for name, (verb, options) in COMMANDS.items():
        chosen = sys.argv[3:]
        if name in results.read("quick").get("rows", {}) or (chosen and name not in chosen):
            continue
        found = measure(verb, options, mnist, cifar10)
        print(name, found, flush=True)
        with results.changing("quick") as content:
            content.setdefault("rows", {})[name] = found


if __name__ == "__main__":
    main()
