"""Detail at full size: white noise, waves below and above, and pictures enlarged from half the size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from saddlepoint.judging.metrics.gan_metrics import top_octave


def test_white_noise_has_three_quarters_of_its_variance_there():
    noise = np.random.default_rng(0).normal(scale=3.0, size=(200, 24, 32, 2))
    share = 1 - 15 * 11 / (32 * 24)  # of 32 x 24 frequencies 15 x 11 are below; 3/4 for large pictures
    assert top_octave(noise) == pytest.approx(share * 9, rel=0.03)
    assert top_octave(noise + 100) == pytest.approx(top_octave(noise), rel=0.01)


@pytest.mark.parametrize(("frequency", "share"), [(0.15, 0.0), (0.2, 0.0), (0.3, 1.0), (0.45, 1.0)])
@pytest.mark.parametrize("along", [0, 1])
def test_a_wave_counts_by_its_frequency(frequency, share, along):
    place = np.arange(64)
    wave = np.cos(2 * np.pi * frequency * (place[:, None] if along == 0 else place[None])) * np.ones((64, 64))
    assert top_octave(wave[None, ..., None]) == pytest.approx(share * 0.5, abs=0.01)


def test_pictures_enlarged_from_half_the_size_fail_and_others_of_the_same_law_do_not():
    random = np.random.default_rng(0)
    y, x = np.mgrid[:48, :40]
    angle, phase = random.uniform(0, np.pi, (300, 1, 1)), random.uniform(0, 6, (300, 1, 1))
    stripes = np.sign(np.sin(0.9 * (x * np.cos(angle) + y * np.sin(angle)) + phase))  # sharp edges
    pictures = (128 + 90 * stripes[..., None]).astype(np.uint8)
    one, two = pictures[:150], pictures[150:]
    assert 0.8 < top_octave(one) / top_octave(two) < 1.25
    for resample in (Image.Resampling.BILINEAR, Image.Resampling.LANCZOS, Image.Resampling.BICUBIC):
        small = [Image.fromarray(each[..., 0]).resize((20, 24), Image.Resampling.BOX) for each in one]
        enlarged = np.stack([np.asarray(each.resize((40, 48), resample)) for each in small])[..., None]
        assert top_octave(enlarged) / top_octave(two) < 0.5
