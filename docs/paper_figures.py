"""The text of Figures 1 to 3 in docs/paper.md, from the JSON files that `saddlepoint.paper.figures` writes."""

from __future__ import annotations

from typing import Any

from docs.paper_table1 import GAMES

from saddlepoint.paper.results import Results

_TIMES = ("cpu_seconds", "wall_seconds")
_ALIKE = 0.5
"""Fraction of the data's spread below which the page says that samples are all similar."""
_PAPERS = {
    "cifar10": "8,000 rectifiers and 8,000 sigmoid units in G, two maxout layers of 1,600 x 5 in D, "
    "contrast-normalised pictures",
    "cifar10-conv": "8,000 rectifiers and 8,000 sigmoid units before G's deconvolution, 32, 32 and 192 feature maps in D, "
    "batches of 128, contrast-normalised pictures",
    "faces": "for the Toronto Face Database 8,000 rectifiers and 8,000 sigmoid units in G, two maxout layers of 1,200 x 5 in "
    "D, normal noise, bounded weight norms",
}
"""The networks of the authors' code where ours differ."""


def figure1(results: Results, name: str, *, quick: bool) -> None:
    """Write the page of the one-dimensional game."""
    content = results.read(name)
    distances = {int(key): value for key, value in content["kolmogorov"].items()}
    results.page(
        name,
        title="Figure 1",
        paper="a sketch of p_data (dotted), p_g (solid), D (dashed) and the map from z to x (arrows) at four rounds of a game; "
        "at the end p_g = p_data and D = 1/2.",
        got=[
            f"![four rounds]({name}.png)",
            "",
            f"![animation of the game]({name}.gif)",
            "",
            f"A real game of {content['rounds']:,} rounds: the paper's V, between this library's own networks (residual MLPs, "
            "normal noise), with a small R1 penalty and falling learning rates so that it converges; p_g is that of the "
            "average of G. The largest difference of the distribution functions of 20,000 samples and of p_data falls from "
            f"{distances[min(distances)]:.3f} to {distances[max(distances)]:.3f}; at the end D is "
            f"{content['mean_abs_D_minus_half']:.4f} from 1/2 on average.",
        ],
        settings=_settings(content),
        commands=[content["command"]],
        quick=quick,
    )


def figure2(results: Results, name: str, *, quick: bool) -> None:
    """Write the page of samples beside their nearest training examples."""
    content = results.read(name)
    train, validation = content["rows"]
    generator, discriminator = content["players"]
    results.page(
        name,
        title=f"Figure 2: {content['data'].replace('-conv', ', convolutional')}",
        paper="samples, not cherry-picked; the rightmost column shows the training example nearest to the sample beside it, so "
        "samples are not memorised."
        + (
            " (For MNIST and faces only with fully connected networks.)"
            if content["data"] in ("mnist-conv", "faces-conv")
            else ""
        ),
        got=[
            f"![samples]({name}.png)",
            "",
            f"The first {content['shown']} samples of {_model(content)}, each with the training example nearest in pixels on "
            f"its right. Memorisation test of {content['samples']:,} samples against {train:,} training and {validation:,} "
            f"validation rows: {_copying(content['copying'])}",
            "",
            _spread(content),
            *(["", content["note"]] if content["note"] else []),
            *(["", f"The game, {content['game']}: {GAMES[content['game']]}."] if content["game"] else []),
            *(
                ["", f"The authors' networks: {_PAPERS[content['data']]}."]
                if content["data"] in _PAPERS
                else []
            ),
        ],
        settings={
            "generator": generator,
            "discriminator": discriminator,
            "optimisers": content["moves"],
            **_settings(content),
        },
        commands=[content["command"]],
        quick=quick,
    )


def figure3(results: Results, name: str, *, quick: bool) -> None:
    """Write the page of lines through noise space."""
    content = results.read(name)
    lines, steps = content["lines"]
    longest, apart = content["longest_step"], content["apart"]
    comparison = "" if apart is None else f" (two training digits are {apart:.1f} apart on average)"
    results.page(
        name,
        title="Figure 3",
        paper="digits from linear interpolation between two points of z space.",
        got=[
            f"![lines]({name}.png)",
            "",
            f"{lines} lines of {steps} steps, by {_model(content)}; both ends of each line are random noise, not selected. The "
            f"largest step between neighbours is {longest:.1f} in pixel distance{comparison}.",
        ],
        settings=_settings(content),
        commands=[content["command"]],
        quick=quick,
    )


def _model(content: dict[str, Any]) -> str:
    """Return a description of the model: its game, seed and rounds."""
    run = "Table 1's run of " if content["table1"] else ""
    return (
        f"{run}{content['game']}, seed {content['seed']}, its average of G after {content['rounds']:,} rounds"
    )


def _settings(content: dict[str, Any]) -> dict[str, Any]:
    """Return seed, rounds and times; for games of Table 1 the times are those of drawing only."""
    alone = " (drawing only; the game's are in Table 1)" if content.get("table1") else ""
    return {
        "seed": content["seed"],
        "rounds": f"{content['rounds']:,}",
        **{key: f"{content[key]}{alone}" for key in _TIMES},
    }


def _copying(copying: dict[str, Any]) -> str:
    """Return the result of the memorisation test in words."""
    found = "copies found" if copying["copying"] else "no copies found"
    exact = f"{copying['exact_copies']:,} samples equal a training row"
    near = (
        f"{100 * copying['share']:.1f} % are nearer to a training row than to a validation row; without memorisation 50 % are "
        f"expected (p = {copying['p']:.2g}, the level is {copying['level']:g})"
    )
    if copying["control_p"] is not None and not copying["copying"]:
        near = (
            f"{100 * copying['share']:.1f} % are nearer to a training row than to a validation row, but training rows are as "
            "near to one another (the validation rows have another distribution: other writers or other people), so this is no "
            "evidence of copies"
        )
    return f"{found}: {exact}; {near}."


def _spread(content: dict[str, Any]) -> str:
    """Return how much samples differ from one another, compared with the data, and what that means."""
    of_samples, of_data = content["spread"]
    fraction = of_samples / of_data
    words = f"A pixel's standard deviation is {of_samples:.3f} over the samples, {of_data:.3f} over training rows."
    closest = {pair[1] for pair in content["copying"]["closest"]}
    if fraction < _ALIKE:
        words += (
            f" At {100 * fraction:.0f} % of the data's spread samples are all similar (mode collapse): these are not good "
            f"samples, and that they are no copies means little (the {len(content['copying']['closest'])} closest of them are "
            f"closest to {len(closest)} training row{'s' * (len(closest) > 1)})."
        )
    return words
