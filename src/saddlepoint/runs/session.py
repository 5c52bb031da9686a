"""Session: one training run from start or resume to stop, as `saddlepoint train` plays it, without a terminal.

A session prepares or resumes a fit, passes its events on, and writes them to the run folder. `open_run` opens a run for the
judge: fresh samples of its model beside held-out rows.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from saddlepoint import compute
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.encoders import Encoder
from saddlepoint.data.opening import open_holdout, open_source
from saddlepoint.data.pictures import refuse_flips
from saddlepoint.data.tables.schema import KINDS
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import InputError
from saddlepoint.fitting import (
    Checked,
    Event,
    Fit,
    FitOptions,
    Judged,
    Played,
    Preparation,
    Sampled,
    Saved,
    Stopped,
    prepare,
    restore,
    with_final_verdict,
)
from saddlepoint.fitting.final_verdict import model_pair
from saddlepoint.judging.inputs import Pair
from saddlepoint.judging.verdict import Verdict
from saddlepoint.runs.folder import RunFolder
from saddlepoint.runs.sampling import load_model
from saddlepoint.version import __version__

BY_CLASS = "class"
"""The label for classes that come with the data, when no column holds them."""
FEWEST_ROWS_A_CLASS = 10
_MOST_LINES = 40


@dataclass(frozen=True, kw_only=True)
class Source:
    """The user's data options: data, held-out file, label and group columns, column kinds, size of pictures."""

    data: str
    holdout: str | None = None
    label: str | None = None
    group: str | None = None
    columns: dict[str, str] | None = None
    resolution: str | None = None
    other_sizes: str | None = None
    flips: bool = False

    def open(self) -> tuple[Dataset, Dataset | None]:
        """Return the rows and the held-out rows.

        Raises:
            InputError: something cannot be opened, or the label does not exist.
        """
        label = None if self.label == BY_CLASS else self.label
        dataset = open_source(
            self.data,
            label=label,
            group=self.group,
            columns=self.columns,
            resolution=self.resolution,
            other_sizes=self.other_sizes,
        )
        dataset = refuse_flips(dataset) if self.flips else dataset
        holdout = None if self.holdout is None else open_holdout(self.holdout, dataset, label=label)
        if self.label is not None and dataset.labels is None:
            raise InputError(
                f"{self.data} has no classes, so --label {self.label} cannot be used: give the name of a column, an .npz with "
                "labels, or a folder with one sub-folder per class."
            )
        if self.label is not None and dataset.classes is not None:
            number = len(dataset.classes)
            if len(dataset) < FEWEST_ROWS_A_CLASS * number:
                raise InputError(
                    f"--label {self.label} makes {number:,} classes of {len(dataset):,} rows, fewer than "
                    f"{FEWEST_ROWS_A_CLASS} rows per class: name a column of fewer values, or leave --label out to learn "
                    "it like the other columns."
                )
        return dataset, holdout


