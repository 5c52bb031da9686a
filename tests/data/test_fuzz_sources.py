"""Damaged files open or raise InputError: no other exception, no hang, nothing written, whatever the bytes.

Valid files of every kind are mutated, each case by its own seed (its number), so that a failure can be run
again: SADDLEPOINT_FUZZ_FROM=1234 SADDLEPOINT_FUZZ=1. SADDLEPOINT_FUZZ is the number of cases: 1,000, and
10,000 by `make fuzz`.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import struct
import sys
import zipfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from saddlepoint.data.encoders import fit_encoder
from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError

CASES = int(os.environ.get("SADDLEPOINT_FUZZ", "1000"))
FIRST = int(os.environ.get("SADDLEPOINT_FUZZ_FROM", "0"))
CAP_SECONDS = 20
FORMS = ("png", "jpeg", "webp", "tiff", "bmp")

RANDOM = np.random.default_rng(5)
POINTS = RANDOM.normal(size=(40, 3)).round(2)
GREY = RANDOM.integers(0, 256, (3, 16, 12), dtype=np.uint8)
FRAME = pd.DataFrame(POINTS, columns=["a", "b", "c"]).assign(n=range(40))


class Hang(BaseException):
    """Raised by the alarm; no `except Exception` on the way may swallow it."""


@contextmanager
def cap(seconds):
    def ring(*_):
        raise Hang

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def saved(write):
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def picture(form, mode="RGB"):
    colour = Image.fromarray(np.dstack([GREY[0]] * 3)).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 3
    return saved(
        lambda stream: colour.save(stream, form, exif=exif) if form != "bmp" else colour.save(stream, form)
    )


def zipped(files, method=zipfile.ZIP_DEFLATED):
    def write(stream):
        with zipfile.ZipFile(stream, "w", method) as archive:
            for name, content in files.items():
                archive.writestr(name, content)

    return saved(write)


def idx(array):
    return struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


NPY = {"points": saved(lambda s: np.save(s, POINTS)), "grey": saved(lambda s: np.save(s, GREY))}
WHOLE = {
    "points.npy": NPY["points"],
    "grey.npy": NPY["grey"],
    "stored.npz": saved(lambda s: np.savez(s, x=GREY, y=[1, 2, 3])),
    "packed.npz": saved(lambda s: np.savez_compressed(s, images=GREY, labels=["a", "b", "c"])),
    "some.csv": FRAME.to_csv(index=False).encode(),
    "bare.csv": FRAME.to_csv(index=False, header=False, sep=";").encode(),
    "some.tsv": FRAME.to_csv(index=False, sep="\t").encode("utf-16"),
    "some.csv.gz": gzip.compress(FRAME.to_csv(index=False).encode()),
    "some.parquet": saved(lambda s: FRAME.to_parquet(s)),
    "some.feather": saved(lambda s: FRAME.to_feather(s)),
    "train-images-idx3-ubyte": idx(GREY),
    "train-images-idx3-ubyte.gz": gzip.compress(idx(GREY)),
    "pics.zip": zipped({f"{i}/{i}.png": picture("png") for i in range(2)}),
    "stored.zip": zipped({f"{i}.bmp": picture("bmp") for i in range(2)}, zipfile.ZIP_STORED),
}
PICTURES = {f"{mode}.{form}": picture(form, mode) for form in FORMS for mode in ("L", "RGB")}
PICTURES |= {
    "P.png": picture("png", "P"),
    "RGBA.webp": picture("webp", "RGBA"),
    "CMYK.jpeg": picture("jpeg", "CMYK"),
}
PICTURES["lzw.tiff"] = saved(lambda s: Image.fromarray(GREY[0]).save(s, "tiff", compression="tiff_lzw"))
ODD = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\0\0\0\0",
    b"nan",
    b",",
    b"\n",
    b'"',
)


def mutated(content, random):
    """Return the bytes with one bit flipped, or damaged one to three times.

    Damages: bits flipped, cut short, a piece copied, odd bytes, a header edited.
    """
    out = bytearray(content)
    if random.integers(0, 3) == 0:
        out[random.integers(0, len(out))] ^= 1 << int(random.integers(0, 8))
        return bytes(out)
    for _ in range(random.integers(1, 4)):
        at = int(random.integers(0, len(out) + 1))
        match int(random.integers(0, 6)):
            case 0 | 1 if out:
                for _ in range(random.integers(1, 4)):
                    out[random.integers(0, len(out))] ^= 1 << int(random.integers(0, 8))
            case 2:
                del out[max(at, len(out) - int(random.integers(1, 30))) :]
            case 3:
                piece = out[at : at + int(random.integers(1, 40))]
                out[at:at] = piece
            case 4:
                odd = ODD[random.integers(0, len(ODD))]
                out[at : at + len(odd)] = odd
            case 5 if out:
                place = int(random.integers(0, min(len(out), 80)))
                out[place] = int(random.integers(0, 256))
    return bytes(out)


def written(folder, case):
    """Write the case's damaged file (or folder) and return its path and kind."""
    random = np.random.default_rng(case)
    kind = int(random.integers(0, 4))
    if kind < 2:
        name = list(WHOLE)[random.integers(0, len(WHOLE))]
        (folder / name).write_bytes(mutated(WHOLE[name], random))
        return folder / name, name
    name = list(PICTURES)[random.integers(0, len(PICTURES))]
    damaged = mutated(PICTURES[name], random)
    if kind == 2:
        inside = folder / "pics"
        inside.mkdir()
        (inside / f"a-{name}").write_bytes(PICTURES[name])
        (inside / f"b-{name}").write_bytes(damaged)
        return inside, f"folder of {name}"
    files = {f"../../x-{name}": damaged, f"y-{name}": PICTURES[name]}
    (folder / "pics.zip").write_bytes(zipped(files, zipfile.ZIP_STORED))
    return folder / "pics.zip", f"zip of {name}"


