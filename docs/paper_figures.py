"""The pages of Figures 1 to 3, from their JSON files alone: `figures` fills these in and draws the pictures."""

from __future__ import annotations

from typing import Any

from saddlepoint.paper.games import described
from saddlepoint.paper.results import Results

_TIMES = ("cpu_seconds", "wall_seconds")
_ALIKE = 0.5
"""Share of the data's spread below which samples are said to stay near one picture."""
_PAPERS = {
    "cifar10": "8,000 rectifiers and 8,000 sigmoid units in G, two maxout layers of 1,600 x 5 in D, pictures with their "
    "contrast normalised",
    "cifar10-conv": "8,000 rectifiers and 8,000 sigmoid units before G's deconvolution, maps of 32, 32 and 192 in D, batches "
    "of 128, pictures with their contrast normalised",
    "faces": "for the Toronto Face Database 8,000 rectifiers and 8,000 sigmoid units in G, two maxout layers of 1,200 x 5 in "
    "D, normal noise, the norms of weights bounded",
}
"""The players of the authors' code where ours are others."""


def figure1(results: Results, name: str, *, quick: bool) -> None:
    """Write the page of the game on a line."""
    content = results.read(name)
    distances = {int(key): value for key, value in content["kolmogorov"].items()}
    results.page(
        name,
        title="Figure 1",
        paper="data (dotted), p_g (solid), D (dashed) and the map from z to x (arrows) at four moments of a game, as a sketch; "
        "at the end p_g = p_data and D = 1/2.",
        got=[
            f"![four moments]({name}.png)",
            "",
            f"![the game, moving]({name}.gif)",
            "",
            f"A game that was played, of {content['rounds']:,} rounds: the paper's V, between this library's own players "
            "(residual perceptrons, normal noise), with a light R1 penalty and falling rates so that it ends; p_g is that of "
            "the average of G. The largest difference of the distribution functions of 20,000 samples and p_data falls from "
            f"{distances[min(distances)]:.3f} to {distances[max(distances)]:.3f}; in the end D is "
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
        paper="samples, not picked, the rightmost column with the nearest training example of its neighbour: not memorised."
        + (
            " (Of MNIST and faces by fully connected players alone.)"
            if content["data"] in ("mnist-conv", "faces-conv")
            else ""
        ),
        got=[
            f"![samples]({name}.png)",
            "",
            f"The first {content['shown']} samples of {_said(content)}, each with the training example nearest in pixels at "
            f"its right. Copying, tested on {content['samples']:,} samples against {train:,} training and {validation:,} "
            f"validation rows: {_copying(content['copying'])}",
            "",
            _spread(content),
            *(["", content["note"]] if content["note"] else []),
            *(["", f"The game, {content['game']}: {described(content['game'])}."] if content["game"] else []),
            *(
                ["", f"The authors' players: {_PAPERS[content['data']]}."]
                if content["data"] in _PAPERS
                else []
            ),
        ],
        settings={
            "generator": generator,
            "discriminator": discriminator,
            "moves": content["moves"],
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
    beside = "" if apart is None else f" (two training digits are {apart:.1f} apart on average)"
    results.page(
        name,
        title="Figure 3",
        paper="digits made by going in a straight line between two points of z space.",
        got=[
            f"![lines]({name}.png)",
            "",
            f"{lines} lines of {steps} steps, by {_said(content)}; both ends of each are random noise, not picked. The largest "
            f"step between neighbours is {longest:.1f} in pixel distance{beside}.",
        ],
        settings=_settings(content),
        commands=[content["command"]],
        quick=quick,
    )


def _said(content: dict[str, Any]) -> str:
    whose = "Table 1's run of " if content["table1"] else ""
    return f"{whose}{content['game']}, seed {content['seed']}, its average of G after {content['rounds']:,} rounds"


def _settings(content: dict[str, Any]) -> dict[str, Any]:
    """Return seed, rounds and times; of Table 1's games the times are those of the drawing alone."""
    alone = " (drawing alone; the game's are in Table 1)" if content.get("table1") else ""
    return {
        "seed": content["seed"],
        "rounds": f"{content['rounds']:,}",
        **{key: f"{content[key]}{alone}" for key in _TIMES},
    }


def _copying(copying: dict[str, Any]) -> str:
    """Return what the tests for copies found, in words for a reader of the page."""
    found = "copies found" if copying["copying"] else "no copies found"
    exact = f"{copying['exact_copies']:,} samples equal a training row"
    near = (
        f"{100 * copying['share']:.1f} % lie nearer to a training row than to a validation row, where 50 % would with rows of "
        f"one law (p = {copying['p']:.2g}, the level is {copying['level']:g})"
    )
    if copying["control_p"] is not None and not copying["copying"]:
        near = (
            f"{100 * copying['share']:.1f} % lie nearer to a training row than to a validation row, but training rows lie as "
            "near to one another (the validation rows are of another law, other writers or other people), so this says nothing"
        )
    return f"{found}: {exact}; {near}."


def _spread(content: dict[str, Any]) -> str:
    """Return how far samples differ from one another, beside the data, and what that says."""
    made, real = content["spread"]
    share = made / real
    words = f"A pixel's standard deviation is {made:.3f} over the samples, {real:.3f} over training rows."
    closest = {pair[1] for pair in content["copying"]["closest"]}
    if share < _ALIKE:
        words += (
            f" At {100 * share:.0f} % of the data's spread samples stay near one picture: these are not good samples, and that "
            f"they are no copies says little (the {len(content['copying']['closest'])} closest of them are closest to "
            f"{len(closest)} training rows)."
        )
    return words
