"""docs/paper.md is what docs/make_paper.py makes of paper/results, and its pictures are there and small."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_of_the_results():
    spec = importlib.util.spec_from_file_location("make_paper", ROOT / "docs" / "make_paper.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (ROOT / "docs" / "paper.md").read_text()
    assert text == module.page(), "run python -m docs.make_paper"
    assert "NOT MET" not in text
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert pictures
    for name in pictures:
        assert (ROOT / "docs" / name).stat().st_size < 300_000
