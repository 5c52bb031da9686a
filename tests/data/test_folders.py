"""Folders of pictures as they are met: other sizes, 16 bits, files broken in ten ways, mirror images on request."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from saddlepoint.data.opening import folders, open_holdout, open_source
from saddlepoint.data.pictures import TargetSize, mirrored_at_random, refuse_flips, with_mirror_images
from saddlepoint.errors import InputError
from saddlepoint.fitting import FitOptions, prepare

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (4, 6, 9, 3), dtype=np.uint8)


def encoded(picture, form="png", **options):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, form, **options)
    return stream.getvalue()


GOOD = encoded(COLOUR[0])


def bomb():
    header = struct.pack(">II5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return GOOD[:8] + struct.pack(">I", 13) + b"IHDR" + header + crc + GOOD[33:]


BROKEN = {
    "bomb.png": bomb(),
    "empty.png": b"",
    "text.jpg": b"hello",
    "cut.png": GOOD[:-40],
    "head.jpg": encoded(COLOUR[0], "jpeg")[:60],
    "bits.png": GOOD[:60] + bytes([GOOD[60] ^ 255]) + GOOD[61:],
    "float.tif": encoded(COLOUR[0, ..., 0].astype(np.float32), "tiff"),
    "frames.tif": encoded(COLOUR[0], "tiff", save_all=True, append_images=[Image.fromarray(COLOUR[1])]),
    "page.webp": b"<html>404</html>",
    "gif.png": encoded(COLOUR[0, ..., 0], "gif"),
}


def test_pictures_broken_in_ten_ways_are_left_out_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_CHUNK", 32)  # several, so that a chunk's end is met
    kinds = np.arange(200) % 2
    for index in range(200):
        path = tmp_path / f"kind{kinds[index]}" / f"{index:03d}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded(np.full((6, 9, 3), index, np.uint8)))
    for index, (name, content) in enumerate(BROKEN.items()):
        (tmp_path / f"kind{index % 2}" / name).write_bytes(content)
    dataset = open_source(tmp_path, label=None)
    assert sorted(dataset.rows[:, 0, 0, 0].tolist()) == list(range(200))
    assert [f"kind{value % 2}" for value in dataset.rows[:, 0, 0, 0]] == dataset.labels.tolist()
    (note,) = dataset.notes
    assert note.startswith("10 pictures that cannot be read were left out: kind0/bomb.png, ")
    assert all(name in note for name in BROKEN)
    assert {name.partition("/")[2] for name, _ in dataset.left_out} == set(BROKEN)
    assert "holds 2 frames" in dict(dataset.left_out)["kind1/frames.tif"]
    (tmp_path / "kind0" / "one_more.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"^11 of the first \d+ .* 5% of all 211"):
        open_source(tmp_path)


def test_given_labels_stay_with_their_pictures(tmp_path):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as packed:
        for index in range(20):
            content = b"" if index == 7 else encoded(np.full((6, 9), index, np.uint8))
            packed.writestr(f"{index:02d}.png", content)
    dataset = open_source(tmp_path / "some.zip", label=np.arange(20), group=np.arange(20))
    assert len(dataset) == 19
    assert dataset.labels.tolist() == dataset.groups.tolist() == dataset.rows[:, 0, 0, 0].tolist()
    assert dataset.notes[0].startswith("1 picture that cannot be read was left out: 07.png. The first: ")


def test_many_threads_say_of_each_picture_what_one_says(tmp_path, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 6
    damaged = bytearray(encoded(COLOUR[0], "jpeg", exif=exif))
    damaged[damaged.index(b"Exif") + 10] = 0xFF
    for index in range(60):
        (tmp_path / f"{index:02d}.jpg").write_bytes(
            bytes(damaged) if index % 20 == 7 else encoded(COLOUR[0], "jpeg")
        )
    notes = []
    for threads in (1, 8):
        monkeypatch.setattr(folders.os, "cpu_count", lambda threads=threads: threads)
        notes.append(open_source(tmp_path).notes)
    assert notes[0] == notes[1]
    assert f"first: {tmp_path}: '07.jpg': Corrupt EXIF" in notes[0][0]


def test_sixteen_bits_become_eight_and_that_is_said(tmp_path):
    deep = np.array([[0, 128, 129, 32_768], [257, 65_278, 65_406, 65_535]], dtype=np.uint16)
    for index in range(2):
        (tmp_path / f"{index}.png").write_bytes(encoded(deep))
    dataset = open_source(tmp_path)
    assert dataset.rows[0, ..., 0].tolist() == [[0, 0, 1, 128], [1, 254, 254, 255]]
    assert dataset.notes == ("2 pictures of 16 bits were converted to 8",)


def ramp(width, height):
    """Return a picture whose grey levels say where a place is: red from left to right, green from top to bottom."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.dstack([x, y, np.full_like(x, 99)]).round().astype(np.uint8)


