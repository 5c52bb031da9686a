"""`python -m benchmarks`: the quality benchmarks, each a command that writes its results and its table.

Other benchmarks are modules beside this file (`python -m benchmarks.speed`, `python -m benchmarks.stopping`, ...).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="python -m benchmarks",
    help="Measure the quality of the recipes, beside peers and baselines.",
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
        str | None, typer.Option(help="Names of sets, separated by commas.", show_default="all")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Sources of samples: real, mixture, mixture+game, learned, noise.", show_default="all"
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds.", min=1)] = 3,
    first_seed: Annotated[int, typer.Option(help="The first seed.", min=0)] = 1000,
    rows: Annotated[int, typer.Option(help="Training rows, where rows are unlimited.", min=200)] = 100_000,
    judged: Annotated[int, typer.Option(help="Judged rows, where rows are unlimited.", min=200)] = 10_000,
    rounds: Annotated[
        int | None, typer.Option(help="Rounds of each game.", show_default="by recipe", min=1)
    ] = None,
    mnist: Annotated[
        Path | None, typer.Option(help="An .npz of MNIST: adds a set of its first 50 principal components.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Use the judge's quick classifiers.")] = False,
    out: Annotated[
        Path, typer.Option(help="Folder for modes.json and modes.md; stored records are not repeated.")
    ] = Path("runs/modes"),
) -> None:
    """Mode coverage on ring, grid, moons, mixtures and real sets, with and without the game.

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
            raise InputError(f"There is no file {mnist}; give an .npz of MNIST's pictures.")
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
    print(f"the table is in {out / 'modes.md'}, all results in {out / 'modes.json'}")


@app.command()
def tables(
    sets: Annotated[
        str | None,
        typer.Option(
            help="Names of sets, separated by commas: adult, titanic, taxis (files in --data), diabetes, cancer.",
            show_default="all that are available",
        ),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(help="Sources of rows: real, ours, base, independent, copula.", show_default="all"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of adult.csv (and adult_test.csv), titanic.csv, taxis.csv.")
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            help="Rows that another program generated from the same training rows, as SET:NAME=FILE.csv; repeatable. "
            "FILE.json beside it may hold its cpu_seconds and peak_memory_mb.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds of our own game.", min=1)] = 3,
    first_seed: Annotated[int, typer.Option(help="The first seed.", min=0)] = 0,
    rounds: Annotated[
        int | None, typer.Option(help="Rounds of each game.", show_default="by recipe", min=1)
    ] = None,
    no_bound: Annotated[bool, typer.Option("--no-bound", help="Do not judge.")] = False,
    sdmetrics: Annotated[
        str | None, typer.Option(help="A Python interpreter that has SDMetrics, for its quality score.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for tables.json and tables.md; stored records are not repeated.")
    ] = Path("runs/tables"),
) -> None:
    """Mixed tables: our rows beside those of peers, baselines and real ones, by C2ST, TSTR and the judge's bound.

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
        name, colon, peer_name = head.partition(":")
        if not (equals and colon and peer_name and name in table_sets.SETS):
            raise InputError(
                f"--peer {each!r} is not understood; write SET:NAME=FILE.csv, the set one of "
                f"{', '.join(table_sets.SETS)}."
            )
        if not Path(file).is_file():
            raise InputError(f"There is no file {file}; give the rows of {peer_name} as a CSV file.")
        files.setdefault(name, {})[peer_name] = Path(file)

    available = table_sets.SHIPPED if sets is None and data is None else table_sets.SETS
    suite.run(
        [table_sets.table_set(name, data) for name in _chosen(sets, available, "set")],
        _chosen(rows, suite.ROWS, "row"),
        range(first_seed, first_seed + seeds),
        out,
        peers=files,
        say=lambda line: print(line, flush=True),
        rounds=rounds,
        bound=not no_bound,
        sdmetrics=sdmetrics,
    )
    print(f"the table is in {out / 'tables.md'}, all results in {out / 'tables.json'}")


@app.command()
def pictures(
    sets: Annotated[
        str | None,
        typer.Option(
            help="Names of sets, separated by commas: mnist, orl, cifar, sunflowers, stacked (files in --data), 31x47x1, "
            "200x64x3, 33x33x4, smooth (generated).",
            show_default="all that are available",
        ),
    ] = None,
    rows: Annotated[
        str,
        typer.Option(
            help="Sources of pictures: real, ours, unclustered (ours without pseudo-labels), dcgan, wgan-gp."
        ),
    ] = "real,ours",
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of mnist.npz, faces_orl, cifar10_exact4k.npz and fewshot_sunflowers_256."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds.", min=1)] = 1,
    first_seed: Annotated[int, typer.Option(help="The first seed.", min=0)] = 11,
    rounds: Annotated[
        int | None, typer.Option(help="Rounds of each game.", show_default="by set", min=1)
    ] = None,
    no_bound: Annotated[bool, typer.Option("--no-bound", help="Do not judge.")] = False,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for pictures.json, pictures.md and games/; stored records are not repeated, games are resumed."
        ),
    ] = Path("runs/pictures"),
) -> None:
    """Pictures: our game beside DCGAN's and WGAN-GP's with the same networks, by bound, features, detail and copies.

    Examples:

    - `python -m benchmarks pictures --sets 31x47x1 --rounds 200`

    - `python -m benchmarks pictures --sets mnist,orl --data data --rows real,ours,unclustered,dcgan,wgan-gp`
    """
    from benchmarks.suites import picture_sets
    from benchmarks.suites import pictures as suite

    available = picture_sets.DRAWN_SETS if sets is None and data is None else picture_sets.SETS
    suite.run(
        [picture_sets.picture_set(name, data) for name in _chosen(sets, available, "set")],
        _chosen(rows, suite.ROWS, "row"),
        range(first_seed, first_seed + seeds),
        out,
        data=data,
        say=lambda line: print(line, flush=True),
        rounds=rounds,
        bound=not no_bound,
    )
    print(f"the table is in {out / 'pictures.md'}, all results in {out / 'pictures.json'}")


def _chosen(given: str | None, allowed: Sequence[str], what: str) -> list[str]:
    """Return the names that an option lists; all allowed names if it is not given."""
    from saddlepoint.errors import InputError, nearest

    names = list(allowed) if given is None else [each.strip() for each in given.split(",") if each.strip()]
    for name in names:
        if name not in allowed:
            raise InputError(
                f"Unknown {what} {name!r}{nearest(name, tuple(allowed)) or '.'} Allowed are {', '.join(allowed)}."
            )
    return names


def main() -> None:
    """Run a benchmark; a SaddlepointError becomes one line on stderr and exit code 1."""
    from saddlepoint.errors import SaddlepointError

    try:
        app()
    except SaddlepointError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
