"""A report as one self-contained HTML file: text, pictures, tables and code.

No scripts, and no external style sheets, fonts or pictures, so the file looks the same from a mail, a disk or an
archive. Names that come from users (runs, columns, files) are always escaped.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from PIL import Image

from saddlepoint.errors import InputError

_CSS_DOTS = 96.0  # CSS pixels in an inch
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One figure: PNG bytes, the alt text, and a caption.

    Raises InputError if `png` is not a PNG or `alt` is empty.
    """

    png: bytes
    alt: str
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.png.startswith(_SIGNATURE):
            raise InputError(f"A picture of a page must be PNG bytes; these begin with {self.png[:8]!r}.")
        if not self.alt.strip():
            raise InputError("A picture of a page needs alt text: describe in a few words what it shows.")

    @property
    def source(self) -> str:
        """The picture as a data URL."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in CSS pixels, from the resolution (dots per inch) stored in the file."""
        try:
            with Image.open(io.BytesIO(self.png)) as image:
                dpi = image.info.get("dpi", (_CSS_DOTS, _CSS_DOTS))
                width, height = (
                    round(side * _CSS_DOTS / (one or _CSS_DOTS)) for side, one in zip(image.size, dpi)
                )
        except OSError as error:
            raise InputError(f"The picture {self.alt!r} of a page is a damaged PNG: {error}.") from error
        return max(1, width), max(1, height)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: each row is a name and its values; `head` holds the column names."""

    rows: Sequence[tuple[str, ...]]
    caption: str = ""
    head: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Code:
    """Text to copy, such as the command that repeats a run."""

    text: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading, then paragraphs, tables, figures and code, in this order."""

    heading: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Picture] = ()
    codes: Sequence[Code] = ()


@dataclass(frozen=True, kw_only=True)
class Page:
    """A report: `title`, a summary of a sentence or two (`lead`), sections, and a footer line."""

    title: str
    lead: str
    sections: Sequence[Section] = field(default_factory=tuple)
    footer: str = ""
    language: str = "en"


def render(page: Page) -> str:
    """Return the page as one self-contained HTML document (UTF-8); equal pages give equal text.

    Raises InputError if a picture is damaged.
    """
    return _template().render(page=page) + "\n"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("saddlepoint.runs"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")
