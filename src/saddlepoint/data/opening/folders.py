"""Image folders and .zip archives: pictures as one uint8 array, with sub-folders as classes.

Nothing is unpacked to disk. Files that cannot be decoded are left out, and the notes give their number and names. If more
than 5 % of the pictures fail, the whole source is refused, because something else must be wrong. Decoding uses one thread
per core, at most 16.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.opening.arrays import FEWEST_ROWS, one_per_row
from saddlepoint.data.pictures import (
    SUFFIXES,
    DecodeNotes,
    TargetSize,
    common_channels,
    read_picture,
    warnings_by_thread,
    with_channels,
)
from saddlepoint.data.untrusted import (
    decode_errors_as_input_error,
    library_failures_as_input_error,
    refuse_bomb,
    refuse_too_large,
)
from saddlepoint.errors import InputError

MOST_BROKEN = 0.05
"""The largest share of pictures that may be left out because they cannot be decoded."""

_CHUNK, _MOST_THREADS, _MOST_NAMES = 256, 16, 12

Opener = Callable[[], Path | IO[bytes]]


def open_folder(
    path: Path, *, label: Any = None, group: Any = None, target_size: TargetSize | None = None
) -> Dataset:
    """Open a folder of pictures and its sub-folders; hidden files are ignored.

    path: the folder.
    label: the class of each picture, in the order of the file names; None: the sub-folders.
    group: the group of each picture.
    target_size: size to bring the pictures to; None: they must all have one size.
    """

    def stop(error: OSError) -> None:
        raise InputError(
            f"{error.filename} may not be read ({error.strerror}); change its permissions or copy it."
        )

    entries: dict[str, Path] = {}
    others: list[str] = []
    for parent, folders, names in os.walk(path, onerror=stop):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            file = Path(parent) / name
            name_inside = file.relative_to(path).as_posix()
            if not name.startswith("."):
                if file.suffix.lower() in SUFFIXES:
                    entries[name_inside] = file
                else:
                    others.append(name_inside)
    opened: list[tuple[str, Opener]] = [(name, _as_path(entries[name])) for name in sorted(entries)]
    return _dataset(opened, others, str(path), path.resolve().name, "folder", label, group, target_size)


def _as_path(file: Path) -> Opener:
    return lambda: file


def open_zip(
    path: Path, *, label: Any = None, group: Any = None, target_size: TargetSize | None = None
) -> Dataset:
    """Open a .zip of pictures; arguments as for `open_folder`. Names inside give classes only, never paths on disk."""
    with decode_errors_as_input_error(str(path), "a .zip file"):
        archive = zipfile.ZipFile(path)
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir() and _is_visible(info.filename)]
        pictures = [info for info in infos if PurePosixPath(info.filename).suffix.lower() in SUFFIXES]
        others = [info.filename for info in infos if info not in pictures]
        if not pictures and others and all(name.endswith(".npy") for name in others):
            raise InputError(
                f"{path} holds arrays ({', '.join(others[:3])}), not pictures; rename it to .npz."
            )
        refuse_bomb(str(path), sum(info.file_size for info in pictures), path.stat().st_size)

        def opener(info: zipfile.ZipInfo) -> Opener:
            def read() -> IO[bytes]:
                with library_failures_as_input_error(f"{path}:{info.filename}", "an entry of a .zip file"):
                    return io.BytesIO(archive.read(info))

            return read

        pictures.sort(key=lambda info: info.filename)
        entries = [(_safe_name(info.filename), opener(info)) for info in pictures]
        return _dataset(entries, others, str(path), path.stem, "zip", label, group, target_size)


def _safe_name(name: str) -> str:
    """Return a name within an archive without parts such as ".."; it only gives the class of a picture."""
    return "/".join(
        part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("..", "/", ".")
    )


def _is_visible(name: str) -> bool:
    parts = _safe_name(name).split("/")
    return bool(parts[-1]) and "__MACOSX" not in parts and not any(part.startswith(".") for part in parts)


def _dataset(
    entries: Sequence[tuple[str, Opener]],
    others: Sequence[str],
    path: str,
    name: str,
    form: str,
    label: Any,
    group: Any,
    target_size: TargetSize | None,
) -> Dataset:
    if not entries:
        arrays = [
            other
            for other in sorted(others, reverse=True)
            if other.endswith((".npy", ".npz", ".csv", ".parquet", "ubyte", ".gz"))
        ]
        hint = f" (it has {arrays[0]}: give that file)" if arrays else ""
        raise InputError(f"{path} holds no pictures{hint}; allowed are {', '.join(SUFFIXES)}.")
    if len(entries) < 2:
        raise InputError(f"{path} holds one picture; {FEWEST_ROWS}.")
    notes = []
    if others:
        what = "file that is not a picture was" if len(others) == 1 else "files that are not pictures were"
        notes.append(f"{len(others):,} {what} left out (such as {others[0]})")
    labels = one_per_row(label, len(entries), path, "labels")
    groups = one_per_row(group, len(entries), path, "groups")
    rows, used, broken = _decode_all(entries, path, notes, target_size)
    entries = [entries[index] for index in used]
    labels = _classes([name_inside for name_inside, _ in entries], notes) if labels is None else labels[used]
    _, height, width, channels = rows.shape
    return Dataset(
        name=name,
        kind="pictures",
        rows=rows,
        labels=labels,
        groups=None if groups is None else groups[used],
        form=form,
        shape=(height, width) if channels == 1 else (height, width, channels),
        dtype="uint8",
        notes=tuple(notes),
        left_out=tuple(broken),
    )


def _classes(names: Sequence[str], notes: list[str]) -> npt.NDArray[Any] | None:
    """Return the first sub-folder in which the paths of the pictures differ, (n,); None if there is none."""
    folders = [name.split("/")[:-1] for name in names]
    levels = zip(*folders)  # as many levels as the shallowest path has
    common = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
    below = [parts[common:] for parts in folders]
    if not all(below):
        if any(below):
            notes.append("pictures are both in the folder and in sub-folders, so no classes were read")
        return None
    return np.array([parts[0] for parts in below])


def _decode_all(
    entries: Sequence[tuple[str, Opener]], path: str, notes: list[str], target_size: TargetSize | None
) -> tuple[npt.NDArray[np.uint8], list[int], list[tuple[str, str]]]:
    """Return the decoded pictures (n, H, W, C), the indices of their entries, and (name, error) of each entry left out.

    Needs memory for that array and one chunk of pictures.
    """
    rows = np.empty((0, 0, 0, 1), dtype=np.uint8)
    first, mixed = "", False
    decode_notes, used = DecodeNotes(), list[int]()
    broken: list[tuple[str, str]] = []
    most_broken = int(MOST_BROKEN * len(entries))
    for index, (name_inside, _) in enumerate(entries):
        if index % _CHUNK == 0:
            chunk = _decoded(entries[index : index + _CHUNK], path, target_size)
        picture, picture_notes = chunk[index % _CHUNK]
        if isinstance(picture, InputError):
            broken.append((name_inside, str(picture)))
            if len(broken) > most_broken:
                raise InputError(_too_broken(broken, index + 1, len(entries)))
            continue
        decode_notes.add(picture_notes)
        height, width, channels = picture.shape
        if not used:
            first = name_inside
            refuse_too_large(path, len(entries) * picture.size)
            rows = np.empty((len(entries), *picture.shape), dtype=np.uint8)
        elif (height, width) != rows.shape[1:3]:
            raise InputError(
                f"pictures in {path} differ in size: {first!r} is {rows.shape[2]} wide x "
                f"{rows.shape[1]} high, {name_inside!r} is {width} x {height}; give one size: --resolution "
                f"{rows.shape[2]}x{rows.shape[1]} (resolution=) crops or pads them."
            )
        place = len(used)
        if channels != rows.shape[3]:
            mixed = True
            wanted = common_channels(channels, rows.shape[3])
            if wanted != rows.shape[3]:
                refuse_too_large(path, len(entries) * height * width * (wanted + rows.shape[3]))
                wider = np.empty((len(entries), height, width, wanted), dtype=np.uint8)
                wider[:place] = with_channels(rows[:place], wanted)
                rows = wider
        rows[place] = with_channels(picture, rows.shape[3])
        used.append(index)
    if mixed:
        notes.append(f"grey and colour pictures are mixed: all were converted to {rows.shape[3]} channels")
    if target_size is not None and decode_notes.resized:
        notes.append(target_size.describe(decode_notes.resized))
    if decode_notes.deep:
        deep = decode_notes.deep
        what = "1 picture of 16 bits was" if deep == 1 else f"{deep:,} pictures of 16 bits were"
        notes.append(f"{what} converted to 8")
    if broken:
        notes.append(_left_out(broken))
    if warned := decode_notes.warnings:
        notes.append(f"{len(warned):,} warnings while reading pictures; the first: {warned[0]}")
    return rows[: len(used)], used, broken


def _decoded(
    entries: Sequence[tuple[str, Opener]], path: str, target_size: TargetSize | None
) -> list[tuple[npt.NDArray[np.uint8] | InputError, DecodeNotes]]:
    """Return for each entry, in order, its picture or the error, and the notes on it."""

    def one(entry: tuple[str, Opener]) -> tuple[npt.NDArray[np.uint8] | InputError, DecodeNotes]:
        notes = DecodeNotes()
        try:
            return read_picture(
                entry[1](), f"{path}: {entry[0]!r}", notes=notes, target_size=target_size
            ), notes
        except InputError as error:
            return error, notes

    with warnings_by_thread(), ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(one, entries))


def _too_broken(broken: list[tuple[str, str]], read: int, total: int) -> str:
    first = broken[0][1]
    if total < 1 / MOST_BROKEN:
        return first
    return (
        f"{len(broken):,} of the first {read:,} pictures cannot be read, and at most {MOST_BROKEN:.0%} of all {total:,} may be "
        f"left out. The first: {first}"
    )


def _left_out(broken: list[tuple[str, str]]) -> str:
    names = ", ".join(name for name, _ in broken[:_MOST_NAMES])
    more = f" and {len(broken) - _MOST_NAMES:,} more" if len(broken) > _MOST_NAMES else ""
    what = "1 picture that cannot be read was" if len(broken) == 1 else "pictures that cannot be read were"
    what = what if len(broken) == 1 else f"{len(broken):,} {what}"
    return f"{what} left out: {names}{more}. The first: {broken[0][1]}"
