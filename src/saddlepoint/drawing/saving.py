"""A figure as PNG: bytes for a page, or a file that is either whole or not there."""

import io
import os
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from saddlepoint.drawing.style import styled
from saddlepoint.errors import InputError, StoredFileError


@styled
def to_png(figure: Figure, *, dpi: float | None = None, colours: int | None = None) -> bytes:
    """Return the figure as PNG bytes; the same figure gives the same bytes.

    `dpi` is in dots per inch; without it the figure's own, at which pictures keep their exact pixels. With
    `colours` every dot takes the nearest of so many colours, which makes a chart a third as large or less.

    Raises InputError if `dpi` is not between 10 and 1200 or `colours` not between 2 and 256.
    """
    if dpi is not None and not 10 <= dpi <= 1200:
        raise InputError(
            f"dpi is {dpi}; give a number of dots per inch between 10 and 1200, or leave it out."
        )
    if colours is not None and not 2 <= colours <= 256:
        raise InputError(f"colours is {colours}; give a number between 2 and 256, or leave it out.")
    buffer = io.BytesIO()
    resolution = figure.dpi if dpi is None else dpi
    # A version number in the file would change its bytes with every release of matplotlib.
    metadata = {"Software": "saddlepoint"}
    figure.savefig(buffer, format="png", backend="agg", dpi=resolution, metadata=metadata)
    if colours is None:
        return buffer.getvalue()
    with Image.open(buffer) as image:
        few = image.convert("RGB").quantize(
            colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )
    smaller = io.BytesIO()
    few.save(smaller, "PNG", optimize=True, dpi=(resolution, resolution))
    return smaller.getvalue()


def save(figure: Figure, path: str | os.PathLike[str], *, dpi: float | None = None) -> Path:
    """Write the figure to `path` (.png), whole or not at all, whenever it is interrupted.

    Raises InputError for another suffix or an impossible `dpi`, StoredFileError if the file cannot be
    written.
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise InputError(f"The picture is to go to {str(target)!r}; its name must end in .png.")
    content = to_png(figure, dpi=dpi)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoredFileError(
            f"The picture {str(target)!r} cannot be written: {error.strerror or error}."
        ) from error
    return target
