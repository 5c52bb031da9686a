"""Samples by CTGAN or TVAE, generated in a separate environment, for `python -m benchmarks tables`.

    python -m venv peers && peers/bin/pip install torch ctgan
    peers/bin/python -m benchmarks.peer_samples ctgan TABLE.csv OUT.csv [--epochs 300] [--seed 0]

Writes OUT.csv, with as many rows as the table has, and OUT.json: CPU seconds and peak memory of the whole tree of processes
(the fit of the mixtures has its own workers), read from /proc every fifth of a second, and the CPU seconds of importing the
library. The table is given to the library as its own guide says: every column that is not numeric, or holds at most 10
different whole numbers, is declared discrete. Dates become seconds and are written as dates again. Missing words become the
word "(missing)" and missing numbers the column's mean, because CTGAN refuses them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"
PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("library", choices=("ctgan", "tvae"))
    arguments.add_argument("table", type=Path)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--epochs", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.inside:
        make(given.library, given.table, given.out, given.epochs, given.seed)
    else:
        watch(given)


def watch(given: argparse.Namespace) -> None:
    """Run the library in a child process and measure its whole tree of processes."""
    began = time.time()
    os.environ.update(OMP_NUM_THREADS="1", PYTHONUNBUFFERED="1")
    child = subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "--inside"])
    cpu: dict[int, float] = {}
    peak = 0
    while child.poll() is None:
        memory = 0
        for pid in tree(child.pid):
            found = read(pid)
            if found is not None:
                cpu[pid] = max(cpu.get(pid, 0.0), found[0])
                memory += found[1]
        peak = max(peak, memory)
        time.sleep(0.2)
    if child.returncode:
        sys.exit(child.returncode)
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    stored = json.loads(given.out.with_suffix(".json").read_text())
    stored |= {
        "library": f"{given.library} of ctgan {metadata.version('ctgan')}, torch {metadata.version('torch')}",
        "epochs": given.epochs,
        "seed": given.seed,
        "cpu_seconds": round(max(sum(cpu.values()), waited.ru_utime + waited.ru_stime), 1),
        "wall_seconds": round(time.time() - began, 1),
        "peak_memory_mb": round(peak / 2**20),
        "processes": len(cpu),
    }
    given.out.with_suffix(".json").write_text(json.dumps(stored, indent=1) + "\n")
    print(json.dumps(stored))


def tree(root: int) -> list[int]:
    """Return a process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found


def read(pid: int) -> tuple[float, int] | None:
    """Return CPU seconds and resident bytes of one process; None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / TICK, int(fields[21]) * PAGE


def is_few(cells) -> bool:
    return bool(cells.notna().all() and cells.nunique() <= 10 and (cells == cells.round()).all())


def make(library: str, source: Path, target: Path, epochs: int, seed: int) -> None:
    """Fit, sample and write, as a user of the library does."""
    import ctgan
    import numpy as np
    import pandas as pd
    import torch

    imported = time.process_time()
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    table = pd.read_csv(source)
    dates = [name for name in table.columns if table[name].dropna().astype(str).str.match(DATE).all()]
    for name in dates:
        table[name] = (pd.to_datetime(table[name]) - pd.Timestamp("1970-01-01")).dt.total_seconds()
    words = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    few = [name for name in table.columns if name not in words and is_few(table[name])]
    numbers = [name for name in table.columns if name not in words]
    filled = table.copy()
    filled[words] = filled[words].astype(object).where(filled[words].notna(), "(missing)")
    filled[numbers] = filled[numbers].fillna(filled[numbers].mean())
    model = {"ctgan": ctgan.CTGAN, "tvae": ctgan.TVAE}[library](epochs=epochs)
    if hasattr(model, "set_random_state"):
        model.set_random_state(seed)
    model.fit(filled, words + few)
    fitted = time.process_time()
    rows = model.sample(len(table))
    rows[words] = rows[words].where(rows[words] != "(missing)")
    for name in dates:
        rows[name] = pd.to_datetime(rows[name].round(), unit="s").dt.strftime("%Y-%m-%d %H:%M:%S")
    rows.to_csv(target, index=False)
    target.with_suffix(".json").write_text(
        json.dumps(
            {
                "rows": len(rows),
                "import_cpu_seconds": round(imported, 1),
                "main_fit_cpu_seconds": round(fitted - imported, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
