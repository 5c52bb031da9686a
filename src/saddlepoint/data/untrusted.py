"""Safe reading of untrusted files: decoder errors become one InputError, and sizes are limited."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from saddlepoint.errors import InputError

BOMB_BYTES = 2**30
BOMB_RATIO = 100
"""An archive that unpacks to more than `BOMB_BYTES` and to more than `BOMB_RATIO` times its own size is refused as a
decompression bomb."""


@contextmanager
def decode_errors_as_input_error(name: str, what: str) -> Iterator[None]:
    """Turn every error of a decoder into InputError, and ignore its warnings.

    Use it around calls of decoding libraries only. Damaged files make these raise almost any exception: zipfile alone
    raises BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, RuntimeError and OverflowError.

    name: what messages call the file.
    what: the expected format, such as "an .npz file".
    """
    with warnings.catch_warnings(), library_failures_as_input_error(name, what):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def library_failures_as_input_error(name: str, what: str) -> Iterator[None]:
    """As `decode_errors_as_input_error`, but without touching warnings, whose filters all threads share."""
    try:
        yield
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{name} does not fit into memory; the {what} may be damaged.") from None
    except PermissionError:
        raise InputError(
            f"{name} may not be read: permission denied; change its permissions or copy it."
        ) from None
    except Exception as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(
            f"{name} cannot be read as {what}: {reason}; the file is damaged or of another kind."
        ) from None


def refuse_bomb(name: str, unpacked: int, packed: int) -> None:
    """Raise InputError if an archive of `packed` bytes claims to unpack to far too many bytes (`unpacked`)."""
    if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * packed:
        raise InputError(
            f"{name} would unpack from {size_words(packed)} to {size_words(unpacked)}, which suggests a "
            f"decompression bomb (limit: {BOMB_RATIO} times its size beyond "
            f"{size_words(BOMB_BYTES)}); unpack it yourself."
        )


def refuse_too_large(name: str, needed: int) -> None:
    """Raise InputError if `needed` bytes exceed this machine's memory."""
    memory = physical_memory()
    if needed > memory:
        raise InputError(
            f"{name} needs {size_words(needed)} of memory, this machine has {size_words(memory)}; "
            "give fewer or smaller rows (or the file is damaged)."
        )


def physical_memory() -> int:
    """Return this machine's memory in bytes; 16 GiB if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 16 * 2**30


def size_words(size: int) -> str:
    """Return a number of bytes as text: "3.2 GB"."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.0f} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"
