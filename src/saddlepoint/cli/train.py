"""`saddlepoint train`: train a GAN on a data source."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from saddlepoint.cli import options, signals

if TYPE_CHECKING:
    from saddlepoint.runs.session import Session


def train(
    source: options.Source,
    out: options.Out = None,
    recipe: options.Recipe = None,
    start: options.Start = None,
    capacity: options.Capacity = None,
    objective: options.Objective = None,
    batch: options.Batch = None,
    rounds: options.Rounds = None,
    minutes: options.Minutes = None,
    until: options.Until = None,
    tolerance: options.Tolerance = None,
    on_collapse: options.OnCollapse = None,
    power: options.Power = None,
    metrics: options.Metrics = None,
    augment: options.Augment = None,
    cluster: options.Cluster = None,
    accumulation_steps: options.AccumulationSteps = None,
    recompute: options.Recompute = False,
    seed: options.Seed = None,
    precision: options.Precision = None,
    compile: options.Compile = None,
    label: options.Label = None,
    group: options.Group = None,
    column: options.Column = None,
    resolution: options.Resolution = None,
    other_sizes: options.OtherSizes = None,
    flips: options.Flips = False,
    holdout: options.Holdout = None,
    resume: options.Resume = False,
    restart: options.Restart = False,
    device: options.Device = None,
    processes: options.Processes = 1,
    quiet: options.Quiet = False,
) -> None:
    """Train a GAN on SOURCE; write a run folder with checkpoints, figures and a report.

    Examples:

    - `saddlepoint train digits`

    - `saddlepoint train points.csv --minutes 2 --out runs/points`

    - `saddlepoint train photos/ --resolution 64x48` (sub-folders are classes: `--label class`)

    - `saddlepoint train adult.csv` (a table: text, categories, dates and missing cells)

    - `saddlepoint train digits --label class` (then `saddlepoint sample runs/digits -n 20 --given class=7 ...`)

    - `saddlepoint train points.csv --until settled --tolerance 2%` (stops once a missing cluster of 2 % would be found)

    - `saddlepoint train digits --resume`
    """
    if processes > 1 and "RANK" not in os.environ:
        _spread(processes)
        return
    given = {
        "recipe": recipe,
        "start": start,
        "capacity": capacity,
        "objective": objective,
        "batch": batch,
        "seed": seed,
        "precision": precision,
        "compile": compile,
        "until": until,
        "tolerance": tolerance,
        "on_collapse": on_collapse,
        "power": power,
        "metrics": list(metrics) if metrics else None,
        "augment": augment,
        "cluster": cluster,
        "accumulation_steps": accumulation_steps,
        "recompute": recompute or None,
    }
    named = {
        "label": label,
        "group": group,
        "columns": options.column_types(column),
        "resolution": resolution,
        "other_sizes": other_sizes,
        "flips": flips or None,
    }
    with _working(f"reading {source}", quiet=quiet):
        session = _session(source, out, given, named, rounds, minutes, holdout, device, resume, restart)
    from saddlepoint.cli.terminal import Progress

    try:
        progress = Progress(session, quiet=quiet, until=rounds, minutes=minutes)
        with signals() as caught:
            reason = progress.follow(
                session.play(
                    until_round=rounds,
                    seconds=None if minutes is None else 60 * minutes,
                    interrupted=lambda: bool(caught),
                )
            )
        if session.run is not None:
            with _working("drawing the report's figures", quiet=quiet):
                progress.finish()
    finally:
        session.close()
    if reason == "interrupted":
        raise typer.Exit(128 + (caught[0] if caught else signal.SIGINT))


def _working(what: str, *, quiet: bool) -> AbstractContextManager[object]:
    """Return a context that shows a status line on a terminal and removes it at the end."""
    from rich.console import Console

    return nullcontext() if quiet else Console(stderr=True).status(what)


def _session(
    source: str,
    out: Path | None,
    given: dict[str, Any],
    named: dict[str, Any],
    rounds: int | None,
    minutes: float | None,
    holdout: str | None,
    device: str | None,
    resume: bool,
    restart: bool,
) -> Session:
    from saddlepoint.errors import InputError
    from saddlepoint.fitting import FitOptions
    from saddlepoint.runs.folder import RunFolder
    from saddlepoint.runs.session import Session, Source, refuse_changes

    if resume and restart:
        raise InputError("--resume continues a run and --restart begins it again: give one of them.")
    path = out or Path("runs") / run_name(source)
    if resume:
        refuse_changes(RunFolder.open(path).settings(), source=source, **named, **given)
        return Session.resume(path)
    choices = FitOptions(rounds=rounds, minutes=minutes, **{k: v for k, v in given.items() if v is not None})
    return Session.start(
        path,
        Source(data=source, holdout=holdout, **{k: v for k, v in named.items() if v is not None}),
        choices,
        device=device,
        restart=restart,
    )


def run_name(source: str) -> str:
    """Return the default name of the run folder for a source."""
    name = Path(source.rstrip("/\\")).name.split(".")[0]
    return name or "run"


def _spread(processes: int) -> None:
    """Run this same command on several processes by torchrun, and exit with their exit code."""
    import subprocess

    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    finished = subprocess.run([*command, "-m", "--", "saddlepoint", *sys.argv[1:]], check=False)
    raise typer.Exit(finished.returncode)
