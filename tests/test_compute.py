"""Threads: as many as a round can feed, never more than torch was told to use."""

from __future__ import annotations

import os

import torch

from saddlepoint import compute


def test_threads_are_never_more_than_torch_may_use() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert compute.choose_threads(1e15) == 1
        torch.set_num_threads(cores)
        assert compute.choose_threads(1e15) == cores
        assert compute.choose_threads(1.0) == 1
    finally:
        torch.set_num_threads(before)
