"""Every reference is used, findable and of one form."""

import re

import pytest

from saddlepoint.errors import InputError
from saddlepoint.objectives import OBJECTIVES, PENALTIES, REFERENCES, cite

USED = [key for entry in (*OBJECTIVES.values(), *PENALTIES.values()) for key in entry.references]


def test_references_are_exactly_those_used():
    assert set(USED) == set(REFERENCES)
    assert all(entry.references for entry in (*OBJECTIVES.values(), *PENALTIES.values()))


@pytest.mark.parametrize("key", list(REFERENCES))
def test_a_reference_is_one_line_of_authors_year_title_and_arxiv_id(key):
    line = REFERENCES[key]
    assert re.fullmatch(r"[^()]+ \((\d{4})\)\. [^\n]+[.?!] arXiv:(\d{4})\.\d{4,5}", line)
    assert re.search(r"\d{4}", key)[0] == re.search(r"\((\d{4})\)", line)[1]


def test_citations_come_in_order_and_once():
    lines = cite(["mescheder2018", "goodfellow2014", "mescheder2018"])
    assert lines == [REFERENCES["mescheder2018"], REFERENCES["goodfellow2014"]]


def test_an_unknown_reference_is_refused():
    with pytest.raises(InputError, match="'goodfelow2014', did you mean 'goodfellow2014'"):
        cite(["goodfelow2014"])
