"""`saddlepoint paper`: the theorems, figures and table of Goodfellow et al. 2014, each recomputed by a command."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from saddlepoint.cli import signals
from saddlepoint.names import PAPER_CONTROLS, PAPER_GAMES

paper: typer.Typer = typer.Typer(
    help="Recompute the paper of 2014: theorems, Figures 1 to 3 and Table 1.", no_args_is_help=True
)

Out = Annotated[Path, typer.Option(help="Folder of the results: JSON, pictures, page.")]
Runs = Annotated[Path, typer.Option(help="Folder of the runs; the same command continues them.")]
Seed = Annotated[int, typer.Option(help="Seed of every random draw.", min=0)]
Quick = Annotated[
    bool,
    typer.Option("--quick", help="A small version, at most two minutes of one core; its results are marked."),
]
Mnist = Annotated[
    Path | None,
    typer.Option(help=".npz file of MNIST.", show_default="fetched from OpenML, checksum checked"),
]
Faces = Annotated[
    Path | None, typer.Option(help="Folder of the ORL faces.", show_default="fetched by scikit-learn")
]
Threads = Annotated[int, typer.Option(help="Threads per run.", min=1)]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, ...", show_default="a GPU if there is one")]


@paper.command()
def theory(
    steps: Annotated[
        str,
        typer.Option(
            help="Steps, separated by commas: a optimal D, b value of the game, c saddle point, d thin supports, e dimension "
            "by dimension, f early gradients, g a run that converges."
        ),
    ] = "a,b,c,d,e,f,g",
    quick: Quick = False,
    out: Out = Path("paper/results"),
) -> None:
    """Check every step of the paper's theory numerically, with figures.

    Example: `saddlepoint paper theory --quick`
    """
    from saddlepoint.paper import theory as argument
    from saddlepoint.paper.results import Results

    findings = argument.run(
        Results(out),
        steps=[each.strip() for each in steps.split(",") if each.strip()],
        quick=quick,
        say=_say,
        command=_command(),
    )
    _say(f"the page is {out / ('theory-quick.md' if quick else 'theory.md')}")
    argument.refuse(findings)


@paper.command()
def figure1(seed: Seed = 0, quick: Quick = False, out: Out = Path("paper/results")) -> None:
    """Figure 1: p_data, p_g, D and the map from z to x at four rounds of a real run, and as an animation.

    Example: `saddlepoint paper figure1`
    """
    from saddlepoint.paper import figures
    from saddlepoint.paper.results import Results

    figures.figure1(Results(out), seed=seed, quick=quick, say=_say, command=_command())
    _say(
        f"the pictures are {out / ('figure1-quick' if quick else 'figure1')}.png and .gif, the numbers in .json"
    )


@paper.command()
def figure2(
    data: Annotated[
        str,
        typer.Option(
            help="mnist, faces or cifar10; with -conv (cifar10-conv) convolutional networks, at 32 x 32."
        ),
    ] = "mnist",
    seed: Seed = 0,
    rounds: Annotated[
        int | None, typer.Option(help="Number of rounds.", show_default="by data", min=10)
    ] = None,
    game: Annotated[
        str,
        typer.Option(help=f"A model of Table 1 ({', '.join(PAPER_GAMES)}); -conv changes its networks."),
    ] = "goodfellow2014",
    mnist: Mnist = None,
    faces: Faces = None,
    cifar10: Annotated[Path | None, typer.Option(help=".npz file of CIFAR-10 pictures.")] = None,
    threads: Threads = 1,
    device: Device = None,
    quick: Quick = False,
    runs: Runs = Path("runs/paper"),
    out: Out = Path("paper/results"),
) -> None:
    """Figure 2: samples, not selected, each beside its nearest training example, and a memorisation test.

    Examples:

    - `saddlepoint paper figure2 --data faces --faces faces_orl`

    - `saddlepoint paper figure2 --data cifar10 --cifar10 cifar10.npz --quick`
    """
    from saddlepoint.errors import InputError
    from saddlepoint.paper import datasets, figures, games
    from saddlepoint.paper.results import Results

    if data not in figures.ROUNDS:
        raise InputError(
            f"Figure 2 is available for {', '.join(figures.ROUNDS)}, not for {data!r}; give one of them with --data."
        )
    games.refuse_unknown_game(game)
    if data.startswith("cifar10") and cifar10 is None:
        raise InputError(
            "Figure 2 of CIFAR-10 needs a local file: give an .npz of its pictures with --cifar10."
        )
    name, convolutional = data.removesuffix("-conv"), data.endswith("-conv")
    if name == "mnist":
        parts = datasets.mnist(mnist)
        parts = datasets.padded(parts, datasets.CONVOLVED_SIDE) if convolutional else parts
    elif name == "faces":
        side = datasets.CONVOLVED_SIDE if convolutional else datasets.FACE_SIDE
        parts = datasets.faces(faces, side=side)
    else:
        parts = datasets.cifar10(cifar10 or Path())
    if quick:
        parts = parts.first(2_000, 200, 200)
    with signals() as caught:
        played = figures.play(
            parts,
            data,
            seed,
            runs=runs,
            rounds=rounds or (figures.QUICK_ROUNDS[data] if quick else figures.ROUNDS[data]),
            game=game,
            threads=threads,
            device=device,
            quick=quick,
            interrupted=lambda: bool(caught),
            say=_say,
        )
    if played is None:
        raise typer.Exit(128 + caught[0])
    figures.figure2(Results(out), parts, data, played, seed=seed, quick=quick, command=_command())
    _say(f"the picture is {out / f'figure2-{data}'}{'-quick' if quick else ''}.png, the numbers in .json")


@paper.command()
def figure3(
    seed: Seed = 0,
    rounds: Annotated[
        int | None, typer.Option(help="Number of rounds.", show_default="125,000", min=10)
    ] = None,
    mnist: Mnist = None,
    threads: Threads = 1,
    device: Device = None,
    quick: Quick = False,
    runs: Runs = Path("runs/paper"),
    out: Out = Path("paper/results"),
) -> None:
    """Figure 3: digits along straight lines in noise space, from Table 1's run if there is one.

    Example: `saddlepoint paper figure3 --mnist mnist.npz`
    """
    from saddlepoint.paper import datasets, figures
    from saddlepoint.paper.results import Results

    parts = datasets.mnist(mnist)
    if quick:
        parts = parts.first(2_000, 200, 200)
    with signals() as caught:
        played = figures.play(
            parts,
            "mnist",
            seed,
            runs=runs,
            rounds=rounds or (figures.QUICK_ROUNDS["mnist"] if quick else figures.ROUNDS["mnist"]),
            threads=threads,
            device=device,
            quick=quick,
            interrupted=lambda: bool(caught),
            say=_say,
        )
    if played is None:
        raise typer.Exit(128 + caught[0])
    figures.figure3(Results(out), parts, played, seed=seed, quick=quick, command=_command())
    _say(f"the picture is {out / ('figure3-quick' if quick else 'figure3')}.png, the numbers in .json")


@paper.command()
def table1(
    data: Annotated[str, typer.Option(help="mnist, or faces (a demonstration: few test rows).")] = "mnist",
    models: Annotated[
        str,
        typer.Option(
            help=f"Rows of the table, separated by commas: {', '.join((*PAPER_GAMES, *PAPER_CONTROLS))}."
        ),
    ] = "goodfellow2014,narrow modern + linear units,real rows,k-means centres,each pixel apart",
    seed: Seed = 0,
    rounds: Annotated[
        int | None,
        typer.Option(help="Stop each run after this round.", show_default="the end of its schedules", min=1),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this time; the same command continues.", min=0.0)
    ] = None,
    mnist: Mnist = None,
    faces: Faces = None,
    judged: Annotated[
        bool, typer.Option("--judge/--no-judge", help="Run the judge beside the Parzen window.")
    ] = True,
    threads: Threads = 1,
    device: Device = None,
    quick: Quick = False,
    runs: Runs = Path("runs/paper"),
    out: Out = Path("paper/results"),
) -> None:
    """Table 1: Parzen window log-likelihood of 10,000 samples, beside controls and the judge's verdict.

    Examples:

    - `saddlepoint paper table1 --mnist mnist.npz --models goodfellow2014 --seed 0`

    - `saddlepoint paper table1 --mnist mnist.npz --models "real rows,k-means centres" --quick`
    """
    from saddlepoint.errors import InputError
    from saddlepoint.paper import datasets, table1
    from saddlepoint.paper.results import Results

    wanted = [each.strip() for each in models.split(",") if each.strip()]
    table1.refuse_unknown(wanted)
    if data not in ("mnist", "faces"):
        raise InputError(
            f"Table 1 is available for 'mnist' and 'faces', not for {data!r}; give one of them with --data."
        )
    parts = datasets.mnist(mnist) if data == "mnist" else datasets.faces(faces)
    if quick:
        parts = parts.first(5_000, 1_000, 1_000)
    with signals() as caught:
        finished = table1.run(
            parts,
            wanted,
            seed,
            results=Results(out),
            runs=runs,
            quick=quick,
            rounds=rounds,
            minutes=minutes,
            judged=judged,
            threads=threads,
            device=device,
            interrupted=lambda: bool(caught),
            say=_say,
            command=_command(),
        )
    if caught:
        raise typer.Exit(128 + caught[0])
    if finished:
        _say(f"the table is in {out}")


def _say(line: str) -> None:
    print(line, flush=True)


def _command() -> str:
    return shlex.join(["saddlepoint", *sys.argv[1:]])
