"""The exceptions of this package.

Every message has one sentence or two: what was given, what is allowed, what to do. This module imports nothing, so that the
command line can catch these errors before any heavy library is loaded.
"""


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


def nearest(given: object, allowed: list[str] | tuple[str, ...]) -> str:
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
