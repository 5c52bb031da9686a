"""Opens array files: .npy, .npz (the training array found by its name), and the idx files of MNIST.

Nothing is ever unpickled. An idx file is: two zero bytes, the type, the number of axes, their sizes (big-endian),
the values.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.opening.arrays import dataset_from_array
from saddlepoint.data.untrusted import decode_errors_as_input_error, refuse_bomb, refuse_too_large
from saddlepoint.errors import InputError, unknown

TRAINING_KEYS = ("train_images", "x_train", "train_x", "images", "train", "x", "data", "samples", "arr_0")
LABEL_KEYS = ("labels", "label", "y", "targets", "target", "classes")
_SIDES = ("train", "test", "val", "valid", "validation")


def open_npy(path: Path, *, label: Any = None, group: Any = None, levels: int | None = None) -> Dataset:
    """Open a .npy file as points or pictures; arguments as for `open_npz`."""
    dataset = dataset_from_array(
        read_npy(path), name=str(path), form="npy", labels=label, groups=group, levels=levels
    )
    return replace(dataset, name=path.stem)


def read_npy(path: Path) -> npt.NDArray[Any]:
    """Return the array of a .npy file. Raises InputError if it is damaged, or holds Python objects."""
    with decode_errors_as_input_error(str(path), "a .npy file"), path.open("rb") as stream:
        return _read_npy(stream, path.stat().st_size, str(path))


def open_npz(
    path: Path, *, key: str | None = None, label: Any = None, group: Any = None, levels: int | None = None
) -> Dataset:
    """Open the training array of an .npz file, and its labels if one of its arrays has a usual name for labels.

    Args:
        path: the file.
        key: the array to open; None: the only one, or the only one with a usual name (`TRAINING_KEYS`).
        label: key of the labels (or the labels themselves); None: the array with a usual name, if there is one.
        group: key of the groups (or the groups themselves).
        levels: largest grey level of pictures.
    """
    with npz_arrays(path) as (entries, read):
        keys = tuple(entries)
        chosen = _training_key(keys, path) if key is None else key
        array = read(chosen)
        if label is None:
            label = _label_key(chosen, keys, path)
        labels = read(label) if isinstance(label, str) else label
        groups = read(group) if isinstance(group, str) else group
    dataset = dataset_from_array(
        array, name=f"{path}:{chosen}", form="npz", labels=labels, groups=groups, levels=levels
    )
    return replace(dataset, name=path.stem)


@contextmanager
def npz_arrays(
    path: Path,
) -> Iterator[tuple[dict[str, zipfile.ZipInfo], Callable[[str], npt.NDArray[Any]]]]:
    """Yield the entries of an .npz file by key, and a function that reads the array of a key.

    Raises:
        InputError: the file is damaged, holds no arrays, would unpack to far too many bytes, or has no such key.
    """
    with decode_errors_as_input_error(str(path), "an .npz file"):
        archive = zipfile.ZipFile(path)
    with archive:
        entries = {
            info.filename.removesuffix(".npy"): info for info in archive.infolist() if not info.is_dir()
        }
        if not any(info.filename.endswith(".npy") for info in entries.values()):
            raise InputError(
                f"{path} holds no arrays; an .npz file is written by numpy.savez (pictures go in a .zip)."
            )
        refuse_bomb(str(path), sum(info.file_size for info in entries.values()), path.stat().st_size)

        def read(key: str) -> npt.NDArray[Any]:
            if key not in entries:
                raise unknown(f"{path} has no array", key, tuple(entries), "It holds")
            info = entries[key]
            refuse_too_large(f"{path}:{key}", info.file_size)
            with decode_errors_as_input_error(f"{path}:{key}", "an array"), archive.open(info) as stream:
                return _read_npy(stream, info.file_size, f"{path}:{key}")

        yield entries, read


def _read_npy(stream: IO[bytes], size: int, name: str) -> npt.NDArray[Any]:
    """Read one array; its header may declare at most the bytes that the stream of `size` bytes holds."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise InputError(
            f"{name} has a header of version {version}: it holds records; only numbers can be learnt."
        )
    if dtype.hasobject:
        raise InputError(
            f"{name} holds pickled Python objects, which are never loaded because they can run code; "
            "save it as an array of numbers: numpy.save(file, array.astype(float))."
        )
    declared = math.prod(shape) * dtype.itemsize
    available = size - stream.tell()
    if dtype.itemsize == 0 or declared > available:
        raise InputError(
            f"{name} is truncated: its header declares {declared:,} bytes (shape {shape}, {dtype}), "
            f"but it holds {available:,}; write or download it again."
        )
    refuse_too_large(name, declared)
    stream.seek(0)
    array: npt.NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _plain(key: str) -> str:
    return key.lower().replace("-", "_")


