"""docs/modes.md is what docs/make_modes.py makes of the results, and its picture is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_of_the_results():
    spec = importlib.util.spec_from_file_location("make_modes", ROOT / "docs" / "make_modes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (ROOT / "docs" / "modes.md").read_text(encoding="utf-8")
    assert text == module.page(), "stale: run python -m docs.make_modes"
    assert 0 < module.PICTURE.stat().st_size < 150_000
    assert module.draw().startswith(b"\x89PNG")


def test_hard_sets_are_those_whose_mixture_is_told_from_the_data():
    spec = importlib.util.spec_from_file_location("make_modes", ROOT / "docs" / "make_modes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    records = [
        {"set": name, "seed": 1, "column": column, "jsd_lower": bound}
        for name, column, bound in (
            ("easy", "mixture", 0.0),
            ("easy", "mixture+game", 0.0),
            ("hard", "mixture", 0.3),
            ("hard", "mixture+game", 0.1),
            ("alone", "mixture", 0.3),
        )
    ]
    assert module.hard(records) == {"hard": [(1, 0.3, 0.1)]}
