"""The command line, one module per command; heavy imports happen only when a command runs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from saddlepoint.aliases import REMOVED_OPTIONS, translate_arguments
from saddlepoint.errors import InputError, SaddlepointError
from saddlepoint.version import __version__

app = typer.Typer(
    name="saddlepoint",
    help="Train a GAN on your data, sample from it, and measure how far its samples are from the data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"saddlepoint {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; a SaddlepointError becomes one line on stderr and exit code 1."""
    # Spinning threads all stall as soon as another program needs one of their cores; passive waiting avoids it.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    removed = next(
        (REMOVED_OPTIONS[word] for each in sys.argv[1:] if (word := each.split("=")[0]) in REMOVED_OPTIONS),
        None,
    )
    if removed is not None:
        print(f"saddlepoint: {removed}.", file=sys.stderr)
        sys.exit(1)
    arguments, sentences = translate_arguments(sys.argv[1:])
    for sentence in sentences:
        print(f"saddlepoint: {sentence}", file=sys.stderr)
    try:
        app(arguments)
    except SaddlepointError as error:
        print(f"saddlepoint: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)


@contextmanager
def signals() -> Iterator[list[int]]:
    """Collect the first SIGINT or SIGTERM, so that the round can finish and be saved; a second one stops at once."""
    caught: list[int] = []

    def note(number: int, _frame: object) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)
        print("\nstopping after this round, and saving ...", file=sys.stderr)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


from saddlepoint.cli import draw, export, judge, paper, sample, split, train  # noqa: E402

app.command(no_args_is_help=True)(train.train)
app.command(no_args_is_help=True)(sample.sample)
app.command(no_args_is_help=True)(sample.complete)
app.command(no_args_is_help=True)(draw.draw)
app.command(no_args_is_help=True)(export.export)
app.command(no_args_is_help=True)(judge.judge)
app.command(no_args_is_help=True)(split.split)


@app.command(hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def benchmark(context: typer.Context) -> None:
    """Refuse, and say where the benchmarks are now."""
    command = " ".join(["python -m benchmarks", *context.args])
    raise InputError(
        f"The benchmarks are no longer part of the package: run `{command}` in a clone of the repository."
    )


app.add_typer(paper.paper, name="paper")
