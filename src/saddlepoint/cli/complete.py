"""`saddlepoint complete`: fill in the missing cells of a table by what a run learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
    from saddlepoint.runs.completing import complete_to_file

    if out.is_file() and not force:
        raise InputError(f"{out} exists; choose another name, or add --force to write over it.")
    print(
        complete_to_file(run, table, out, columns=column or None, seed=seed, escape_formulas=escape_formulas)
    )
