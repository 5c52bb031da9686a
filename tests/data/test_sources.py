"""Every kind of source opens as what it is, and samples go back in the form that came in."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from saddlepoint.data.opening import open_holdout, open_source
from saddlepoint.errors import InputError

SHARED = next(
    (p / "shared/data" for p in Path(__file__).parents if (p / "shared/data").is_dir()), Path("none")
)
RANDOM = np.random.default_rng(0)
POINTS = RANDOM.normal(size=(20, 3))
GREY = RANDOM.integers(0, 256, (6, 5, 7), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)


def save(picture, path, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).convert(mode or Image.fromarray(picture).mode).save(path, **options)


def idx_bytes(array):
    return struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def test_digits_are_those_of_scikit_learn():
    digits = open_source("digits")
    np.testing.assert_array_equal(digits.rows[..., 0], load_digits().images)
    np.testing.assert_array_equal(digits.labels, load_digits().target)
    assert digits.describe() == "1,797 pictures of 8 x 8, 1 channel, 17 levels, 10 classes"
    assert digits.levels == digits.rows.max() == 16
    assert digits.classes.tolist() == list(range(10))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "bool", ">f4", ">i8"])
def test_arrays_of_one_or_two_axes_are_points_of_their_dtype(dtype):
    values = (POINTS * 3).astype(dtype) if dtype != "uint8" else COLOUR[0].reshape(35, 3)
    for array in (values, values[:, 0]):
        dataset = open_source(array)
        assert dataset.kind == "points"
        assert dataset.rows.dtype == np.dtype(dtype).newbyteorder("=")
        assert dataset.rows.shape == (len(array), 3 if array.ndim == 2 else 1)
        np.testing.assert_array_equal(dataset.as_came(dataset.rows), array)


def test_lists_of_numbers_are_arrays():
    assert open_source([[1, 2], [3, 4]]).describe() == "2 rows of 2 columns, int64"


@pytest.mark.parametrize("array", [GREY, COLOUR, np.moveaxis(COLOUR, 3, 1), GREY[..., None]])
def test_pictures_go_back_as_they_came(array):
    dataset = open_source(array)
    assert dataset.rows.shape[:3] == (6, 5, 7)
    np.testing.assert_array_equal(dataset.as_came(dataset.rows), array)
    assert dataset.as_came(dataset.rows).dtype == np.uint8


def test_the_channel_order_inferred_is_said():
    assert open_source(np.moveaxis(COLOUR, 3, 1)).notes == (
        "shape (6, 3, 5, 7) was read as (n, C, H, W): 3 channels first",
    )
    small = np.full((5, 3, 3, 3), 99, np.uint8)
    assert open_source(small).notes == ("shape (5, 3, 3, 3) was read as (n, H, W, C): 3 channels last",)
    assert open_source(COLOUR).notes == ()


def test_fractions_become_grey_levels_and_fractions_again():
    dataset = open_source((GREY / 255).astype(np.float32))
    np.testing.assert_array_equal(dataset.rows[..., 0], GREY)
    assert dataset.notes == ("fractions in [0, 1] were read as 256 grey levels",)
    back = dataset.as_came(dataset.rows)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, (GREY / 255).astype(np.float32))


def test_fractions_keep_their_own_grid_or_are_rounded():
    sixteenths = load_digits().images / 16
    dataset = open_source(sixteenths)
    assert dataset.levels == 16
    np.testing.assert_array_equal(dataset.as_came(dataset.rows), sixteenths)
    rough = open_source(np.random.default_rng(0).random((5, 6, 7)))
    assert rough.levels == 255
    assert rough.notes == ("fractions in [0, 1] were rounded to 256 grey levels",)
    half = open_source((GREY / 255).astype(np.float16))
    np.testing.assert_array_equal(half.rows[..., 0], GREY)


def test_whole_pictures_of_any_dtype_keep_their_levels():
    images = load_digits().images
    dataset = open_source(images)
    assert dataset.levels == 16
    assert "no value is above 16" in dataset.notes[0]
    np.testing.assert_array_equal(dataset.as_came(dataset.rows), images)
    assert open_source(images, levels=255).levels == 255
    assert open_source(GREY.astype(np.int32)).levels == 255
    masks = open_source(GREY > 99)
    assert masks.levels == 1
    np.testing.assert_array_equal(masks.as_came(masks.rows), GREY > 99)
    assert masks.as_came(masks.rows).dtype == bool


def test_npy(tmp_path):
    for array in (POINTS, GREY, np.asfortranarray(POINTS)):
        np.save(tmp_path / "some.npy", array)
        dataset = open_source(tmp_path / "some.npy")
        assert (dataset.name, dataset.form) == ("some", "npy")
        np.testing.assert_array_equal(dataset.as_came(dataset.rows), array)


@pytest.mark.parametrize(
    ("arrays", "chosen", "labelled"),
    [
        ({"anything": GREY}, GREY, False),
        (
            {"train_images": GREY, "train_labels": [0] * 6, "test_images": GREY[:2], "test_labels": [1] * 2},
            GREY,
            True,
        ),
        ({"x_train": POINTS, "y_train": [1] * 20, "x_test": POINTS[:4], "y_test": [1] * 4}, POINTS, True),
        ({"X": POINTS, "y": [2] * 20}, POINTS, True),
        ({"images": COLOUR, "labels": [2] * 6, "class_names": ["a", "b"]}, COLOUR, True),
        ({"faces": GREY, "labels": ["a"] * 6}, GREY, True),
        ({"data": POINTS}, POINTS, False),
        ({"arr_0": POINTS, "arr_1": POINTS[:3]}, POINTS, False),
        ({"train-images": GREY, "labels": [0] * 6}, GREY, True),
    ],
)
def test_npz_finds_the_training_array_and_its_labels_by_name(tmp_path, arrays, chosen, labelled):
    np.savez_compressed(tmp_path / "some.npz", **arrays)
    dataset = open_source(tmp_path / "some.npz")
    np.testing.assert_array_equal(dataset.as_came(dataset.rows), chosen)
    assert (dataset.labels is not None) == labelled


def test_npz_arrays_by_key(tmp_path):
    path = tmp_path / "some.npz"
    kept = {
        "images": GREY,
        "test_images": GREY[:3],
        "test_labels": [7] * 3,
        "labels": [1] * 6,
        "who": [4] * 6,
    }
    np.savez(path, **kept)
    held = open_source(f"{path}:test_images")
    assert len(held) == 3
    assert held.labels.tolist() == [7] * 3
    assert len(open_source(path, key="test_images")) == 3
    assert open_source(path, label="who", group="who").groups.tolist() == [4] * 6
    assert open_source(path, label=np.arange(6)).classes.tolist() == list(range(6))


def test_csv_with_and_without_header(tmp_path):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.25, 1e9], "kind": ["x", "y", "x"]})
    frame.to_csv(tmp_path / "some.csv", index=False)
    dataset = open_source(tmp_path / "some.csv", label="kind", group="kind")
    assert dataset.columns == ("a", "b")
    assert dataset.dtypes == ("int64", "float64")
    assert dataset.labels.tolist() == dataset.groups.tolist() == ["x", "y", "x"]
    np.testing.assert_array_equal(dataset.rows, frame[["a", "b"]])
    frame[["a", "b"]].to_csv(tmp_path / "bare.csv", index=False, header=False)
    bare = open_source(tmp_path / "bare.csv")
    np.testing.assert_array_equal(bare.rows, dataset.rows)
    assert bare.notes == ("there is no header line: the columns were named column_1 to column_2",)
    sampled = frame[["a", "b"]].set_axis(["column_1", "column_2"], axis=1)
    sampled.to_csv(tmp_path / "sampled.csv", index=False)
    assert open_source(tmp_path / "sampled.csv").notes == ()  # these names stand in the file
    (tmp_path / "lost.csv").write_text("70,Rome,35.25\n41,Oslo,1.5\n44,Lima,2.5\n")
    assert (
        "the first line was read as column names, such as '70'" in open_source(tmp_path / "lost.csv").notes[0]
    )
    (tmp_path / "years.csv").write_text("land,1999,2000\nPE,4,1.5\nNO,4,2.5\n")
    assert not any("first line" in note for note in open_source(tmp_path / "years.csv").notes)
    pd.DataFrame(POINTS).to_csv(tmp_path / "numbered.csv", index=False)
    numbered = open_source(tmp_path / "numbered.csv")
    np.testing.assert_array_equal(numbered.rows, POINTS)
    assert numbered.columns == ("0", "1", "2")


@pytest.mark.parametrize(
    ("suffix", "separator"), [(".csv", ";"), (".csv", "\t"), (".tsv", "\t"), (".csv.gz", ",")]
)
def test_delimiters_and_packing(tmp_path, suffix, separator):
    path = tmp_path / f"some{suffix}"
    pd.DataFrame(POINTS, columns=list("abc")).to_csv(path, index=False, sep=separator)
    dataset = open_source(path)
    assert dataset.name == "some"
    np.testing.assert_array_equal(dataset.rows, POINTS)


def test_whole_tables_keep_a_whole_dtype(tmp_path):
    big = pd.DataFrame({"id": [2**62 + 1, 2**62 + 2], "n": [1, 2]})
    big.to_parquet(tmp_path / "some.parquet")
    dataset = open_source(tmp_path / "some.parquet")
    assert dataset.rows.dtype == np.int64
    np.testing.assert_array_equal(dataset.rows, big)


def test_frames_of_every_library_are_one_table():
    frame = pd.DataFrame(
        {"a": [1, 2, 3], "b": [0.5, 1.25, 2.0], "flag": [True, False, True], "who": ["x", "y", "x"]}
    )
    frames = [frame, pl.from_pandas(frame), pl.from_pandas(frame).lazy(), pa.Table.from_pandas(frame)]
    opened = [open_source(one, label="who") for one in frames]
    for dataset in opened:
        np.testing.assert_array_equal(dataset.rows, opened[0].rows)
        assert dataset.columns == ("a", "b", "flag")
        assert dataset.dtypes == ("int64", "float64", "bool")
        assert dataset.form == "frame"
    assert len({dataset.fingerprint() for dataset in opened}) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_as_mnist_ships_them(tmp_path, packed):
    end, pack = (".gz", gzip.compress) if packed else ("", bytes)
    (tmp_path / f"train-images-idx3-ubyte{end}").write_bytes(pack(idx_bytes(GREY)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(6, dtype=np.uint8)))
    dataset = open_source(tmp_path / f"train-images-idx3-ubyte{end}")
    np.testing.assert_array_equal(dataset.as_came(dataset.rows), GREY)
    assert dataset.labels.tolist() == list(range(6))
    assert dataset.notes == ("labels were read from train-labels-idx1-ubyte",)


def test_idx_of_floats_is_points(tmp_path):
    values = POINTS.astype(">f8")
    (tmp_path / "some.idx").write_bytes(struct.pack(">I2I", 0x0E02, 20, 3) + values.tobytes())
    np.testing.assert_array_equal(open_source(tmp_path / "some.idx").rows, POINTS)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_a_folder_of_lossless_pictures(tmp_path, suffix):
    for index, picture in enumerate(COLOUR):
        save(picture, tmp_path / f"{index}{suffix}", **({"lossless": True} if suffix == ".webp" else {}))
    dataset = open_source(tmp_path)
    np.testing.assert_array_equal(dataset.rows, COLOUR)
    assert dataset.labels is None
    assert (dataset.form, dataset.shape) == ("folder", (5, 7, 3))


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4), ("P", 3), ("1", 1), ("CMYK", 3)]
)
def test_modes_become_channels(tmp_path, mode, channels):
    suffix = "tif" if mode == "CMYK" else "png"
    for index, picture in enumerate(COLOUR):
        save(picture, tmp_path / f"{index}.{suffix}", mode)
    assert open_source(tmp_path).rows.shape == (6, 5, 7, channels)


def test_grey_and_colour_mixed_become_colour(tmp_path):
    save(GREY[0], tmp_path / "a.png")
    save(COLOUR[1], tmp_path / "b.png")
    save(np.dstack([COLOUR[2], GREY[2]]), tmp_path / "c.png")
    dataset = open_source(tmp_path)
    np.testing.assert_array_equal(dataset.rows[0, ..., :3], np.repeat(GREY[0][..., None], 3, axis=2))
    np.testing.assert_array_equal(dataset.rows[1, ..., :3], COLOUR[1])
    np.testing.assert_array_equal(dataset.rows[:, 0, 0, 3], [255, 255, GREY[2, 0, 0]])
    assert dataset.notes == ("grey and colour pictures are mixed: all were converted to 4 channels",)


def test_sub_folders_are_classes_below_what_all_have_in_common(tmp_path):
    for index, kind in enumerate(["cat", "cat", "dog", "dog", "eel", "eel"]):
        save(GREY[index], tmp_path / "deep" / "down" / kind / f"{index}.png")
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / ".hidden.png").write_bytes(b"no picture")
    dataset = open_source(tmp_path)
    assert dataset.labels.tolist() == ["cat", "cat", "dog", "dog", "eel", "eel"]
    assert dataset.notes == ("1 file that is not a picture was left out (such as readme.txt)",)
    save(GREY[0], tmp_path / "deep" / "down" / "0.png")
    beside = open_source(tmp_path)
    assert beside.labels is None
    assert "no classes were read" in beside.notes[1]


def test_pictures_are_turned_upright_by_their_exif(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    for index in range(2):
        save(COLOUR[index], tmp_path / f"{index}.png", exif=turned)
    np.testing.assert_array_equal(open_source(tmp_path).rows, np.rot90(COLOUR[:2], -1, axes=(1, 2)))


def test_a_zip_is_read_as_the_folder_it_packs(tmp_path):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for index, kind in enumerate(["cat", "cat", "dog", "dog", "eel", "eel"]):
            stream = io.BytesIO()
            Image.fromarray(GREY[index]).save(stream, "png")
            archive.writestr(f"animals/{kind}/{index}.png", stream.getvalue())
        archive.writestr("__MACOSX/animals/cat/._0.png", b"no picture")
    dataset = open_source(tmp_path / "some.zip")
    np.testing.assert_array_equal(dataset.rows[..., 0], GREY)
    assert dataset.classes.tolist() == ["cat", "dog", "eel"]


def test_names_in_a_zip_lead_nowhere(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    with zipfile.ZipFile(inside / "some.zip", "w") as archive:
        for index, name in enumerate(["../../a.png", "/etc/b.png", "..\\c.png"]):
            stream = io.BytesIO()
            Image.fromarray(GREY[index]).save(stream, "png")
            archive.writestr(name, stream.getvalue())
    assert len(open_source(inside / "some.zip")) == 3
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["inside", "some.zip"]


def test_take_keeps_labels_groups_and_form():
    dataset = open_source(GREY, label=np.arange(6), group=np.arange(6) % 2)
    part = dataset.take([4, 1])
    assert part.labels.tolist() == [4, 1]
    assert part.groups.tolist() == [0, 1]
    np.testing.assert_array_equal(part.rows[..., 0], GREY[[4, 1]])
    assert (part.form, part.shape, part.levels) == (dataset.form, dataset.shape, dataset.levels)


def test_the_fingerprint_changes_with_every_byte_dtype_shape_and_label():
    values = np.arange(12.0).reshape(6, 2)
    other = values.copy()
    other[3, 1] = np.nextafter(other[3, 1], 99)
    variants = [values, other, values.astype(np.float32), values.reshape(4, 3), values.reshape(12)]
    prints = [open_source(one).fingerprint() for one in variants]
    prints += [
        open_source(values, label=[0] * 6).fingerprint(),
        open_source(values, label=[1] * 6).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert open_source(np.asfortranarray(values).astype(">f8")).fingerprint() == prints[0]
    assert all(len(one) == 64 for one in prints)


def test_a_holdout_of_the_same_kind(tmp_path):
    frame = pd.DataFrame(POINTS, columns=list("abc"))
    held = open_holdout(frame[["c", "a", "b"]], open_source(frame))
    np.testing.assert_array_equal(held.rows, POINTS)
    np.savez(tmp_path / "some.npz", images=GREY, test_images=GREY[:3])
    path = tmp_path / "some.npz"
    assert len(open_holdout(f"{path}:test_images", open_source(path))) == 3
    digits = open_source("digits")
    assert open_holdout(digits.rows[:9] // 2, digits).levels == 16
    fractions = open_holdout(digits.rows[:9] / 16, digits)
    np.testing.assert_array_equal(fractions.rows, digits.rows[:9])


@pytest.mark.parametrize(
    ("held", "like", "sentence"),
    [
        (GREY, POINTS, "the held-out array holds pictures, but array holds points"),
        (
            POINTS[:, :2],
            POINTS,
            r"a row of the held-out array has shape \(2,\), but a row of array has \(3,\)",
        ),
        (GREY, "digits", r"has shape \(5, 7, 1\), but a row of digits has \(8, 8, 1\)"),
        (
            np.full((3, 8, 8), 99, np.uint8),
            "digits",
            "has grey levels up to 99, but digits has levels up to 16",
        ),
        (
            pd.DataFrame({"wigth": [1, 2], "b": [1, 2]}),
            pd.DataFrame({"width": [1, 2], "b": [1, 2]}),
            "no column 'width', did you mean 'wigth'",
        ),
        (
            pd.DataFrame({"a": [1, 2], "b": [1, 2]}),
            pd.DataFrame({"a": [1, 2]}),
            "has a column 'b' that table does not have",
        ),
    ],
)
def test_a_holdout_of_another_kind_is_refused(held, like, sentence):
    with pytest.raises(InputError, match=sentence):
        open_holdout(held, open_source(like))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mnist.npz", "60,000 pictures of 28 x 28, 1 channel, 256 levels, 10 classes"),
        ("mnist.npz:test_images", "10,000 pictures of 28 x 28, 1 channel, 256 levels, 10 classes"),
        ("cifar10_exact4k.npz", "4,000 pictures of 32 x 32, 3 channels, 256 levels, 10 classes"),
        ("faces_orl", "400 pictures of 112 x 92, 1 channel, 256 levels"),
        ("fewshot_sunflowers_256", "100 pictures of 256 x 256, 3 channels, 256 levels"),
        ("stock_data.csv", "3,685 rows of 6 columns, float64"),
    ],
)
def test_real_files_open(name, sentence):
    assert open_source(SHARED / name).describe() == sentence
