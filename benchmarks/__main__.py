"""`python -m benchmarks`: the quality suites, each a command that writes its results and its table.

The studies beside this file (`python -m benchmarks.speed`, `python -m benchmarks.stopping`, ...) each measure one thing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="python -m benchmarks",
    help="Measure what the recipes reach, beside peers and baselines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def _suites() -> None:
    pass


@app.command()
def modes(
    sets: Annotated[
        str | None, typer.Option(help="Names of sets, with commas between.", show_default="all")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="What makes the rows: real, mixture, mixture+game, learned, noise.", show_default="all"
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds.", min=1)] = 3,
    first_seed: Annotated[int, typer.Option(help="The first of them.", min=0)] = 1000,
    rows: Annotated[int, typer.Option(help="Training rows, where rows are unlimited.", min=200)] = 100_000,
    judged: Annotated[int, typer.Option(help="Judged rows, where rows are unlimited.", min=200)] = 10_000,
    rounds: Annotated[
        int | None, typer.Option(help="Rounds of each game.", show_default="by recipe", min=1)
    ] = None,
    mnist: Annotated[
        Path | None, typer.Option(help="An .npz of MNIST: adds its first 50 principal components.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The judge's quick referees.")] = False,
    out: Annotated[
        Path, typer.Option(help="Folder for modes.json and modes.md; what is there is not redone.")
    ] = Path("runs/modes"),
) -> None:
    """Ring, grid, moons, mixtures, real sets: does every mode come and stay, and what did the game add?

    Examples:

    - `python -m benchmarks modes --sets ring,grid --columns mixture,mixture+game,learned --seeds 20`

    - `python -m benchmarks modes --sets moons --rows 2000 --judged 1000 --rounds 100 --seeds 1 --quick`
    """
    from benchmarks.suites import modes as suite
    from benchmarks.suites.point_sets import SETS, mnist_components

    from saddlepoint.errors import InputError

    known = dict(SETS)
    if mnist is not None:
        if not mnist.is_file():
            raise InputError(f"There is no file {mnist}; give an .npz whose arrays hold MNIST's pictures.")
        known["mnist"] = mnist_components(str(mnist))

    suite.run(
        [known[name] for name in _chosen(sets, list(known), "set")],
        range(first_seed, first_seed + seeds),
        _chosen(columns, list(suite.COLUMNS), "column"),
        out,
        say=lambda line: print(line, flush=True),
        train=rows,
        judged=judged,
        rounds=rounds,
        thorough=not quick,
    )
    print(f"the table is in {out / 'modes.md'}, every figure in {out / 'modes.json'}")


@app.command()
def tables(
    sets: Annotated[
        str | None,
        typer.Option(
            help="Names of sets, with commas between: adult, titanic, taxis (files in --data), diabetes, cancer.",
            show_default="all there are",
        ),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(help="Who makes the rows: real, ours, base, independent, copula.", show_default="all"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of adult.csv (and adult_test.csv), titanic.csv, taxis.csv.")
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            help="Rows that another program made of the same training rows, as SET:NAME=FILE.csv; repeatable. "
            "FILE.json beside it may hold its cpu_seconds and peak_memory_mb.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds of our own game.", min=1)] = 3,
    first_seed: Annotated[int, typer.Option(help="The first of them.", min=0)] = 0,
    rounds: Annotated[
        int | None, typer.Option(help="Rounds of each game.", show_default="by recipe", min=1)
    ] = None,
    no_bound: Annotated[bool, typer.Option("--no-bound", help="Leave the judge out.")] = False,
    sdmetrics: Annotated[
        str | None, typer.Option(help="A Python interpreter that has SDMetrics, for its quality score.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for tables.json and tables.md; what is there is not redone.")
    ] = Path("runs/tables"),
) -> None:
    """Mixed tables: our rows beside peers', baselines' and real ones, by a referee, by use, and by the judge's bound.

    Examples:

    - `python -m benchmarks tables --sets diabetes,cancer --seeds 1`

    - `python -m benchmarks tables --sets adult --data data --peer adult:CTGAN=adult-ctgan.csv`
    """
    from benchmarks.suites import table_sets
    from benchmarks.suites import tables as suite

    from saddlepoint.errors import InputError

    files: dict[str, dict[str, Path]] = {}
    for each in peer or []:
        head, equals, file = each.partition("=")
        name, colon, called = head.partition(":")
        if not (equals and colon and called and name in table_sets.SETS):
            raise InputError(
                f"--peer {each!r} is not understood; write SET:NAME=FILE.csv, the set one of "
                f"{', '.join(table_sets.SETS)}."
            )
        if not Path(file).is_file():
            raise InputError(f"There is no file {file}; give the rows of {called} as a CSV file.")
        files.setdefault(name, {})[called] = Path(file)

    there = table_sets.SHIPPED if sets is None and data is None else table_sets.SETS
    suite.run(
        [table_sets.table_set(name, data) for name in _chosen(sets, there, "set")],
        _chosen(rows, suite.ROWS, "row"),
        range(first_seed, first_seed + seeds),
        out,
        peers=files,
        say=lambda line: print(line, flush=True),
        rounds=rounds,
        bound=not no_bound,
        sdmetrics=sdmetrics,
    )
    print(f"the table is in {out / 'tables.md'}, every figure in {out / 'tables.json'}")


@app.command()
def pictures(
    sets: Annotated[
        str | None,
        typer.Option(
            help="Names of sets, with commas between: mnist, orl, cifar, sunflowers, stacked (files in --data), 31x47x1, "
            "200x64x3, 33x33x4, smooth (drawn).",
            show_default="all there are",
        ),
    ] = None,
    rows: Annotated[
        str,
        typer.Option(
            help="Who makes the pictures: real, ours, unclustered (ours without classes found), dcgan, wgan-gp."
        ),
    ] = "real,ours",
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of mnist.npz, faces_orl, cifar10_exact4k.npz and fewshot_sunflowers_256."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds.", min=1)] = 1,
    first_seed: Annotated[int, typer.Option(help="The first of them.", min=0)] = 11,
    rounds: Annotated[
        int | None, typer.Option(help="Rounds of each game.", show_default="by set", min=1)
    ] = None,
    no_bound: Annotated[bool, typer.Option("--no-bound", help="Leave the judge out.")] = False,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for pictures.json, pictures.md and games/; what is there is not redone, and games go on."
        ),
    ] = Path("runs/pictures"),
) -> None:
    """Pictures: our game beside DCGAN's and WGAN-GP's of the same networks, by bound, features, detail and copies.

    Examples:

    - `python -m benchmarks pictures --sets 31x47x1 --rounds 200`

    - `python -m benchmarks pictures --sets mnist,orl --data data --rows real,ours,unclustered,dcgan,wgan-gp`
    """
    from benchmarks.suites import picture_sets
    from benchmarks.suites import pictures as suite

    there = picture_sets.DRAWN_SETS if sets is None and data is None else picture_sets.SETS
    suite.run(
        [picture_sets.picture_set(name, data) for name in _chosen(sets, there, "set")],
        _chosen(rows, suite.ROWS, "row"),
        range(first_seed, first_seed + seeds),
        out,
        data=data,
        say=lambda line: print(line, flush=True),
        rounds=rounds,
        bound=not no_bound,
    )
    print(f"the table is in {out / 'pictures.md'}, every figure in {out / 'pictures.json'}")


def _chosen(given: str | None, allowed: Sequence[str], what: str) -> list[str]:
    """Return the names that an option lists, all that are allowed where it was left out."""
    from saddlepoint.errors import InputError, nearest

    names = list(allowed) if given is None else [each.strip() for each in given.split(",") if each.strip()]
    for name in names:
        if name not in allowed:
            raise InputError(
                f"Unknown {what} {name!r}{nearest(name, tuple(allowed)) or '.'} Allowed are {', '.join(allowed)}."
            )
    return names


def main() -> None:
    """Run a suite; an error of ours becomes one line on stderr and exit code 1."""
    from saddlepoint.errors import SaddlepointError

    try:
        app()
    except SaddlepointError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
