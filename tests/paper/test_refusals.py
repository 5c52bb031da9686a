"""What `saddlepoint paper` refuses, in one sentence; docs/errors.md is written from these cases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from saddlepoint.errors import InputError
from saddlepoint.networks import DeconvolutionGenerator
from saddlepoint.paper import datasets, games, table1, theory
from saddlepoint.paper.results import Results

NOWHERE = Path("nowhere")


def refusals() -> list[tuple[str, Callable[[], object]]]:
    """Return what is done, in code, and the act."""
    rows = np.random.default_rng(0).random((200, 5))
    return [
        ('table1 --models "goodfelow2014"', lambda: table1.refuse_unknown(["goodfelow2014"])),
        ('figure2 --game "modem"', lambda: games.refuse_unknown_game("modem")),
        ("samples whose best sigma is the grid's least", lambda: table1.score(rows, rows, rows)),
        ("samples whose best sigma is the grid's largest", lambda: table1.score(rows, rows + 10, rows)),
        ("table1 --mnist none.npz", lambda: datasets.mnist(Path("none.npz"))),
        ("table1 --data faces --faces nowhere", lambda: datasets.faces(NOWHERE)),
        ("theory --steps h", lambda: theory.run(Results(NOWHERE), steps=["h"])),
        (
            "the convolutional networks for pictures of 28 x 28",
            lambda: DeconvolutionGenerator(noise_width=2, shape=(1, 28, 28)),
        ),
    ]


@pytest.mark.parametrize(("given", "act"), refusals(), ids=[given for given, _ in refusals()])
def test_it_is_one_sentence_with_the_values(given, act):
    with pytest.raises(InputError) as caught:
        act()
    assert "\n" not in str(caught.value)
    assert not NOWHERE.exists()
