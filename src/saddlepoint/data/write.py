"""Writing samples: arrays, tables, pictures, image grids and films (.gif), in the format of the file's suffix."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from saddlepoint.atomic import replacing
from saddlepoint.data.dataset import Dataset
from saddlepoint.errors import InputError, StoredFileError

Array = npt.NDArray[Any]
_ARRAYS = (".npy", ".npz")
_TILE, _SHEET, _FRAME = 128, 1600, 400
"""Small pictures are enlarged until the longer side of one picture in a grid, of the grid, or of a frame of a film
has at most this many pixels."""
FEWEST_FRAMES, _FRAME_MILLISECONDS = 4, 60
_TABLES = (".csv", ".tsv", ".parquet", ".feather")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def allowed(kind: str) -> str:
    """Return the formats that samples of a kind can be written in, for messages."""
    if kind == "tables":
        return "a .csv, .tsv, .parquet or .feather file"
    if kind == "pictures":
        return "a .npy or .npz file, one .png (a grid), a .gif (a film), a .zip, or a folder (no suffix)"
    return "a .npy, .npz, .csv, .tsv, .parquet or .feather file"


def check_target(path: Path, kind: str) -> None:
    """Refuse a file name that samples of this kind cannot be written to, before anything is computed.

    Raises:
        InputError: the suffix is not allowed, or the path is a folder, a file or a non-empty folder where it must not be.
    """
    suffix = path.suffix.lower()
    pictures = kind == "pictures" and suffix in (".png", ".gif", ".zip", "")
    tabular = kind in ("points", "tables") and suffix in _TABLES
    if not ((suffix in _ARRAYS and kind != "tables") or pictures or tabular):
        raise InputError(f"{path} cannot hold samples of {kind}; give {allowed(kind)}.")
    if suffix == "" and path.is_dir() and any(path.iterdir()):
        raise InputError(f"The folder {path} is not empty; choose an empty or a new one.")
    if suffix == "" and path.is_file():
        raise InputError(f"{path} is a file; give the name of a new folder.")
    if suffix != "" and path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file.")


def write_samples(
    path: Path, rows: Any, like: Dataset, *, classes: Array | None = None, escape_formulas: bool = False
) -> str:
    """Write decoded samples in the format of the file's suffix, and return a description of what was written.

    In a grid, small pictures are enlarged by the largest whole factor that keeps each within 128 pixels and the grid within
    1,600. Pictures in files of their own are not enlarged.

    path: file, or new folder for pictures.
    rows: points (n, d), pictures (n, H, W, C) or a table's frame.
    like: a dataset of the same form (it may be empty).
    classes: (n,), written as a column, as the key `labels` of an .npz, or as sub-folders; None: none.
    escape_formulas: in .csv and .tsv, put an apostrophe before text that a spreadsheet would read as a formula.

    Raises:
        InputError: the suffix is not allowed, or formulas cannot be escaped in this format.
        StoredFileError: the file cannot be written.
    """
    check_target(path, like.kind)
    suffix = path.suffix.lower()
    if escape_formulas and suffix not in (".csv", ".tsv"):
        raise InputError(
            f"Formulas can be escaped in .csv and .tsv files only, where a spreadsheet evaluates them, not in {path.name}; "
            "leave --escape-formulas out."
        )
    if suffix in _ARRAYS:
        samples = like.as_came(rows)
        arrays: dict[str, Any] = {"samples": samples} | ({} if classes is None else {"labels": classes})
        if suffix == ".npy":
            _write_file(path, lambda file: np.save(file, samples, allow_pickle=False))
        else:
            _write_file(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
        return f"{len(rows):,} samples of shape {samples.shape[1:]}, {samples.dtype.name}"
    if suffix in _TABLES:
        _write_table(path, rows, like, classes, escape_formulas)
        return f"{len(rows):,} rows of {rows.shape[1]} columns"
    return _write_pictures(path, rows, like, classes)


def write_film(path: Path, rows: Array, like: Dataset) -> str:
    """Write pictures (n, H, W, C) as the frames of a looping .gif, and return a description of what was written.

    Small pictures are enlarged by a whole factor to at most 400 pixels.

    path: the file.
    rows: pictures, one per frame.
    like: a dataset of the same form.

    Raises:
        InputError: the samples are not pictures, or the path cannot be a file.
        StoredFileError: the file cannot be written.
    """
    from PIL import Image

    check_target(path, like.kind)
    pixels = _as_uint8(rows, like)
    factor = max(1, _FRAME // max(pixels.shape[1:3]))
    enlarged = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    frames = [Image.fromarray(each[..., 0] if each.shape[2] == 1 else each) for each in enlarged]
    if pixels.shape[3] == 2:
        frames = [each.convert("RGBA") for each in frames]
    _write_file(
        path,
        lambda file: frames[0].save(
            file,
            "GIF",
            save_all=True,
            append_images=frames[1:],
            duration=_FRAME_MILLISECONDS,
            loop=0,
            disposal=2,
        ),
    )
    return f"a film of {len(pixels):,} frames, {len(pixels) * _FRAME_MILLISECONDS / 1000:.1f} seconds"


def _as_uint8(rows: Array, like: Dataset) -> Array:
    """Return pictures with their grey levels scaled to 0..255."""
    pixels: Array = np.rint(rows.astype(np.float64) * 255 / like.levels).astype(np.uint8)
    return pixels


def _write_file(path: Path, write: Callable[[Any], Any]) -> None:
    with replacing(path) as (temporary,), open(temporary, "wb") as file:
        write(file)


def _write_table(path: Path, rows: Any, like: Dataset, classes: Array | None, escape_formulas: bool) -> None:
    import pandas as pd
    from pyarrow import feather, parquet

    if isinstance(rows, pd.DataFrame):
        frame = rows
    else:
        names = like.columns or tuple(f"column_{index}" for index in range(rows.shape[1]))
        frame = pd.DataFrame(rows, columns=list(names))
        if like.dtypes is not None:
            frame = frame.astype(dict(zip(names, like.dtypes, strict=True)))
    if classes is not None:
        name, number = "class", 0
        while name in frame.columns:
            number += 1
            name = f"class_{number}"
        frame = frame.assign(**{name: classes})
    if escape_formulas:
        frame = escaped(frame)
    writers: dict[str, Callable[[Any], Any]] = {
        ".csv": lambda file: frame.to_csv(file, index=False),
        ".tsv": lambda file: frame.to_csv(file, index=False, sep="\t"),
        ".parquet": lambda file: parquet.write_table(_arrow(frame, like.pandas), file),
        ".feather": lambda file: feather.write_feather(_arrow(frame, like.pandas), file),
    }
    _write_file(path, writers[path.suffix.lower()])


def escaped(frame: Any) -> Any:
    """Return a frame with an apostrophe before each text and column name that begins like a formula (= + - @ tab return).

    Numbers are not changed. Source: OWASP, CSV injection.
    """
    import pandas as pd

    columns = {}
    for name in frame.columns:
        cells = frame[name]
        numeric = pd.api.types.is_numeric_dtype(cells) or pd.api.types.is_datetime64_any_dtype(cells)
        columns[_escaped(name)] = cells if numeric else cells.map(_escaped, na_action="ignore")
    return pd.DataFrame(columns)


def _escaped(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell


def _arrow(frame: Any, dtypes: str | None) -> Any:
    """Return a frame as an Arrow table, with pandas' dtypes of the training file in its metadata.

    pandas' default would be to write the names of Arrow types, and it cannot read back the name of a dictionary type.

    frame: pandas frame.
    dtypes: pandas' metadata (JSON) from the training file; None: it had none.
    """
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    if not any(str(kind).endswith("[pyarrow]") for kind in frame.dtypes):
        return table
    table = table.replace_schema_metadata(None)
    if dtypes is None:
        return table
    metadata = json.loads(dtypes)
    metadata["columns"] = [each for each in metadata["columns"] if each["field_name"] in table.column_names]
    return table.replace_schema_metadata({"pandas": json.dumps({**metadata, "index_columns": []})})


def _write_pictures(path: Path, rows: Array, like: Dataset, classes: Array | None) -> str:
    from PIL import Image

    pixels = _as_uint8(rows, like)
    digits = len(str(len(pixels) - 1))

    def png(picture: Array) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(buffer, "PNG")
        return buffer.getvalue()

    def name(index: int) -> str:
        stem = f"{index:0{digits}d}.png"
        return stem if classes is None else f"{classes[index]}/{stem}"

    if path.suffix.lower() == ".zip":

        def pack(file: Any) -> None:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for index, picture in enumerate(pixels):
                    archive.writestr(name(index), png(picture))

        _write_file(path, pack)
        return f"{len(pixels):,} pictures as PNG"
    if path.suffix.lower() == ".png":
        from math import ceil, sqrt

        n, height, width, channels = pixels.shape
        across = ceil(sqrt(n * height / width)) if n > 1 else 1
        sheet = np.zeros((ceil(n / across) * height, across * width, channels), dtype=np.uint8)
        for index, picture in enumerate(pixels):
            top, left = index // across * height, index % across * width
            sheet[top : top + height, left : left + width] = picture
        factor = max(1, min(_TILE // max(height, width), _SHEET // max(sheet.shape[:2])))
        enlarged = sheet.repeat(factor, axis=0).repeat(factor, axis=1)
        _write_file(path, lambda file: file.write(png(enlarged)))
        return f"{n:,} pictures in one grid, " + (
            "not enlarged" if factor == 1 else f"each pixel enlarged to {factor} x {factor}"
        )
    try:
        for index, picture in enumerate(pixels):
            target = path / name(index)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(png(picture))
    except OSError as error:
        raise StoredFileError(f"{path} cannot be written ({error.strerror}); choose another path.") from error
    return f"{len(pixels):,} pictures as PNG"
