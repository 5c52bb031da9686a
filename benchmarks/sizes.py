"""Time and memory by the number of rows and columns: the default recipe on points.

python -m benchmarks.sizes   ->   benchmarks/results/sizes.json

Each size is measured in a separate process, so that its peak memory is its own. Rows are from a mixture of 10 Gaussians in d
columns (`point_sets`, spread 3); the splits hold a part of them out from training. For each size: CPU seconds to prepare
(splits and mixture), to encode and build, and of one round (the mean of 60); the rounds that the recipe plans; the peak memory
above that of the libraries and the rows themselves. The cost of a whole game is the product; it is not played here.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROWS, COLUMNS = (1_000, 10_000, 100_000, 1_000_000), (1, 2, 5, 10, 20, 50, 100, 200)
SIZES = (
    [(rows, 2) for rows in ROWS] + [(rows, 20) for rows in ROWS] + [(20_000, columns) for columns in COLUMNS]
)
WARM, TIMED, PART = 10, 60, 1_000
OUT = Path(__file__).parent / "results" / "sizes.json"


def one(rows: int, columns: int) -> dict[str, Any]:
    """Return the costs of one size, measured in this process."""
    import numpy as np
    from benchmarks.suites.point_sets import normals

    from saddlepoint.data.opening import open_source
    from saddlepoint.fitting import FitOptions, Played, prepare

    draw, random = normals(columns, 10, 3.0), np.random.default_rng(0)
    data = np.empty((rows, columns))
    for part in range(0, rows, PART):  # in parts, so that drawing does not determine the peak memory
        data[part : part + PART] = draw(min(PART, rows - part), random)
    before = _megabytes()
    began = time.process_time()
    preparation = prepare(open_source(data, name="sizes"), FitOptions(seed=0))
    prepared = time.process_time()
    fit = preparation.fit(strip=False)
    fit.selection = None
    encoded = time.process_time()
    played = [
        time.process_time() for event in fit.play(until_round=WARM + TIMED) if isinstance(event, Played)
    ]
    settings = preparation.plan.settings
    return {
        "rows": rows,
        "columns": columns,
        "components": getattr(preparation.encoder, "components", 0),
        "prepare_seconds": round(prepared - began, 2),
        "encode_seconds": round(encoded - prepared, 2),
        "round_milliseconds": round(1000 * (played[-1] - played[WARM - 1]) / TIMED, 2),
        "rounds_planned": settings.horizon,
        "megabytes_of_rows": round(data.nbytes / 2**20, 1),
        "megabytes_more": round(_megabytes() - before),
    }


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure every size that is not yet in the file."""
    found: list[dict[str, Any]] = json.loads(OUT.read_text())["sizes"] if OUT.is_file() else []
    for size in dict.fromkeys(SIZES):
        if size in {(each["rows"], each["columns"]) for each in found}:
            continue
        command = [sys.executable, "-m", "benchmarks.sizes", *map(str, size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
        found.append(json.loads(done.stdout))
        OUT.write_text(json.dumps({"sizes": found}, indent=1) + "\n")
        print(found[-1], flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(one(int(sys.argv[1]), int(sys.argv[2]))))
    else:
        main()
