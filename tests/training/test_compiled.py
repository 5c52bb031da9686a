"""A compiled round is the algorithm's own round: traced, it gives the same numbers; compiled, it repeats itself to the bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from saddlepoint import compute
from saddlepoint.errors import InputError
from saddlepoint.networks import (
    FourierDiscriminator,
    MaxoutDiscriminator,
    MixtureDiscriminator,
    MixtureGenerator,
    RectifierGenerator,
    ResidualDiscriminator,
    ResidualGenerator,
    SignNoiseGenerator,
    TabularDiscriminator,
    TabularGenerator,
)
from saddlepoint.objectives import OBJECTIVES, PENALTIES
from saddlepoint.training import (
    CompiledRound,
    Game,
    OptimiserSettings,
    PenaltySettings,
    Schedule,
    Settings,
    autotune,
    checkpoint,
    compiling,
    play,
    rounds,
)

Pair = tuple[nn.Module, nn.Module]
SPANS = [(3, True), (0, True), (2, False)]
SGD = OptimiserSettings(
    name="sgd", rate=Schedule(start=0.05), momentum=Schedule(start=0.0, end=0.8, shape="linear", begin=0.1)
)
ADAM = dict.fromkeys(
    ("generator", "discriminator"),
    OptimiserSettings(rate=Schedule(start=1e-3, end=1e-4, shape="cosine"), betas=(0.5, 0.9)),
) | {"objective": "non-saturating"}
MOVING = Schedule(start=1.0, end=0.1, shape="geometric")
NETWORKS: dict[str, tuple[Callable[[], Pair], int, tuple[int, ...], int]] = {
    "residual": (
        lambda: (
            ResidualGenerator(noise_width=4, shape=[3], width=6, blocks=1),
            ResidualDiscriminator(shape=[3], width=6, blocks=1),
        ),
        4,
        (3,),
        0,
    ),
    "2014, conditional pictures": (
        lambda: (
            RectifierGenerator(noise_width=4, shape=[2, 3], hidden=[6], condition_width=2, initial_range=0.5),
            MaxoutDiscriminator(shape=[2, 3], hidden=[4, 4], pieces=3, condition_width=2, initial_range=0.5),
        ),
        4,
        (2, 3),
        2,
    ),
    "pictures": (
        lambda: (
            RectifierGenerator(noise_width=4, shape=[1, 4, 4], hidden=[6]),
            ResidualDiscriminator(shape=[1, 4, 4], width=6, blocks=1),
        ),
        4,
        (1, 4, 4),
        0,
    ),
    "convolutions": (
        lambda: (
            nn.Sequential(nn.Linear(4, 48), nn.Unflatten(1, (3, 4, 4)), nn.ConvTranspose2d(3, 2, 3, 1, 1)),
            nn.Sequential(
                nn.Conv2d(2, 3, 3, 2, 1), nn.Tanh(), nn.Conv2d(3, 3, 2), nn.Flatten(), nn.Linear(3, 1)
            ),
        ),
        4,
        (2, 4, 4),
        0,
    ),
    "mixture": (
        lambda: (
            MixtureGenerator(
                noise_width=MixtureGenerator.noise_for(3, 2, "mixture"), components=3, local_width=2, width=6
            ),
            MixtureDiscriminator(components=3, local_width=2, width=6),
        ),
        MixtureGenerator.noise_for(3, 2, "mixture"),
        (5,),
        0,
    ),
    "learned charts": (
        lambda: (
            MixtureGenerator(
                noise_width=MixtureGenerator.noise_for(3, 2, "learned"),
                components=3,
                local_width=2,
                width=6,
                start="learned",
            ),
            MixtureDiscriminator(components=3, local_width=2, width=6, start="learned"),
        ),
        MixtureGenerator.noise_for(3, 2, "learned"),
        (5,),
        0,
    ),
    "coins": (
        lambda: (
            SignNoiseGenerator(noise_width=6, shape=[2], width=6, sign_bits=3),
            FourierDiscriminator(shape=[2], width=6, octaves=2),
        ),
        6,
        (2,),
        0,
    ),
    "feature_blocks": (
        lambda: (
            TabularGenerator(noise_width=9, feature_blocks=SPANS, width=6),
            TabularDiscriminator(feature_blocks=SPANS, width=6),
        ),
        9,
        (7,),
        0,
    ),
    "line": (
        lambda: (nn.Linear(4, 3), nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))),
        4,
        (3,),
        0,
    ),
    "line, compiled": (lambda: (nn.Linear(4, 3), nn.Linear(3, 1)), 4, (3,), 0),
    "batch norm": (
        lambda: (
            nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)),
            nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1)),
        ),
        4,
        (3,),
        0,
    ),
}


def game(network: str = "line", **changes: object) -> Game:
    make, noise_width, _, _ = NETWORKS[network]
    torch.manual_seed(0)
    values = {"horizon": 8, "batch": 8, "noise_width": noise_width, "precision": "float64", "average": 0.1}
    values |= {"generator": SGD, "discriminator": SGD}
    return Game(*make(), Settings(**(values | changes)))


def batches(network: str = "line", start: int = 0):
    _, _, shape, classes = NETWORKS[network]
    for index in range(start, 10**9):
        generator = torch.Generator().manual_seed(index)
        rows = torch.rand(8, *shape, generator=generator)
        codes = torch.randint(classes or 1, (8,), generator=generator)
        yield (rows, nn.functional.one_hot(codes, classes).float()) if classes else rows


def as_traced(traced: torch.fx.GraphModule) -> Callable[..., Tensor]:
    return traced


VARIANTS = [
    *(("line", {"objective": name}) for name in OBJECTIVES),
    *(("line", {"penalties": (PenaltySettings(name=name, weight=MOVING),)}) for name in PENALTIES),
    *((name, {}) for name in NETWORKS if "line" not in name and name != "pictures"),
    ("pictures", {"augment": 0.3, "penalties": ("r1",)}),
    *((name, {"penalties": ("r1", "r2")}) for name in ("residual", "feature_blocks")),
    ("2014, conditional pictures", {"form": "simultaneous"}),
    ("line", {"form": "simultaneous", "penalties": ("r2", "gradient-penalty")}),
    ("line", {"clip": 1.0}),
    ("line", {"discriminator_steps": 2, "fresh_noise": True, "average": None}),
    *(("line", {"precision": precision, **ADAM}) for precision in ("float64", "float32")),
]


@pytest.mark.parametrize(("network", "changes"), VARIANTS, ids=str)
def test_the_traced_round_is_the_eager_one(network: str, changes: dict[str, object]) -> None:
    eager, traced = game(network, **changes), game(network, **changes)
    ours = list(rounds(eager, batches(network), 3))
    theirs = list(rounds(traced, batches(network), 3, CompiledRound(as_traced)))
    single = changes.get("precision") == "float32"
    close = {"rtol": 1e-4, "atol": 1e-6} if single else {"rtol": 1e-9, "atol": 1e-11}
    for one, two in zip(ours, theirs, strict=True):
        assert one.round == two.round
        torch.testing.assert_close(one.values, two.values, **close)
    states = checkpoint.state_of(eager), checkpoint.state_of(traced)
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], **close, msg=name)


def test_a_compiled_game_is_the_eager_one_and_resumes_to_the_bit(tmp_path: Path) -> None:
    """The one game of the suite that a compiler sees; its rounds change hands: eager, compiled, eager."""
    changes = {"penalties": ("r1",), "objective": "non-saturating", "average": None}
    eager, whole, first, second = (game("line, compiled", **changes) for _ in range(4))
    list(rounds(eager, batches(), 6))
    compiled = CompiledRound()
    list(rounds(whole, batches(), 6, compiled))
    for name, value in checkpoint.state_of(eager).items():
        torch.testing.assert_close(value, checkpoint.state_of(whole)[name], rtol=1e-9, atol=1e-11, msg=name)
    list(rounds(first, batches(), 3, compiled))
    checkpoint.save(tmp_path, first.round, checkpoint.state_of(first), {})
    found = checkpoint.load(tmp_path)
    assert found is not None
    checkpoint.restore(second, found)
    list(rounds(second, batches(start=3), 3, compiled))
    for name, value in checkpoint.state_of(whole).items():
        assert torch.equal(value, checkpoint.state_of(second)[name]), name


@pytest.mark.parametrize("moves", [{}, ADAM], ids=["sgd", "adam"])
def test_channels_last_is_the_same_game(
    moves: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory order of convolutions is no part of the game, and a checkpoint comes back in it to the bit."""
    last, again = (game("convolutions", penalties=("r1",), **moves) for _ in range(2))
    monkeypatch.setattr(compute, "to_channels_last", lambda module: module)
    first = game("convolutions", penalties=("r1",), **moves)
    assert last.discriminator[0].weight.stride() != first.discriminator[0].weight.stride()
    source = batches("convolutions")
    for each in (last, first):
        list(rounds(each, batches("convolutions"), 4))
    for one, two in zip(last.discriminator.parameters(), first.discriminator.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)
    list(rounds(again, source, 2))
    checkpoint.save(tmp_path, again.round, checkpoint.state_of(again), {})
    found = checkpoint.load(tmp_path)
    assert found is not None
    checkpoint.restore(again, found)
    list(rounds(again, source, 2))
    assert all(
        torch.equal(value, checkpoint.state_of(again)[name])
        for name, value in checkpoint.state_of(last).items()
    )


