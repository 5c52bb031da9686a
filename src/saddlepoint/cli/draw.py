"""`saddlepoint draw`: draw a run's figures and write its report again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def draw(run: Annotated[Path, typer.Argument(help="The run folder that `saddlepoint train` wrote.")]) -> None:
    """Draw RUN's figures again and write report.html, one self-contained page.

    Example: `saddlepoint draw runs/digits`
    """
    from saddlepoint.runs.report import write_report

    print(f"report: {write_report(run)}")
