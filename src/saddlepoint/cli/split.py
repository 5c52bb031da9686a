"""`saddlepoint split`: split off held-out rows for the judge, before any training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def split(
    file: Annotated[
        Path, typer.Argument(help="Rows: .csv, .tsv (also .gz), .parquet, .feather, .npy or .npz.")
    ],
    out_train: Annotated[
        Path | None, typer.Option(help="Training part. Default: FILE_train beside FILE.")
    ] = None,
    out_held_out: Annotated[
        Path | None, typer.Option(help="Held-out part. Default: FILE_held_out beside FILE.")
    ] = None,
    share: Annotated[float, typer.Option(help="Share of the rows to hold out.")] = 0.2,
    group: Annotated[
        str | None, typer.Option(help="Column (.npz: array) whose groups of equal values stay together.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same parts.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite existing files.")] = False,
) -> None:
    """Write FILE's rows to two files of the same format: one to train on, one to judge with.

    Identical rows stay together, and so do rows of one group, because test rows must be new to the generator.
    Rows of text files are copied unchanged.

    Example: saddlepoint split adult.csv --share 0.3 --group household
    """
    from saddlepoint.data.split_file import named_after, split_file

    report = split_file(
        file,
        out_train or named_after(file, "train"),
        out_held_out or named_after(file, "held_out"),
        share=share,
        group=group,
        seed=seed,
        overwrite=overwrite,
    )
    rows = report.n_train + report.n_held_out
    if report.n_units < rows:
        kept = "groups and identical rows" if group else "identical rows"
        typer.echo(f"{rows:,} rows were split as {report.n_units:,} units, so that {kept} stay together.")
    typer.echo(
        f"Wrote {report.n_train:,} rows to {report.train} "
        f"and {report.n_held_out:,} rows to {report.held_out}."
    )
