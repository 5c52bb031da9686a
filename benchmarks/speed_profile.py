"""Profile of a compiled round: python -m benchmarks.speed_profile [ad]

Writes "profile" into benchmarks/results/speed.json: shares of the profiler's CPU time of 200 rounds, by kind of operation.
"""

from __future__ import annotations

import json
import sys

import torch
from benchmarks.rivals import ours
from benchmarks.speed import RESULTS
from torch.profiler import ProfilerActivity, profile

from saddlepoint import compute

KINDS = {
    "matrix products": ("_mm_out", "_addmm_out", "aten::mm", "aten::addmm", "convolution"),
    "fused kernels (all that is no product, both optimisers)": ("cpp_fused",),
    "biases copied for their products": ("aten::copy_", "aten::expand"),
    "drawing rows and noise": (
        "aten::rand",
        "aten::index",
        "aten::normal_",
        "aten::random_",
        "aten::uniform_",
    ),
}


def shares(name: str, count: int = 200) -> dict[str, float]:
    """Return the share of each kind of operation in the time of a game's rounds; the rest is overhead."""
    compiler = torch._inductor.compile

    def named(graph: torch.fx.GraphModule, given: list[object], options: dict[str, object]) -> object:
        return compiler(graph, given, options={**options, "cpp.enable_kernel_profile": True})

    torch._inductor.compile = named
    play = ours.begin(name, "compiled")
    torch._inductor.compile = compiler
    play(count)
    with profile(activities=[ProfilerActivity.CPU]) as found:
        play(count)
    spent = {each.key: each.self_cpu_time_total for each in found.key_averages()}
    whole = sum(spent.values())
    of = {
        kind: sum(value for key, value in spent.items() if any(part in key for part in parts)) / whole
        for kind, parts in KINDS.items()
    }
    of["calling: Python, wrappers, allocation"] = 1.0 - sum(of.values())
    return {kind: round(share, 3) for kind, share in of.items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    compute.keep_freed_memory()
    games = sys.argv[1] if len(sys.argv) > 1 else "ad"
    measured = {name: shares(name) for name in games}
    results = json.loads(RESULTS.read_text())
    results["profile"] = measured
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(measured, indent=1))
