"""docs/errors.md is what docs/make_errors.py writes today, and each of its sentences reads as one."""

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


def test_the_page_is_what_is_said(written):
    stored = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert stored == written, "stale: run `make docs`"


def test_each_case_is_answered_in_a_sentence_or_two(written):
    rows = [line.strip("| ").split(" | ") for line in written.splitlines() if line.startswith("| ")]
    said = {given: words for given, words in rows if given != "Given"}
    assert len(said) >= 100
    for given, words in said.items():
        assert re.search(r"[.?]$|name it: \S+$", words), given
        assert 20 < len(words) < 420, given
        assert not re.search(r"/tmp/|Traceback|\bError\b|  |[^.]\.\.$|;;|\?;", words), given
