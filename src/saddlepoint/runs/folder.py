"""A run folder: settings, records, checkpoints, the model and its pictures; one process at a time may write to it.

settings.json    what was decided before the first round
progress.jsonl   one line for each planned round
verdicts.jsonl   one line for each check and for each final verdict
stop.json        why the run ended, in words
left_out.txt     name and reason of each file that could not be used, a line each, where there are any
checkpoint/      the whole game, newest and previous
model/           what to sample from
pictures/        PNG files, and strip/ with the samples of planned rounds
report.html      the page
card.json, .md   of a table, the model card
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from saddlepoint.aliases import modernise
from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.training.checkpoint import write_atomically

_FORMAT = 1
_OURS = (
    "settings.json",
    "progress.jsonl",
    "verdicts.jsonl",
    "stop.json",
    "left_out.txt",
    "report.html",
    "card.json",
    "card.md",
    "checkpoint",
    "model",
    "pictures",
    ".lock",
    ".settings.json.tmp",
    ".report.html.tmp",
    ".card.json.tmp",
    ".card.md.tmp",
    ".progress.jsonl.tmp",
    ".verdicts.jsonl.tmp",
    ".stop.json.tmp",
    ".left_out.txt.tmp",
)


class RunFolder:
    """The files of one run; make one with `create` or `open`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = filelock.FileLock(path / ".lock", timeout=0)

    # -- beginning -----------------------------------------------------------------------------------------------

    @classmethod
    def refuse_taken(cls, path: Path, *, restart: bool = False) -> None:
        """Refuse a folder that `create` would refuse for what it holds, and touch nothing.

        Raises:
            InputError: the folder holds a run already (and restart was not asked for), or other files.
        """
        if (path / "settings.json").exists() and not restart:
            raise InputError(
                f"{path} already holds a run: add --resume to go on with it, --restart to begin again, or --out to "
                "choose another folder."
            )
        foreign = (
            sorted(entry.name for entry in path.iterdir() if entry.name not in _OURS) if path.is_dir() else []
        )
        if foreign:
            raise InputError(
                f"{path} is not a run folder: it holds {foreign[0]!r}"
                + (f" and {len(foreign) - 1} more" if len(foreign) > 1 else "")
                + "; choose an empty or a new folder with --out."
            )

    @classmethod
    def create(cls, path: Path, *, restart: bool = False) -> RunFolder:
        """Return an empty run folder that this process holds.

        Raises:
            InputError: the folder holds a run already (and restart was not asked for), holds other files, or another
                process is writing to it.
            StoredFileError: the folder cannot be made or written to.
        """
        cls.refuse_taken(path, restart=restart)
        try:
            path.mkdir(parents=True, exist_ok=True)
            run = cls(path)
            run.hold()
            for name in _OURS:
                if name == ".lock":
                    continue
                target = path / name
                shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        except OSError as error:
            raise StoredFileError(
                f"{path} cannot be written ({error.strerror}): choose another with --out."
            ) from error
        return run

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> RunFolder:
        """Return an existing run folder; with `write` this process holds it.

        Raises:
            InputError: there is no run there, or another process is writing to it.
        """
        if not (path / "settings.json").is_file():
            what = "there is no such folder" if not path.exists() else "it has no settings.json"
            raise InputError(
                f"{path} is not a run folder ({what}): give the folder that `saddlepoint train` wrote."
            )
        run = cls(path)
        if write:
            run.hold()
        return run

    def hold(self) -> None:
        """Keep other processes out until this one ends.

        Raises:
            InputError: another process holds it.
        """
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise InputError(
                f"Another process is writing to {self.path}: wait for it, stop it, or choose another folder with --out."
            ) from None
        except OSError as error:
            raise StoredFileError(f"{self.path} cannot be written ({error.strerror}).") from error

    def release(self) -> None:
        """Let other processes in."""
        self._lock.release()

    # -- settings ------------------------------------------------------------------------------------------------

    @property
    def checkpoint(self) -> Path:
        """Where checkpoints are."""
        return self.path / "checkpoint"

    @property
    def model(self) -> Path:
        """Where the model is."""
        return self.path / "model"

    @property
    def pictures(self) -> Path:
        """Where pictures are."""
        return self.path / "pictures"

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Write down what was decided before the first round."""
        text = json.dumps({"format": _FORMAT, **settings}, indent=1, default=str)
        write_atomically(self.path / "settings.json", text.encode())

    def settings(self) -> dict[str, Any]:
        """Return what was decided before the first round.

        Raises:
            StoredFileError: the file is damaged or of a later format.
        """
        try:
            stored: dict[str, Any] = modernise(json.loads((self.path / "settings.json").read_bytes()))
            found = stored["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoredFileError(f"{self.path / 'settings.json'} cannot be read ({error}).") from error
        if found != _FORMAT:
            raise StoredFileError(
                f"{self.path} has format {found}; this version reads format {_FORMAT}: upgrade."
            )
        return stored

    # -- records -------------------------------------------------------------------------------------------------

    def append(self, name: str, record: dict[str, Any]) -> None:
        """Add one line to progress.jsonl or verdicts.jsonl."""
        try:
            with open(self.path / name, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise StoredFileError(
                f"{self.path / name} could not be written ({error.strerror}); what was saved before is kept. "
                "Make room, then go on with --resume."
            ) from error

    def records(self, name: str) -> list[dict[str, Any]]:
        """Return the whole lines of progress.jsonl or verdicts.jsonl; a line cut off by a crash is left out."""
        path = self.path / name
        if not path.exists():
            return []
        lines = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                lines.append(modernise(json.loads(line)))
            except ValueError:
                continue
        return lines

    def rewind(self, round_: int) -> None:
        """Forget what was written after a checkpoint's round, so that a resumed run does not say it twice."""
        (self.path / "stop.json").unlink(missing_ok=True)
        # A round's record carries the number of rounds before it, a check that of the rounds played.
        for name, last in (("progress.jsonl", round_ - 1), ("verdicts.jsonl", round_)):
            if (self.path / name).exists():
                kept = [line for line in self.records(name) if line.get("round", 0) <= last]
                text = "".join(json.dumps(line) + "\n" for line in kept)
                write_atomically(self.path / name, text.encode())

    def write_left_out(self, files: Sequence[tuple[str, str]]) -> Path:
        """Write down the files that could not be used, name and reason with a tab between; return where."""
        path = self.path / "left_out.txt"
        lines = ("\t".join(" ".join(part.split()) for part in each) for each in files)
        write_atomically(path, "".join(f"{line}\n" for line in lines).encode())
        return path

    def write_stop(self, stop: dict[str, Any]) -> None:
        """Write down why the run ended."""
        write_atomically(self.path / "stop.json", json.dumps(stop, indent=1).encode())

    def stop(self) -> dict[str, Any] | None:
        """Return why the run ended; None while it is playing, or where that was not written down."""
        try:
            stored: dict[str, Any] = json.loads((self.path / "stop.json").read_bytes())
        except (OSError, ValueError):
            return None
        return stored

    # -- samples of planned rounds -------------------------------------------------------------------------------

    def write_frame(self, round_: int, rows: np.ndarray[Any, Any]) -> None:
        """Keep the samples of a planned round."""
        folder = self.pictures / "strip"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f".round-{round_:010d}.tmp"
            with open(temporary, "wb") as file:
                np.save(file, rows, allow_pickle=False)
            os.replace(temporary, folder / f"round-{round_:010d}.npy")
        except OSError as error:
            raise StoredFileError(
                f"{folder} cannot be written ({error.strerror}); make room and --resume."
            ) from error

    def frames(self) -> list[tuple[int, np.ndarray[Any, Any]]]:
        """Return the samples of planned rounds, in order."""
        found = []
        for path in sorted((self.pictures / "strip").glob("round-*.npy")):
            try:
                found.append((int(path.stem.removeprefix("round-")), np.load(path, allow_pickle=False)))
            except (OSError, ValueError):
                continue
        return found
