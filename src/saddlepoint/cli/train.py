"""`saddlepoint train`: learn to sample from what was named."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from saddlepoint.cli.interrupting import signals
from saddlepoint.names import (
    AUGMENT,
    CAPACITIES,
    COMPANIONS,
    COMPILE,
    OBJECTIVES,
    ON_COLLAPSE,
    OTHER_SIZES,
    PRECISIONS,
    RECIPES,
    RULERS,
    STARTS,
    UNTIL,
)

if TYPE_CHECKING:
    from saddlepoint.runs.session import Session

_EPILOG = (
    "Examples: `saddlepoint train digits` · `saddlepoint train points.csv --minutes 2` · "
    "`saddlepoint train mnist.npz --recipe goodfellow2014 --label class` · `saddlepoint train digits --resume`"
)


def train(
    source: Annotated[
        str,
        typer.Argument(
            help="`digits`, a .npy, .npz, .csv, .tsv, .parquet, .feather or idx file, or a folder or .zip of pictures. "
            "Tables of plain numbers are learnt as points, all others column by column."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/NAME if left out.")] = None,
    recipe: Annotated[str | None, typer.Option(help=f"{', '.join(RECIPES)}.", show_default="auto")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help=f"Where G begins: {', '.join(STARTS)}. charts: at a mixture of Gaussians, which the game corrects; learned: "
            "with its charts but neither their weights nor their shapes; fitted (tables): with heads in order, fitted by "
            "likelihood; plain: with noise alone.",
            show_default="auto",
        ),
    ] = None,
    capacity: Annotated[
        str | None, typer.Option(help=f"{', '.join(CAPACITIES)}.", show_default="medium")
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(help=f"Instead of the recipe's: {', '.join(OBJECTIVES)}.", show_default=False),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(help="Rows in a minibatch, instead of the recipe's."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Rounds to play in all.", show_default="by recipe")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Minutes to play at most; fixes the horizon.")] = None,
    until: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(UNTIL)}. settled: check at planned rounds, and stop when the samples cannot be told apart at the "
            "tolerance, no longer improve, or get worse; budget: check, but play to the end. Both judge the result on rows "
            "that nothing has seen.",
            show_default=False,
        ),
    ] = None,
    tolerance: Annotated[
        str | None,
        typer.Option(help="With --until: nats, or a missing cluster in per cent.", show_default="5%"),
    ] = None,
    on_collapse: Annotated[
        str | None,
        typer.Option(
            help=f"With --until, when a region of the data is lost: {', '.join(ON_COLLAPSE)}. rollback goes back to the safest "
            "snapshot; remedy also halves the learning rates and triples the penalty.",
            show_default="stop",
        ),
    ] = None,
    ruler: Annotated[
        str | None,
        typer.Option(
            help=f"With --until: {', '.join(RULERS)}. Which planted defects would be found: one of the tolerance's size, or a "
            "table of five sizes.",
            show_default="quick",
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            help=f"With --until, beside the final verdict: {', '.join(COMPANIONS)}, or all; repeatable.",
            show_default=False,
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            help=f"D sees pictures, real and fake, shifted, cut out, lighter or darker: {', '.join(AUGMENT)}. auto: where "
            "large pictures are fewer than 2,000.",
            show_default="auto",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of every random draw.", show_default="0")] = None,
    precision: Annotated[
        str | None, typer.Option(help=f"{', '.join(PRECISIONS)}.", show_default="float32")
    ] = None,
    compile: Annotated[
        str | None,
        typer.Option(
            help=f"Compile the round: {', '.join(COMPILE)}. auto: where the game is long enough to earn the compiler's "
            "time back.",
            show_default="auto",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="Learn P(x | class): the label column's name, or `class` for data that come with their classes."
        ),
    ] = None,
    group: Annotated[str | None, typer.Option(help="Column whose groups are never torn by a split.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Kind of a table's column in place of the inferred one, as age=integer; repeatable."
        ),
    ] = None,
    resolution: Annotated[
        str | None,
        typer.Option(
            help="Size that all pictures get, as 64x48 (width x height); without it they must have one size."
        ),
    ] = None,
    other_sizes: Annotated[
        str | None,
        typer.Option(
            help=f"With --resolution, pictures of another size: {', '.join(OTHER_SIZES)}. crop scales them until they cover "
            "it and cuts what stands out; pad scales them until they lie within, on black.",
            show_default="crop",
        ),
    ] = None,
    flips: Annotated[
        bool, typer.Option("--flips", help="Learn the mirror image of each picture too (left and right).")
    ] = False,
    holdout: Annotated[
        str | None, typer.Option(help="File of held-out rows, in place of a split-off vault.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the run in the folder stopped.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin again, over the run in the folder.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1, ...", show_default="GPU if any")
    ] = None,
    processes: Annotated[int, typer.Option(help="Play on so many processes of this machine.", min=1)] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the last line only.")] = False,
) -> None:
    """Learn to sample from SOURCE; write a run folder with checkpoints, pictures and a report.

    Examples:

    - `saddlepoint train digits`

    - `saddlepoint train points.csv --minutes 2 --out runs/points`

    - `saddlepoint train photos/ --resolution 64x48` (sub-folders are classes: `--label class`)

    - `saddlepoint train adult.csv` (a table: text, categories, dates and missing cells)

    - `saddlepoint train digits --label class` (then `saddlepoint sample runs/digits -n 20 --given class=7 ...`)

    - `saddlepoint train points.csv --until settled --tolerance 2%` (stops when a missing cluster of 2 % would show)

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
        "ruler": ruler,
        "also": list(also) if also else None,
        "augment": augment,
    }
    named = {
        "label": label,
        "group": group,
        "columns": _kinds(column),
        "resolution": resolution,
        "other_sizes": other_sizes,
        "flips": flips or None,
    }
    session = _session(source, out, given, named, rounds, minutes, holdout, device, resume, restart)
    from saddlepoint.cli.terminal import Progress

    try:
        progress = Progress(session, quiet=quiet, until=rounds)
        with signals() as caught:
            reason = progress.follow(
                session.play(
                    until_round=rounds,
                    seconds=None if minutes is None else 60 * minutes,
                    interrupted=lambda: bool(caught),
                )
            )
        if session.run is not None:
            progress.finish()
    finally:
        session.close()
    if reason == "interrupted":
        raise typer.Exit(128 + (caught[0] if caught else signal.SIGINT))


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
    from saddlepoint.fitting import Choices
    from saddlepoint.runs.folder import RunFolder
    from saddlepoint.runs.session import Session, Source, refuse_changes

    if resume and restart:
        raise InputError("--resume goes on with a run and --restart begins it again: give one of them.")
    path = out or Path("runs") / run_name(source)
    if resume:
        refuse_changes(RunFolder.open(path).settings(), source=source, **named, **given)
        return Session.resume(path)
    choices = Choices(rounds=rounds, minutes=minutes, **{k: v for k, v in given.items() if v is not None})
    return Session.start(
        path,
        Source(data=source, holdout=holdout, **{k: v for k, v in named.items() if v is not None}),
        choices,
        device=device,
        restart=restart,
    )


def _kinds(given: list[str] | None) -> dict[str, str] | None:
    """Return {column: kind} of options written NAME=KIND; None without any."""
    from saddlepoint.errors import InputError

    found = {}
    for each in given or []:
        name, equals, kind = each.rpartition("=")
        if not equals or not name:
            raise InputError(f"--column {each!r} is not understood; write NAME=KIND, such as age=integer.")
        found[name] = kind
    return found or None


def run_name(source: str) -> str:
    """Return the name of the run folder that a source gets."""
    name = Path(source.rstrip("/\\")).name.split(".")[0]
    return name or "run"


def _spread(processes: int) -> None:
    """Start this very command on several processes by torchrun, and leave with their exit code."""
    import subprocess

    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    finished = subprocess.run([*command, "-m", "--", "saddlepoint", *sys.argv[1:]], check=False)
    raise typer.Exit(finished.returncode)
