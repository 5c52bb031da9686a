"""Bad input gets one clear sentence: what was given, what is allowed, what to do.

`CASES` is the list of record, title -> (make, sentence); the table in the documentation can be made from it.
"""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError

GREY = np.random.default_rng(0).integers(0, 256, (4, 5, 7), dtype=np.uint8)


def encoded(picture, form="png", **options):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, form, **options)
    return stream.getvalue()


def written(name, content):
    """Return a maker of a file with this content (text or bytes)."""

    def make(tmp):
        path = tmp / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def folder(**files):
    """Return a maker of a folder; an underscore before the suffix stands for the dot."""

    def make(tmp):
        path = tmp / "pics"
        path.mkdir()
        for name, content in files.items():
            (path / name.replace("_", ".")).write_bytes(content)
        return path

    return make


def archive(**files):
    def make(tmp):
        with zipfile.ZipFile(tmp / "pics.zip", "w") as packed:
            for name, content in files.items():
                packed.writestr(name.replace("_", "."), content)
        return tmp / "pics.zip"

    return make


def npz(name="some.npz", **arrays):
    def make(tmp):
        np.savez(tmp / name, **arrays)
        return tmp / name

    return make


def npy(array):
    def make(tmp):
        np.save(tmp / "some.npy", array, allow_pickle=True)
        return tmp / "some.npy"

    return make


def array(values, dtype=None):
    return lambda tmp: np.array(values, dtype=dtype)


def a_folder_called(name):
    def make(tmp):
        (tmp / name).mkdir()
        return tmp / name

    return make


def feather(columns):
    stream = io.BytesIO()
    pd.DataFrame(columns).to_feather(stream)
    return stream.getvalue()


GOOD = encoded(GREY[0])
NAN = np.zeros((6, 3))
NAN[1, 2], NAN[4, 0], NAN[5, 1], NAN[5, 2] = np.nan, np.inf, np.nan, -np.inf
IDX = struct.pack(">I3I", 0x0803, 4, 5, 7) + GREY.tobytes()