def test_a_remedy_on_the_way_is_traced_anew() -> None:
    """A game that goes on with another penalty goes on with another graph; rates and weights are no part of it."""
    eager, traced = game(), game()
    compiled = CompiledRound(as_traced)
    for each, play_round in ((eager, None), (traced, compiled)):
        list(rounds(each, batches(), 2, play_round))
        each.penalties = game(penalties=("r1",)).penalties
        list(rounds(each, batches(start=2), 2, play_round))
    for one, two in zip(eager.generator.parameters(), traced.generator.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)


def test_augmentation_reaches_d() -> None:
    """What D sees is changed: a game with augmentation is another game."""
    plain, changed = game("pictures"), game("pictures", augment=0.3)
    for each in (plain, changed):
        list(rounds(each, batches("pictures"), 1))
    assert not torch.equal(plain.discriminator.enter.weight, changed.discriminator.enter.weight)


# -- the choice -----------------------------------------------------------------------------------------------------


def chosen(monkeypatch, wish: str = "auto", seconds: float = 1e6) -> autotune.RoundChoice:
    monkeypatch.setattr(compiling, "_inductor", as_traced)
    monkeypatch.setattr(autotune, "_MEASURING_SECONDS", 0.01)
    choice, play_round = autotune.choose_round(game(), batches, lambda rate: seconds, wish)
    assert choice.compiled == (play_round is not None)
    return choice


