"""The idx files of MNIST: two zero bytes, type, number of axes, sizes (big-endian), values."""

from __future__ import annotations

import gzip
import math
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from saddlepoint.data.arrays import dataset_from_array
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.reading import foreign_bytes, refuse_too_large
from saddlepoint.errors import InputError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_NAME = re.compile(r"(\.idx|[.-]idx\d-ubyte|\.idx\d|-ubyte)(\.gz)?$", re.IGNORECASE)


def is_idx(path: Path) -> bool:
    """Return whether a file is an idx file by its name.

    >>> [is_idx(Path(name)) for name in ("train-images-idx3-ubyte.gz", "a.idx", "b.csv.gz")]
    [True, True, False]
    """
    return _NAME.search(path.name) is not None


def open_idx(path: Path, *, label: Any = None, group: Any = None, levels: int | None = None) -> Dataset:
    """Open an idx file; the labels are taken from the file beside it (images -> labels, idx3 -> idx1)."""
    notes: tuple[str, ...] = ()
    array = _read_idx(path)
    beside = _labels_beside(path)
    if label is None and beside is not None:
        label = _read_idx(beside)
        if label.ndim != 1:
            raise InputError(
                f"{beside} should hold the labels of {path.name}, one a row, but has shape {label.shape}."
            )
        notes = (f"labels were read from {beside.name}",)
    dataset = dataset_from_array(array, name=str(path), form="idx", labels=label, groups=group, levels=levels)
    return replace(dataset, name=_NAME.sub("", path.name), notes=dataset.notes + notes)


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def _read_idx(path: Path) -> npt.NDArray[Any]:
    with foreign_bytes(str(path), "an idx file"), _opened(path) as stream:
        head = stream.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or head[3] == 0:
            raise InputError(
                f"{path} is no idx file: it begins with {head.hex(' ')}, not 00 00, a type and "
                "the number of axes; write or fetch it again."
            )
        axes = stream.read(4 * head[3])
        if len(axes) < 4 * head[3]:
            raise InputError(f"{path} is truncated: it ends within its header; fetch it again.")
        shape = struct.unpack(f">{head[3]}I", axes)
        dtype = np.dtype(TYPES[head[2]])
        promised = math.prod(shape) * dtype.itemsize
        refuse_too_large(str(path), promised)
        # One byte more than promised tells a file that goes on from one that ends where it should.
        data = stream.read(promised + 1)
    if len(data) != promised:
        held = f"{len(data):,}" if len(data) < promised else "more"
        raise InputError(
            f"{path} is damaged: its header promises {promised:,} bytes (shape {shape}), it holds {held}; "
            "fetch it again."
        )
    return np.frombuffer(data, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _labels_beside(path: Path) -> Path | None:
    """Return the labels file that belongs to an images file, packed or not, if it lies beside it."""
    if "images" not in path.name:
        return None
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    plain = name.removesuffix(".gz")
    return next(
        (path.with_name(n) for n in (name, plain, plain + ".gz") if path.with_name(n).is_file()), None
    )
