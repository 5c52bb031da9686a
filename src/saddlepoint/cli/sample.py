"""`saddlepoint sample` and `saddlepoint complete`: samples of a run's model, and a table with its missing cells filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    run: Annotated[Path, typer.Argument(help="The run folder, or a saved model.")],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write; the suffix is the format: .npy .npz .csv .tsv .parquet .feather; for pictures also .png (one "
            "grid), .gif (a film of N frames that walks from sample to sample), .zip, or a folder (one file per picture)."
        ),
    ],
    n: Annotated[int, typer.Option("-n", "--n", help="Number of samples.")] = 100,
    seed: Annotated[int | None, typer.Option(help="Seed; without it a fresh one.")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            help="Class to sample: `class=7`, or `7`, or LABEL=7; without it all classes in their proportions. For tables "
            "also a condition on a column: `income='>50K'`, `age=30..40`, `city=Rome|Oslo`, `cabin=` (empty); repeatable."
        ),
    ] = None,
    base: Annotated[
        bool,
        typer.Option(
            "--base",
            help="Sample the start of training instead: a mixture of Gaussians (points), a MADE (tables).",
        ),
    ] = False,
    escape_formulas: Annotated[
        bool,
        typer.Option(
            "--escape-formulas",
            help="In .csv and .tsv: put ' before text that a spreadsheet would read as a formula.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Draw N samples from RUN and write them to a file.

    Examples:

    - `saddlepoint sample runs/digits -n 100 --out grid.png`

    - `saddlepoint sample runs/points -n 1000 --out more.csv --seed 1`

    - `saddlepoint sample runs/faces -n 16 --out faces/` (one file per picture), or `--out film.gif`

    - `saddlepoint sample runs/digits -n 20 --given class=7 --out sevens/`

    - `saddlepoint sample runs/adult -n 1000 --given "income=>50K" --given "age=30..40" --out rich.csv`
    """
    from saddlepoint.errors import InputError

    if out.is_file() and not force:
        raise InputError(f"{out} exists; choose another name, or add --force to overwrite it.")
    from saddlepoint.runs.sampling import sample_to_file

    print(
        sample_to_file(
            run, out, n=n, seed=seed, given=given or None, base=base, escape_formulas=escape_formulas
        )
    )


def complete(
    run: Annotated[Path, typer.Argument(help="The run folder of a table, or a saved model.")],
    table: Annotated[
        Path,
        typer.Argument(
            help="The table with missing cells: .csv, .tsv, .parquet or .feather, with the columns of the training table."
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write: .csv, .tsv, .parquet or .feather.")],
    column: Annotated[
        list[str] | None,
        typer.Option(help="Fill in this column only; repeatable.", show_default="all except identifiers"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; without it a fresh one.")] = None,
    escape_formulas: Annotated[
        bool,
        typer.Option(
            "--escape-formulas",
            help="In .csv and .tsv: put ' before text that a spreadsheet would read as a formula.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Fill in the missing cells of TABLE, drawn given the known cells of their row (imputation), and write the table.

    Known cells stay unchanged. A missing cell is a draw from its conditional distribution, not its most likely value, so
    that columns keep their spread; another seed gives other values.

    Examples:

    - `saddlepoint complete runs/adult gaps.csv --out whole.csv`

    - `saddlepoint complete runs/adult gaps.csv --column income --seed 1 --out whole.parquet`
    """
    from saddlepoint.errors import InputError
    from saddlepoint.runs.sampling import complete_to_file

    if out.is_file() and not force:
        raise InputError(f"{out} exists; choose another name, or add --force to overwrite it.")
    print(
        complete_to_file(run, table, out, columns=column or None, seed=seed, escape_formulas=escape_formulas)
    )