CASES = {
    "a missing file": (
        lambda tmp: tmp / "no.csv",
        "there is no file or folder {tmp}/no.csv; allowed are digits, a .npy",
    ),
    "a misspelt name": (
        lambda tmp: "digts",
        "there is no file or folder digts, did you mean 'digits'? Allowed are",
    ),
    "an empty file": (
        written("some.csv", ""),
        "{tmp}/some.csv is empty (0 bytes); give a file with at least 2 rows.",
    ),
    "an unknown suffix": (
        written("some.mat", "x"),
        "{tmp}/some.mat is of an unknown type (suffix '.mat'); allowed are digits, a .npy, .npz",
    ),
    "no suffix": (written("some", "x"), "{tmp}/some is of an unknown type (suffix ''); allowed are"),
    "a path with a zero byte": (
        lambda tmp: "a\0b.csv",
        "there is no file or folder a\\x00b.csv; allowed are",
    ),
    "one picture": (
        written("one.png", GOOD),
        "{tmp}/one.png is one picture; give the folder or a .zip that holds many.",
    ),
    "a folder named like a file": (
        a_folder_called("some.npz"),
        "{tmp}/some.npz is a folder, although its name ends in .npz; name the file itself.",
    ),
    # tables
    "a header only": (
        written("some.csv", "a,b\n"),
        "{tmp}/some.csv holds a header line but no rows; a table needs at least one row.",
    ),
    "one row": (written("some.csv", "a,b\n1,2\n"), "{tmp}/some.csv holds one row; at least 2 are needed"),
    "infinity in a table": (
        written("some.csv", "a,b\n1,2\n2,inf\n5,-inf\n"),
        "column 'b' of {tmp}/some.csv has 2 infinite cells, first in row 2; fill in or leave out these rows.",
    ),
    "infinity beside text": (
        written("some.csv", "a,b\nx,2\ny,inf\nz,-inf\n"),
        "column 'b' of {tmp}/some.csv has 2 infinite cells, first in row 2; fill in or leave out these rows.",
    ),
    "one row of text": (
        written("some.csv", "a,b\nx,2\n"),
        "{tmp}/some.csv holds one row; at least 2 are needed",
    ),
    "a kind for no column": (
        lambda tmp: (written("some.csv", "age,b\n1,x\n2,y\n")(tmp), {"columns": {"aeg": "integer"}}),
        "{tmp}/some.csv has no column 'aeg', did you mean 'age'?",
    ),
    "no such kind": (
        lambda tmp: (written("some.csv", "age,b\n1,x\n2,y\n")(tmp), {"columns": {"age": "intger"}}),
        "The kind of column 'age' is 'intger', did you mean 'integer'?",
    ),
    "a kind that does not fit": (
        lambda tmp: (written("some.csv", "age,b\n1,x\n2,y\n")(tmp), {"columns": {"b": "integer"}}),
        "Column 'b' of {tmp}/some.csv should hold numbers, but row 1 holds 'x'",
    ),
    "kinds of what is no table": (
        lambda tmp: (np.ones((3, 2)), {"columns": {"b": "integer"}}),
        "array is not a table; columns={'b': 'integer'} cannot be given with it.",
    ),
    "a ragged table": (
        written("some.csv", "a,b\n1,2\n3,4,5\n"),
        "{tmp}/some.csv, line 3: 3 cells where the header has 2, separated by ','; correct that line, or the header.",
    ),
    "column names twice": (
        written("some.csv", "a,a\n1,2\n3,4\n"),
        "{tmp}/some.csv has the column name 'a' 2 times; rename all except one.",
    ),
    "another delimiter": (
        written("some.csv", "a:b\n1:x\n2:y\n"),
        "{tmp}/some.csv was read as one column, 'a:b', and every line holds a colon 1 time: cells must be separated by",
    ),
    "commas in a .tsv": (
        written("some.tsv", "a,b\n1,x\n2,y\n"),
        "{tmp}/some.tsv was read as one column, 'a,b', and every line holds a comma 1 time: cells must be separated by "
        "a tab in a .tsv; write it so or rename it to .csv",
    ),
    "blanks between cells": (
        written("some.csv", "a b c\n1  x 2\n2 y  3\n"),
        "{tmp}/some.csv was read as one column, 'a b c', and every line holds blanks 2 times",
    ),
    "decimal commas": (
        written("some.csv", "a;b\n1,5;x\n2;y\n-3,25;x\n"),
        "column 'a' of {tmp}/some.csv holds numbers with a decimal comma, such as '1,5'; write them with a point",
    ),
    "durations": (
        lambda tmp: pd.DataFrame({"a": pd.to_timedelta([1, 2, 3], unit="s"), "b": list("xyx")}),
        "holds durations (duration[",
    ),
    "another encoding": (
        written("some.csv", b"a,b\n1,\xe9\n3,4\n"),
        "{tmp}/some.csv is not utf-8 text: line 2 holds the byte 0xe9",
    ),
    "a damaged parquet file": (
        written("some.parquet", b"PAR1 no"),
        "{tmp}/some.parquet cannot be read as a .parquet file: ",
    ),
    "a column name that is no text": (
        lambda tmp: written("some.feather", feather({"abcd": [1, 2]}).replace(b"abcd", b"ab\xffd"))(tmp),
        "{tmp}/some.feather cannot be read as a .feather file: 'utf-8' codec can't decode byte 0xff",
    ),
    "a damaged gzip": (
        written("some.csv.gz", gzip.compress(b"a,b\n1,2\n3,4\n")[:-9]),
        "{tmp}/some.csv.gz cannot be read as a gzip file",
    ),
    "whole numbers too large beside decimals": (
        written("some.csv", "id,b\n9007199254740993,0.5\n2,1.5\n"),
        "column 'id' of {tmp}/some.csv holds whole numbers beyond 2^53",
    ),
    # arrays
    "NaN in an array": (
        array(NAN),
        "array holds 4 values that are NaN or infinite, first at index [1, 2] (NaN), [4, 0] (inf), "
        "[5, 1] (NaN); fill in",
    ),
    "an array of one row": (array([[1.0, 2.0]]), "array holds one row; at least 2 are needed"),
    "an empty array": (
        array(np.zeros((0, 3))),
        "array is empty (shape (0, 3)); give at least 2 rows of at least 1 number.",
    ),
    "no columns": (array(np.zeros((5, 0))), "array is empty (shape (5, 0))"),
    "a single number": (array(3.0), "array is a single number; give an array of at least 2 rows."),
    "ragged lists": (
        lambda tmp: [[1, 2], [3]],
        "array (list) cannot be read as an array; give numbers, with all rows of the same length.",
    ),
    "complex numbers": (
        array([[1j, 2], [3, 4]]),
        "array holds complex numbers (dtype complex128); only numbers can be learnt",
    ),
    "texts": (array([["a"], ["b"]]), "array holds text (dtype <U1)"),
    "dates in an array": (
        array(["2020-01-01", "2020-01-02"], "M8[D]"),
        "array holds dates (dtype datetime64[D])",
    ),
    "objects": (array([{}, None], object), "array holds Python objects (dtype object)"),
    "masked cells": (
        lambda tmp: np.ma.masked_less(np.arange(6.0).reshape(3, 2), 2),
        "array has 2 masked cells; fill them in or leave these rows out.",
    ),
    "five axes": (
        array(np.zeros((2, 2, 2, 2, 2))),
        "array has shape (2, 2, 2, 2, 2); give points (n, d) or pictures (n, H, W, C).",
    ),
    "more than 4 channels": (
        array(np.zeros((3, 8, 8, 5), np.uint8)),
        "array has shape (3, 8, 8, 5): neither the last nor the second axis can be 1 to 4 channels",
    ),
    "one picture as an array": (
        array(np.zeros((48, 64, 3), np.uint8)),
        "array has shape (48, 64, 3), which is the shape of one picture; give (n, H, W, C)",
    ),
    "float pictures out of range": (array(GREY / 255 * 2 - 1), "array holds pictures with values from -"),
    "whole pictures out of range": (
        array(GREY.astype(int) + 1000),
        "(dtype int64); allowed are fractions in [0, 1] or whole numbers 0..255.",
    ),
    "labels of another length": (
        lambda tmp: (np.zeros((4, 2)), {"label": [0, 1, 2]}),
        "array: 3 labels for 4 rows; give one for each row.",
    ),
    "labels that are NaN": (
        lambda tmp: (np.zeros((2, 2)), {"label": [0, np.nan]}),
        "array (labels) holds 1 value that is NaN or infinite, first at index [1] (NaN)",
    ),
    "labels in two columns": (
        lambda tmp: (np.zeros((2, 2)), {"label": np.eye(2)}),
        "array: labels must be one value for each row, not an array of shape (2, 2).",
    ),
    "levels for points": (
        lambda tmp: (np.zeros((2, 2)), {"levels": 16}),
        "array holds points, shape (2, 2); levels are for pictures only.",
    ),
    "levels below what is there": (
        lambda tmp: (GREY, {"levels": 16}),
        "but levels=16 was given; give levels=",
    ),
    "levels out of range": (
        lambda tmp: (GREY, {"levels": 256}),
        "levels is 256; the largest grey level must be 1 to 255.",
    ),
    "a label column of an array": (
        lambda tmp: (GREY, {"label": "y"}),
        "an array in memory has no named columns, so there is no label 'y'; give the values, one for each row.",
    ),
    "a key of an array": (
        lambda tmp: (GREY, {"key": "y"}),
        "array has no keys; key='y' cannot be given with it.",
    ),
    "labels for digits": (
        lambda tmp: ("digits", {"label": "y"}),
        "digits comes with its labels; label='y' cannot be given with it.",
    ),
    # columns asked
    "a label column that is not there": (
        lambda tmp: (written("some.csv", "age,klass\n1,2\n3,4\n")(tmp), {"label": "class"}),
        "{tmp}/some.csv has no label column 'class', did you mean 'klass'? It has age, klass.",
    ),
    "a group column that is not there": (
        lambda tmp: (pd.DataFrame({"a": [1, 2]}), {"group": "who"}),
        "the table has no group column 'who'. It has a.",
    ),
    "a label column with missing cells": (
        lambda tmp: (written("some.csv", "a,y\n1,2\n3,\n")(tmp), {"label": "y"}),
        "label column 'y' of {tmp}/some.csv has 1 missing cell, first in row 2",
    ),
    "nothing but the label": (
        lambda tmp: (pd.DataFrame({"a": [1, 2]}), {"label": "a"}),
        "the table has no column left to learn from besides the label and group columns.",
    ),
    "levels of a table": (
        lambda tmp: (written("some.csv", "a\n1\n2\n")(tmp), {"levels": 16}),
        "{tmp}/some.csv holds points; levels=16 cannot be given with it.",
    ),
    # .npy and .npz
    "objects in .npy": (
        npy(np.array([{}, 1], object)),
        "{tmp}/some.npy holds pickled Python objects, which are never loaded because they can run code",
    ),
    "a pickle called .npy": (
        written("some.npy", pickle.dumps([1, 2])),
        "{tmp}/some.npy cannot be read as a .npy file: the magic string is not correct",
    ),
    "a truncated .npy": (
        lambda tmp: written("a.npy", npy(GREY)(tmp).read_bytes()[:-9])(tmp),
        "{tmp}/a.npy is truncated: its header declares 140 bytes (shape (4, 5, 7), uint8), but it holds 131; "
        "write or download it again.",
    ),
    "objects in .npz": (npz(a=np.array([{}, 1], object)), "{tmp}/some.npz:a holds pickled Python objects"),
    "records in .npy": (npy(np.zeros(3, dtype=[("a", int)])), "{tmp}/some.npy holds records"),
    "an .npz that is no zip": (
        written("some.npz", "hello"),
        "{tmp}/some.npz cannot be read as an .npz file: File is not a zip file; the file is damaged "
        "or of another kind.",
    ),
    "an .npz without arrays": (
        lambda tmp: archive(a_txt=b"hi")(tmp).rename(tmp / "some.npz"),
        "{tmp}/some.npz holds no arrays; an .npz file is written by numpy.savez",
    ),
    "several arrays": (
        npz(one=GREY, two=GREY),
        "{tmp}/some.npz holds several arrays (one, two) and it is not clear which one to learn "
        "from; name it: {tmp}/some.npz:one",
    ),
    "two usual names": (npz(images=GREY, data=GREY), "holds several arrays (images, data)"),
    "two arrays of labels": (
        npz(images=GREY, labels=[1] * 4, y=[1] * 4),
        "{tmp}/some.npz holds several arrays that may be the labels of 'images' (labels, y)",
    ),
    "a key that is not there": (
        lambda tmp: (npz(images=GREY)(tmp), {"key": "image"}),
        "{tmp}/some.npz has no array 'image', did you mean 'images'? It holds images.",
    ),
    "labels of another length in .npz": (
        npz(images=GREY, labels=[1] * 3),
        "{tmp}/some.npz:images: 3 labels for 4 rows; give one for each row.",
    ),
    "a key of a .npy": (
        lambda tmp: (npy(GREY)(tmp), {"key": "a"}),
        "{tmp}/some.npy is not an .npz file; key='a' cannot be given with it.",
    ),
    # idx
    "not an idx file": (
        written("a.idx", "hello world"),
        "{tmp}/a.idx is not an idx file: it begins with 68 65 6c 6c, not 00 00, a type and the number of axes; "
        "write or download it again.",
    ),
    "a truncated idx file": (
        written("a.idx", IDX[:-5]),
        "{tmp}/a.idx is damaged: its header declares 140 bytes (shape (4, 5, 7)), but it holds 135; download it again.",
    ),
    "an idx file that goes on": (
        written("a.idx", IDX + b"x"),
        "{tmp}/a.idx is damaged: its header declares 140 bytes (shape (4, 5, 7)), but it holds more; download it again.",
    ),
    "an idx header cut short": (
        written("a.idx", IDX[:9]),
        "{tmp}/a.idx is truncated: it ends within its header; download it again.",
    ),
    "an idx header that promises too much": (
        written("a.idx", struct.pack(">I2I", 0x0E02, 2**31, 2**20)),
        "{tmp}/a.idx needs 18,014.4 TB of memory, this machine has",
    ),
    # pictures
    "a folder without pictures": (
        folder(a_txt=b"hi"),
        "{tmp}/pics holds no pictures; allowed are .png, .jpg, .jpeg, .webp, .tif, .tiff, .bmp.",
    ),
    "a folder of tables": (
        folder(a_csv=b"a\n1\n"),
        "{tmp}/pics holds no pictures (it has a.csv: give that file)",
    ),
    "an empty folder": (folder(), "{tmp}/pics holds no pictures; allowed are"),
    "a folder of one picture": (folder(a_png=GOOD), "{tmp}/pics holds one picture; at least 2 are needed"),
    "mixed sizes": (
        folder(a_png=GOOD, b_png=GOOD, c_png=encoded(GREY[0][:4, :6])),
        "pictures in {tmp}/pics differ in size: 'a.png' is 7 wide x 5 high, 'c.png' is 6 x 4; give "
        "one size: --resolution 7x5 (resolution=) crops or pads them.",
    ),
    "a resolution that is none": (
        lambda tmp: (folder(a_png=GOOD, b_png=GOOD)(tmp), {"resolution": "64"}),
        "The resolution '64' is not valid; write WIDTHxHEIGHT, such as 64x48, with sides of 1 to 4,096.",
    ),
    "a resolution of points": (
        lambda tmp: (np.ones((3, 2)), {"resolution": "8x8"}),
        "array holds points; resolution='8x8' cannot be given with it.",
    ),
    "other sizes than none": (
        lambda tmp: (folder(a_png=GOOD, b_png=GOOD)(tmp), {"other_sizes": "pad"}),
        "other sizes ('pad') was given without a resolution; give the resolution too",
    ),
    "no such way with other sizes": (
        lambda tmp: (GREY, {"resolution": "8x8", "other_sizes": "corp"}),
        "other_sizes is 'corp', did you mean 'crop'? Allowed are crop, pad, refuse.",
    ),
    "another size, to be refused": (
        lambda tmp: (
            folder(a_png=GOOD, b_png=encoded(GREY[0][:4, :6]))(tmp),
            {"resolution": "7x5", "other_sizes": "refuse"},
        ),
        "{tmp}/pics: 'b.png' is 6 wide x 4 high, not 7 x 5, and other sizes are refused; choose 'crop' or 'pad'",
    ),
    "more broken pictures than may be left out": (
        folder(**{f"{i:02d}_png": GOOD if i > 2 else b"no" for i in range(40)}),
        "3 of the first 3 pictures cannot be read, and at most 5% of all 40 may be left out. The first: "
        "{tmp}/pics: '00.png' is not a picture",
    ),
    "a truncated picture": (
        folder(a_png=GOOD, b_png=GOOD[:-30]),
        "{tmp}/pics: 'b.png' cannot be read as a picture",
    ),
    "a picture that is none": (
        folder(a_png=GOOD, b_jpg=b"hello"),
        "{tmp}/pics: 'b.jpg' is not a picture, or is damaged; allowed are PNG, JPEG, WEBP, TIFF, BMP.",
    ),
    "32 bits a channel": (
        folder(a_tif=encoded(GREY[0].astype(np.float32), "tiff"), b_png=GOOD),
        "{tmp}/pics: 'a.tif' has more than 16 bits a channel (mode F); save it with 8.",
    ),
    "several frames": (
        folder(
            a_tif=encoded(GREY[0], "tiff", save_all=True, append_images=[Image.fromarray(GREY[1])] * 2),
            b_png=GOOD,
        ),
        "{tmp}/pics: 'a.tif' holds 3 frames; save each as a picture of its own.",
    ),
    "levels of a folder": (
        lambda tmp: (folder(a_png=GOOD, b_png=GOOD)(tmp), {"levels": 16}),
        "{tmp}/pics is a folder of pictures; levels=16 cannot be given with it.",
    ),
    "a zip without pictures": (archive(a_txt=b"hi"), "{tmp}/pics.zip holds no pictures; allowed are .png"),
    "a zip of arrays": (
        archive(a_npy=b"hi"),
        "{tmp}/pics.zip holds arrays (a.npy), not pictures; rename it to .npz.",
    ),
    "a zip that is none": (
        written("pics.zip", "hello"),
        "{tmp}/pics.zip cannot be read as a .zip file: File is not a zip file",
    ),
    "a truncated picture in a zip": (
        archive(a_png=GOOD, b_png=GOOD[:-30]),
        "{tmp}/pics.zip: 'b.png' cannot be read as a picture",
    ),
}


@pytest.mark.parametrize("title", CASES)
def test_bad_input_gets_its_sentence(title, tmp_path):
    make, sentence = CASES[title]
    made = make(tmp_path)
    source, options = made if isinstance(made, tuple) else (made, {})
    with pytest.raises(InputError) as caught:
        open_source(source, **options)
    message = str(caught.value)
    assert sentence.replace("{tmp}", str(tmp_path)) in message
    assert "\n" not in message
    assert len(message.replace(str(tmp_path), "")) < 330
