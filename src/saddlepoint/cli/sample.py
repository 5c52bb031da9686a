"""`saddlepoint complete`: fill in the missing cells of a table by what a run learnt.

`saddlepoint sample`: draw from a run's model into a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    run: Annotated[Path, typer.Argument(help="The run folder, or a saved model.")],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write; its suffix says the form: .npy .npz .csv .tsv .parquet .feather, for pictures also "
            ".png (one grid, small pictures enlarged), .gif (a film of N frames that walks from sample to sample), .zip, or "
            "a folder (one file a picture)."
        ),
    ],
    n: Annotated[int, typer.Option("-n", "--n", help="How many.")] = 100,
    seed: Annotated[
        int | None, typer.Option(help="For the same draw again; a fresh one if left out.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            help="Class to draw from, as `class=7` (or `7`, or by the label column's name); all by their shares if left "
            "out. Of a table a condition on a column: `income='>50K'`, `age=30..40`, `city=Rome|Oslo`, `cabin=` (empty); "
            "repeatable."
        ),
    ] = None,
    base: Annotated[
        bool,
        typer.Option(
            "--base",
            help="Of what the generator started from: points a mixture of Gaussians, tables fitted heads.",
        ),
    ] = False,
    escape_formulas: Annotated[
        bool,
        typer.Option(
            "--escape-formulas",
            help="In .csv and .tsv: put ' before texts that a spreadsheet would take for a formula.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
) -> None:
    """Draw N samples from RUN and write them to a file.

    Examples:

    - `saddlepoint sample runs/digits -n 100 --out grid.png`

    - `saddlepoint sample runs/points -n 1000 --out more.csv --seed 1`

    - `saddlepoint sample runs/faces -n 16 --out faces/` (one file a picture), or `--out film.gif`

    - `saddlepoint sample runs/digits -n 20 --given class=7 --out sevens/`

    - `saddlepoint sample runs/adult -n 1000 --given "income=>50K" --given "age=30..40" --out rich.csv`
    """
    from saddlepoint.errors import InputError

    if out.is_file() and not force:
        raise InputError(f"{out} exists; choose another name, or add --force to write over it.")
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
        typer.Argument(help="The table: .csv, .tsv, .parquet or .feather, of the columns that were learnt."),
    ],
    out: Annotated[Path, typer.Option(help="File to write: .csv, .tsv, .parquet or .feather.")],
    column: Annotated[
        list[str] | None,
        typer.Option(help="Fill in this column only; repeatable.", show_default="all but identifiers"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="For the same draw again; a fresh one if left out.")
    ] = None,
    escape_formulas: Annotated[
        bool,
        typer.Option(
            "--escape-formulas",
            help="In .csv and .tsv: put ' before texts that a spreadsheet would take for a formula.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
) -> None:
    """Draw the missing cells of TABLE, each row's given the cells that are known, and write it.

    Known cells stay as they are. A cell is one draw from what it may be, not its most likely value: so a column keeps its
    spread, and another seed gives other cells where the known ones do not settle them.

    Examples:

    - `saddlepoint complete runs/adult gaps.csv --out whole.csv`

    - `saddlepoint complete runs/adult gaps.csv --column income --seed 1 --out whole.parquet`
    """
    from saddlepoint.errors import InputError
    from saddlepoint.runs.sampling import complete_to_file

    if out.is_file() and not force:
        raise InputError(f"{out} exists; choose another name, or add --force to write over it.")
    print(
        complete_to_file(run, table, out, columns=column or None, seed=seed, escape_formulas=escape_formulas)
    )
