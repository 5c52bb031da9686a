"""One word for one thing: the private words of the first wave are gone from source, docs and output, but for the alias tables.

Names of random streams are numbers in disguise (another name would draw other numbers), and keys of stored files are what
saved runs hold: both are left as they were.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = [path for path in sorted((ROOT / "src").rglob("*.py")) if path.name != "aliases.py"]
STORED = re.compile(r"""["'](?:looks?|companions|ruler|law|told_right)["'/]""")  # keys of files on disk
STREAM = re.compile(r"(?:random_generator|numpy_generator|derived_seed)\((?:[^()]|\([^()]*\))*\)")

WORDS = {
    # section 1.6 of the review and the rename tables: the word, and what it is called now
    r"told right": "classifier accuracy",
    r"told (?:from|apart from) (?:data|real|held-out)": "classifier accuracy",
    r"tells? real from fake": "classifier accuracy",
    r"heads? in order|ordered heads|fitted heads": "MADE",
    r"rulers?": "power analysis",
    r"glances?": "quick estimate",
    r"ringside": "quick two-sample test",
    r"companions?": "metrics",
    r"laws?": "distribution",
    r"in charts": "mixture components",
    r"movers?": "player optimiser",
    r"told": "given, recognised, shown",
    r"said": "message, description",
    r"looks?(?! like| the same)": "estimate, check",
    r"by heart": "memorised, overfit",
    # house grammar
    r"lest": "so that ... not",
    r"but for": "except",
    r"for it (?:is|has|holds|was)": "because",
    r"[Nn]or (?:does|do|is|are)": "and ... not",
    r"that are none": "invalid",
    r"To be written": "written",
}

SENTENCES = (
    "Levels that hold many rows are",
    "Rows of numbers in charts",
    "that the rows are being learnt",
    "Weights first + unit",
    "give a Gaussian law with linear means",
    "nobody's business",
    "Of rows drawn so some are kept",
    "What the look takes for granted",
    "Of the fakes only this is asked",
    "play the generator after every row",
    "Measured costs swing",
    "the wait for a change of Python's mind",
    "a score is drawn in bins about a guess",
    "is made anew in its pattern and not learnt",
    "of the time told right",
)


def text_of(path: Path) -> str:
    return STORED.sub("", STREAM.sub("", path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("word", WORDS)
def test_a_private_word_is_gone(word: str) -> None:
    pattern = re.compile(rf"(?<![\w-])(?:{word})(?![\w-])")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:90]}"
        for path in (*SOURCES, *PAGES)
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, f"say {WORDS[word]!r} instead:\n" + "\n".join(found)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_hard_sentence_is_gone(sentence: str) -> None:
    assert not [path for path in (*SOURCES, *PAGES) if sentence in " ".join(text_of(path).split())]


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_pages_name_files_that_exist(path: Path) -> None:
    """Links of a page lead to files of the repository."""
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text(encoding="utf-8"))
    missing = [link for link in links if not (path.parent / link).exists()]
    assert not missing