@pytest.fixture
def writes(monkeypatch):
    """Return the list of files that Python code opens for writing while `writes.on` is set."""
    found = []
    state = {"on": False}

    def hook(event, args):
        if (
            state["on"]
            and event == "open"
            and isinstance(args[2], int)
            and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        ):
            found.append(args[0])

    sys.addaudithook(hook)
    yield found, state
    state["on"] = False


def test_damaged_files_open_or_are_refused_in_a_sentence(tmp_path, monkeypatch, writes):
    found, state = writes
    nowhere = tmp_path / "cwd"
    nowhere.mkdir()
    monkeypatch.chdir(nowhere)
    opened, refused, wrong = Counter(), Counter(), []
    for case in range(FIRST, FIRST + CASES):
        folder = tmp_path / f"case{case}"
        folder.mkdir()
        path, kind = written(folder, case)
        before = {one: one.read_bytes() for one in folder.rglob("*") if one.is_file()}
        state["on"] = True
        try:
            with cap(CAP_SECONDS):
                dataset = open_source(path)
                opened[kind] += 1
                _check(dataset)
        except InputError as error:
            refused[kind] += 1
            if not str(error).isprintable() or len(str(error)) > 700:
                wrong.append((case, kind, f"not one short line: {error!r}"))
        except (Exception, Hang) as error:
            wrong.append((case, kind, repr(error)))
        state["on"] = False
        after = {one: one.read_bytes() for one in folder.rglob("*") if one.is_file()}
        if after != before:
            wrong.append((case, kind, "files were changed"))
        for one in sorted(folder.rglob("*"), reverse=True):
            one.rmdir() if one.is_dir() else one.unlink()
        folder.rmdir()
    assert not wrong, wrong[:10]
    assert not found, found[:10]
    assert [one.name for one in tmp_path.rglob("*")] == ["cwd"]
    total = opened.total()
    if target := os.environ.get("SADDLEPOINT_FUZZ_RESULTS"):
        kinds = {kind: [opened[kind], refused[kind]] for kind in sorted({*opened, *refused})}
        figures = {
            "cases": CASES,
            "opened": total,
            "refused": CASES - total,
            "tracebacks": len(wrong),
            "by kind": kinds,
        }
        Path(target).write_text(json.dumps(figures, indent=1) + "\n")
    print(f"{CASES:,} cases: {total:,} opened, {CASES - total:,} refused", dict(opened), dict(refused))
    # At least 30 % must get through to the end of decoding, else the mutations only test the first check.
    if CASES >= 200:
        assert total >= 0.3 * CASES
        assert len(opened) >= 20
        assert len(refused) >= 20


def _check(dataset):
    """What was opened is what the room promises: finite numbers that can be described and split."""
    assert len(dataset) >= 2
    assert dataset.describe()
    if dataset.kind == "pictures":
        assert dataset.rows.dtype == np.uint8
        assert dataset.rows.ndim == 4
        encoder = fit_encoder(dataset)
        np.testing.assert_array_equal(encoder.decode(encoder.encode(dataset.rows)), dataset.rows)
    elif dataset.kind == "tables":
        try:
            encoder = fit_encoder(dataset)
        except InputError:
            return
        back = encoder.decode(encoder.encode(dataset.rows))
        assert list(back.dtypes) == list(dataset.rows.dtypes)
        for column in dataset.schema.columns:
            if column.kind != "identifier":
                assert back[column.name].equals(dataset.rows[column.name]), column
    else:
        assert np.isfinite(dataset.rows).all()
        try:
            encoder = fit_encoder(dataset)
        except InputError:
            return
        assert encoder.decode(encoder.encode(dataset.rows)).shape == dataset.rows.shape
