"""Count the package's lines: code, docstrings, comments and blanks, by package: `python -m docs.count_lines [FOLDER]`."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1] / "src" / "saddlepoint"
_SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def count(text: str) -> Counter[str]:
    """Return how many lines hold code, only a docstring, only a comment, or nothing.

    >>> sorted(count("'Words.'\\n\\n# why\\nx = 1  # here\\n").items())
    [('blank', 1), ('code', 1), ('comment', 1), ('docstring', 1)]
    """
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        for inner in getattr(node, "body", []) if isinstance(getattr(node, "body", None), list) else []:
            if (
                isinstance(inner, ast.Expr)
                and isinstance(inner.value, ast.Constant)
                and isinstance(inner.value.value, str)
            ):
                docstrings.update(range(inner.lineno, (inner.end_lineno or inner.lineno) + 1))
    code: set[int] = set()
    comments: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        lines = range(token.start[0], token.end[0] + 1)
        if token.type == tokenize.COMMENT:
            comments.update(lines)
        elif token.type not in _SILENT:
            code.update(line for line in lines if line not in docstrings)
    found: Counter[str] = Counter()
    for number in range(1, text.count("\n") + 1):
        if number in code:
            found["code"] += 1
        elif number in docstrings:
            found["docstring"] += 1
        else:
            found["comment" if number in comments else "blank"] += 1
    return found


def main(root: Path = ROOT) -> None:
    """Print a line a package, and the sum."""
    kinds = ("code", "docstring", "comment", "blank")
    packages: dict[str, Counter[str]] = {}
    files: Counter[str] = Counter()
    for path in sorted(root.rglob("*.py")):
        package = path.relative_to(root).parts[0] if path.parent != root else "."
        packages.setdefault(package, Counter()).update(count(path.read_text()))
        files[package] += 1
    print(f"{'package':12} {'files':>6} " + " ".join(f"{kind:>10}" for kind in (*kinds, "all")))
    packages["sum"] = sum(packages.values(), Counter())
    files["sum"] = files.total()
    for name, found in packages.items():
        print(
            f"{name:12} {files[name]:>6} "
            + " ".join(f"{found[kind]:>10,}" for kind in kinds)
            + f" {found.total():>10,}"
        )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
