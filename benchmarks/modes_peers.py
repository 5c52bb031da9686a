"""Other generative models, given the CPU time that the default took, on the same rows and with the same judge.

    python -m benchmarks.modes_peers ring grid moons "curved 12-D" --seeds 5000

First run `python -m benchmarks modes` with the same sets and seeds (columns mixture+game, mixture, noise) into
benchmarks/results/modes.json: each peer trains for as many CPU seconds as `mixture+game` took there. Writes
benchmarks/results/modes_peers.json. Needs zuko, in a separate environment: it is not a dependency of this package.

flow: zuko's neural spline flow (Durkan et al. 2019), 4 autoregressive transforms of 8 bins, 2 x 64, Adam 1e-3, cosine.
flow matching: straight paths (Lipman et al. 2023), 4 x 128 SiLU with sines of time, Adam 2e-3, cosine, EMA; 50 Heun steps.
popular: the settings of a widely copied script (github eriklindernoren/PyTorch-GAN, gan.py): 128-256-512-1024 with batch
normalisation, D 512-256, Adam 2e-4 (.5, .999), batch 64, normal noise of width 100, non-saturating; linear output units.
pacgan: the networks of Lin et al. 2018 for toy data (G 4 x 400 with batch normalisation, D 3 x 200 maxout of 5 on 2 rows at
once, Adam 1e-4 (.8, .999), 100 packs, normal noise of width 2, non-saturating).
popular and pacgan are trained by this package's own training loop. All models see rows standardised by column, as the games
of this package do.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.suites.modes import JUDGED, TRAIN, line, record
from benchmarks.suites.point_sets import SETS
from torch import Tensor, nn

from saddlepoint import compute
from saddlepoint.training import OptimiserSettings, Schedule, Settings, play

RESULTS = Path(__file__).parent / "results"
Sampler = Callable[[int], Tensor]
BATCH = 256


class Clock:
    """A budget of CPU seconds, and how much of it is spent."""

    def __init__(self, seconds: float) -> None:
        self.began, self.seconds = time.process_time(), seconds

    def share(self) -> float:
        return min(1.0, (time.process_time() - self.began) / self.seconds)


def batches(x: Tensor, size: int, seed: int) -> Iterator[Tensor]:
    for index in itertools.count():
        yield x[torch.randint(len(x), (size,), generator=compute.random_generator(seed, "peers", index))]


def descend(
    parameters: list[Tensor],
    loss: Callable[[Tensor], Tensor],
    x: Tensor,
    seed: int,
    rate: float,
    clock: Clock,
):
    """Yield once after each step of Adam; the learning rate falls with a cosine over the budget."""
    optimiser = torch.optim.Adam(parameters, lr=rate)
    for rows in batches(x, BATCH, seed):
        if (share := clock.share()) >= 1:
            return
        optimiser.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * share)) / 2
        optimiser.zero_grad()
        value = loss(rows)
        value.backward()
        nn.utils.clip_grad_norm_(parameters, 10.0)
        optimiser.step()
        yield


def flow(x: Tensor, seed: int, clock: Clock) -> tuple[Sampler, int]:
    import zuko

    made = zuko.flows.NSF(features=x.shape[1], transforms=4, bins=8, hidden_features=(64, 64))
    steps = sum(
        1
        for _ in descend(
            list(made.parameters()), lambda rows: -made().log_prob(rows).mean(), x, seed, 1e-3, clock
        )
    )
    return lambda n: made().sample((n,)), steps


class Velocity(nn.Module):
    def __init__(self, columns: int, width: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(columns + 8, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, columns),
        )  # fmt: skip

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        angles = t[:, None] * math.pi * 2.0 ** torch.arange(4)
        return self.layers(torch.cat([x, angles.sin(), angles.cos()], 1))


def flow_matching(x: Tensor, seed: int, clock: Clock) -> tuple[Sampler, int]:
    velocity, average = Velocity(x.shape[1]), Velocity(x.shape[1])
    average.load_state_dict(velocity.state_dict())

    def loss(rows: Tensor) -> Tensor:
        noise, t = torch.randn_like(rows), torch.rand(len(rows))
        mixed = (1 - t[:, None]) * noise + t[:, None] * rows
        return (velocity(mixed, t) - (rows - noise)).pow(2).sum(1).mean()

    steps = 0
    for _ in descend(list(velocity.parameters()), loss, x, seed, 2e-3, clock):
        steps += 1
        with torch.no_grad():
            weight = 1 - 0.5 ** (1 / max(1.0, 0.03 * steps))
            torch._foreach_lerp_(list(average.parameters()), list(velocity.parameters()), weight)

    def sample(n: int, heun: int = 50) -> Tensor:
        y, h = torch.randn(n, x.shape[1]), 1 / heun
        for step in range(heun):
            t = torch.full((n,), step * h)
            first = average(y, t)
            y = y + h / 2 * (first + average(y + h * first, t + h))
        return y

    return sample, steps


class Maxout(nn.Module):
    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__()
        self.linear, self.pieces = nn.Linear(inputs, outputs * pieces), pieces

    def forward(self, h: Tensor) -> Tensor:
        return self.linear(h).unflatten(1, (-1, self.pieces)).amax(2)


class Packed(nn.Module):
    """PacGAN's discriminator of packs of rows: every row of a pack gets the pack's logit."""

    def __init__(self, inner: nn.Module, pack: int) -> None:
        super().__init__()
        self.inner, self.pack = inner, pack

    def forward(self, rows: Tensor) -> Tensor:
        return self.inner(rows.reshape(len(rows) // self.pack, -1)).repeat_interleave(self.pack, 0)


def game(
    players: tuple[nn.Module, nn.Module], x: Tensor, clock: Clock, *, optimiser: OptimiserSettings, **how: Any
) -> tuple[Sampler, int]:
    generator, discriminator = players
    settings = Settings(
        objective="non-saturating", horizon=10**9, discriminator=optimiser, generator=optimiser, **how
    )
    steps = 0
    for _ in play(
        generator, discriminator, batches(x, settings.batch, settings.seed), settings=settings, threads=1
    ):
        steps += 1
        if clock.share() >= 1:
            break
    generator.eval()
    return lambda n: generator(torch.randn(n, settings.noise_width)), steps


def adam(rate: float, momentum: float) -> OptimiserSettings:
    return OptimiserSettings(rate=Schedule(start=rate), betas=(momentum, 0.999))


def popular(x: Tensor, seed: int, clock: Clock) -> tuple[Sampler, int]:
    columns, widths = x.shape[1], (128, 256, 512, 1024)
    layers: list[nn.Module] = [nn.Linear(100, 128), nn.LeakyReLU(0.2)]
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after, 0.8), nn.LeakyReLU(0.2)]
    generator = nn.Sequential(*layers, nn.Linear(1024, columns))
    discriminator = nn.Sequential(
        nn.Linear(columns, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1)
    )
    return game(
        (generator, discriminator), x, clock, batch=64, noise_width=100, optimiser=adam(2e-4, 0.5), seed=seed
    )


def pacgan(x: Tensor, seed: int, clock: Clock, pack: int = 2) -> tuple[Sampler, int]:
    columns = x.shape[1]
    layers: list[nn.Module] = []
    for before in (2, 400, 400, 400):
        layers += [nn.Linear(before, 400), nn.BatchNorm1d(400), nn.ReLU()]
    generator = nn.Sequential(*layers, nn.Linear(400, columns))
    inner = nn.Sequential(
        Maxout(columns * pack, 200, 5), Maxout(200, 200, 5), Maxout(200, 200, 5), nn.Linear(200, 1)
    )
    optimiser = adam(1e-4, 0.8)
    return game(
        (generator, Packed(inner, pack)), x, clock,
        batch=100 * pack, noise_width=2, optimiser=optimiser, seed=seed,
    )  # fmt: skip


PEERS: dict[str, Callable[[Tensor, int, Clock], tuple[Sampler, int]]] = {
    "flow": flow, "flow matching": flow_matching, "popular": popular, "pacgan": pacgan,
}  # fmt: skip


def main() -> None:
    """Measure every peer on the named sets and seeds; each record is stored at once, and stored records are not repeated."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="+", choices=list(SETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[5000])
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--own", type=Path, default=RESULTS / "modes.json")
    parser.add_argument("--out", type=Path, default=RESULTS / "modes_peers.json")
    given = parser.parse_args()
    own = {
        (r["set"], r["seed"]): r["cpu_seconds"] for r in _records(given.own) if r["column"] == "mixture+game"
    }
    records = _records(given.out)
    torch.set_num_threads(1)
    for name, seed, peer in itertools.product(given.sets, given.seeds, given.peers):
        if any((r["set"], r["seed"], r["column"]) == (name, seed, peer) for r in records):
            continue
        train, real = SETS[name].split(TRAIN, JUDGED, seed)
        mean, scale = train.mean(0), train.std(0)
        torch.manual_seed(seed)
        began, clock = time.process_time(), Clock(own[name, seed])
        sampler, steps = PEERS[peer](torch.from_numpy((train - mean) / scale).float(), seed, clock)
        spent = time.process_time() - began
        with torch.no_grad():
            rows = sampler(len(real)).double().numpy() * scale + mean
        rows = np.nan_to_num(rows, posinf=1e6, neginf=-1e6)
        records.append(record(SETS[name], seed, peer, real, rows, spent, thorough=False) | {"rounds": steps})
        given.out.write_text(json.dumps({"records": records}, indent=1) + "\n")
        print(line(records[-1]), f"{steps} steps", flush=True)


def _records(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())["records"] if path.is_file() else []


if __name__ == "__main__":
    main()
