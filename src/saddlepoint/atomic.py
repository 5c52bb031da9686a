"""Writing files so that a crash at any moment leaves either the old content or the new content, complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from saddlepoint.errors import StoredFileError


@contextlib.contextmanager
def replacing(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Yield a temporary path beside each of `paths`; once all are written, flush them to the disk and rename them.

    Missing folders are created. After an error no temporary file is left, and the old files are unchanged.

    Raises:
        StoredFileError: the disk is full, or a folder cannot be written.
    """
    written = tuple(path.with_name(f".{path.name}.tmp") for path in paths)
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield written
        for temporary in written:
            _flush(temporary)
        for temporary, path in zip(written, paths, strict=True):
            os.replace(temporary, path)
        for folder in {path.parent for path in paths}:
            with contextlib.suppress(OSError):  # not every system can flush a folder
                _flush(folder)
    except OSError as error:
        raise StoredFileError(
            f"{' and '.join(map(str, paths))} cannot be written ({error.strerror or error}); what was there before is kept. "
            "Make room or choose another place; a run goes on with --resume."
        ) from error
    finally:
        for temporary in written:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write one file as `replacing` does. Raises StoredFileError as it does."""
    with replacing(path) as (temporary,):
        temporary.write_bytes(content)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
