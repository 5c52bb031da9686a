"""Options of the command line with their help texts, and the reading of NAME=KIND."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from saddlepoint.errors import InputError
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
        "Tables of numbers only are learnt as points, other tables column by column."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Run folder. Default: runs/NAME.")]
Recipe = Annotated[str | None, typer.Option(help=f"{', '.join(RECIPES)}.", show_default="auto")]
Start = Annotated[
    str | None,
    typer.Option(
        help=f"What G starts from: {', '.join(STARTS)}. mixture: a Gaussian mixture fitted to the data; autoregressive "
        "(tables): a MADE fitted by maximum likelihood; learned: the mixture's components without their weights and shapes; "
        "noise: nothing fitted.",
        show_default="auto",
    ),
]
Capacity = Annotated[str | None, typer.Option(help=f"{', '.join(CAPACITIES)}.", show_default="medium")]
Objective = Annotated[
    str | None,
    typer.Option(help=f"In place of the recipe's: {', '.join(OBJECTIVES)}.", show_default=False),
]
Batch = Annotated[
    int | None,
    typer.Option(help="Rows per minibatch, in place of the recipe's."),
]
Rounds = Annotated[int | None, typer.Option(help="Total number of rounds.", show_default="by recipe")]
Minutes = Annotated[
    float | None,
    typer.Option(
        help="Minutes of training at most, which also set the horizon; opening the data and writing the report not included."
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        help=f"{', '.join(UNTIL)}. settled: check at planned rounds, and stop when samples and data differ by less than the "
        "tolerance, or no longer improve, or get worse; budget: check, but train to the end. Both judge the result on "
        "held-out test rows (vault).",
        show_default=False,
    ),
]
Tolerance = Annotated[
    str | None,
    typer.Option(help="With --until: a JSD in nats, or a missing cluster in per cent.", show_default="5%"),
]
OnCollapse = Annotated[
    str | None,
    typer.Option(
        help=f"With --until, on mode collapse: {', '.join(ON_COLLAPSE)}. rollback returns to the safest snapshot; remedy also "
        "halves the learning rates and triples the penalty.",
        show_default="stop",
    ),
]
Power = Annotated[
    str | None,
    typer.Option(
        help=f"With --until, a power analysis: {', '.join(POWER_TABLES)}. Would planted defects be found? quick: one of the "
        "tolerance's size; full: a table of five sizes.",
        show_default="quick",
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        help=f"With --until, metrics beside the final verdict: {', '.join(METRICS)}, or all; repeatable.",
        show_default=False,
    ),
]
Augment = Annotated[
    str | None,
    typer.Option(
        help=f"Augmentation of the real and fake pictures that D sees (shift, cutout, brightness): {', '.join(AUGMENT)}. auto: "
        "with fewer than 2,000 training pictures of more than 256 numbers.",
        show_default="auto",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        help=f"Learn pictures by pseudo-labels from k-means, one class per 100 pictures, at most 100: {', '.join(CLUSTER)}. "
        "auto: with 2,000 or more small sharp training pictures and no --label.",
        show_default="auto",
    ),
]
AccumulationSteps = Annotated[
    int | None,
    typer.Option(
        help="Micro-batches per batch (gradient accumulation): the same steps in less memory.",
        show_default="1",
    ),
]
Recompute = Annotated[
    bool,
    typer.Option(
        "--recompute",
        help="Compute activations again in the backward pass (activation checkpointing): larger pictures in less memory.",
    ),
]
Seed = Annotated[int | None, typer.Option(help="Seed of every random draw.", show_default="0")]
Precision = Annotated[str | None, typer.Option(help=f"{', '.join(PRECISIONS)}.", show_default="float32")]
Compile = Annotated[
    str | None,
    typer.Option(
        help=f"Compile the round: {', '.join(COMPILE)}. auto: if that saves more time in this run than compiling takes.",
        show_default="auto",
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        help="Learn P(x | class): name of the label column, or `class` for data that come with classes."
    ),
]
Group = Annotated[str | None, typer.Option(help="Column whose groups stay together in every split.")]
Column = Annotated[
    list[str] | None,
    typer.Option(help="Kind of a column, in place of the inferred one: age=integer; repeatable."),
]
Resolution = Annotated[
    str | None,
    typer.Option(
        help="Size of all pictures, as 64x48 (width x height); without it they must all have one size."
    ),
]
OtherSizes = Annotated[
    str | None,
    typer.Option(
        help=f"With --resolution, how to fit pictures of another size: {', '.join(OTHER_SIZES)}. crop scales them to cover the "
        "frame and cuts the rest; pad scales them to fit inside, on black.",
        show_default="crop",
    ),
]
Flips = Annotated[
    bool,
    typer.Option("--flips", help="Add the mirror image (left-right) of each picture to the training data."),
]
Holdout = Annotated[
    str | None, typer.Option(help="File of held-out test rows, in place of a vault split off the data.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")]
Restart = Annotated[bool, typer.Option("--restart", help="Begin again, replacing the run in the folder.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...", show_default="GPU if any")]
Processes = Annotated[int, typer.Option(help="Number of processes on this machine.", min=1)]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only the last line.")]


def column_types(given: Sequence[str] | None) -> dict[str, str] | None:
    """Return {column: type} from `--column NAME=KIND`, None without any; NAME may contain "=".

    >>> column_types(["age=integer", "a=b=numeric"])
    {'age': 'integer', 'a=b': 'numeric'}

    Raises:
        InputError: there is no name or no type.
    """
    types = {}
    for each in given or []:
        name, _, kind = each.rpartition("=")
        if not name or not kind:
            raise InputError(
                f"--column {each!r} is not understood; write --column NAME=KIND, such as age=integer."
            )
        types[name] = kind
    return types or None
