"""One thread for the referees: their problems are small, and threads that wait for each other cost more.

Measured on two cores that others used too: 10,000 against 10,000 rows in 10-D took 130 s on two threads and 9 s
on one, because every short parallel loop of the trees waits for the slower core. Nor does a verdict then hang on
the number of threads.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS, OpenMP and (where loaded) torch to one thread; what was set before returns afterwards."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else 0
    with threadpool_limits(limits=1):
        if torch is not None:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(before)
