"""Wrong choices about checks are told in a sentence, with their values; docs/errors.md shows these very cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError
from saddlepoint.fitting import FitOptions, prepare

CASES: dict[str, tuple[dict[str, object], str]] = {
    "--until setled": ({"until": "setled"}, r"Unknown until 'setled', did you mean 'settled'"),
    "--until settled --on-collapse go": (
        {"until": "settled", "on_collapse": "go"},
        r"Unknown on-collapse 'go'.*stop, rollback, remedy",
    ),
    "--until settled --power long": (
        {"until": "settled", "power": "long"},
        r"Unknown power 'long'.*quick, full",
    ),
    "--until settled --tolerance 2": (
        {"until": "settled", "tolerance": "2"},
        r"The tolerance '2' is neither a number of nats.*nor a missing cluster in per cent",
    ),
    "--tolerance 2%": ({"tolerance": "2%"}, r"tolerance 2% needs checks, and none were asked for: add until"),
    "--tolerance 5%, the default": (
        {"tolerance": "5%"},
        r"tolerance 5% needs checks, and none were asked for: add until",
    ),
    "--power quick, the default": ({"power": "quick"}, r"power quick needs checks"),
    "--on-collapse remedy": ({"on_collapse": "remedy"}, r"on-collapse remedy needs checks"),
    "--metrics mmd": (
        {"metrics": ["mmd"]},
        r"metrics mmd are measured with the final verdict, and no verdict was asked for",
    ),
    "--until settled --metrics mmmd": (
        {"until": "settled", "metrics": ["mmmd"]},
        r"Unknown metric 'mmmd', did you mean 'mmd'.*or all",
    ),
    "--until settled --metrics fid": (
        {"until": "settled", "metrics": ["fid"]},
        r"FID is measured on features of the Inception network.*Allowed are neighbours, mmd, or all",
    ),
}


def too_few() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 2))
    prepare(open_source(rows), FitOptions(until="settled"))


def refusals() -> Iterator[tuple[str, Callable[[], object]]]:
    for title, (chosen, _) in CASES.items():
        yield title, lambda chosen=chosen: FitOptions(**chosen)
    yield "--until settled on 300 rows", too_few


@pytest.mark.parametrize(("chosen", "words"), CASES.values(), ids=CASES)
def test_wrong_choices_are_told(chosen: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        FitOptions(**chosen)


def test_too_few_rows_to_check_are_told() -> None:
    with pytest.raises(InputError, match="There are 30 validation rows to check on, and 50 are needed"):
        too_few()
