"""Detail at full size: how much power pictures have in the top octave of their spectrum.

Frequencies of a half to the whole of the highest one that a picture of its size can hold (0.25 to 0.5 cycles a pixel, along
either side) are those that a picture enlarged from half the size does not have.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

TOP = 0.25


def top_octave(pictures: npt.NDArray[Any]) -> float:
    """Return the mean power of pictures (n, H, W, C) at frequencies of at least 0.25 cycles a pixel along either side.

    In squared units of the pictures a pixel: white noise of variance v has about v / 4 below and 3 v / 4 above. Each picture's
    mean is taken off, and a Hann window keeps its border, which is no detail, from counting as one.
    """
    _, height, width, _ = pictures.shape
    window = _hann(height)[:, None] * _hann(width)
    window /= np.sqrt(np.mean(np.square(window)))
    high = np.maximum(np.abs(np.fft.fftfreq(height))[:, None], np.abs(np.fft.fftfreq(width))) >= TOP
    total = 0.0
    for picture in pictures:
        grey = picture.astype(np.float64)
        grey -= np.average(grey, axis=(0, 1), weights=np.square(window))
        power = np.square(np.abs(np.fft.fft2(grey * window[..., None], axes=(0, 1))))
        total += float(power[high].sum()) / (height * width) ** 2 / grey.shape[2]
    return total / len(pictures)


def _hann(side: int) -> npt.NDArray[np.float64]:
    return np.square(np.sin(np.pi * (np.arange(side) + 0.5) / side))