def test_other_sizes_are_cropped_about_their_middle(tmp_path):
    for name, size in (("a", (40, 20)), ("b", (200, 50)), ("c", (30, 90))):
        (tmp_path / f"{name}.png").write_bytes(encoded(ramp(*size)))
    dataset = open_source(tmp_path, resolution="40x20")
    assert dataset.rows.shape == (3, 20, 40, 3)
    np.testing.assert_array_equal(dataset.rows[0], ramp(40, 20))
    wide, high = dataset.rows[1].astype(int), dataset.rows[2].astype(int)
    # Of 200 x 50 the middle half of the width is left, of 30 x 90 the middle sixth of the height.
    assert wide[10, 0, 0] == pytest.approx(255 / 4, abs=3)
    assert wide[10, -1, 0] == pytest.approx(3 * 255 / 4, abs=3)
    assert wide[:, 20, 1].tolist() == pytest.approx(np.linspace(0, 255, 20).tolist(), abs=6)
    assert high[0, 20, 1] == pytest.approx(255 * (0.5 - 1 / 12), abs=4)
    assert dataset.notes == (
        "2 pictures of other sizes were scaled and cropped about their centre to 40 x 20",
    )


def test_other_sizes_are_padded_with_black_or_see_through():
    white = np.full((10, 40, 4), 255, np.uint8)
    sized = TargetSize(width=20, height=20, other_sizes="pad").apply(white, "x")
    assert sized.shape == (20, 20, 4)
    assert sized[:7].max() == sized[13:].max() == 0
    assert sized[8:12].min() == 255
    grey = TargetSize(width=7, height=20, other_sizes="pad").apply(white[..., :1], "x")
    assert (grey[..., 0].max(axis=1) > 0).sum() == 2  # 40 x 10 becomes 7 x 2


def test_arrays_and_held_out_pictures_are_brought_to_the_size_too(tmp_path):
    rows = np.moveaxis(COLOUR, 3, 1)  # channels first
    dataset = open_source(rows, resolution="4x3", other_sizes="pad")
    assert (dataset.rows.shape, dataset.shape) == ((4, 3, 4, 3), (3, 3, 4))
    assert dataset.as_came(dataset.rows).shape == (4, 3, 3, 4)
    held = open_holdout(COLOUR, dataset)
    np.testing.assert_array_equal(held.rows, dataset.rows)
    few = open_source((COLOUR[..., 0] // 16).astype(np.uint8), levels=16, resolution="5x5")
    assert (few.levels, few.rows.max() <= 16) == (16, True)


def test_flips_only_where_asked_and_each_part_by_its_rule():
    pictures = RANDOM.integers(0, 256, (100, 5, 4, 1), dtype=np.uint8)
    plain = open_source(pictures, label=np.arange(100))
    asked = refuse_flips(plain)
    parts, before = (prepare(each, FitOptions(rounds=1)) for each in (asked, plain))
    n = len(before.train)
    np.testing.assert_array_equal(
        parts.train.rows, np.concatenate([before.train.rows, before.train.rows[:, :, ::-1]])
    )
    np.testing.assert_array_equal(parts.train.labels, np.tile(before.train.labels, 2))
    assert len(parts.train) == 2 * n
    for part, whole in ((parts.vault, before.vault), (parts.monitor, before.monitor)):
        same = (part.rows == whole.rows).all((1, 2, 3))
        mirrored = (part.rows == whole.rows[:, :, ::-1]).all((1, 2, 3))
        assert (same ^ mirrored).all()
        assert 0 < mirrored.sum() < len(part)
    again = mirrored_at_random(before.vault, 0, "vault")
    np.testing.assert_array_equal(again.rows, parts.vault.rows)
    assert len(with_mirror_images(plain)) == 200
    with pytest.raises(InputError, match=r"points; .*--flips"):
        refuse_flips(open_source(np.ones((3, 2)) * np.arange(3)[:, None]))
