"""What `saddlepoint train` can be told: every option with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saddlepoint.names import (
    AUGMENT,
    CAPACITIES,
    CLUSTER,
    COMPILE,
    METRICS,
    OBJECTIVES,
    ON_COLLAPSE,
    OTHER_SIZES,
    POWER_TABLES,
    PRECISIONS,
    RECIPES,
    STARTS,
    UNTIL,
)

Source = Annotated[
    str,
    typer.Argument(
        help="`digits`, a .npy, .npz, .csv, .tsv, .parquet, .feather or idx file, or a folder or .zip of pictures. "
        "Tables of plain numbers are learnt as points, all others column by column."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Run folder; runs/NAME if left out.")]
Recipe = Annotated[str | None, typer.Option(help=f"{', '.join(RECIPES)}.", show_default="auto")]
Start = Annotated[
    str | None,
    typer.Option(
        help=f"Where G begins: {', '.join(STARTS)}. charts: at a mixture of Gaussians, which the game corrects; learned: "
        "with its charts but neither their weights nor their shapes; fitted (tables): with heads in order, fitted by "
        "likelihood; plain: with noise alone.",
        show_default="auto",
    ),
]
Capacity = Annotated[str | None, typer.Option(help=f"{', '.join(CAPACITIES)}.", show_default="medium")]
Objective = Annotated[
    str | None,
    typer.Option(help=f"Instead of the recipe's: {', '.join(OBJECTIVES)}.", show_default=False),
]
Batch = Annotated[
    int | None,
    typer.Option(help="Rows in a minibatch, instead of the recipe's."),
]
Rounds = Annotated[int | None, typer.Option(help="Rounds to play in all.", show_default="by recipe")]
Minutes = Annotated[
    float | None,
    typer.Option(
        help="Minutes to play at most; fixes the horizon. Opening the data before and the report after come on top."
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        help=f"{', '.join(UNTIL)}. settled: check at planned rounds, and stop when the samples cannot be told apart at the "
        "tolerance, no longer improve, or get worse; budget: check, but play to the end. Both judge the result on rows "
        "that nothing has seen.",
        show_default=False,
    ),
]
Tolerance = Annotated[
    str | None,
    typer.Option(help="With --until: nats, or a missing cluster in per cent.", show_default="5%"),
]
OnCollapse = Annotated[
    str | None,
    typer.Option(
        help=f"With --until, when a region of the data is lost: {', '.join(ON_COLLAPSE)}. rollback goes back to the safest "
        "snapshot; remedy also halves the learning rates and triples the penalty.",
        show_default="stop",
    ),
]
Ruler = Annotated[
    str | None,
    typer.Option(
        help=f"With --until: {', '.join(POWER_TABLES)}. Which planted defects would be found: one of the tolerance's size, or a "
        "table of five sizes.",
        show_default="quick",
    ),
]
Also = Annotated[
    list[str] | None,
    typer.Option(
        help=f"With --until, beside the final verdict: {', '.join(METRICS)}, or all; repeatable.",
        show_default=False,
    ),
]
Augment = Annotated[
    str | None,
    typer.Option(
        help=f"D sees pictures, real and fake, shifted, cut out, lighter or darker: {', '.join(AUGMENT)}. auto: where "
        "fewer than 2,000 pictures of more than 256 numbers train.",
        show_default="auto",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        help=f"Find classes in pictures by k-means, one for every 100 up to 100, and learn P(x | class): {', '.join(CLUSTER)}. "
        "auto: where 2,000 small sharp pictures or more train and --label names no classes.",
        show_default="auto",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        help="What a round may hold beside weights and optimisers, as 500MB or 2GB: batches are then played in parts, one "
        "after another, for the same steps.",
        show_default=False,
    ),
]
Seed = Annotated[int | None, typer.Option(help="Of every random draw.", show_default="0")]
Precision = Annotated[str | None, typer.Option(help=f"{', '.join(PRECISIONS)}.", show_default="float32")]
Compile = Annotated[
    str | None,
    typer.Option(
        help=f"Compile the round: {', '.join(COMPILE)}. auto: where the game is long enough to earn the compiler's "
        "time back.",
        show_default="auto",
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        help="Learn P(x | class): the label column's name, or `class` for data that come with their classes."
    ),
]
Group = Annotated[str | None, typer.Option(help="Column whose groups are never torn by a split.")]
Column = Annotated[
    list[str] | None,
    typer.Option(help="Kind of a table's column in place of the inferred one, as age=integer; repeatable."),
]
Resolution = Annotated[
    str | None,
    typer.Option(
        help="Size that all pictures get, as 64x48 (width x height); without it they must have one size."
    ),
]
OtherSizes = Annotated[
    str | None,
    typer.Option(
        help=f"With --resolution, pictures of another size: {', '.join(OTHER_SIZES)}. crop scales them until they cover "
        "it and cuts what stands out; pad scales them until they lie within, on black.",
        show_default="crop",
    ),
]
Flips = Annotated[
    bool, typer.Option("--flips", help="Learn the mirror image of each picture too (left and right).")
]
Holdout = Annotated[str | None, typer.Option(help="File of held-out rows, in place of a split-off vault.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where the run in the folder stopped.")]
Restart = Annotated[bool, typer.Option("--restart", help="Begin again, over the run in the folder.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...", show_default="GPU if any")]
Processes = Annotated[int, typer.Option(help="Play on so many processes of this machine.", min=1)]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the last line only.")]
