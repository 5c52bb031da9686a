"""Result files of the paper's commands: a JSON file (locked, replaced atomically), figures and a Markdown page."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy
import sklearn
import torch
from matplotlib.figure import Figure

from saddlepoint.atomic import write_atomically
from saddlepoint.drawing.style import to_png
from saddlepoint.errors import StoredFileError
from saddlepoint.version import __version__

_COLOURS = 128


class Results:
    """A folder of results, in which every file is written by a command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def changing(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the content of `name`.json under a lock, and write it back atomically.

        Raises:
            StoredFileError: the file is damaged or cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoredFileError(
                f"The folder {self.folder} cannot be created ({error.strerror}): choose another with --out."
            ) from error
        with filelock.FileLock(self.folder / f".{name}.lock"):
            content = self.read(name)
            yield content
            content["versions"] = versions()
            write_atomically(self.folder / f"{name}.json", (json.dumps(content, indent=1) + "\n").encode())

    def read(self, name: str) -> dict[str, Any]:
        """Return the content of `name`.json, or an empty dictionary if it does not exist.

        Raises:
            StoredFileError: the file is damaged.
        """
        path = self.folder / f"{name}.json"
        if not path.is_file():
            return {}
        try:
            content = json.loads(path.read_bytes())
        except ValueError as error:
            raise StoredFileError(
                f"{path} cannot be read ({error}); move it away and run the command again."
            ) from error
        return dict(content)

    def picture(self, figure: Figure, name: str, *, dpi: float | None = 120, colours: int = _COLOURS) -> Path:
        """Write a figure as `name`.png and return its path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.png"
        write_atomically(path, to_png(figure, dpi=dpi, colours=colours))
        return path

    def page(
        self,
        name: str,
        *,
        title: str,
        paper: str,
        got: Sequence[str],
        settings: Mapping[str, Any],
        commands: Sequence[str],
        quick: bool = False,
    ) -> Path:
        """Write `name`.md and return its path.

        name: the file's name.
        title: its heading.
        paper: what the paper shows.
        got: the lines of our results.
        settings: settings, seeds and seconds, by name.
        commands: the commands that made the results.
        quick: mark the page as a quick version.
        """
        lines = [f"## {title}", ""]
        if quick:
            lines += ["**A quick version: far fewer rounds and rows than the full one.**", ""]
        lines += [f"*The paper shows:* {paper}", "", *got, ""]
        lines += ["| setting | value |", "|---|---|"]
        lines += [
            f"| {key.replace('_', ' ').replace('cpu', 'CPU')} | {value} |" for key, value in settings.items()
        ]
        lines += ["", "```bash", *dict.fromkeys(readable(each) for each in commands if each), "```"]
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.md"
        write_atomically(path, ("\n".join(lines) + "\n").encode())
        return path


def readable(command: str) -> str:
    """Return a command without what depends on the machine and the session: folders, threads, minutes, output folder.

    >>> readable("saddlepoint paper figure3 --mnist /data/mnist.npz --out results --threads 1")
    'saddlepoint paper figure3 --mnist mnist.npz'
    """
    words, kept = shlex.split(command), []
    for word, before in zip(words, ["", *words], strict=False):
        if not {word, before} & {"--out", "--runs", "--threads", "--minutes"}:
            kept.append(word.rsplit("/", 1)[-1])
    return shlex.join(kept)


def versions() -> dict[str, str]:
    """Return the versions of the software that the results depend on."""
    return {
        "saddlepoint": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "scikit-learn": sklearn.__version__,
    }
