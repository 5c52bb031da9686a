"""`saddlepoint sample`: draw from a run's model into a file."""

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
        str | None,
        typer.Option(
            help="Class to draw from, as `class=7` (or `7`, or by the label column's name); all by their shares if left "
            "out."
        ),
    ] = None,
    base: Annotated[
        bool,
        typer.Option("--base", help="Of the mixture of Gaussians that the generator of points started from."),
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
    """
    from saddlepoint.errors import InputError

    condition = None
    if given is not None:
        from saddlepoint.runs.sampling import label_of

        name, equals, value = given.partition("=")
        if not equals:  # there is one label, so that a value alone is clear
            name, value = "class", given
        allowed = ["class", *filter(None, [label_of(run)])]
        if name not in allowed or not value:
            ways = " or ".join(f"--given {each}=VALUE" for each in dict.fromkeys(allowed))
            raise InputError(f"--given {given!r} is not understood; write {ways}.")
        condition = value
    if out.is_file() and not force:
        raise InputError(f"{out} exists; choose another name, or add --force to write over it.")
    from saddlepoint.runs.sampling import sample_to_file

    print(
        sample_to_file(run, out, n=n, seed=seed, given=condition, base=base, escape_formulas=escape_formulas)
    )
