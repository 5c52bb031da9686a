"""Hostile and forbidden input: rights, pickles, decompression bombs, more than memory holds, damaged EXIF."""

from __future__ import annotations

import gzip
import io
import os
import re
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from saddlepoint.data import pictures, untrusted
from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError

GREY = np.random.default_rng(0).integers(0, 256, (4, 5, 7), dtype=np.uint8)


def encoded(picture, form="png", **options):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, form, **options)
    return stream.getvalue()


GOOD = encoded(GREY[0])


def two_pictures(tmp, first=GOOD):
    folder = tmp / "pics"
    folder.mkdir()
    (folder / "a.png").write_bytes(first)
    (folder / "b.png").write_bytes(GOOD)
    return folder


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "some.npy"
    np.save(path, GREY)
    # Tests may run as root, who may read everything.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match=f"(?i){re.escape(str(path))} .*permission denied"):
        open_source(path)


def test_a_folder_inside_that_may_not_be_read(tmp_path, monkeypatch):
    two_pictures(tmp_path)

    def scandir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputError, match=r"pics .*Permission denied"):
        open_source(tmp_path / "pics")


def test_nothing_is_ever_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    np.save(tmp_path / "a.npy", np.array([Bomb(), 1], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", images=np.array([Bomb(), 1], dtype=object))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError, match="pickled Python objects"):
            open_source(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_a_decompression_bomb_of_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 30)
    with pytest.raises(InputError, match=r"'a.png' has 7 x 5 pixels, .* 30 "):
        open_source(two_pictures(tmp_path))


def test_pillow_s_own_bomb_check_is_a_sentence(tmp_path):
    # A valid header of 60,000 x 60,000: Pillow raises before a single pixel is decoded.
    header = struct.pack(">II5B", 60_000, 60_000, 8, 0, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    bomb = GOOD[:8] + struct.pack(">I", 13) + b"IHDR" + header + crc + GOOD[33:]
    with pytest.raises(InputError, match=r"'a.png' .* 67,108,864"):
        open_source(two_pictures(tmp_path, bomb))


@pytest.mark.parametrize("name", ["a.npz", "a.zip", "a.csv.gz"])
def test_an_archive_that_unpacks_to_far_too_much(tmp_path, monkeypatch, name):
    monkeypatch.setattr(untrusted, "BOMB_BYTES", 10_000)
    if name == "a.npz":
        np.savez_compressed(tmp_path / name, images=np.zeros((5000, 8, 8, 1), np.uint8))
    elif name == "a.zip":
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("a.png", bytes(10**6))
    else:
        (tmp_path / name).write_bytes(gzip.compress(b"a\n" + b"1\n" * 10**6))
    with pytest.raises(InputError, match=r"decompression bomb .*100 times"):
        open_source(tmp_path / name)


def test_pictures_beyond_this_machine_s_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(untrusted, "physical_memory", lambda: 60)
    with pytest.raises(InputError, match=r"pics needs 70 bytes .* 60 bytes"):
        open_source(two_pictures(tmp_path))


def test_sizes_in_words():
    words = {0: "0 bytes", 999: "999 bytes", 1500: "1.5 kB", 3_200_000_000: "3.2 GB", 2**54: "18,014.4 TB"}
    assert {size: untrusted.size_words(size) for size in words} == words
    assert untrusted.physical_memory() > 2**28


def test_what_pillow_warns_of_is_said_and_is_no_warning(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    damaged = bytearray(encoded(GREY[0], "jpeg", exif=exif))
    damaged[damaged.index(b"Exif") + 10] = 0xFF
    opened = open_source(two_pictures(tmp_path, bytes(damaged)))
    assert len(opened) == 2
    assert "warnings while reading pictures; the first" in opened.notes[0]
    assert "'a.png': Corrupt EXIF data" in opened.notes[0]
