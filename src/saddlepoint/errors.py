"""What can go wrong, as a user meets it.

Every message is one sentence or two: what was given, what is allowed, what to do. Nothing here imports
anything, so that the command line can catch these errors before a single heavy library is loaded.
"""


class SaddlepointError(Exception):
    """The root of every error that this package raises on purpose; the command line prints it in one line."""


class InputError(SaddlepointError, ValueError):
    """What the user gave cannot be used: a file, an array, a name or a number."""


class StoredFileError(SaddlepointError):
    """Something that we wrote earlier (a checkpoint, a model, a run folder) cannot be read or written."""


class GameError(SaddlepointError):
    """The game itself cannot go on: a loss or a gradient is no longer a finite number."""


_CLOSE = 0.65
"""Of two letters in three the same: "dgo" is near "dog", "nope" is not near "income"."""


def nearest(given: object, allowed: list[str] | tuple[str, ...]) -> str:
    """Return ", did you mean 'x'?" for the closest allowed name, or an empty string; only words are misspelt.

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
