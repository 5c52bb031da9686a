"""The timing protocol of a rival: it reads numbers of rounds from stdin and answers each with their CPU seconds."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable


def take_turns(play: Callable[[int], None], **facts: object) -> None:
    """Play the requested numbers of rounds and print a JSON line for each: CPU seconds, wall seconds, peak memory in MB.

    On a shared machine wall time depends on other jobs; CPU seconds of one thread do not.

    play: plays a number of rounds.
    facts: what the first line reports.
    """
    print(json.dumps({"ready": True, **facts}), flush=True)
    for line in sys.stdin:
        began, cpu = time.perf_counter(), time.process_time()
        play(int(line))
        spent = {"cpu": time.process_time() - cpu, "clock": time.perf_counter() - began}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**spent, "peak_mb": peak}), flush=True)
