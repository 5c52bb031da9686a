"""What a ruler showed on some rows is kept, for it shows the same again: a second run on the same data reads it.

In the folder rulers of $SADDLEPOINT_CACHE, else of $XDG_CACHE_HOME/saddlepoint, else of ~/.cache/saddlepoint: a JSON file of
numbers for each ruler, named by a checksum of all that it depends on (rows in coordinates, masses, level, seed, version), never
a row. Where nothing can be written or read, the ruler is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saddlepoint.errors import StoredFileError
from saddlepoint.judging.ruler import Mark
from saddlepoint.training.checkpoint import write_atomically
from saddlepoint.version import __version__


def cache_folder() -> Path:
    """Return where rulers are kept; it need not exist."""
    if given := os.environ.get("SADDLEPOINT_CACHE"):
        return Path(given) / "rulers"
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "saddlepoint" / "rulers"


def remembered(
    arrays: Sequence[NDArray[Any]], numbers: dict[str, Any], make: Callable[[], list[Mark]]
) -> list[Mark]:
    """Return the marks that were made of these very arrays and numbers before, or make them, and keep them."""
    digest = hashlib.sha256(json.dumps({"version": __version__, **numbers}, sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    path = cache_folder() / f"{digest.hexdigest()}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return [Mark(**mark) for mark in json.loads(path.read_text())]
    marks = make()
    with contextlib.suppress(OSError, StoredFileError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps([mark.to_dict() for mark in marks]).encode())
    return marks
