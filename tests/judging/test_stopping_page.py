"""docs/stopping.md is what docs/make_stopping.py makes of the results, and its picture is there and small."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_of_the_results():
    spec = importlib.util.spec_from_file_location("make_stopping", ROOT / "docs" / "make_stopping.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (ROOT / "docs" / "stopping.md").read_text(encoding="utf-8")
    assert text == module.page(), "stale: run python -m docs.make_stopping"
    assert set(json.loads(module.RESULTS.read_text())) == set(module.SECTIONS)
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert pictures == ["images/stopping.png"]
    assert 0 < (ROOT / "docs" / pictures[0]).stat().st_size < 150_000
    assert module.draw().startswith(b"\x89PNG")
