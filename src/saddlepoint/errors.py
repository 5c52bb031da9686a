"""The exceptions of this package.

Every message has one sentence or two: what was given, what is allowed, what to do. This module imports nothing, so that the
command line can catch these errors before any heavy library is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class SaddlepointError(Exception):
    """Base class of all errors that this package raises on purpose; the command line prints them in one line."""


class InputError(SaddlepointError, ValueError):
    """An input cannot be used: a file, an array, a name or a number."""


class StoredFileError(SaddlepointError):
    """A file of this package (a checkpoint, a model, a run folder) cannot be read or written."""


class GameError(SaddlepointError):
    """The game cannot go on: a loss or a gradient is no longer a finite number."""


_CLOSE = 0.65
"""Smallest similarity of a suggestion, about two letters in three: "dgo" is near "dog", "nope" is not near "income"."""


_MOST_LISTED = 12


def nearest(given: object, allowed: Sequence[str]) -> str:
    """Return ", did you mean 'x'?" for the closest allowed name, or an empty string; numbers get no suggestion.

    >>> nearest("relativstic", ["minimax", "relativistic"])
    ", did you mean 'relativistic'?"
    >>> nearest("nope", ["income"]), nearest("12", ["2"]), nearest(None, ["on"])
    ('', '', '')
    """
    import difflib

    if not isinstance(given, str) or given.lstrip("+-").replace(".", "", 1).isdigit():
        return ""
    close = difflib.get_close_matches(given.lower(), [name.lower() for name in allowed], n=1, cutoff=_CLOSE)
    original = next((name for name in allowed if close and name.lower() == close[0]), None)
    return f", did you mean {original!r}?" if original else ""


def listed(names: Iterable[str]) -> str:
    """Return the first 12 names as text.

    >>> listed(["a", "b"]), listed(map(str, range(20)))
    ('a, b', '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...')
    """
    every = list(names)
    return ", ".join(every[:_MOST_LISTED]) + (", ..." if len(every) > _MOST_LISTED else "")


def unknown(what: str, given: object, known: Sequence[str], having: str = "Allowed are") -> InputError:
    """Return the error for a name that is not among the known ones, with the nearest of them.

    what: the first words of the sentence.
    given: the name given.
    known: the names that exist.
    having: the words before the list of these.

    >>> print(unknown("There is no column", "aeg", ["age", "pay"], "The columns are"))
    There is no column 'aeg', did you mean 'age'? The columns are age, pay.
    """
    return InputError(f"{what} {given!r}{nearest(given, known) or '.'} {having} {listed(known)}.")


def one_of(name: str, given: object, allowed: Sequence[str]) -> None:
    """Refuse a value of an option that is not among the allowed ones.

    Raises:
        InputError: with the nearest allowed value.
    """
    if given not in allowed:
        raise unknown(f"{name} is", given, allowed)


def at_least(name: str, given: int, least: int) -> None:
    """Refuse a whole number below the least allowed.

    Raises:
        InputError: the number is below.
    """
    if given < least:
        raise InputError(f"{name} is {given}; give a whole number, {least} or more.")


def refuse_missing(path: Path) -> None:
    """Refuse a path at which there is no file.

    Raises:
        InputError: there is nothing at the path, or a folder.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file.")
    if not path.is_file():
        raise InputError(f"There is no file {path}; check the path.")
