"""The command line: one file a verb. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from saddlepoint.errors import SaddlepointError
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
    try:
        app()
    except SaddlepointError as error:
        print(f"saddlepoint: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)


from saddlepoint.cli import benchmark, draw, export, judge, paper, sample, split, train  # noqa: E402

app.command(no_args_is_help=True)(train.train)
app.command(no_args_is_help=True)(sample.sample)
app.command(no_args_is_help=True)(sample.complete)
app.command(no_args_is_help=True)(draw.draw)
app.command(no_args_is_help=True)(export.export)
app.command(no_args_is_help=True)(judge.judge)
app.command(no_args_is_help=True)(split.split)
app.add_typer(benchmark.benchmark, name="benchmark")
app.add_typer(paper.paper, name="paper")
