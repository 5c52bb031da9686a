"""Write docs/errors.md: what is said to bad input, each sentence as it is really said, from the cases of the tests.

    python -m docs.make_errors

The cases live beside the tests that hold them (`CASES`, `refusals`); this script runs each one and writes what came out.
`tests/test_errors_page.py` fails when the page is no longer what this script would write.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

from saddlepoint.data.opening import open_source
from saddlepoint.errors import SaddlepointError

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "errors.md"
FUZZ = ROOT / "benchmarks" / "results" / "fuzz.json"
HEAD = """# What is said to bad input

Every refusal is one sentence or two: what was given, what is allowed, what to do. On the command line it is one line on
stderr after `saddlepoint: `, the exit code is 1, and nothing is lost or half written; in Python it is an
`saddlepoint.errors.InputError` (also a `ValueError`) or, for files that saddlepoint wrote itself, a `StoredFileError`.

This page is written by `make docs`, which runs the cases of the tests: these are the sentences as they
are said, {count} of them. Files that are damaged in ways nobody thought of are tried by `make fuzz`: of {cases:,} mutated
files {opened:,} still opened, {refused:,} were refused in a sentence, and {tracebacks} ended otherwise.
"""
Case = tuple[str, str]


def tests_of(path: str) -> ModuleType:
    """Return a test file as a module."""
    name = "of_the_page_" + Path(path).stem
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def said_by(act: Callable[[], object], folder: str = "") -> str:
    """Return the sentence that an act is refused with."""
    try:
        act()
    except SaddlepointError as error:
        plain = str(error).replace(f"{folder}/", "") if folder else str(error)
        plain = re.sub(r"this machine has [\d.,]+ \w+", "this machine has less", plain)
        return re.sub(r"\(\d+ CUDA devices\)", "(0 CUDA devices)", plain)
    raise RuntimeError("This case is no longer refused.")


def sources() -> Iterator[Case]:
    """Yield the cases of `open_source`."""
    for title, (make, _) in tests_of("data/test_bad_sources.py").CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            made = make(Path(folder))
            source, options = made if isinstance(made, tuple) else (made, {})
            yield title, said_by(lambda: open_source(source, **options), folder)  # noqa: B023


def refusals(path: str) -> Iterator[Case]:
    """Yield the cases that a test file lists by `refusals`: what is done, in code, and the act."""
    for title, act in tests_of(path).refusals():
        yield title, said_by(act)


def table(cases: Iterable[Case]) -> list[str]:
    """Return the lines of a table."""

    def cell(text: str) -> str:
        return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")

    lines = ["| Given | Said |", "|---|---|"]
    return lines + [f"| {cell(given)} | {cell(said)} |" for given, said in cases]


def page() -> str:
    """Return the whole page."""
    sections = {
        "Files, folders, frames and arrays": list(sources()),
        "Parameters of the estimator": list(refusals("test_estimator.py")),
        "Samples and classes": list(refusals("test_model.py")),
        "Networks and batches of your own": list(refusals("test_own_networks.py")),
        "Pictures: export, film, mirror images, augmentation, found classes": list(
            refusals("test_pictures.py")
        ),
        "When to stop, on the command line": list(refusals("fitting/test_check_options.py")),
        "The paper, recomputed": list(refusals("paper/test_refusals.py")),
    }
    lines = [
        HEAD.format(count=sum(len(cases) for cases in sections.values()), **json.loads(FUZZ.read_text()))
    ]
    for heading, cases in sections.items():
        lines += [f"## {heading}", "", *table(cases), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
