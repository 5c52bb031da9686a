"""Checkpoints: the whole state of a game as safetensors and JSON, safe against a crash at any moment.

The file of tensors is written first, the JSON file that seals it (round, size, SHA-256) last. Loading takes the newest JSON
file whose tensors are intact; the previous checkpoint is kept as a fallback. Loading cannot execute code.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from saddlepoint.atomic import write_atomically
from saddlepoint.errors import StoredFileError
from saddlepoint.training.game import Game

_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint.

    round: the rounds played so far.
    tensors: the state of the game (`state_of`).
    facts: what the caller stored beside it, as JSON values.
    skipped: newer checkpoints that were damaged, each with the reason.
    """

    round: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]
    skipped: tuple[str, ...] = ()


def save(folder: Path, round_: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write one checkpoint, keep the previous one and delete older ones.

    folder: created if necessary.
    round_: the rounds played so far.
    tensors: the state of the game (`state_of`).
    facts: JSON values to store beside it.

    Raises:
        StoredFileError: the folder cannot be written.
    """
    content = safetensors.torch.save(tensors)
    stem = f"round-{round_:010d}"
    seal = {
        "round": round_,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "facts": facts,
    }
    write_atomically(folder / f"{stem}.safetensors", content)
    write_atomically(folder / f"{stem}.json", json.dumps(seal, indent=1).encode())
    kept = {path.stem for path in _sealed(folder)[:_KEPT]}
    for path in folder.glob("*round-*"):
        if path.name.removeprefix(".").split(".")[0] not in kept:
            path.unlink(missing_ok=True)


def load(folder: Path) -> Checkpoint | None:
    """Return the newest intact checkpoint, or None if the folder has no checkpoint.

    Raises:
        StoredFileError: there are checkpoints, but all are damaged.
    """
    skipped: list[str] = []
    for path in _sealed(folder):
        try:
            seal = json.loads(path.read_bytes())
            content = path.with_suffix(".safetensors").read_bytes()
            if hashlib.sha256(content).hexdigest() != seal["sha256"]:
                raise ValueError("the checksum of its tensors is wrong")
            return Checkpoint(
                int(seal["round"]), safetensors.torch.load(content), seal["facts"], tuple(skipped)
            )
        except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
            skipped.append(f"{path.stem} ({error})")
    if skipped:
        raise StoredFileError(
            f"No checkpoint in {folder} can be read: {'; '.join(skipped)}. Start again with --restart."
        )
    return None


def _sealed(folder: Path) -> list[Path]:
    return sorted(folder.glob("round-*.json"), reverse=True)


def state_of(game: Game) -> dict[str, Tensor]:
    """Return all tensors that the next round of a game depends on, by dotted names.

    Raises:
        StoredFileError: a number is not finite, so this state must not replace a good checkpoint.
    """
    tensors = {
        f"{name}.{key}": value
        for name, module in _modules(game)
        for key, value in module.state_dict().items()
    }
    for player, optimiser in game.optimisers.items():
        for index, entries in optimiser.state_dict()["state"].items():
            for key, value in entries.items():
                if isinstance(value, Tensor):
                    tensors[f"{player}_optimiser.{index}.{key}"] = value
    for name, value in tensors.items():
        if not bool(value.isfinite().all()):
            raise StoredFileError(
                f"{name} is not finite in round {game.round}; the last good checkpoint is kept."
            )
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


def restore(game: Game, checkpoint: Checkpoint) -> None:
    """Set a game to the state of a checkpoint.

    Raises:
        StoredFileError: the checkpoint is of other networks or another optimiser.
    """
    try:
        for name, module in _modules(game):
            module.load_state_dict(_below(checkpoint.tensors, name))
        for player, optimiser in game.optimisers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(checkpoint.tensors, f"{player}_optimiser").items():
                index, entry = key.split(".", 1)
                state.setdefault(int(index), {})[entry] = value
            groups = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": state, "param_groups": groups})
    except (RuntimeError, ValueError, KeyError) as error:
        raise StoredFileError(
            f"The checkpoint of round {checkpoint.round} does not fit this game ({str(error).splitlines()[0].rstrip(':')}): "
            "another version of saddlepoint saved it; go on with that one, or begin again with --restart."
        ) from error
    game.round = checkpoint.round


def _modules(game: Game) -> list[tuple[str, torch.nn.Module]]:
    modules: list[tuple[str, torch.nn.Module]] = [
        ("generator", game.generator),
        ("discriminator", game.discriminator),
    ]
    return modules if game.average is None else [*modules, ("average", game.average.module)]


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")
    }