def _training_key(keys: tuple[str, ...], path: Path) -> str:
    """Return the array to learn from: the only one, the only one with a usual name, or the only one that is not excluded."""
    usual = [key for key in keys if _plain(key) in TRAINING_KEYS]
    named = [key for key in usual if _plain(key) != "arr_0"] or usual
    rest = [key for key in keys if not _is_excluded(key)]
    for candidates in (list(keys), named, rest):
        if len(candidates) == 1:
            return candidates[0]
    raise InputError(
        f"{path} holds several arrays ({', '.join(keys)}) and it is not clear which one to learn from; "
        f"name it: {path}:{(named or rest or list(keys))[0]}"
    )


def _is_excluded(key: str) -> bool:
    """Return whether an array holds labels or held-out data, judging by its key."""
    words = set(_plain(key).split("_"))
    return bool(words & (set(LABEL_KEYS) | set(_SIDES[1:]) | {"names"}))


def _label_key(chosen: str, keys: tuple[str, ...], path: Path) -> str | None:
    """Return the key of the labels that belong to the chosen array, by name; None if there is none."""
    side = next((word for word in _plain(chosen).split("_") if word in _SIDES), None)
    usual = [key for key in keys if key != chosen and _plain(key) in LABEL_KEYS]
    sided: list[str] = []
    for word in (side,) if side else ("train",):
        wanted = {f"{word}_{name}" for name in LABEL_KEYS} | {f"{name}_{word}" for name in LABEL_KEYS}
        sided = [key for key in keys if key != chosen and _plain(key) in wanted]
    if side not in (None, "train"):
        usual = []
    found = sided or usual
    if len(found) > 1:
        raise InputError(
            f"{path} holds several arrays that may be the labels of {chosen!r} ({', '.join(found)}); "
            f"name one with --label."
        )
    return found[0] if found else None


TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_NAME = re.compile(r"(\.idx|[.-]idx\d-ubyte|\.idx\d|-ubyte)(\.gz)?$", re.IGNORECASE)


def is_idx(path: Path) -> bool:
    """Return whether a file is an idx file, judging by its name.

    >>> [is_idx(Path(name)) for name in ("train-images-idx3-ubyte.gz", "a.idx", "b.csv.gz")]
    [True, True, False]
    """
    return _NAME.search(path.name) is not None


def open_idx(path: Path, *, label: Any = None, group: Any = None, levels: int | None = None) -> Dataset:
    """Open an idx file, with the labels from the file beside it (images -> labels, idx3 -> idx1)."""
    notes: tuple[str, ...] = ()
    array = _read_idx(path)
    beside = _labels_beside(path)
    if label is None and beside is not None:
        label = _read_idx(beside)
        if label.ndim != 1:
            raise InputError(
                f"{beside} should hold the labels of {path.name}, one for each row, but has shape {label.shape}."
            )
        notes = (f"labels were read from {beside.name}",)
    dataset = dataset_from_array(array, name=str(path), form="idx", labels=label, groups=group, levels=levels)
    return replace(dataset, name=_NAME.sub("", path.name), notes=dataset.notes + notes)


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def _read_idx(path: Path) -> npt.NDArray[Any]:
    with decode_errors_as_input_error(str(path), "an idx file"), _opened(path) as stream:
        head = stream.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or head[3] == 0:
            raise InputError(
                f"{path} is not an idx file: it begins with {head.hex(' ')}, not 00 00, a type and "
                "the number of axes; write or download it again."
            )
        axes = stream.read(4 * head[3])
        if len(axes) < 4 * head[3]:
            raise InputError(f"{path} is truncated: it ends within its header; download it again.")
        shape = struct.unpack(f">{head[3]}I", axes)
        dtype = np.dtype(TYPES[head[2]])
        declared = math.prod(shape) * dtype.itemsize
        refuse_too_large(str(path), declared)
        # Reading one byte more than declared finds a file that goes on after its values.
        data = stream.read(declared + 1)
    if len(data) != declared:
        available = f"{len(data):,}" if len(data) < declared else "more"
        raise InputError(
            f"{path} is damaged: its header declares {declared:,} bytes (shape {shape}), but it holds {available}; "
            "download it again."
        )
    return np.frombuffer(data, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _labels_beside(path: Path) -> Path | None:
    """Return the labels file of an images file, gzipped or not, if it is in the same folder."""
    if "images" not in path.name:
        return None
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    plain = name.removesuffix(".gz")
    return next(
        (path.with_name(n) for n in (name, plain, plain + ".gz") if path.with_name(n).is_file()), None
    )
