"""A model on disk: a folder with `model.json` and one safetensors file, which the JSON names and seals by its SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from saddlepoint import compute
from saddlepoint.data.encoding import Encoder, encoder_from_dict
from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.networks import build
from saddlepoint.version import __version__

_FORMAT = 1
_OF_THE_FILE = ("format", "saddlepoint", "encoder", "weights", "sha256")


def write(folder: Path, facts: dict[str, Any], players: dict[str, nn.Module]) -> None:
    """Write facts (plain JSON values, the encoder's among them) and the players' weights, whole or not at all.

    Raises:
        StoredFileError: the folder cannot be written.
    """
    content = safetensors.torch.save(
        {
            f"{name}.{key}": value.detach().to("cpu", copy=True).contiguous()
            for name, module in players.items()
            for key, value in module.state_dict().items()
        }
    )
    seal = hashlib.sha256(content).hexdigest()
    weights = folder / f"weights-{seal[:12]}.safetensors"
    facts = {
        "format": _FORMAT,
        "saddlepoint": __version__,
        **facts,
        "weights": weights.name,
        "sha256": seal,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target, data in (
            (weights, content),
            (folder / "model.json", json.dumps(facts, indent=1).encode()),
        ):
            temporary = target.with_name(f".{target.name}.tmp")
            temporary.write_bytes(data)
            os.replace(temporary, target)
        for old in folder.glob("weights-*.safetensors"):
            if old != weights:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise StoredFileError(f"The model cannot be written to {folder} ({error.strerror}).") from error


def read(folder: Path, device: torch.device) -> tuple[dict[str, Any], dict[str, nn.Module], Encoder]:
    """Return the facts, the players by name, and the encoder.

    Raises:
        InputError: there is no model in that folder.
        StoredFileError: the model is damaged, of a newer format, or of networks that have changed since.
    """
    if not (folder / "model.json").is_file():
        raise InputError(
            f"There is no model in {folder} (no model.json); give a run folder or a saved model."
        )
    try:
        facts = json.loads((folder / "model.json").read_bytes())
        if facts["format"] != _FORMAT:
            raise StoredFileError(
                f"{folder} has format {facts['format']}; this version reads format {_FORMAT}: upgrade."
            )
        content = (folder / Path(facts["weights"]).name).read_bytes()
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise StoredFileError(f"The weights in {folder} are damaged: their checksum is another.")
        tensors = safetensors.torch.load(content)
        try:
            players = {
                name: compute.lay_out(_player(facts[name], tensors, name).to(device))
                for name in ("generator", "discriminator")
            }
        except RuntimeError:
            # The seal holds, so these are the weights that were saved: of networks that are built otherwise today.
            raise StoredFileError(
                f"The model in {folder} was saved by another version of saddlepoint, whose networks had weights of other "
                "shapes: train it again, or load it with the version that saved it."
            ) from None
        encoder = encoder_from_dict(facts["encoder"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        raise StoredFileError(
            f"The model in {folder} cannot be read: {str(error).splitlines()[0]}"
        ) from error
    return {key: value for key, value in facts.items() if key not in _OF_THE_FILE}, players, encoder


def _player(description: dict[str, Any], tensors: dict[str, Tensor], name: str) -> nn.Module:
    state = {
        key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")
    }
    player = build(description)
    player.to(next(iter(state.values())).dtype).load_state_dict(state)
    return player
