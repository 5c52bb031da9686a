"""A game of the paper in a run folder, played to planned rounds, measured there, and resumed by the same command.

A measurement is a line of progress.jsonl; so is every checkpoint, with the CPU seconds spent so far, so that the time of a
run over several sessions adds up.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from saddlepoint import compute
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.encoders import fit_encoder
from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.fitting import Fit, Played, Saved
from saddlepoint.fitting.fit import multiply_adds_of
from saddlepoint.recipes import Plan
from saddlepoint.runs.folder import RunFolder
from saddlepoint.training import Settings
from saddlepoint.training.autotune import SHORT, RoundChoice, choose_round, plainly_short, stored_choice
from saddlepoint.training.compiling import CompiledRound

Measurement = Callable[[Fit], dict[str, Any]]
_SAVE_SECONDS = 120.0


class ResumableGame:
    """A game, its run folder, and the measurements made so far.

    folder: the run folder; a new game is started if it holds none.
    train: training rows.
    plan: the game's plan; that of the folder if it holds a game.
    threads: threads of the game.
    device: device of the game.

    Raises:
        InputError: the folder belongs to other rows, or another process uses it.
        StoredFileError: the folder cannot be read or written.
    """

    def __init__(
        self, folder: Path, train: Dataset, plan: Plan, *, threads: int = 1, device: str | None = None
    ) -> None:
        fresh = not (folder / "settings.json").exists()
        self.run = RunFolder.create(folder) if fresh else RunFolder.open(folder, write=True)
        stored = None if fresh else self.run.settings()
        plan = plan if stored is None else _plan_of(stored, self.run.path, train)
        self.fit = Fit(
            train,
            fit_encoder(train),
            plan,
            folder=self.run.checkpoint,
            device=compute.choose_device(device),
            threads=threads,
            strip=False,
            save_seconds=_SAVE_SECONDS,
        )
        self.cpu_seconds = self.wall_seconds = 0.0
        if stored is None:
            cpu, wall = time.process_time(), time.monotonic()
            choice, self.fit.play_round = _choose(self.fit)
            self.cpu_seconds, self.wall_seconds = time.process_time() - cpu, time.monotonic() - wall
            self.run.write_settings(
                {
                    "recipe": plan.recipe,
                    "generator": plan.generator,
                    "discriminator": plan.discriminator,
                    "settings": plan.settings.to_dict(),
                    "rounds_played": choice.to_dict(),
                    "fingerprint": train.fingerprint(),
                }
            )
        else:
            _, self.fit.play_round = stored_choice(stored.get("rounds_played"))
            self.fit.resume()
            self.run.rewind(self.fit.round + 1)
            for line in self.run.records("progress.jsonl"):
                self.cpu_seconds = line.get("cpu_seconds", self.cpu_seconds)
                self.wall_seconds = line.get("wall_seconds", self.wall_seconds)

    @property
    def curve(self) -> list[dict[str, Any]]:
        """Return the measurements so far, by round."""
        return [line for line in self.run.records("progress.jsonl") if line.get("look")]

    def play(
        self,
        planned: Sequence[int],
        measure: Measurement,
        *,
        seconds: float | None = None,
        interrupted: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = lambda line: None,
    ) -> bool:
        """Play to the last planned round and measure at each; return False if it stopped earlier.

        planned: the rounds at which to measure.
        measure: returns the measured numbers of a fit by name.
        seconds: wall time after which to stop.
        interrupted: asked between rounds whether to stop.
        say: prints progress.
        """
        end = None if seconds is None else time.monotonic() + seconds
        measured_rounds = {line["round"] for line in self.curve}
        for target in sorted(planned):
            if target in measured_rounds or target < self.fit.round:
                continue
            over = interrupted() or (end is not None and time.monotonic() >= end)
            if over or not self._play_to(target, end, interrupted):
                say(
                    f"stopped at round {self.fit.round:,} of {max(planned):,}; run the same command to continue"
                )
                return False
            measured = measure(self.fit)
            self._append({**measured, "look": True})
            say(f"round {target:,} ({self.cpu_seconds:,.0f} CPU s){_words(measured)}")
        return True

    def _play_to(self, target: int, end: float | None, interrupted: Callable[[], bool]) -> bool:
        left = None if end is None else max(0.0, end - time.monotonic())
        if self.fit.round == target:
            return True
        cpu, wall = time.process_time(), time.monotonic()
        for event in self.fit.play(until_round=target, seconds=left, interrupted=interrupted):
            if isinstance(event, Played):
                continue
            now = time.process_time(), time.monotonic()
            self.cpu_seconds, self.wall_seconds = (
                self.cpu_seconds + now[0] - cpu,
                self.wall_seconds + now[1] - wall,
            )
            cpu, wall = now
            if isinstance(event, Saved):
                self._append({})
        return self.fit.round == target

    def _append(self, record: dict[str, Any]) -> None:
        times = {"cpu_seconds": round(self.cpu_seconds, 1), "wall_seconds": round(self.wall_seconds, 1)}
        self.run.append("progress.jsonl", {"round": self.fit.round, **times, **record})

    def close(self) -> None:
        """Release the folder's lock, so that other processes can use it."""
        self.run.release()


@torch.no_grad()
def generate(fit: Fit, generator: torch.nn.Module, n: int, purpose: str) -> torch.Tensor:
    """Return n encoded samples of a generator, on the CPU; a function of the run's seed and `purpose`."""
    s = fit.plan.settings
    z = compute.noise(s.noise_distribution, n, s.noise_width, compute.random_generator(s.seed, purpose))
    chunks = [generator(chunk.to(fit.device)).cpu() for chunk in torch.split(z, 1000)]
    return torch.cat(chunks)


def with_settings(plan: Plan, **changes: Any) -> Plan:
    """Return the plan with these settings changed."""
    return dataclasses.replace(plan, settings=dataclasses.replace(plan.settings, **changes))


def _choose(fit: Fit) -> tuple[RoundChoice, CompiledRound | None]:
    """Choose between compiled and eager rounds, once per run, as every other game does."""
    settings = fit.plan.settings
    one_row = multiply_adds_of(fit.game.generator) + multiply_adds_of(fit.game.discriminator)
    if plainly_short(settings.horizon, fit.plan.multiply_adds(one_row)):
        return SHORT, None
    with compute.threads(fit.threads):
        return choose_round(fit.game, lambda: fit.batches.from_round(0), lambda rate: settings.horizon / rate)


def _plan_of(stored: dict[str, Any], path: Path, train: Dataset) -> Plan:
    try:
        if stored["fingerprint"] != train.fingerprint():
            raise InputError(
                f"The run in {path} was started with other rows than {train.name!r} holds now: restore the old file, "
                "or choose another folder with --runs."
            )
        return Plan(
            recipe=stored["recipe"],
            generator=stored["generator"],
            discriminator=stored["discriminator"],
            settings=Settings.from_dict(stored["settings"]),
        )
    except KeyError as error:
        raise StoredFileError(
            f"{path} does not hold a game of `saddlepoint paper` (missing: {error}); choose another folder with --runs."
        ) from error


def _words(measured: dict[str, Any]) -> str:
    words = [
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in measured.items()
    ]
    return ": " + ", ".join(words) if words else ""
