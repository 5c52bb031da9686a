"""A folder or a .zip of pictures; sub-folders are classes. Nothing is ever unpacked to disk.

A few files that cannot be used are left out, with their count and names; where they are more than one in twenty the whole
is refused, since then something else is wrong. Pictures are decoded by as many threads as there are cores.
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
from saddlepoint.data.opening.arrays import one_per_row
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
"""The largest share of pictures that may be left out because they cannot be used."""

_CHUNK, _MOST_THREADS, _MOST_NAMES = 256, 16, 12

Opener = Callable[[], Path | IO[bytes]]


def open_folder(
    path: Path, *, label: Any = None, group: Any = None, target_size: TargetSize | None = None
) -> Dataset:
    """Open a folder of pictures, sub-folders included; hidden files are passed over."""

    def stop(error: OSError) -> None:
        raise InputError(
            f"{error.filename} may not be read ({error.strerror}); change its rights or copy it."
        )

    entries: dict[str, Path] = {}
    others: list[str] = []
    for parent, folders, names in os.walk(path, onerror=stop):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            file = Path(parent) / name
            inside = file.relative_to(path).as_posix()
            if not name.startswith("."):
                if file.suffix.lower() in SUFFIXES:
                    entries[inside] = file
                else:
                    others.append(inside)
    opened: list[tuple[str, Opener]] = [(name, _as_path(entries[name])) for name in sorted(entries)]
    return _dataset(opened, others, str(path), path.resolve().name, "folder", label, group, target_size)


def _as_path(file: Path) -> Opener:
    return lambda: file


def open_zip(
    path: Path, *, label: Any = None, group: Any = None, target_size: TargetSize | None = None
) -> Dataset:
    """Open a .zip of pictures; names inside are labels only, never places on disk."""
    with decode_errors_as_input_error(str(path), "a .zip file"):
        archive = zipfile.ZipFile(path)
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir() and _is_visible(info.filename)]
        pictures = [info for info in infos if PurePosixPath(info.filename).suffix.lower() in SUFFIXES]
        others = [info.filename for info in infos if info not in pictures]
        if not pictures and others and all(name.endswith(".npy") for name in others):
            raise InputError(f"{path} holds arrays ({', '.join(others[:3])}), not pictures; call it .npz.")
        refuse_bomb(str(path), sum(info.file_size for info in pictures), path.stat().st_size)

        def opener(info: zipfile.ZipInfo) -> Opener:
            def read() -> IO[bytes]:
                with library_failures_as_input_error(f"{path}:{info.filename}", "an entry of a .zip file"):
                    return io.BytesIO(archive.read(info))

            return read

        pictures.sort(key=lambda info: info.filename)
        entries = [(_inside(info.filename), opener(info)) for info in pictures]
        return _dataset(entries, others, str(path), path.stem, "zip", label, group, target_size)


def _inside(name: str) -> str:
    """Return a name within an archive without ".." and the like: it only says which class a picture has."""
    return "/".join(
        part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("..", "/", ".")
    )


def _is_visible(name: str) -> bool:
    parts = _inside(name).split("/")
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
        hint = f" (it has {arrays[0]}: name that file)" if arrays else ""
        raise InputError(f"{path} holds no pictures{hint}; allowed are {', '.join(SUFFIXES)}.")
    if len(entries) < 2:
        raise InputError(f"{path} holds one picture; at least 2 are needed, and some hundreds to learn from.")
    notes = []
    if others:
        what = "file that is no picture was" if len(others) == 1 else "files that are no pictures were"
        notes.append(f"{len(others):,} {what} left out (such as {others[0]})")
    labels = one_per_row(label, len(entries), path, "labels")
    groups = one_per_row(group, len(entries), path, "groups")
    rows, used, broken = _stack(entries, path, notes, target_size)
    entries = [entries[index] for index in used]
    labels = _classes([inside for inside, _ in entries], notes) if labels is None else labels[used]
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
    """Return the first sub-folder of each picture below what all have in common; None if there is none."""
    folders = [name.split("/")[:-1] for name in names]
    levels = zip(*folders)  # as many as the shallowest picture has
    common = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
    below = [parts[common:] for parts in folders]
    if not all(below):
        if any(below):
            notes.append("pictures lie both in the folder and in sub-folders: no classes were read")
        return None
    return np.array([parts[0] for parts in below])


def _stack(
    entries: Sequence[tuple[str, Opener]], path: str, notes: list[str], target_size: TargetSize | None
) -> tuple[npt.NDArray[np.uint8], list[int], list[tuple[str, str]]]:
    """Decode into one array (n, H, W, C); say which entries are in it, and the names of all others with what is wrong.

    Memory is that array and a few pictures.
    """
    rows = np.empty((0, 0, 0, 1), dtype=np.uint8)
    first, mixed = "", False
    asides, used = DecodeNotes(), list[int]()
    broken: list[tuple[str, str]] = []
    most_broken = int(MOST_BROKEN * len(entries))
    for index, (inside, _) in enumerate(entries):
        if index % _CHUNK == 0:
            chunk = _decoded(entries[index : index + _CHUNK], path, target_size)
        picture, said = chunk[index % _CHUNK]
        if isinstance(picture, InputError):
            broken.append((inside, str(picture)))
            if len(broken) > most_broken:
                raise InputError(_too_broken(broken, index + 1, len(entries)))
            continue
        asides.add(said)
        height, width, channels = picture.shape
        if not used:
            first = inside
            refuse_too_large(path, len(entries) * picture.size)
            rows = np.empty((len(entries), *picture.shape), dtype=np.uint8)
        elif (height, width) != rows.shape[1:3]:
            raise InputError(
                f"pictures in {path} differ in size: {first!r} is {rows.shape[2]} wide x "
                f"{rows.shape[1]} high, {inside!r} is {width} x {height}; bring all to one size: --resolution "
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
        notes.append(f"grey and colour pictures are mixed: all were given {rows.shape[3]} channels")
    if target_size is not None and asides.resized:
        notes.append(target_size.said(asides.resized))
    if asides.deep:
        what = "1 picture of 16 bits was" if asides.deep == 1 else f"{asides.deep:,} pictures of 16 bits were"
        notes.append(f"{what} brought to 8")
    if broken:
        notes.append(_left_out(broken))
    if asides.warnings:
        notes.append(f"{len(asides.warnings):,} warnings while reading pictures, first {asides.warnings[0]}")
    return rows[: len(used)], used, broken


def _decoded(
    entries: Sequence[tuple[str, Opener]], path: str, target_size: TargetSize | None
) -> list[tuple[npt.NDArray[np.uint8] | InputError, DecodeNotes]]:
    """Return what each entry decodes to, or why it does not, in order."""

    def one(entry: tuple[str, Opener]) -> tuple[npt.NDArray[np.uint8] | InputError, DecodeNotes]:
        asides = DecodeNotes()
        try:
            return read_picture(
                entry[1](), f"{path}: {entry[0]!r}", asides=asides, target_size=target_size
            ), asides
        except InputError as error:
            return error, asides

    with warnings_by_thread(), ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(one, entries))


def _too_broken(broken: list[tuple[str, str]], read: int, of: int) -> str:
    first = broken[0][1]
    if of < 1 / MOST_BROKEN:
        return first
    return (
        f"{len(broken):,} of the first {read:,} pictures cannot be used, and at most {MOST_BROKEN:.0%} of all {of:,} may be "
        f"left out. The first: {first}"
    )


def _left_out(broken: list[tuple[str, str]]) -> str:
    names = ", ".join(name for name, _ in broken[:_MOST_NAMES])
    more = f" and {len(broken) - _MOST_NAMES:,} more" if len(broken) > _MOST_NAMES else ""
    what = "1 picture that cannot be used was" if len(broken) == 1 else "pictures that cannot be used were"
    what = what if len(broken) == 1 else f"{len(broken):,} {what}"
    return f"{what} left out: {names}{more}. The first: {broken[0][1]}"
