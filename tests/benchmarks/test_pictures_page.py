"""The figures of docs/pictures.md are what docs/make_pictures.py makes of the results."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pictures", ROOT / "docs" / "make_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_of_the_results(maker: ModuleType) -> None:
    text = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
    assert text.count(maker.BEGIN) == text.count(maker.END) == 1
    assert text == maker.page(), "stale: run python -m docs.make_pictures"


def test_every_figure_comes_from_a_record_and_what_is_missing_is_said(
    maker: ModuleType, tmp_path: Path
) -> None:
    distances = {"frechet": 1.25, "frechet_real": 0.5, "kernel": 0.2, "precision": 0.7, "recall": 0.6}
    shares = {"worst_share": 0.17, "top_probability": 0.94, "top_probability_real": 0.98}
    digits = {
        **{"set": "mnist", "row": "ours", "seed": 1, "octave": 0.9, "octave_enlarged": 0.1},
        **{"jsd_lower": 0.25, "accuracy": 0.8, "cpu_seconds": 480.0, "classifier_accuracy": 0.98},
        **distances,
        **shares,
    }
    stacked = {"set": "stacked", "row": "ours", "seed": 1, "octave": 0.9, "octave_enlarged": 0.2, **distances}
    stacked |= {"modes": 991, "kl": 0.31, "mode_samples": 26_000, "classifier_accuracy": 0.98}
    stored = {"records": [digits, stacked], "notes": ["Played under load."]}
    (tmp_path / "pictures.json").write_text(json.dumps(stored))
    made = maker.page(tmp_path, f"before\n{maker.BEGIN}\nold\n{maker.END}\nafter\n")
    assert made.startswith(f"before\n{maker.BEGIN}\n")
    assert made.endswith(f"{maker.END}\nafter\n")
    assert "old\n" not in made
    assert "| mnist | ours | 0.250 | 80.0 | 1.25 (0.50) |" in made
    assert "the largest relative error of a class's share is 17.0 %" in made
    assert "991 of 1,000 modes, KL 0.31 nats" in made
    assert "mnist 0.10, stacked 0.20" in made
    assert "- not finished: orl, cifar," in made
    assert "- Played under load." in made