class Session:
    """A fit with its run folder; on ranks other than 0 `run` is None and nothing is written."""

    def __init__(self, run: RunFolder | None, path: Path, source: Source, preparation: Preparation) -> None:
        self.run, self.path, self.source, self.preparation = run, path, source, preparation
        self.fit: Fit = preparation.fit(path / "checkpoint")
        self.notes: list[str] = []
        self.verdict: Verdict | None = None
        self.described = preparation.train.describe()

    @classmethod
    def start(
        cls,
        path: Path,
        source: Source,
        choices: FitOptions,
        *,
        device: str | None = None,
        restart: bool = False,
    ) -> Session:
        """Begin a run in a new folder.

        path: the run folder.
        source: the data.
        choices: the options of the fit.
        device: "cpu", "cuda", ...; None takes a GPU if there is one.
        restart: replace the run in the folder.

        Raises:
            InputError: the data, the options or the folder cannot be used.
        """
        join_ranks(device)
        dataset, holdout = source.open()
        choices = dataclasses.replace(choices, conditional=source.label is not None)
        leads = compute.rank_and_count()[0] == 0
        if leads:
            RunFolder.refuse_taken(path, restart=restart)
        preparation = prepare(dataset, choices, holdout=holdout, device=device)
        session = cls(None, path, source, preparation)
        # Only after everything was checked: a failed call creates no folder and leaves an old run unchanged.
        run = session.run = RunFolder.create(path, restart=restart) if leads else None
        if run is not None:
            run.write_settings(
                {
                    "saddlepoint": __version__,
                    "torch": torch.__version__,
                    "source": dataclasses.asdict(_absolute(source)),
                    "data": dataset.describe(),
                    "chosen": choices.to_dict(),
                    **session.preparation.to_dict(),
                }
            )
        session.notes = [*dataset.notes, *column_lines(preparation.encoder), *_augmentation_note(preparation)]
        if run is not None and dataset.left_out:
            where = run.write_left_out(dataset.left_out)
            session.notes.append(f"all {len(dataset.left_out):,} files left out, with reasons: {where}")
        session.described = dataset.describe()
        return session

    @classmethod
    def resume(cls, path: Path) -> Session:
        """Continue a run from its newest intact checkpoint.

        Raises:
            InputError: there is no run, its data have changed, or another process is writing to it.
            StoredFileError: nothing in the folder can be read.
        """
        leads = not compute.started_by_torchrun() or os.environ["RANK"] == "0"
        run = RunFolder.open(path, write=leads)
        stored = run.settings()
        join_ranks(None if stored.get("device") == "cuda" else "cpu")
        source = Source(**stored["source"])
        dataset, holdout = source.open()
        session = cls(run if leads else None, path, source, restore(dataset, stored, holdout=holdout))
        session.described = dataset.describe()
        skipped = session.fit.resume()
        session.notes = [
            f"The checkpoint {name} is damaged; the one before it is used." for name in skipped or ()
        ]
        if skipped is None:
            session.notes.append("No checkpoint had been saved yet: the run starts at round 0.")
        if leads:
            run.rewind(session.fit.round)
        return session

    def play(
        self,
        *,
        until_round: int | None = None,
        seconds: float | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> Iterator[Event]:
        """Play rounds, write the events to the run folder, and yield them.

        until_round: stop after this many rounds in all; None plays to the horizon.
        seconds: stop after this time.
        interrupted: asked between rounds; True stops the run.

        Raises:
            GameError: training broke down (not finite); the checkpoint before that is kept.
            StoredFileError: the folder cannot be written; the checkpoint before that is kept.
        """
        events = self.fit.play(until_round=until_round, seconds=seconds, interrupted=interrupted)
        begun = time.monotonic()
        for event in self._judged(events):
            if isinstance(event, Stopped) and self.run is not None:
                self.run.write_stop(self._stop(event, time.monotonic() - begun))
            if self.run is not None:
                self._write(self.run, event)
            yield event

    def _judged(self, events: Iterator[Event]) -> Iterator[Event]:
        p = self.preparation
        before = [] if self.run is None else self.run.records("verdicts.jsonl")
        opened = sum(line.get("kind") == "verdict" for line in before)
        return with_final_verdict(events, self.fit, p.checks, p.train, p.vault, opened=opened)

    def _stop(self, event: Stopped, seconds: float) -> dict[str, Any]:
        """Return the content of stop.json: why the run ended, and how many seconds of it were spent on judging."""
        stop = {"round": event.round, "reason": event.reason, "sentence": event.sentence}
        if self.fit.checks is None or self.preparation.checks is None:
            return stop
        took = 0.0 if self.verdict is None else self.verdict.seconds or 0.0
        plan = self.preparation.checks.planning_seconds
        spent = {"all": plan + seconds, "plan": plan, "checks": self.fit.checks.seconds, "verdict": took}
        return {**stop, "seconds": {name: round(value, 2) for name, value in spent.items()}}

    def _write(self, run: RunFolder, event: Event) -> None:
        if isinstance(event, Played) and event.planned:
            run.append("progress.jsonl", event.record.to_dict())
        elif isinstance(event, Sampled):
            run.write_frame(event.round, self.preparation.encoder.decode(event.rows))
        elif isinstance(event, Checked):
            run.append("verdicts.jsonl", event.record)
        elif isinstance(event, Judged):
            stored = {
                "kind": "verdict",
                "round": event.round,
                "opened": event.opened,
                **event.verdict.to_dict(),
            }
            run.append("verdicts.jsonl", stored)
            self.verdict = event.verdict
        elif isinstance(event, Saved | Stopped):
            self.fit.model().save(run.model)

    def close(self) -> None:
        """Unlock the run folder."""
        if self.run is not None:
            self.run.release()


def column_lines(encoder: Encoder) -> list[str]:
    """Return one line per column of a table: its kind and how it is learnt; nothing for other data."""
    if not isinstance(encoder, TableTransformer):
        return []
    lines = encoder.describe()
    width = max(len(name) for name, _, _ in lines[:_MOST_LINES])
    shown = [f"  {name:{min(width, 28)}}  {kind:11}  {how}" for name, kind, how in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"  ... and {len(lines) - _MOST_LINES} more columns")
    if encoder.rank_error:
        shown.append(f"  (a number's rank is off by at most {100 * encoder.rank_error:.2g} % of the rows)")
    return [
        "columns, as inferred (to choose another kind: --column NAME=KIND, one of " + ", ".join(KINDS) + "):",
        *shown,
    ]


def _augmentation_note(preparation: Preparation) -> list[str]:
    if preparation.plan.settings.augment == 0:
        return []
    return [
        f"{len(preparation.train):,} training pictures: D sees real pictures and samples augmented (shifted, cut out, "
        "lighter or darker); --augment off turns this off"
    ]


def join_ranks(device: str | None) -> None:
    """Join the process group if torchrun started this process."""
    if compute.started_by_torchrun():
        compute.join_process_group(compute.choose_device(device))


def _absolute(source: Source) -> Source:
    def resolved(name: str | None) -> str | None:
        return str(Path(name).resolve()) if name is not None and Path(name).exists() else name

    return dataclasses.replace(source, data=resolved(source.data) or "", holdout=resolved(source.holdout))


def refuse_changes(stored: dict[str, Any], **given: Any) -> None:
    """Refuse options that cannot be changed when a run is resumed.

    stored: what settings.json holds.
    given: the options of this call; None means not given.

    Raises:
        InputError: an option differs from the one that the run began with.
    """
    began = {**stored.get("chosen", {}), **stored.get("source", {})}
    began["source"] = began.pop("data", None)
    in_use = {**began, **stored.get("settings", {}), "recipe": stored.get("recipe")}
    if (name := given.get("source")) is not None and Path(name).exists():
        given["source"] = str(Path(name).resolve())
    for option, value in given.items():
        if value is not None and value not in (began.get(option), in_use.get(option)):
            used = in_use.get(option)
            text, used = (", ".join(each) if isinstance(each, list) else each for each in (value, used))
            name = option if option == "source" else f"--{option.replace('_', '-')}"
            raise InputError(
                f"{name}{'' if value is True else f' {text}'} cannot be changed on --resume: this run began "
                f"{'without it' if used in (None, '', False) else f'with {used}'}; "
                "leave it as it was to continue, or begin again with --restart."
            )


def is_run(path: Path) -> bool:
    """Return whether a path is a run folder or a saved model, rather than data."""
    return (path / "settings.json").is_file() or (path / "model.json").is_file()


def open_run(
    run: Path, real: str | None = None, *, random_state: int = 0, train: Any = None, **options: Any
) -> tuple[Pair, str | None]:
    """Return real rows and a run's fresh samples, and whether the real rows were held out: "declared", "no", None (unknown).

    Four samples are drawn for each real row. For a run folder the training rows are opened too, for the memorisation test.

    run: a run folder or a saved model.
    real: file of real rows; without it the run's held-out test rows (vault), which training never read.
    random_state: seed of the samples.
    train: training rows for the memorisation test, in place of the run's own.
    options: passed to `open_pair`.

    Raises:
        InputError: there is no run, no vault, or the rows do not fit.
    """
    model = load_model(run)
    preparation = _preparation(run) if (run / "settings.json").is_file() else None
    known = None
    if real is None:
        if preparation is None or preparation.vault is None:
            raise InputError(
                f"{run} has no held-out test rows (vault) to judge by; give a file of real rows: saddlepoint judge REAL {run}."
            )
        real_rows, known = preparation.vault, "declared"
    else:
        real_rows = open_holdout(
            real, preparation.train.in_memory() if preparation is not None else model.like
        )
        if preparation is not None and real_rows.fingerprint() == preparation.fingerprint:
            known = "no"
    if train is None and preparation is not None:
        train = preparation.train
    return model_pair(model, real_rows, train, seed=random_state, **options), known


def _preparation(run: Path) -> Preparation:
    settings = RunFolder.open(run).settings()
    dataset, holdout = Source(**settings["source"]).open()
    return restore(dataset, settings, holdout=holdout)
