"""Export of a picture generator to ONNX, checked against onnxruntime before the file is kept.

Inputs of the graph: `z` (n, noise_width), and for a conditional model `y` (n, classes), one-hot. Output: `pictures`
(n, channels, height, width), grey levels between 0 and 1; n is free. The file's metadata hold what else is needed (noise
distribution, classes, levels), under the names of `model.json`.
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from saddlepoint.atomic import replacing
from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.model import Model

NEEDED = ("onnx", "onnxscript", "onnxruntime")
AGREEMENT = 1e-4
_CHECKED = 5


class _Pictures(nn.Module):
    """The generator with its output rescaled from the encoder's range to pictures in [0, 1]."""

    def __init__(self, generator: nn.Module, low: int, margin: float) -> None:
        super().__init__()
        self.generator, self.low, self.margin = generator, low, margin

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        rows: Tensor = self.generator(z) if y is None else self.generator(z, y)
        levels = (rows - self.low) / (1 - self.low)
        return ((levels - self.margin) / (1 - 2 * self.margin)).clamp(0.0, 1.0)


def export(model: Model, path: Path) -> str:
    """Write the generator to an ONNX file; return a sentence on what was written and how well it agrees.

    Raises:
        InputError: the model does not generate pictures, the name does not end in .onnx, or a required package is not
            installed.
        StoredFileError: the file cannot be written, or its pictures differ from the model's by more than 1e-4.
    """
    if path.suffix.lower() != ".onnx":
        raise InputError(f"{path} does not end in .onnx; give the name of an ONNX file.")
    if model.like.kind != "pictures":
        raise InputError(
            f"This model generates {model.like.kind}, whose encoder cannot be exported to ONNX: only models of pictures can be "
            "exported; write samples with `saddlepoint sample`."
        )
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"Export needs {', '.join(NEEDED)}, and {missing[0]} is not installed: pip install 'saddlepoint[onnx]'."
        )
    stored = model.encoder.to_dict()
    module = _Pictures(model.generator, int(stored["low"]), float(stored["margin"])).eval()
    inputs = _inputs(model)
    with replacing(path) as (temporary,):
        _write(module, inputs, temporary, _facts(model))
        difference = _difference(module, inputs, temporary)
        if not difference <= AGREEMENT:
            raise StoredFileError(
                f"The exported generator's pictures differ from the model's by {difference:.2g} (at most {AGREEMENT:g} is "
                f"allowed), so {path} was not written; try other versions of torch or onnxruntime."
            )
    names = " and ".join(inputs)
    return f"generator exported to ONNX ({names} -> pictures), largest difference {difference:.1g}, written to {path}"


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

    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
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
        logger.setLevel(level)
    proto = program.model_proto
    onnx.helper.set_model_props(proto, facts)
    onnx.checker.check_model(proto)
    onnx.save(proto, path, format="protobuf")


def _difference(module: nn.Module, inputs: dict[str, Tensor], path: Path) -> float:
    """Return the largest difference between torch's pictures and onnxruntime's, for two batch sizes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for rows in (_CHECKED, 2):
        some = {name: value[:rows] for name, value in inputs.items()}
        (exported,) = session.run(None, {name: value.numpy() for name, value in some.items()})
        with torch.no_grad():
            expected = module(*some.values())
        if exported.shape != tuple(expected.shape):
            return float("inf")
        worst = max(worst, float((torch.from_numpy(exported) - expected).abs().max()))
    return worst
