"""A folder or a .zip of equally sized pictures; sub-folders are classes. Nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from saddlepoint.data.arrays import one_per_row
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.pictures import SUFFIXES, common_channels, read_picture, with_channels
from saddlepoint.data.reading import foreign_bytes, refuse_bomb, refuse_too_large
from saddlepoint.errors import InputError

Opener = Callable[[], Path | IO[bytes]]


def open_folder(path: Path, *, label: Any = None, group: Any = None) -> Dataset:
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
    return _dataset(opened, others, str(path), path.resolve().name, "folder", label=label, group=group)


def _as_path(file: Path) -> Opener:
    return lambda: file


def open_zip(path: Path, *, label: Any = None, group: Any = None) -> Dataset:
    """Open a .zip of pictures; names inside are labels only, never places on disk."""
    with foreign_bytes(str(path), "a .zip file"):
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
                with foreign_bytes(f"{path}:{info.filename}", "an entry of a .zip file"):
                    return io.BytesIO(archive.read(info))

            return read

        pictures.sort(key=lambda info: info.filename)
        entries = [(_inside(info.filename), opener(info)) for info in pictures]
        return _dataset(entries, others, str(path), path.stem, "zip", label=label, group=group)


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
    *,
    label: Any,
    group: Any,
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
    if labels is None:
        labels = _classes([inside for inside, _ in entries], notes)
    rows = _stack(entries, path, notes)
    _, height, width, channels = rows.shape
    return Dataset(
        name=name,
        kind="pictures",
        rows=rows,
        labels=labels,
        groups=one_per_row(group, len(entries), path, "groups"),
        form=form,
        shape=(height, width) if channels == 1 else (height, width, channels),
        dtype="uint8",
        notes=tuple(notes),
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


def _stack(entries: Sequence[tuple[str, Opener]], path: str, notes: list[str]) -> npt.NDArray[np.uint8]:
    """Decode picture by picture into one array (n, H, W, C): memory is that array and one picture."""
    rows = np.empty((0, 0, 0, 1), dtype=np.uint8)
    first, mixed = entries[0][0], False
    said: list[str] = []
    for index, (inside, opener) in enumerate(entries):
        picture = read_picture(opener(), f"{path}: {inside!r}", said=said)
        height, width, channels = picture.shape
        if index == 0:
            refuse_too_large(path, len(entries) * picture.size)
            rows = np.empty((len(entries), *picture.shape), dtype=np.uint8)
        elif (height, width) != rows.shape[1:3]:
            raise InputError(
                f"pictures in {path} differ in size: {first!r} is {rows.shape[2]} wide x "
                f"{rows.shape[1]} high, "
                f"{inside!r} is {width} x {height}; bring all to one size."
            )
        if channels != rows.shape[3]:
            mixed = True
            wanted = common_channels(channels, rows.shape[3])
            if wanted != rows.shape[3]:
                refuse_too_large(path, len(entries) * height * width * (wanted + rows.shape[3]))
                wider = np.empty((len(entries), height, width, wanted), dtype=np.uint8)
                wider[:index] = with_channels(rows[:index], wanted)
                rows = wider
        rows[index] = with_channels(picture, rows.shape[3])
    if mixed:
        notes.append(f"grey and colour pictures are mixed: all were given {rows.shape[3]} channels")
    if said:
        notes.append(f"{len(said):,} warnings while reading pictures, first {said[0]}")
    return rows
