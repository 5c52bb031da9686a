"""`saddlepoint draw`: make a run's pictures and page again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def draw(run: Annotated[Path, typer.Argument(help="The run folder that `saddlepoint train` wrote.")]) -> None:
    """Draw RUN's pictures and write its report.html, one self-contained page.

    Example: `saddlepoint draw runs/digits`
    """
    from saddlepoint.runs.report import write_report

    print(f"look at {write_report(run)}")
