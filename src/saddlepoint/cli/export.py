"""`saddlepoint export`: export a picture generator to ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(help="The run folder, or a saved model.")],
    out: Annotated[Path, typer.Argument(help="File to write, ending in .onnx.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Export RUN's picture generator to ONNX, and check that onnxruntime gives the same pictures to 1e-4.

    Needs `pip install 'saddlepoint[onnx]'`. Example: `saddlepoint export runs/faces faces.onnx`
    """
    from saddlepoint.errors import InputError

    if out.is_file() and not force:
        raise InputError(f"{out} exists; choose another name, or add --force to overwrite it.")
    from saddlepoint.runs.onnx_export import export as write
    from saddlepoint.runs.sampling import load_model

    print(write(load_model(run), out))
