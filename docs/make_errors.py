"""Write docs/errors.md: the error messages for bad input, as the cases of the tests raise them.

    python -m docs.make_errors

The cases are defined in the test files (`CASES`, `refusals`); this script runs each one and writes its message.
`tests/test_pages.py` fails if numbers on the page differ from those that this script would write.
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
HEAD = """# Error messages

Every error message is one or two sentences: what was given, what is allowed, what to do. On the command line it is one line on
stderr after `saddlepoint: `, the exit code is 1, and no file is lost or half written. In Python it is a
`saddlepoint.errors.InputError` (also a `ValueError`) or, for files that saddlepoint wrote itself, a `StoredFileError`.

This page is written by `make docs`, which runs the cases of the tests: these are the actual messages, {count} of them. `make
fuzz` tests files that are damaged at random: of {cases:,} mutated files {opened:,} could still be opened, {refused:,} were
refused with a message, and {tracebacks} ended in another way.
"""
Case = tuple[str, str]


def tests_of(path: str) -> ModuleType:
    """Return a test file, imported as a module."""
    name = "of_the_page_" + Path(path).stem
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def message_of(act: Callable[[], object], folder: str = "") -> str:
    """Return the error message of a call, without the name of a temporary folder."""
    try:
        act()
    except SaddlepointError as error:
        plain = str(error).replace(f"{folder}/", "") if folder else str(error)
        plain = re.sub(r"this machine has [\d.,]+ \w+", "this machine has less", plain)
        return re.sub(r"\(\d+ CUDA devices\)", "(0 CUDA devices)", plain)
    raise RuntimeError("This case no longer raises an error.")


def sources() -> Iterator[Case]:
    """Yield the cases of `open_source`."""
    for title, (make, _) in tests_of("data/test_bad_sources.py").CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            made = make(Path(folder))
            source, options = made if isinstance(made, tuple) else (made, {})
            yield title, message_of(lambda: open_source(source, **options), folder)  # noqa: B023


def refusals(path: str) -> Iterator[Case]:
    """Yield the cases that a test file lists in `refusals`: the call, as text, and its error message."""
    for title, act in tests_of(path).refusals():
        yield title, message_of(act)


def table(cases: Iterable[Case]) -> list[str]:
    """Return the lines of a table."""

    def cell(text: str) -> str:
        return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")

    lines = ["| Input | Message |", "|---|---|"]
    return lines + [f"| {cell(given)} | {cell(message)} |" for given, message in cases]


def page() -> str:
    """Return the complete page."""
    sections = {
        "Files, folders, frames and arrays": list(sources()),
        "Parameters of the estimator": list(refusals("test_estimator.py")),
        "Samples and classes": list(refusals("test_model.py")),
        "Networks and batches of your own": list(refusals("test_own_networks.py")),
        "Pictures: export, film, mirror images, augmentation, pseudo-labels": list(
            refusals("test_pictures.py")
        ),
        "When to stop, on the command line": list(refusals("fitting/test_check_options.py")),
        "Reproduction of the paper": list(refusals("paper/test_refusals.py")),
    }
    lines = [
        HEAD.format(count=sum(len(cases) for cases in sections.values()), **json.loads(FUZZ.read_text()))
    ]
    for heading, cases in sections.items():
        lines += [f"## {heading}", "", *table(cases), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