def test_a_long_game_is_measured_both_ways_and_a_short_one_is_not(monkeypatch) -> None:
    tried = chosen(monkeypatch)
    assert None not in (tried.eager_rate, tried.compiled_rate, tried.seconds)
    assert tried.compiled == (tried.compiled_rate > 1.02 * tried.eager_rate)
    short = chosen(monkeypatch, seconds=5.0)
    assert not short.compiled
    assert "the game is so short (below 30 s)" in short.why
    assert short.compiled_rate is None
    assert autotune.plainly_short(1000, 1e8)
    assert not autotune.plainly_short(100_000, 1e8)
    assert not autotune.plainly_short(1000, 1e10)
    monkeypatch.setattr(autotune, "_COMPILE_PER_TRACE", 1e9)
    dear = chosen(monkeypatch, seconds=31.0)
    assert not dear.compiled
    assert "of a game of about 31 s" in dear.why


def test_a_wish_is_obeyed(monkeypatch) -> None:
    assert not chosen(monkeypatch, "off").compiled
    assert chosen(monkeypatch, "on").compiled


def test_without_a_compiler_rounds_are_eager_and_it_is_said(monkeypatch) -> None:
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None)
    assert chosen(monkeypatch).why == "this machine has no C++ compiler (g++ or clang++)"
    with pytest.raises(InputError, match=r"no C\+\+ compiler"):
        autotune.refuse_unknown("on")
    with pytest.raises(InputError, match=r"no C\+\+ compiler"):
        play(
            *NETWORKS["line"][0](),
            batches(),
            settings=Settings(horizon=1, batch=8, noise_width=4),
            compile=True,
        )


def test_networks_that_cannot_be_one_graph_are_told(monkeypatch) -> None:
    class Branching(nn.Linear):
        def forward(self, rows: Tensor) -> Tensor:
            out = super().forward(rows)
            return out if float(out.detach().mean()) > 0 else 2 * out

    settings = Settings(horizon=1, batch=8, noise_width=4)
    for discriminator, words in (
        (nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 1)), "draw their own random numbers"),
        (Branching(3, 1), "cannot be traced"),
    ):
        generator = nn.Linear(4, 3)
        with pytest.raises(InputError, match=f"{words}.* compile=False"):
            next(play(generator, discriminator, batches(), settings=settings, compile=True))
        uncompilable = Game(generator, discriminator, settings)
        choice, _ = autotune.choose_round(uncompilable, batches, lambda rate: 1e6)
        assert not choice.compiled
        assert words in choice.why


def test_an_unknown_wish_is_told() -> None:
    with pytest.raises(InputError, match=r"'of'.* auto, on, off"):
        autotune.refuse_unknown("of")
