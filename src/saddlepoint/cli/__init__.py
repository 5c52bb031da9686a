"""The command line: one file a verb. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from saddlepoint.aliases import translate_arguments
from saddlepoint.errors import InputError, SaddlepointError
from saddlepoint.version import __version__

app = typer.Typer(
    name="saddlepoint",
    help="Learn to sample from any data by the game of Generative Adversarial Nets, and see how far it got.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"saddlepoint {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; an error of ours becomes one line on stderr and exit code 1."""
    # Threads that wait for each other by spinning stand still together as soon as another program wants their core.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
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
    """Collect the first SIGINT or SIGTERM, so that the round can end and be saved; a second one ends everything at once."""
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
    """Say where the benchmarks went."""
    words = " ".join(["python -m benchmarks", *context.args])
    raise InputError(
        f"The benchmarks are no part of the package any more: run `{words}` in a clone of the repository."
    )


app.add_typer(paper.paper, name="paper")
