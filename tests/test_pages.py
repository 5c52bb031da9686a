"""Each page of docs that a script writes is built from the stored results, and the page on disk has these very numbers.

Words of a page may change without its script; numbers may not.
"""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def _speed() -> str:
    maker = importlib.import_module("docs.make_speed")
    return maker.page(json.loads(maker.RESULTS.read_text()))


def _judge() -> str:
    return importlib.import_module("benchmarks.judge_tables").filled((DOCS / "judge.md").read_text())


PAGES: dict[str, Callable[[], str]] = {
    "judge": _judge,
    "speed": _speed,
    **{
        name: lambda name=name: importlib.import_module(f"docs.make_{name}").page()
        for name in ("errors", "modes", "paper", "pictures", "stopping", "tables")
    },
}


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param, PAGES[request.param]()


def test_a_page_has_the_numbers_of_its_results(page: tuple[str, str]) -> None:
    name, built = page
    stored = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    numbers, found = (Counter(re.findall(r"\d[\d.,]*\d|\d", text)) for text in (built, stored))
    assert len(numbers) >= 10
    assert numbers == found, "stale: run the page's script (make docs, or python -m docs.make_...)"
    assert "NOT MET" not in stored


def test_its_pictures_are_there_and_can_be_drawn(page: tuple[str, str]) -> None:
    name, built = page
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", built):
        assert 0 < (DOCS / picture).stat().st_size < 400_000
    if name in ("modes", "stopping", "tables"):
        assert importlib.import_module(f"docs.make_{name}").draw().startswith(b"\x89PNG")


def test_every_page_with_a_script_is_held() -> None:
    scripts = {path.stem.removeprefix("make_") for path in DOCS.glob("make_*.py")} - {"picture"}
    assert scripts <= PAGES.keys()


def test_each_refusal_is_a_sentence_or_two_without_traces() -> None:
    rows = [line.strip("| ").split(" | ") for line in (DOCS / "errors.md").read_text().splitlines()]
    messages = {row[0]: row[1] for row in rows if len(row) == 2 and row[0] != "Input"}
    assert len(messages) >= 100
    for given, words in messages.items():
        assert re.search(r"[.?]$|name it: \S+$", words), given
        assert 20 < len(words) < 420, given
        assert not re.search(r"/tmp/|Traceback|\bError\b|  |[^.]\.\.$|;;|\?;", words), given
