"""`saddlepoint judge`: a certified lower bound for the JSD between real and fake rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from saddlepoint.cli.options import column_types
from saddlepoint.names import METRICS


def judge(
    real: Annotated[
        str,
        typer.Argument(
            help="Real rows: a file of a table, array or pictures, or a folder of pictures; or a run folder alone."
        ),
    ],
    fake: Annotated[
        str | None, typer.Argument(help="Fake rows in the same format, or a run folder to sample from.")
    ] = None,
    train: Annotated[
        str | None, typer.Option(help="The generator's training rows, for the memorisation test.")
    ] = None,
    held_out: Annotated[
        bool | None,
        typer.Option(
            "--held-out/--not-held-out",
            help="Whether the real rows were held out from the generator.",
            show_default="unknown",
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Column whose groups of real rows stay together in every split.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="Kind of a column, in place of the inferred one: age=integer; repeatable."),
    ] = None,
    confidence: Annotated[float, typer.Option(help="Confidence of the bound.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of splits and classifiers.", min=0)] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer classifiers: a weaker bound, equally valid.")
    ] = False,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Metrics beside the bound: {', '.join(METRICS)} (neighbours: precision, recall, density, coverage), "
            "or all; repeatable. None of them is a bound.",
            show_default=False,
        ),
    ] = None,
    max_jsd: Annotated[
        float | None,
        typer.Option(help="Exit with 3 if a larger JSD (nats) is certified, with 1 if there is no verdict."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write a report with figures: a name ending in .html.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Judge FAKE against REAL rows, whatever generated them: a certified lower bound for their JSD.

    Examples:

    - `saddlepoint judge real.csv fake.csv --train train.csv --held-out`

    - `saddlepoint judge runs/digits` (its samples against its held-out test rows, the vault)

    - `saddlepoint judge real.csv fake.csv --json --max-jsd 0.05`

    - `saddlepoint judge real.csv fake.csv --metrics neighbours --metrics mmd`
    """
    from saddlepoint.errors import InputError
    from saddlepoint.judging.inputs import judge_pair, open_pair
    from saddlepoint.judging.metrics.gan_metrics import chosen_of
    from saddlepoint.runs.session import is_run, open_run

    if max_jsd is not None and not 0 <= max_jsd <= 0.6932:
        raise InputError(f"--max-jsd is {max_jsd}; give a JSD in nats, between 0 and log 2 = 0.693.")
    if page is not None and page.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--page is {page}; give a name that ends in .html.")
    chosen_of(metrics or ())  # unknown metrics are refused before anything is read
    declared = {True: "declared", False: "no", None: "unknown"}[held_out]
    opening: dict[str, Any] = {"train": train, "groups": group, "columns": column_types(column)}
    run = fake if fake is not None else real
    if is_run(Path(run)):
        pair, known = open_run(Path(run), None if fake is None else real, random_state=seed, **opening)
        declared = known or declared
    elif fake is None:
        raise InputError(f"{real} is not a run folder; to judge rows give both: saddlepoint judge REAL FAKE.")
    else:
        pair = open_pair(real, fake, **opening)
    verdict = judge_pair(
        pair,
        held_out=declared,
        confidence=confidence,
        random_state=seed,
        pool="quick" if quick else "full",
        metrics=metrics or (),
        progress=None if as_json else _show,
    )
    print(json.dumps(verdict.to_dict(), indent=1) if as_json else verdict)
    if page is not None:
        from saddlepoint.runs.verdict_page import write_verdict_page

        write_verdict_page(page, verdict, pair, real=real if fake else f"the vault of {real}", fake=run)
        print(f"report: {page}", file=sys.stderr)
    if max_jsd is None:
        return
    if verdict.jsd_lower is None:
        reason = verdict.notes[0] if verdict.notes else "The reason was not recorded."
        raise InputError(f"There is no verdict to compare --max-jsd {max_jsd:g} with. {reason}")
    if verdict.held_out == "no":
        raise InputError(
            f"--max-jsd {max_jsd:g} cannot be checked on rows that the generator was trained on, because no bound holds there; "
            "give rows that were held out."
        )
    if verdict.certified and verdict.jsd_lower > max_jsd:
        raise typer.Exit(3)


def _show(step: str) -> None:
    if sys.stderr.isatty():
        print(f"\033[2m  {step} ...\033[0m", file=sys.stderr)
