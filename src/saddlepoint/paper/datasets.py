"""The paper's data sets: MNIST, CIFAR-10, and ORL faces in place of the Toronto Face Database (which is not public).

MNIST's pixels are checked against the MD5 sums of the original idx files, so that results are about MNIST and nothing else.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError

MNIST_TRAIN = 50_000
"""Rows of MNIST's training set that are trained on; its last 10,000 are validation rows, as in the authors' code."""
_MD5 = {"train": "6bbc9ace898e44ae57da46a324031adb", "test": "2646ac647ad5339dbf082846283269ea"}
FACE_SIDE = 48
"""Height and width of a face in pixels, as in the Toronto Face Database."""
CONVOLVED_SIDE = 32
"""Height and width in pixels of the convolutional networks' pictures, as in CIFAR-10."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Training rows, validation rows (choices are made on them) and test rows (scored once) of one data set.

    note: how the data differ from the paper's; empty if they do not.
    """

    name: str
    train: Dataset
    validation: Dataset
    test: Dataset
    note: str = ""

    def first(self, train: int, validation: int, test: int) -> Parts:
        """Return at most these numbers of rows, the first of each part, for a quick version."""
        return replace(
            self,
            train=self.train.take(np.arange(min(train, len(self.train)))),
            validation=self.validation.take(np.arange(min(validation, len(self.validation)))),
            test=self.test.take(np.arange(min(test, len(self.test)))),
        )


def fractions(data: Dataset) -> NDArray[np.float64]:
    """Return pictures as rows (n, H W C) of grey levels in [0, 1]."""
    rows: NDArray[np.float64] = data.rows.reshape(len(data), -1).astype(np.float64) / data.levels
    return rows


def mnist(path: Path | None) -> Parts:
    """Return MNIST from an .npz of train_images and test_images; without a path from OpenML, by scikit-learn.

    Raises:
        InputError: the file does not exist, the pixels are not MNIST's, or the download failed.
    """
    train, test = _from_openml() if path is None else _from_npz(path)
    for part, rows in (("train", train), ("test", test)):
        found = hashlib.md5(struct.pack(">4i", 2051, *rows.shape[:3]) + rows.tobytes()).hexdigest()
        if found != _MD5[part]:
            raise InputError(
                f"The {part} pictures of {path or 'OpenML'} have the checksum {found}, MNIST's have {_MD5[part]}: "
                "give an .npz with the unchanged train_images (60000, 28, 28) and test_images (10000, 28, 28), uint8."
            )
    whole = open_source(train[..., None], name="mnist")
    test_rows = open_source(test[..., None], name="mnist")
    return Parts(
        name="mnist",
        train=whole.take(np.arange(MNIST_TRAIN)),
        validation=whole.take(np.arange(MNIST_TRAIN, len(whole))),
        test=test_rows,
    )


def padded(parts: Parts, side: int) -> Parts:
    """Return square pictures padded with black to height and width `side`, the picture in the middle."""

    def pad(data: Dataset) -> Dataset:
        before, odd = divmod(side - data.rows.shape[1], 2)
        edges = (before, before + odd)
        return replace(data, rows=np.pad(data.rows, ((0, 0), edges, edges, (0, 0))))

    return replace(parts, train=pad(parts.train), validation=pad(parts.validation), test=pad(parts.test))


def faces(folder: Path | None, *, side: int = FACE_SIDE) -> Parts:
    """Return the 400 ORL (Olivetti) faces as square grey pictures, the 40 people split 32 : 4 : 4.

    No person is in two parts.

    folder: a folder of PNG files named sPP_NN.png; if None, scikit-learn downloads its copy.
    side: height and width of the pictures in pixels.

    Raises:
        InputError: the folder does not hold the faces, or the download failed.
    """
    pictures, people = _olivetti(side) if folder is None else _orl(folder, side)
    data = open_source(pictures[..., None], name="faces")
    known = np.unique(people)
    cut = [known[: -len(known) // 5], known[-len(known) // 5 : -len(known) // 10], known[-len(known) // 10 :]]
    train, validation, test = (data.take(np.flatnonzero(np.isin(people, each))) for each in cut)
    note = (
        f"Faces: {len(data)} ORL photographs of {len(known)} people, {len(train)} of {len(cut[0])} people to train on, the "
        f"middle square at {side} x {side} pixels; the Toronto Face Database, of {FACE_SIDE} x {FACE_SIDE}, is not public and "
        "far larger."
    )
    return Parts(name="faces", train=train, validation=validation, test=test, note=note)


def cifar10(path: Path) -> Parts:
    """Return CIFAR-10 pictures from an .npz (images, labels); the last tenth is for validation, the tenth before it the test.

    Raises:
        InputError: the file does not exist or does not hold such pictures.
    """
    data = replace(open_source(path), name="cifar10")
    if data.kind != "pictures" or data.rows.shape[1:] != (32, 32, 3):
        raise InputError(
            f"{path} holds {data.describe()}; CIFAR-10's pictures are 32 x 32 with 3 channels: give an .npz of them."
        )
    tenth = len(data) // 10
    order = np.arange(len(data))
    return Parts(
        name="cifar10",
        note=f"CIFAR-10: {len(data) - 2 * tenth:,} of {len(data):,} pictures to train on (the paper: 40,000 of 50,000).",
        train=data.take(order[: -2 * tenth]),
        validation=data.take(order[-tenth:]),
        test=data.take(order[-2 * tenth : -tenth]),
    )


def _from_npz(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if not path.is_file():
        raise InputError(
            f"There is no file {path}; give an .npz of MNIST with train_images and test_images, "
            "or leave it out to download MNIST from OpenML."
        )
    train, test = (open_source(path, key=key).rows[..., 0] for key in ("train_images", "test_images"))
    return train, test


def _from_openml() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    from sklearn.datasets import fetch_openml

    bunch = _fetched(
        lambda: fetch_openml("mnist_784", version=1, as_frame=False), "MNIST", "--mnist FILE.npz"
    )
    pixels = bunch.data.astype(np.uint8).reshape(-1, 28, 28)
    return pixels[:60_000], pixels[60_000:]


def _olivetti(side: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    from sklearn.datasets import fetch_olivetti_faces

    bunch = _fetched(fetch_olivetti_faces, "the Olivetti faces", "--faces FOLDER")
    pictures = [Image.fromarray(np.round(255 * face).astype(np.uint8)) for face in bunch.images]
    return np.stack([_square(picture, side) for picture in pictures]), np.asarray(bunch.target)


def _orl(folder: Path, side: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    paths = sorted(folder.glob("s??_*.png"))
    if len(paths) < 40:
        raise InputError(
            f"{folder} holds {len(paths)} pictures named sPP_NN.png; give the folder of the 400 ORL faces."
        )
    pictures = []
    for path in paths:
        with Image.open(path) as picture:
            pictures.append(_square(picture.convert("L"), side))
    return np.stack(pictures), np.array([path.stem.split("_")[0] for path in paths])


def _square(picture: Image.Image, side: int) -> NDArray[np.uint8]:
    """Return the centre square of a picture, resized to side x side."""
    short = min(picture.size)
    left, top = (picture.width - short) // 2, (picture.height - short) // 2
    middle = picture.crop((left, top, left + short, top + short))
    return np.asarray(middle.resize((side, side), Image.Resampling.BOX), dtype=np.uint8)


def _fetched(fetch: Any, what: str, option: str) -> Any:
    try:
        return fetch()
    except OSError as error:
        raise InputError(
            f"{what} could not be downloaded ({type(error).__name__}): give a local copy with {option}."
        ) from error
