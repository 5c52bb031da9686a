"""Progress of a training run: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from saddlepoint.data.splits import SMALLEST_SPLIT
from saddlepoint.fitting import Checked, Event, Judged, Played, Preparation, Pretraining, RolledBack, Stopped
from saddlepoint.runs.session import Session
from saddlepoint.training import Record

_SECONDS_BETWEEN_UPDATES = 0.25
_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Prints a session's events, and at the end where the report is."""

    def __init__(self, session: Session, *, quiet: bool, until: int | None, minutes: float | None) -> None:
        self.session, self.quiet = session, quiet or session.run is None
        self.horizon = session.fit.plan.settings.horizon
        self.last = until or self.horizon
        self.console = Console(stderr=True, highlight=False)
        self.stopped: Stopped | None = None
        self._began, self._first = time.monotonic(), session.fit.round
        self._ends = None if minutes is None else self._began + 60 * minutes

    def follow(self, events: Iterator[Event]) -> str:
        """Show the events until training stops; return the reason."""
        if not self.quiet:
            self._introduce()
        if self.quiet or not sys.stderr.isatty():
            self._lines(events)
        else:
            self._bar(events)
        return "interrupted" if self.stopped is None else self.stopped.reason

    def finish(self) -> None:
        """Draw the figures, write the report, and print where it is."""
        from saddlepoint.runs.report import write_report

        if not self.quiet and not self.console.is_terminal:
            self.console.print("  drawing the report's figures ...")
        report = write_report(self.session.path, preparation=self.session.preparation)
        sentence = "stopped" if self.stopped is None else self.stopped.sentence
        if not self.quiet:
            if (gain := self.session.fit.gain_of_game()) is not None:
                self.console.print(f"  {gain}", markup=False, soft_wrap=True)
            example = "grid.png" if self.session.preparation.train.kind == "pictures" else "samples.csv"
            self.console.print(
                f"  to sample: saddlepoint sample {self.session.path} -n 100 --out {example}",
                markup=False,
                soft_wrap=True,
            )
        print(f"{sentence}; report: {report}")

    def _introduce(self) -> None:
        preparation = self.session.preparation

        def write(line: str) -> None:
            self.console.print(line, markup=False, soft_wrap=True)

        rows = preparation.to_dict()["rows"]
        write(f"{preparation.train.name}: {self.session.described}")
        held_out = (
            f"{rows['monitor']:,} validation rows (monitor), {rows['vault']:,} held-out test rows (vault)"
        )
        if rows["vault"] == 0:
            held_out = (
                f"below {SMALLEST_SPLIT} rows nothing is held out, so this run cannot be judged "
                "(give more rows, or held-out ones with --holdout)"
            )
        write(f"  {rows['train']:,} training rows; {held_out}")
        for note in self.session.notes:
            write(f"  {note}")
        if preparation.classes is not None:
            write(
                f"  learning P(x | class) for {len(preparation.classes)} classes{_pseudo_labels(preparation)}"
            )
        settings = preparation.plan.settings
        device = f"{preparation.threads} thread{'s' if preparation.threads > 1 else ''}"
        write(
            f"  recipe {preparation.plan.recipe}, objective {settings.objective}, batch {settings.batch}, "
            f"{settings.horizon:,} rounds, {settings.precision} on "
            + (device if preparation.device.type == "cpu" else preparation.device.type)
        )
        write(f"  {preparation.round_choice.describe()}")
        if (plan := preparation.checks) is not None:
            write(f"  {plan.describe()}")
        if self._first:
            end = ""
            if self.last > self.horizon:
                end = f" to {self.last:,}; schedules, made for {self.horizon:,} rounds, stay at their final values"
            write(f"  continuing from round {self._first:,}{end}")

    def _lines(self, events: Iterator[Event]) -> None:
        printed = -_SECONDS_BETWEEN_LINES
        for event in events:
            self._print_checks(event)
            if isinstance(event, Stopped):
                self.stopped = event
            elif (
                isinstance(event, Pretraining | Played)
                and not self.quiet
                and time.monotonic() - printed >= _SECONDS_BETWEEN_LINES
            ):
                printed = time.monotonic()
                state = event.sentence if isinstance(event, Pretraining) else self._state(event.record)
                self.console.print(f"  {state}", markup=False, soft_wrap=True)

    def _print_checks(self, event: Event) -> None:
        """Print checks, rollbacks and the final verdict."""
        lines: list[str] = []
        if isinstance(event, Pretraining):
            self._began = time.monotonic()  # so that rounds/s does not count pretraining
        if isinstance(event, Checked):
            record = event.record
            lines = [
                f"check at round {event.round:,}: {record['state']} (estimate {max(0.0, record['estimate']):.4f} nats, at "
                f"least {record['lower']:.4f})"
            ]
        elif isinstance(event, RolledBack):
            lines = [event.sentence]
        elif isinstance(event, Judged):
            verdict = (f"  {line}" for line in str(event.verdict).splitlines())
            lines = ["final verdict, on held-out test rows (vault):", *verdict]
        if not self.quiet:
            for line in lines:
                self.console.print(f"  {line}", markup=False, soft_wrap=True)

    def _bar(self, events: Iterator[Event]) -> None:
        columns: list[Any] = [
            TextColumn("  round {task.completed:,.0f} of {task.total:,.0f}"),
            BarColumn(bar_width=24),
            _Rate(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[losses]}"),
        ]
        with Bar(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task("rounds", total=self.last, completed=self._first, losses="", left="")
            shown = 0.0
            for event in events:
                self._print_checks(event)
                if isinstance(event, Stopped):
                    self.stopped = event
                elif time.monotonic() - shown < _SECONDS_BETWEEN_UPDATES:
                    continue
                elif isinstance(event, Pretraining):
                    shown = time.monotonic()
                    bar.update(task, losses=event.sentence)
                elif isinstance(event, Played):
                    shown = time.monotonic()
                    left = f"{_clock(self._left(event.record)[1])} left"
                    bar.update(
                        task, completed=event.record.round + 1, losses=_losses(event.record), left=left
                    )

    def _left(self, record: Record) -> tuple[float, float]:
        """Return rounds per second so far, and the seconds left until the last round or the time limit."""
        now = time.monotonic()
        rate = (record.round + 1 - self._first) / max(1e-9, now - self._began)
        left = (self.last - record.round - 1) / rate
        return rate, left if self._ends is None else max(0.0, min(left, self._ends - now))

    def _state(self, record: Record) -> str:
        rate, left = self._left(record)
        return f"round {record.round + 1:,} of {self.last:,}, {rate:.0f} rounds/s, {_clock(left)} left, {_losses(record)}"


class _Rate(ProgressColumn):
    """Column of the progress bar: rounds per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.0f} rounds/s")


def _losses(record: Record) -> str:
    numbers = record.to_dict()
    return f"loss D {numbers['discriminator_loss']:.3f} G {numbers['generator_loss']:.3f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _pseudo_labels(preparation: Preparation) -> str:
    """Return how pseudo-labels were made and how to turn them off; an empty text for given classes."""
    if not preparation.clustered:
        return ""
    own = preparation.train.classes
    given = "" if own is None else f"; --label class: the data's own {len(own):,} classes"
    return f", pseudo-labels found by k-means (--cluster off: without{given})"
