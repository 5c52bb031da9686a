"""The folder of one training run; one process at a time may write to it.

settings.json    options, settings and versions, fixed before the first round
progress.jsonl   losses and gradient norms, one line per recorded round
verdicts.jsonl   one line per check and per final verdict
stop.json        why the run ended
left_out.txt     files that could not be used: name and reason, one per line (only if there are any)
checkpoint/      the full training state, newest and previous
model/           the model to sample from
pictures/        PNG files, and strip/ with the samples of fixed noise through the rounds
report.html      the report
card.json, .md   the model card (tables only)
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from saddlepoint.aliases import modernise
from saddlepoint.atomic import replacing, write_atomically
from saddlepoint.errors import InputError, StoredFileError

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
)


def _is_ours(name: str) -> bool:
    return name in _OURS or name.removeprefix(".").removesuffix(".tmp") in _OURS


class RunFolder:
    """The files of one run; construct with `create` or `open`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = filelock.FileLock(path / ".lock", timeout=0)

    # -- create and open -----------------------------------------------------------------------------------------

    @classmethod
    def refuse_taken(cls, path: Path, *, restart: bool = False) -> None:
        """Refuse a folder whose content `create` would refuse; change nothing.

        Raises:
            InputError: the folder already holds a run (and restart is False), or other files.
        """
        if (path / "settings.json").exists() and not restart:
            raise InputError(
                f"{path} already holds a run: add --resume to continue it, --restart to begin again, or --out to "
                "choose another folder."
            )
        foreign = (
            sorted(entry.name for entry in path.iterdir() if not _is_ours(entry.name))
            if path.is_dir()
            else []
        )
        if foreign:
            raise InputError(
                f"{path} is not a run folder: it holds {foreign[0]!r}"
                + (f" and {len(foreign) - 1} more" if len(foreign) > 1 else "")
                + "; choose an empty or a new folder with --out."
            )

    @classmethod
    def create(cls, path: Path, *, restart: bool = False) -> RunFolder:
        """Return an empty run folder, locked by this process.

        Raises:
            InputError: the folder already holds a run (and restart is False), holds other files, or another process is
                writing to it.
            StoredFileError: the folder cannot be made or written to.
        """
        cls.refuse_taken(path, restart=restart)
        try:
            path.mkdir(parents=True, exist_ok=True)
            run = cls(path)
            run.lock()
            for target in path.iterdir():
                if target.name != ".lock" and _is_ours(target.name):
                    shutil.rmtree(target) if target.is_dir() else target.unlink()
        except OSError as error:
            raise StoredFileError(
                f"{path} cannot be written ({error.strerror}): choose another with --out."
            ) from error
        return run

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> RunFolder:
        """Return an existing run folder; with `write` it is locked by this process.

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
            run.lock()
        return run

    def lock(self) -> None:
        """Lock the folder against other writers until `release` or the end of this process.

        Raises:
            InputError: another process has locked it.
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
        """Unlock the folder."""
        self._lock.release()

    # -- settings ------------------------------------------------------------------------------------------------

    @property
    def checkpoint(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoint"

    @property
    def model(self) -> Path:
        """Folder of the model."""
        return self.path / "model"

    @property
    def pictures(self) -> Path:
        """Folder of the pictures."""
        return self.path / "pictures"

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Write settings.json."""
        text = json.dumps({"format": _FORMAT, **settings}, indent=1, default=str)
        write_atomically(self.path / "settings.json", text.encode())

    def settings(self) -> dict[str, Any]:
        """Return the content of settings.json, old names translated.

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
        """Append one line to progress.jsonl or verdicts.jsonl."""
        try:
            with open(self.path / name, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise StoredFileError(
                f"{self.path / name} could not be written ({error.strerror}); what was saved before is kept. "
                "Free some disk space, then continue with --resume."
            ) from error

    def records(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of progress.jsonl or verdicts.jsonl; a line cut off by a crash is skipped."""
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
        """Delete the records after a checkpoint's round, so that a resumed run does not write them twice."""
        (self.path / "stop.json").unlink(missing_ok=True)
        # "round" in progress.jsonl is the number of rounds before that one, in verdicts.jsonl the number of rounds played.
        for name, last in (("progress.jsonl", round_ - 1), ("verdicts.jsonl", round_)):
            if (self.path / name).exists():
                kept = [line for line in self.records(name) if line.get("round", 0) <= last]
                text = "".join(json.dumps(line) + "\n" for line in kept)
                write_atomically(self.path / name, text.encode())

    def write_left_out(self, files: Sequence[tuple[str, str]]) -> Path:
        """Write left_out.txt, one "name<tab>reason" per file that could not be used, and return its path."""
        path = self.path / "left_out.txt"
        lines = ("\t".join(" ".join(part.split()) for part in each) for each in files)
        write_atomically(path, "".join(f"{line}\n" for line in lines).encode())
        return path

    def write_stop(self, stop: dict[str, Any]) -> None:
        """Write stop.json: why the run ended."""
        write_atomically(self.path / "stop.json", json.dumps(stop, indent=1).encode())

    def stop(self) -> dict[str, Any] | None:
        """Return why the run ended; None while it is training, or if stop.json cannot be read."""
        try:
            stored: dict[str, Any] = json.loads((self.path / "stop.json").read_bytes())
        except (OSError, ValueError):
            return None
        return stored

    # -- samples of fixed noise ----------------------------------------------------------------------------------

    def write_frame(self, round_: int, rows: np.ndarray[Any, Any]) -> None:
        """Save the samples of the fixed noise after a round."""
        path = self.pictures / "strip" / f"round-{round_:010d}.npy"
        with replacing(path) as (temporary,), open(temporary, "wb") as file:
            np.save(file, rows, allow_pickle=False)

    def frames(self) -> list[tuple[int, np.ndarray[Any, Any]]]:
        """Return (round, samples of the fixed noise) in order of rounds."""
        found = []
        for path in sorted((self.pictures / "strip").glob("round-*.npy")):
            try:
                found.append((int(path.stem.removeprefix("round-")), np.load(path, allow_pickle=False)))
            except (OSError, ValueError):
                continue
        return found
