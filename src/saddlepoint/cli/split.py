"""`saddlepoint split`: held-out rows for the judge, made before any training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def split(
    file: Annotated[
        Path, typer.Argument(help="Rows: .csv, .tsv (also .gz), .parquet, .feather, .npy or .npz.")
    ],
    out_train: Annotated[Path | None, typer.Option(help="Training part; default FILE_train.")] = None,
    out_held_out: Annotated[
        Path | None, typer.Option(help="Held-out part. Default: FILE_held_out beside FILE.")
    ] = None,
    share: Annotated[float, typer.Option(help="Share of the rows to hold out.")] = 0.2,
    group: Annotated[
        str | None, typer.Option(help="Column (of an .npz: array) whose equal values stay together.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same parts.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
) -> None:
    """Write FILE's rows as two files of the same form: one to train on, one to judge by.

    Identical rows stay together, and so do rows of one group: judged rows must be new to the generator.
    Text rows are copied as they stand.

    Example: saddlepoint split adult.csv --share 0.3 --group household
    """
    from saddlepoint.data.tables.split_file import named_after, split_file

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
    if report.n_wholes < rows:
        kept = "groups and identical rows" if group else "identical rows"
        typer.echo(f"{rows:,} rows dealt out as {report.n_wholes:,} wholes, so that {kept} stay together.")
    typer.echo(
        f"Wrote {report.n_train:,} rows to {report.train} "
        f"and {report.n_held_out:,} rows to {report.held_out}."
    )
