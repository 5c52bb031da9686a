"""report.html of a run: verdict, figures, how to sample, data, settings and references."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from saddlepoint.atomic import write_atomically
from saddlepoint.drawing.style import save
from saddlepoint.errors import InputError, SaddlepointError
from saddlepoint.fitting import Preparation, gain_of_game, restore
from saddlepoint.fitting.monitor import start_in_words, starts_fitted
from saddlepoint.judging.verdict import Verdict, paragraphs
from saddlepoint.model import Model
from saddlepoint.objectives import cite, get, get_penalty
from saddlepoint.runs.card import write_card
from saddlepoint.runs.figures import ReportFigure, report_figures
from saddlepoint.runs.folder import RunFolder
from saddlepoint.runs.html_page import Code, Page, Picture, Section, Table, render
from saddlepoint.runs.session import Source
from saddlepoint.runs.table_report import TableFacts, measured, sections, summary
from saddlepoint.runs.verdict_page import metric_section


def write_report(path: Path, *, preparation: Preparation | None = None) -> Path:
    """Draw a run's figures into its folder, write report.html (for a table also the model card), and return its path.

    path: the run folder.
    preparation: the run's data if they are in memory; without it they are opened again, and if that fails the report leaves
        out the figures that need them and says so.

    Raises:
        InputError: there is no run in the folder, or it has not saved a model yet.
        StoredFileError: the folder is damaged or cannot be written.
    """
    run = RunFolder.open(path)
    settings = run.settings()
    if not (run.model / "model.json").is_file():
        raise InputError(f"The run in {path} has not saved a model yet: let it train until its first save.")
    model = Model.load(run.model)
    missing = None
    if preparation is None:
        preparation, missing = _rows(settings)
    figures = report_figures(run, model, None if preparation is None else preparation.train)
    run.pictures.mkdir(exist_ok=True)
    for each in figures:
        save(each.figure, run.pictures / f"{each.name}.png")
    facts = None
    if model.like.kind == "tables":
        facts = None if preparation is None else measured(run, model, preparation)
        margins = next((each.facts for each in figures if each.name == "margins"), None)
        distances = None if margins is None else [(name, float(distance)) for name, distance in margins]
        write_card(run, settings, model, facts, distances)
    page = _page(run, settings, model, figures, missing, facts)
    target = run.path / "report.html"
    write_atomically(target, render(page).encode())
    return target


def _rows(settings: dict[str, Any]) -> tuple[Preparation | None, str | None]:
    try:
        dataset, holdout = Source(**settings["source"]).open()
        return restore(dataset, settings, holdout=holdout), None
    except SaddlepointError as error:
        return (
            None,
            f"The training data could not be opened again, so the figures that need them are missing: {error}",
        )


def _page(
    run: RunFolder,
    settings: dict[str, Any],
    model: Model,
    figures: list[ReportFigure],
    missing: str | None,
    facts: TableFacts | None,
) -> Page:
    game, rows = settings["settings"], settings["rows"]
    played = model.description["rounds"]
    notes = [missing] if missing else []
    stop, verdict = run.stop(), _final(run)
    if stop is not None:
        notes.append(f"Why it ended: {stop['sentence']}.")
    if played < game["horizon"]:
        notes.append(
            f"{played:,} of {game['horizon']:,} rounds have been played; --resume continues the run."
        )
    learnt = [
        ("Source", str(settings["source"]["data"])),
        ("Rows", settings["data"]),
        (
            "Training / validation (monitor) / test (vault)",
            f"{rows['train']:,} / {rows['monitor']:,} / {rows['vault']:,}",
        ),
    ]
    if model.classes is not None:
        origin = ", pseudo-labels found by k-means" if settings.get("clustered") else ""
        learnt.append(("Condition", f"P(x | class), {len(model.classes)} classes{origin}"))
    played_by = [
        ("Recipe", model.description["recipe"]),
        ("Objective", game["objective"]),
        ("Penalties", ", ".join(each["name"] for each in game["penalties"]) or "none"),
        ("Rounds", f"{played:,} of {game['horizon']:,}, {game['form']}, batch {game['batch']}"),
        ("Noise", f"{game['noise_width']} dimensions, {game['noise_distribution']}"),
        ("Generator", _network(settings["generator"])),
        ("Discriminator", _network(settings["discriminator"])),
        ("Optimisers", f"{game['generator']['name']} (G), {game['discriminator']['name']} (D)"),
        ("Hardware", f"{game['precision']} on {settings['device']}, {settings['threads']} thread(s)"),
        ("Execution", _execution(settings)),
        ("Seed", str(game["seed"])),
    ]
    name = run.path.as_posix()
    kind = model.like.kind
    example = "grid.png" if kind == "pictures" else "samples.csv"
    python = f'import saddlepoint as sp\n\nmodel = sp.load("{name}")\nsamples = model.sample(100)\n'
    keys = ["goodfellow2014", *get(game["objective"]).references]
    keys += [key for each in game["penalties"] for key in get_penalty(each["name"]).references]
    lead = f"{settings['data'][:1].upper()}{settings['data'][1:]}; trained for {played:,} rounds."
    return Page(
        title=f"{model.like.name}: GAN training report",
        lead=lead if facts is None else f"{lead} {summary(facts)}",
        sections=[
            *_with_notes(
                [
                    *([] if facts is None else sections(facts)),
                    *(
                        Section(
                            heading=each.heading,
                            figures=[_picture(run, each)],
                            tables=[Table(rows=each.facts, head=each.head)] if each.facts else [],
                        )
                        for each in figures
                    ),
                    *(_verdict(verdict) if facts is None else []),
                ],
                notes,
            ),
            *_estimates(model, name),
            Section(
                heading="How to sample",
                codes=[
                    Code(
                        text=f"saddlepoint sample {name} -n 100 --out {example}",
                        caption="On the command line",
                    ),
                    Code(text=python, caption="In Python"),
                ],
            ),
            Section(heading="Data", tables=[Table(rows=learnt)]),
            Section(heading="Settings", tables=[Table(rows=played_by)]),
            Section(heading="References", paragraphs=cite(keys)),
        ],
        footer=f"saddlepoint {settings['saddlepoint']}, torch {settings['torch']}",
    )


def _with_notes(shown: list[Section], notes: list[str]) -> list[Section]:
    """Return the sections with the notes as first paragraphs of the first one."""
    if not shown or not notes:
        return shown
    return [replace(shown[0], paragraphs=[*notes, *shown[0].paragraphs]), *shown[1:]]


def _final(run: RunFolder) -> Verdict | None:
    """Return the newest final verdict of a run, None if there is none."""
    for line in reversed(run.records("verdicts.jsonl")):
        if line.get("kind") == "verdict":
            return Verdict.from_dict({k: v for k, v in line.items() if k not in ("kind", "round", "opened")})
    return None


def _verdict(verdict: Verdict | None) -> list[Section]:
    """Return the sections on the final verdict; none without one."""
    if verdict is None:
        return []
    heading = "Verdict, on held-out test rows"
    return [Section(heading=heading, paragraphs=paragraphs(verdict)), *metric_section(verdict)]


def _estimates(model: Model, name: str) -> list[Section]:
    """Return the section on the quick estimates on validation rows; none with fewer than two estimates."""
    estimates, kept = model.description.get("looks") or [], model.description.get("kept_round")
    if len(estimates) < 2:
        return []
    rows = [
        (
            f"round {each['round']:,}" + (", kept" if each["round"] == kept else ""),
            f"{each['jsd']:.4f} +- {each['error']:.4f} nats",
        )
        for each in estimates
    ]
    start = start_in_words(model.generator)
    sentence = gain_of_game(estimates, kept, start) if starts_fitted(model.generator) else None
    paragraphs = [f"{sentence[:1].upper()}{sentence[1:]}."] if sentence else []
    paragraphs.append(
        "Quick estimates of the Jensen-Shannon divergence (0.693 is the maximum) between samples and validation rows "
        "(monitor), by two fast classifiers. They choose among snapshots of this run and are no bounds."
    )
    codes = []
    if sentence:
        command = f"saddlepoint sample {name} --base -n 1000 --out base.csv"
        codes = [Code(text=command, caption=f"Samples of the {start} that training started from")]
    return [
        Section(
            heading="What training added to the start",
            paragraphs=paragraphs,
            tables=[Table(rows=rows)],
            codes=codes,
        )
    ]


def _picture(run: RunFolder, figure: ReportFigure) -> Picture:
    png = (run.pictures / f"{figure.name}.png").read_bytes()
    return Picture(png=png, alt=figure.heading, caption=figure.caption)


def _network(description: dict[str, Any]) -> str:
    numbers = ", ".join(
        f"{key} {value}" for key, value in description.items() if key not in ("name", "shape")
    )
    return f"{description['name'].replace('-', ' ')}: {numbers}"


def _execution(settings: dict[str, Any]) -> str:
    played = settings.get("rounds_played")
    return "eager" if played is None else f"{'compiled' if played['compiled'] else 'eager'} ({played['why']})"
