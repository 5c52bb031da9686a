"""docs/errors.md is what docs/make_errors.py writes, and each of its messages is a sentence or two."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def written():
    spec = importlib.util.spec_from_file_location("make_errors", ROOT / "docs" / "make_errors.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.page()


def test_the_page_is_up_to_date(written):
    stored = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert stored == written, "stale: run `make docs`"


def test_each_case_is_answered_in_a_sentence_or_two(written):
    rows = [line.strip("| ").split(" | ") for line in written.splitlines() if line.startswith("| ")]
    messages = {given: words for given, words in rows if given != "Input"}
    assert len(messages) >= 100
    for given, words in messages.items():
        assert re.search(r"[.?]$|name it: \S+$", words), given
        assert 20 < len(words) < 420, given
        assert not re.search(r"/tmp/|Traceback|\bError\b|  |[^.]\.\.$|;;|\?;", words), given
