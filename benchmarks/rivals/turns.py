"""How a rival is timed: it waits for numbers on stdin and answers each with the CPU seconds of so many rounds."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable


def take_turns(play: Callable[[int], None], **facts: object) -> None:
    """Play the rounds that are asked for, one JSON line each: seconds of CPU and of the clock, peak memory in MB.

    On a shared machine the clock tells how busy others are; CPU seconds of one thread do not.
    """
    print(json.dumps({"ready": True, **facts}), flush=True)
    for line in sys.stdin:
        began, cpu = time.perf_counter(), time.process_time()
        play(int(line))
        spent = {"cpu": time.process_time() - cpu, "clock": time.perf_counter() - began}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**spent, "peak_mb": peak}), flush=True)
