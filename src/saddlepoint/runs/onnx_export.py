"""A generator as an ONNX file, checked against onnxruntime before it is kept.

The graph takes `z` (n, noise_width), for a model of classes also `y` (n, classes) one-hot, and gives `pictures`
(n, channels, height, width) with grey levels between 0 and 1; n is free. What else is needed to use it (noise law, classes,
levels) stands in the file's metadata under the names that `model.json` has.
"""

from __future__ import annotations

import importlib.util
import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.model import Model

NEEDED = ("onnx", "onnxscript", "onnxruntime")
AGREEMENT = 1e-4
_CHECKED = 5


class _Pictures(nn.Module):
    """The generator with pictures in [0, 1], wherever the encoder has black."""

    def __init__(self, generator: nn.Module, low: int, margin: float) -> None:
        super().__init__()
        self.generator, self.low, self.margin = generator, low, margin

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        rows: Tensor = self.generator(z) if y is None else self.generator(z, y)
        levels = (rows - self.low) / (1 - self.low)
        return ((levels - self.margin) / (1 - 2 * self.margin)).clamp(0.0, 1.0)


def export(model: Model, path: Path) -> str:
    """Write the generator to an ONNX file and return in a sentence what was written and how well it agrees.

    Raises:
        InputError: the model makes no pictures, the name does not end in .onnx, or a package that is needed is not
            installed.
        StoredFileError: the file cannot be written, or its pictures differ from the model's by more than 1e-4.
    """
    if path.suffix.lower() != ".onnx":
        raise InputError(f"{path} does not end in .onnx; give the name of an ONNX file.")
    if model.like.kind != "pictures":
        raise InputError(
            f"This model makes {model.like.kind}, which its encoder turns into rows, and ONNX holds no encoder: export is "
            "for pictures; write samples with `saddlepoint sample`."
        )
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"Export needs {', '.join(NEEDED)}, and {missing[0]} is not installed: pip install 'saddlepoint[onnx]'."
        )
    stored = model.encoder.to_dict()
    module = _Pictures(model.generator, int(stored["low"]), float(stored["margin"])).eval()
    inputs = _inputs(model)
    temporary = path.with_name(f".{path.name}")  # its suffix is what the exporter goes by
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(module, inputs, temporary, _facts(model))
        apart = _difference(module, inputs, temporary)
        if not apart <= AGREEMENT:
            raise StoredFileError(
                f"The exported generator's pictures differ from the model's by {apart:.2g} (at most {AGREEMENT:g} may be), so "
                f"{path} was not written; other versions of torch or onnxruntime may do better."
            )
        os.replace(temporary, path)
    except OSError as error:
        raise StoredFileError(
            f"{path} cannot be written ({error.strerror}); choose another place."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    names = " and ".join(inputs)
    return (
        f"the generator as ONNX, {names} -> pictures, at most {apart:.1g} from the model, written to {path}"
    )


def _inputs(model: Model) -> dict[str, Tensor]:
    inputs = {"z": model.noise(_CHECKED, 0)}
    if model.classes is not None:
        codes = torch.arange(_CHECKED) % len(model.classes)
        inputs["y"] = torch.nn.functional.one_hot(codes, len(model.classes)).float()
    return inputs


def _facts(model: Model) -> dict[str, str]:
    facts = {
        name: model.description.get(name)
        for name in ("noise_distribution", "noise_width", "classes", "rounds")
    }
    return {name: json.dumps(value) for name, value in {**facts, "levels": model.like.levels}.items()}


def _write(module: nn.Module, inputs: dict[str, Tensor], path: Path, facts: dict[str, str]) -> None:
    import logging

    import onnx

    loud = logging.getLogger("torch.onnx")
    level = loud.level
    loud.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program: Any = torch.onnx.export(
                module,
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=["pictures"],
                dynamic_shapes=tuple({0: torch.export.Dim("n")} for _ in inputs),
                dynamo=True,
                verbose=False,
            )
    finally:
        loud.setLevel(level)
    proto = program.model_proto
    onnx.helper.set_model_props(proto, facts)
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


def _difference(module: nn.Module, inputs: dict[str, Tensor], path: Path) -> float:
    """Return the largest difference between torch's pictures and onnxruntime's, for two sizes of the batch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for rows in (_CHECKED, 2):
        some = {name: value[:rows] for name, value in inputs.items()}
        (made,) = session.run(None, {name: value.numpy() for name, value in some.items()})
        with torch.no_grad():
            wanted = module(*some.values())
        if made.shape != tuple(wanted.shape):
            return float("inf")
        worst = max(worst, float((torch.from_numpy(made) - wanted).abs().max()))
    return worst
