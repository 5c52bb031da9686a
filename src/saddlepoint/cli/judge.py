"""`saddlepoint judge`: how far fake rows certainly are from real ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from saddlepoint.names import METRICS


def judge(
    real: Annotated[
        str,
        typer.Argument(help="Real rows: a table, array or picture file or folder; or a run folder alone."),
    ],
    fake: Annotated[
        str | None, typer.Argument(help="Fake rows of the same form, or a run folder to draw them from.")
    ] = None,
    train: Annotated[str | None, typer.Option(help="The generator's training rows: look for copies.")] = None,
    held_out: Annotated[
        bool | None,
        typer.Option(
            "--held-out/--not-held-out",
            help="Whether the real rows were kept from the generator.",
            show_default="unknown",
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Column of the real rows whose groups are never torn.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="Kind of a column in place of the inferred one, as age=integer.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of the bound.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Of splits and referees.", min=0)] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer referees: a weaker bound, just as valid.")
    ] = False,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Figures beside the verdict: {', '.join(METRICS)} (neighbours: precision, recall, density, coverage), "
            "or all; repeatable. None is a bound.",
            show_default=False,
        ),
    ] = None,
    max_jsd: Annotated[
        float | None,
        typer.Option(
            help="Exit with 3 when a larger JSD (nats) is certified, with 1 when there is no verdict."
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write a page with pictures: a name ending in .html.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Judge FAKE rows against REAL ones, whatever made them: a lower bound for their distance that holds.

    Examples:

    - `saddlepoint judge real.csv fake.csv --train train.csv --held-out`

    - `saddlepoint judge runs/digits` (its samples against its own vault)

    - `saddlepoint judge real.csv fake.csv --json --max-jsd 0.05`

    - `saddlepoint judge real.csv fake.csv --metrics neighbours --metrics frechet`
    """
    from saddlepoint.errors import InputError
    from saddlepoint.judging.inputs import judge_pair, open_pair
    from saddlepoint.judging.metrics.gan_metrics import chosen_of
    from saddlepoint.runs.judge_run import is_run, open_run

    if max_jsd is not None and not 0 <= max_jsd <= 0.6932:
        raise InputError(f"--max-jsd {max_jsd} is no JSD; give nats between 0 and log 2 = 0.693.")
    if page is not None and page.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--page {page} cannot hold a page; give a name that ends in .html.")
    chosen_of(metrics or ())  # refused here, before anything is read
    said = {True: "declared", False: "no", None: "unknown"}[held_out]
    opening: dict[str, Any] = {"train": train, "groups": group, "columns": _kinds(column or [])}
    run = fake if fake is not None else real
    if is_run(Path(run)):
        pair, known = open_run(Path(run), None if fake is None else real, random_state=seed, **opening)
        said = known or said
    elif fake is None:
        raise InputError(f"{real} is no run folder; to judge rows name both: saddlepoint judge REAL FAKE.")
    else:
        pair = open_pair(real, fake, **opening)
    verdict = judge_pair(
        pair,
        held_out=said,
        confidence=confidence,
        random_state=seed,
        pool="quick" if quick else "full",
        metrics=metrics or (),
        progress=None if as_json else _say,
    )
    print(json.dumps(verdict.to_dict(), indent=1) if as_json else verdict)
    if page is not None:
        from saddlepoint.runs.verdict_page import write_verdict_page

        write_verdict_page(page, verdict, pair, real=real if fake else f"the vault of {real}", fake=run)
        print(f"look at {page}", file=sys.stderr)
    if max_jsd is None:
        return
    if verdict.jsd_lower is None:
        reason = verdict.notes[0] if verdict.notes else "The reason was not recorded."
        raise InputError(f"There is no verdict to hold --max-jsd {max_jsd:g} against. {reason}")
    if verdict.held_out == "no":
        raise InputError(
            f"--max-jsd {max_jsd:g} cannot be held against rows that the generator was trained on, for no bound holds; "
            "give rows that were held out."
        )
    if verdict.certified and verdict.jsd_lower > max_jsd:
        raise typer.Exit(3)


def _say(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\033[2m  {words} ...\033[0m", file=sys.stderr)


def _kinds(given: list[str]) -> dict[str, str]:
    from saddlepoint.errors import InputError

    kinds = {}
    for pair in given:
        name, equals, kind = pair.partition("=")
        if not equals or not name or not kind:
            raise InputError(
                f"--column {pair!r} is not understood; write --column NAME=KIND, as age=integer."
            )
        kinds[name] = kind
    return kinds
