"""The verdict's form: its keys, its round trip, and words that never claim too much."""

import json
import re
from dataclasses import replace

import pytest

from saddlepoint.errors import StoredFileError
from saddlepoint.judging.verdict import Verdict

KEYS = [
    *("certified", "jsd_lower", "jsd_estimate", "confidence", "floor", "accuracy", "tv_lower"),
    *("referee", "n_fit", "n_select", "n_evaluate", "fakes_per_real", "held_out"),
    *("control", "power", "where", "memorisation", "protocol", "seconds"),
]

column = {
    "kind": "column",
    "name": "pay",
    "jsd_lower": 0.02,
    "how": "relation",
    "with": ["age", "sex", "a", "b", "c"],
}
FULL = Verdict(
    certified=True,
    jsd_lower=0.031,
    jsd_estimate=0.036,
    confidence=0.95,
    floor=0.00125,
    accuracy=0.583,
    tv_lower=0.11,
    referee="stack",
    n_fit=5000,
    n_select=2000,
    n_evaluate=3000,
    fakes_per_real=4,
    held_out="declared",
    control={"passed": True, "accuracy": 0.502, "jsd_lower": 0.0},
    power={"mass": 0.05, "jsd": 0.0176, "found": 5, "of": 5, "recall": 0.91},
    where=(
        column,
        {"kind": "pair", "name": "a and b", "columns": ["a", "b"], "jsd_lower": 0.01},
        {
            "kind": "region",
            "name": "the region around (1, 2)",
            "real_share": 0.1,
            "fake_share": 0.0,
            "jsd_lower": 0.03,
        },
        {"kind": "rows", "name": "real", "indices": [3, 1], "jsd_lower": None},
    ),
    memorisation={"copying": False, "exact_copies": 0, "share": 0.501, "p": 0.44},
    seconds=12.3,
    noise_smoothed=({"sigma": 0.1, "jsd_lower": 0.5, "jsd_estimate": 0.55},),
    notes=("A note.",),
)
NOTHING = replace(
    FULL, certified=False, jsd_lower=0.0, jsd_estimate=0.0003, where=(), noise_smoothed=None, tv_lower=0.0
)
FAILED = replace(
    FULL, certified=False, jsd_lower=None, jsd_estimate=None, control=FULL.control | {"passed": False}
)


def test_has_the_keys_that_were_fixed_and_three_more():
    assert list(FULL.to_dict())[: len(KEYS)] == KEYS
    assert set(FULL.to_dict()) - set(KEYS) == {"noise_smoothed", "notes", "metrics"}


@pytest.mark.parametrize("verdict", [FULL, NOTHING, FAILED])
def test_survives_json(verdict):
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


def test_reads_the_verdict_of_the_plan_without_the_newer_keys():
    stored = {key: value for key, value in FULL.to_dict().items() if key in KEYS}
    assert Verdict.from_dict(stored).notes == ()


def test_foreign_records_are_refused_by_name():
    with pytest.raises(StoredFileError, match=r"unknown keys: colour; missing keys: certified, confidence"):
        Verdict.from_dict(
            {"colour": "red", "held_out": "no", "jsd_lower": 0, "jsd_estimate": 0, "n_evaluate": 3}
        )


@pytest.mark.parametrize("held_out", ["declared", "unknown", "no"])
@pytest.mark.parametrize("verdict", [FULL, NOTHING, FAILED])
def test_fits_one_screen_and_never_claims_too_much(verdict, held_out):
    many = tuple({**column, "name": "a column of a rather long name " + "x" * i} for i in range(40))
    text = str(replace(verdict, held_out=held_out, where=many, notes=("A very long note. " * 30,) * 5))
    assert len(text.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 100
    assert not re.search(r"JSD =|JSD <|converged|identical|private|anonymous", text)


def test_says_first_what_the_real_rows_were():
    assert str(FULL).startswith("The real rows were held out from the generator, as declared.")
    assert str(replace(FULL, held_out="unknown")).startswith("Unknown whether the real rows were held out")
    assert str(replace(FULL, held_out="no")).startswith("The generator was trained on these real rows")


def test_words_carry_the_figures():
    text = " ".join(str(FULL).split())
    for words in (
        "JSD >= 0.0310 nats (95 %, betting bound, fixed n; 3,000 real rows read once, 4 fake rows for each; "
        "estimate 0.0360; the largest possible is 0.693, no overlap)",
        "(stack): classifier accuracy 58.3 % (50 % is guessing); TV >= 0.110.",
        "Control, real against real: passed, classifier accuracy 50.2 %, bound 0.0000.",
        "Power: a missing region of 5 % (JSD 0.0176) was found 5 of 5 times (mean estimate 91 % of that JSD).",
        "column pay, its relation to age, sex, a, b, ... (JSD >= 0.0200)",
        "columns a and b together, neither alone (JSD >= 0.0100)",
        "the region around (1, 2) holds 10.0 % of the real and 0.0 % of the fake rows",
        "0.1 sd: >= 0.500",
        "No copies found by the memorisation test (share 0.501, p = 0.44)",
        "Note: A note.",
    ):
        assert words in text


def test_nothing_found_is_said_to_be_no_proof():
    text = " ".join(str(NOTHING).split())
    assert "No difference certified: bound 0" in text
    assert re.search("no proof of equality: .* 0.00125 nats", text)


def test_a_certified_bound_below_the_floor_is_no_contradiction():
    """The floor is a JSD of the laws and a bound lies below the JSD: nothing may be said to forbid such bounds."""
    text = " ".join(str(replace(FULL, jsd_lower=0.0006, floor=0.0416)).split())
    assert "JSD >= 0.0006 nats" in text
    assert "0.0416" not in text
    assert "certify" not in text


def test_the_control_says_what_passing_means():
    control = {"passed": True, "accuracy": 0.622, "jsd_lower": 0.0, "rows_read": 54}
    text = " ".join(str(replace(FULL, control=control)).split())
    assert re.search(r"passed, classifier accuracy 62\.2 %, bound 0\.0000 .* 26 to 74 % on 54 rows", text)


def test_a_failed_control_is_told_with_its_reason_first():
    failed = replace(FAILED, notes=("The control failed: see there.", "Another."))
    lines = str(failed).splitlines()
    assert lines[1] == "No verdict. The control failed: see there."
    assert "Control, real against real: FAILED" in lines[2]
    assert lines[-1] == "Note: Another."


def test_copies_and_fractions_are_worded():
    copied = replace(FULL, memorisation={"copying": True, "exact_copies": 12, "share": 0.6, "p": 0.001})
    assert "Copies of training rows found (12 exact, p = 0.001)." in str(copied)
    assert "1 fake row for each" in str(replace(FULL, fakes_per_real=1))
    told = replace(FULL, memorisation=FULL.memorisation | {"sentence": "No copying found, said so."})
    assert "No copying found, said so." in str(told)


def test_regions_are_not_crowded_out_by_columns():
    many = (*({**column, "name": f"c{i}"} for i in range(20)), FULL.where[2])
    text = str(replace(FULL, where=many))
    assert "the region around (1, 2)" in text
    assert text.count("Where: column") == 5
