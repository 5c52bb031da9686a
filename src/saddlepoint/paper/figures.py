"""Figures 1 to 3: a one-dimensional game, samples beside their nearest training examples, interpolation in noise space."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from saddlepoint import compute
from saddlepoint.atomic import write_atomically
from saddlepoint.drawing import figure1 as drawing
from saddlepoint.drawing.pictures import interpolation, sample_grid
from saddlepoint.drawing.style import to_png
from saddlepoint.judging.memorisation import memorisation_test
from saddlepoint.model import Model
from saddlepoint.paper import games, one_dimensional_game, table1
from saddlepoint.paper.datasets import Parts, fractions
from saddlepoint.paper.results import Results
from saddlepoint.paper.resumable_game import ResumableGame, with_settings
from saddlepoint.training import Settings

Pictures = NDArray[np.uint8]

PANELS = (10, 40, 120, one_dimensional_game.ROUNDS)
FRAMES = (
    0,
    5,
    10,
    15,
    20,
    30,
    40,
    50,
    60,
    80,
    100,
    120,
    160,
    200,
    300,
    400,
    600,
    800,
    one_dimensional_game.ROUNDS,
)
SHOWN = 30
_CONVOLUTIONAL = ("mnist-conv", "faces-conv", "cifar10-conv")
QUICK_ROUNDS = {"mnist": 200, "faces": 200, "cifar10": 200, **dict.fromkeys(_CONVOLUTIONAL, 20)}
ROUNDS = {"mnist": 125_000, "faces": 2_500, "cifar10": 2_000, **dict.fromkeys(_CONVOLUTIONAL, 2_000)}
"""Default rounds of Figure 2's games: the paper's for MNIST, as many as a CPU allows for the others."""


def figure1(
    results: Results,
    *,
    seed: int = 0,
    quick: bool = False,
    say: Callable[[str], None] = print,
    command: str = "",
) -> None:
    """Play a one-dimensional game and draw it at four rounds, and as an animation."""
    began, wall = time.process_time(), time.monotonic()
    last = min(150, one_dimensional_game.ROUNDS) if quick else one_dimensional_game.ROUNDS
    shown = [min(each, last) for each in PANELS]
    frames = sorted({min(each, last) for each in FRAMES})
    moments = one_dimensional_game.play(sorted({*shown, *frames}), seed=seed, say=say)
    by_round = {moment.round: _panel(moment, seed) for moment in moments}
    name = "figure1-quick" if quick else "figure1"
    still = [by_round[each] for each in sorted(set(shown))]
    results.picture(drawing.moments(still, title="The one-dimensional game at four rounds"), name)
    _animate(results.folder / f"{name}.gif", [by_round[each] for each in frames])
    end = moments[-1]
    d_on_data = 1 / (1 + np.exp(-end.model.logits(one_dimensional_game.draw(4_000, seed + 1))))
    distances = {moment.round: one_dimensional_game.kolmogorov(moment.samples) for moment in moments}
    seconds = _seconds(began, wall)
    record = {
        "seed": seed,
        "rounds": last,
        "kolmogorov": {str(key): round(value, 5) for key, value in distances.items()},
        "mean_abs_D_minus_half": round(float(np.abs(d_on_data - 0.5).mean()), 5),
        "command": command,
        **seconds,
    }
    with results.changing(name) as content:
        content.update(record)


def _panel(moment: one_dimensional_game.Moment, seed: int) -> drawing.Moment:
    return drawing.Moment(
        data=one_dimensional_game.draw(4_000, seed + 2),
        samples=moment.samples,
        logit=moment.model.logits,
        transport=np.column_stack([moment.noise[:2_000, 0], moment.samples[:2_000]]),
        density=lambda x: one_dimensional_game.density(np.asarray(x)),
        label=f"round {moment.round:,}",
    )


def _animate(path: Path, panels: Sequence[drawing.Moment]) -> None:
    """Write the moments as an animated GIF, with a pause at its end."""
    pictures = []
    for panel in panels:
        with Image.open(io.BytesIO(to_png(drawing.moments([panel]), dpi=72, colours=64))) as drawn:
            pictures.append(drawn.convert("RGB"))
    size = (max(each.width for each in pictures), max(each.height for each in pictures))
    frames = []
    for picture in pictures:
        frame = Image.new("RGB", size, "white")
        frame.paste(picture, (0, 0))
        frames.append(frame.quantize(16, dither=Image.Dither.NONE))
    buffer = io.BytesIO()
    lengths = [250] * (len(frames) - 1) + [2_500]
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], duration=lengths, loop=0, optimize=True
    )
    write_atomically(path, buffer.getvalue())


@dataclass(frozen=True, kw_only=True)
class Played:
    """A model of pictures and the game that trained it.

    model: the model.
    rounds: the rounds played.
    game: the game's name in Table 1.
    table1: whether the model is that of a run of Table 1.
    optimisers: objective, optimisers and penalties, in words.
    cpu_seconds: CPU seconds of the game.
    wall_seconds: wall seconds of the game.
    """

    model: Model
    rounds: int
    game: str
    table1: bool
    optimisers: str
    cpu_seconds: float
    wall_seconds: float = 0.0


def play(
    parts: Parts,
    name: str,
    seed: int,
    *,
    runs: Path,
    rounds: int,
    game: str = "goodfellow2014",
    threads: int = 1,
    device: str | None = None,
    quick: bool = False,
    interrupted: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
) -> Played | None:
    """Return the average of G of a game of Table 1 on these pictures; None if the game was interrupted.

    If the run of `paper table1` has kept a model, it is used; any other game is resumed where it stopped.

    parts: the data.
    name: the name of the data in the run folder.
    seed: the game's seed.
    runs: folder of the run folders.
    rounds: the game's length.
    game: the game's name.
    threads: its threads.
    device: its device.
    quick: the quick version, which does not use Table 1's run.
    interrupted: asked between rounds whether to pause.
    say: prints progress.
    """
    kept_model = runs / f"table1-{name}" / f"{table1.slug(game)}-seed{seed}" / "model" / "average"
    if not quick and (kept_model / "model.json").is_file():
        model = Model.load(kept_model)
        played = int(model.description["rounds"])
        return Played(
            model=model,
            rounds=played,
            game=game,
            table1=True,
            optimisers=_optimisers(games.planned_game(game, parts, seed, None).settings),
            cpu_seconds=0,
        )
    pair = games.PAIRS.get(name)
    plan = games.planned_game(game, parts, seed, rounds, **({} if pair is None else {"pair": pair}))
    if quick and name in _CONVOLUTIONAL:  # a round of 128 pictures takes about eight seconds
        plan = with_settings(plan, batch=16)
    suffix = "" if game == "goodfellow2014" else f"-{table1.slug(game)}"
    folder = runs / f"figure2-{name}{suffix}{'-quick' if quick else ''}-seed{seed}"
    course = ResumableGame(folder, parts.train, plan, threads=threads, device=device)
    try:
        step = max(1, rounds // 10)
        planned = sorted({*range(step, rounds, step), rounds})
        say(f"{name}, seed {seed}: round {course.fit.round:,} of {rounds:,} in {folder}")
        if not course.play(planned, lambda fit: {}, interrupted=interrupted, say=say):
            return None
        return Played(
            model=course.fit.playing(),
            rounds=course.fit.round,
            game=game,
            table1=False,
            optimisers=_optimisers(course.fit.plan.settings),
            cpu_seconds=course.cpu_seconds,
            wall_seconds=course.wall_seconds,
        )
    finally:
        course.close()


def figure2(
    results: Results,
    parts: Parts,
    name: str,
    played: Played,
    *,
    seed: int,
    quick: bool = False,
    command: str = "",
) -> None:
    """Draw the first samples beside their nearest training examples, and run the memorisation test."""
    began, wall = time.process_time(), time.monotonic()
    number = 300 if quick else 2_000
    samples = _pictures(played.model, _noise(played.model, number, seed, "figure2"))
    near = _nearest(parts, samples[:SHOWN])
    verdict = memorisation_test(parts.train.rows, parts.validation.rows, samples, random_state=seed)
    file = f"figure2-{name}{'-quick' if quick else ''}"
    figure = sample_grid(
        samples[:SHOWN],
        parts.train.rows[near],
        columns=6,
        title=f"{name.replace('-conv', ', convolutional')}: the first samples, not selected",
    )
    results.picture(figure, file, dpi=None, colours=128)
    seconds = _seconds(began, wall, played)
    spread = [float((rows / parts.train.levels).std(axis=0).mean()) for rows in (samples, parts.train.rows)]
    with results.changing(file) as content:
        content.update(
            {
                "data": name,
                "game": played.game,
                "table1": played.table1,
                "players": [
                    _layers(played.model.description[player]) for player in ("generator", "discriminator")
                ],
                "moves": played.optimisers,
                "seed": seed,
                "spread": [round(each, 4) for each in spread],
                "rounds": played.rounds,
                "samples": number,
                "shown": SHOWN,
                "rows": [len(parts.train), len(parts.validation)],
                "note": parts.note,
                "copying": verdict.to_dict(),
                "command": command,
                **seconds,
            }
        )


def figure3(
    results: Results,
    parts: Parts,
    played: Played,
    *,
    seed: int,
    quick: bool = False,
    command: str = "",
    lines: int = 6,
    steps: int = 11,
) -> None:
    """Draw digits along straight lines in noise space, between random pairs of noise vectors."""
    began, wall = time.process_time(), time.monotonic()
    ends = _noise(played.model, 2 * lines, seed, "figure3")
    weight = torch.linspace(0, 1, steps)[None, :, None]
    z = (1 - weight) * ends[:lines, None] + weight * ends[lines:, None]
    frames = _pictures(played.model, z.flatten(0, 1))
    name = "figure3-quick" if quick else "figure3"
    figure = interpolation(
        frames.reshape(lines, steps, *frames.shape[1:]), title="Digits along straight lines in z"
    )
    results.picture(figure, name, dpi=None, colours=128)
    path = np.diff(frames.reshape(lines, steps, -1).astype(np.float64) / parts.train.levels, axis=1)
    longest = float(np.linalg.norm(path, axis=2).max())
    rows = fractions(parts.train)[:2_000]
    apart = float(np.linalg.norm(rows[:1_000] - rows[1_000:], axis=1).mean()) if len(rows) == 2_000 else None
    seconds = _seconds(began, wall, played)
    with results.changing(name) as content:
        content.update(
            {
                "game": played.game,
                "table1": played.table1,
                "seed": seed,
                "rounds": played.rounds,
                "lines": [lines, steps],
                "longest_step": longest,
                "apart": apart,
                "command": command,
            }
        )
        content.update(seconds)


def _noise(model: Model, n: int, seed: int, purpose: str) -> torch.Tensor:
    distribution, width = model.description["noise_distribution"], model.description["noise_width"]
    return compute.noise(distribution, n, width, compute.random_generator(seed, purpose))


def _pictures(model: Model, z: torch.Tensor) -> Pictures:
    return np.asarray(model.encoder.decode(model.generate(z)), dtype=np.uint8)


def _nearest(parts: Parts, samples: Pictures) -> NDArray[np.int64]:
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(fractions(parts.train).astype(np.float32))
    rows = samples.reshape(len(samples), -1).astype(np.float32) / parts.train.levels
    return np.asarray(search.kneighbors(rows, return_distance=False)[:, 0], dtype=np.int64)


def _layers(network: dict[str, Any]) -> str:
    kept = {key: value for key, value in network.items() if key not in ("name", "condition_width")}
    words = {"centred": "1/2 taken from sigmoid units:"}
    layers = ", ".join(f"{words.get(key, key.replace('_', ' '))} {value}" for key, value in kept.items())
    return f"{network['name']}, {layers}"


def _optimisers(settings: Settings) -> str:
    """Return a description of the objective, both optimisers, the penalties and the noise."""
    players = (("G", settings.generator), ("D", settings.discriminator))
    optimisers = ", ".join(
        f"{name} by {optimiser.name} at the rate {optimiser.rate.start:g}"
        + (
            ""
            if optimiser.rate.end is None
            else f", falling to {optimiser.rate.at(settings.horizon, settings.horizon):g}"
        )
        for name, optimiser in players
    )
    penalties = "".join(f", {each.name} at {each.weight.start:g}" for each in settings.penalties)
    return (
        f"{settings.objective}, {settings.form}, batches of {settings.batch}, {optimisers}{penalties}, "
        f"noise {settings.noise_distribution}"
    )


def _seconds(began: float, wall: float, played: Played | None = None) -> dict[str, float]:
    cpu_before, wall_before = (0.0, 0.0) if played is None else (played.cpu_seconds, played.wall_seconds)
    return {
        "cpu_seconds": round(cpu_before + time.process_time() - began, 1),
        "wall_seconds": round(wall_before + time.monotonic() - wall, 1),
    }
