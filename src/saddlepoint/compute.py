"""Random streams, devices, precision, threads and the process group.

Randomness is a function, not a state: every draw is keyed by (seed, purpose, index), where the index is mostly a round. So
the numbers of a round depend neither on how the run got there nor on the number of ranks, and a resumed run needs no stored
generator. Draws are made on the CPU in float32 for the whole global batch and then moved, so that every device and every
precision gets the same noise.

Classifiers of the test run on one thread (`one_thread`), because their problems are small and threads that wait for each
other cost more: on two cores that others used too, 10,000 against 10,000 rows in 10-D took 130 s on two threads and 9 s on
one, because every short parallel loop of the trees waits for the slower core. This also makes a verdict independent of the
number of threads.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from saddlepoint.errors import InputError, nearest

PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bf16": torch.bfloat16,
    "float64": torch.float64,
}
NoiseDistribution = Literal["normal", "uniform"]
NOISE_DISTRIBUTIONS: tuple[NoiseDistribution, ...] = ("normal", "uniform")

_MULTIPLY_ADDS_A_THREAD = 1e9
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def derived_seed(seed: int, purpose: str, index: int = 0) -> int:
    """Return the 63-bit seed of the random stream (seed, purpose, index).

    >>> derived_seed(0, "noise", 7) == derived_seed(0, "noise", 7), derived_seed(0, "noise", 7) == derived_seed(0, "rows", 7)
    (True, False)
    """
    text = f"{seed}/{purpose}/{index}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def random_generator(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """Return a torch generator for the random stream (seed, purpose, index); always on the CPU."""
    return torch.Generator().manual_seed(derived_seed(seed, purpose, index))


def numpy_generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return a numpy generator for the random stream (seed, purpose, index)."""
    return np.random.default_rng(derived_seed(seed, purpose, index))


def fresh_seed() -> int:
    """Return a random seed from the operating system, for draws that need not be repeatable."""
    return int.from_bytes(os.urandom(6), "little")


def noise(distribution: NoiseDistribution, rows: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw z of shape (rows, width) with mean 0 and variance 1, float32.

    "normal" is N(0, I); "uniform" is uniform on (-sqrt 3, sqrt 3), the p_z of the paper's MNIST networks.
    """
    if distribution == "uniform":
        return torch.rand(rows, width, generator=generator).mul_(2.0).sub_(1.0).mul_(3.0**0.5)
    return torch.randn(rows, width, generator=generator)


def all_finite(values: Tensor) -> bool:
    """Return whether no number is NaN or infinite; their sum is checked first, which is cheap and nearly always enough."""
    return math.isfinite(values.sum().item()) or bool(values.isfinite().all())


def choose_device(name: str | None = None) -> torch.device:
    """Return the device to use: the named one, else this rank's GPU where there is one, else the CPU.

    Raises:
        InputError: the named device does not exist on this machine.
    """
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
        return torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"The device {name!r} cannot be used here; allowed are 'cpu' and the devices that torch finds "
            f"({torch.cuda.device_count()} CUDA devices): choose one of them or leave the device out."
        ) from error
    return device


def choose_precision(name: str) -> torch.dtype:
    """Return torch's dtype for "float32", "bf16" or "float64".

    Raises:
        InputError: any other name.
    """
    if name not in PRECISIONS:
        allowed = ", ".join(PRECISIONS)
        raise InputError(
            f"Unknown precision {name!r}{nearest(name, tuple(PRECISIONS)) or '.'} Allowed are {allowed}."
        )
    return PRECISIONS[name]


def choose_threads(multiply_adds: float) -> int:
    """Return the number of threads for rounds of this many multiply-adds.

    Two threads on a small network are slower than one, and on a busy machine many times slower; so each thread should get
    about 1 G multiply-adds a round. The number never exceeds what torch may use (OMP_NUM_THREADS, torch.set_num_threads),
    because these limits take other users of the cores into account.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(available, torch.get_num_threads(), int(multiply_adds / _MULTIPLY_ADDS_A_THREAD)))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Set torch's number of threads inside the block, and restore it afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def keep_freed_memory() -> None:
    """Let this process keep up to 256 MB of freed memory (glibc only; no effect elsewhere).

    A round allocates and frees the same few megabytes again and again. If they went back to the system each time, every
    4 KiB would cost a page fault: 5 to 10 % of the time of a small game's round.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_THRESHOLD, 2**25)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**28)
    except (OSError, AttributeError):
        return


def started_by_torchrun() -> bool:
    """Return whether this process is one of several that torchrun (or `--processes`) started."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def join_process_group(device: torch.device) -> None:
    """Join torchrun's process group: NCCL between GPUs, gloo otherwise."""
    if not torch.distributed.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(device)
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(leave_process_group)


def leave_process_group() -> None:
    """Leave the process group, if there is one.

    A thread of gloo may still hold the tensors of the last collective. It needs the interpreter's lock to let go of them,
    and a process that ends before it had the lock is aborted (seen in one of three ends on a busy machine, torch 2.13).
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
        time.sleep(0.2)


def rank_and_count() -> tuple[int, int]:
    """Return this process's rank and the number of ranks; (0, 1) for a single process."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def to_channels_last(module: nn.Module) -> nn.Module:
    """Change a network's convolutions to channels-last memory format, in place: it is faster on CPUs and GPUs."""
    if has_conv_weights(module):
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def has_conv_weights(module: nn.Module) -> bool:
    """Return whether a network has convolution weights, which have four dimensions."""
    return any(parameter.dim() == 4 for parameter in module.parameters())


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS, OpenMP and (where loaded) torch to one thread inside the block, and restore the limits afterwards."""
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
