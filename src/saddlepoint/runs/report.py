"""The page of a run: what was learnt from, how, what came out, and how to sample again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from saddlepoint.drawing.style import save
from saddlepoint.errors import InputError, SaddlepointError
from saddlepoint.fitting import Preparation, added, restore
from saddlepoint.fitting.monitor import start_in_words, starts_fitted
from saddlepoint.judging.verdict import Verdict, paragraphs
from saddlepoint.model import Model
from saddlepoint.objectives import cite, get, get_penalty
from saddlepoint.runs.card import write_card
from saddlepoint.runs.figures import ReportFigure, report_figures
from saddlepoint.runs.folder import RunFolder
from saddlepoint.runs.html_page import Code, Page, Picture, Section, Table, render
from saddlepoint.runs.session import Source
from saddlepoint.runs.table_report import TableFacts, in_short, measured, sections
from saddlepoint.runs.verdict_page import metric_section
from saddlepoint.training.checkpoint import write_atomically


def write_report(path: Path, *, preparation: Preparation | None = None) -> Path:
    """Draw a run's pictures into its folder, write report.html (of a table also its model card), and return its path.

    preparation holds the rows where they are at hand; else they are opened again, and if they are gone the pictures that
    need them are left out and the page says so.

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
    found = report_figures(run, model, None if preparation is None else preparation.train)
    run.pictures.mkdir(exist_ok=True)
    for portrait in found:
        save(portrait.figure, run.pictures / f"{portrait.name}.png")
    facts = None
    if model.like.kind == "tables":
        facts = None if preparation is None else measured(run, model, preparation)
        margins = next((each.facts for each in found if each.name == "margins"), None)
        shares = None if margins is None else [(name, float(far)) for name, far in margins]
        write_card(run, settings, model, facts, shares)
    page = _page(run, settings, model, found, missing, facts)
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
            f"The training data could not be opened again, so pictures that need them are missing: {error}",
        )


def _page(
    run: RunFolder,
    settings: dict[str, Any],
    model: Model,
    found: list[ReportFigure],
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
        notes.append(f"The game stands at round {played:,} of {game['horizon']:,}; --resume goes on with it.")
    learnt = [
        ("Source", str(settings["source"]["data"])),
        ("Rows", settings["data"]),
        ("Train / monitor / vault", f"{rows['train']:,} / {rows['monitor']:,} / {rows['vault']:,}"),
    ]
    if model.classes is not None:
        by = ", found by k-means" if settings.get("clustered") else ""
        learnt.append(("Condition", f"P(x | class), {len(model.classes)} classes{by}"))
    played_by = [
        ("Recipe", model.description["recipe"]),
        ("Objective", game["objective"]),
        ("Penalties", ", ".join(each["name"] for each in game["penalties"]) or "none"),
        ("Rounds", f"{played:,} of {game['horizon']:,}, {game['form']}, batch {game['batch']}"),
        ("Noise", f"{game['noise_width']} numbers, {game['noise_distribution']}"),
        ("Generator", _network(settings["generator"])),
        ("Discriminator", _network(settings["discriminator"])),
        ("Optimisers", f"{game['generator']['name']} (G), {game['discriminator']['name']} (D)"),
        ("Computed", f"{game['precision']} on {settings['device']}, {settings['threads']} thread(s)"),
        ("Rounds were played", _played_how(settings)),
        ("Seed", str(game["seed"])),
    ]
    name = run.path.as_posix()
    kind = model.like.kind
    example = "grid.png" if kind == "pictures" else "samples.csv"
    python = f'import saddlepoint as sp\n\nmodel = sp.load("{name}")\nsamples = model.sample(100)\n'
    keys = ["goodfellow2014", *get(game["objective"]).references]
    keys += [key for each in game["penalties"] for key in get_penalty(each["name"]).references]
    lead = f"{settings['data'][:1].upper()}{settings['data'][1:]}, learnt in {played:,} rounds."
    return Page(
        title=f"{model.like.name}: a generator learnt by the game",
        lead=lead if facts is None else f"{lead} {in_short(facts)}",
        sections=[
            *_noted(
                [
                    *([] if facts is None else sections(facts)),
                    *(
                        Section(
                            heading=each.heading,
                            figures=[_picture(run, each)],
                            tables=[Table(rows=each.facts, head=each.head)] if each.facts else [],
                        )
                        for each in found
                    ),
                    *(_verdict(verdict) if facts is None else []),
                ],
                notes,
            ),
            *_looks(model, name),
            Section(
                heading="Sample again",
                codes=[
                    Code(
                        text=f"saddlepoint sample {name} -n 100 --out {example}",
                        caption="On the command line",
                    ),
                    Code(text=python, caption="In Python"),
                ],
            ),
            Section(heading="What it learnt from", tables=[Table(rows=learnt)]),
            Section(heading="How it was played", tables=[Table(rows=played_by)]),
            Section(heading="The papers behind these choices", paragraphs=cite(keys)),
        ],
        footer=f"saddlepoint {settings['saddlepoint']}, torch {settings['torch']}",
    )


def _noted(shown: list[Section], notes: list[str]) -> list[Section]:
    """Return the sections with the notes before all else that the first one says."""
    if not shown or not notes:
        return shown
    return [replace(shown[0], paragraphs=[*notes, *shown[0].paragraphs]), *shown[1:]]


def _final(run: RunFolder) -> Verdict | None:
    """Return the newest final verdict of a run."""
    for line in reversed(run.records("verdicts.jsonl")):
        if line.get("kind") == "verdict":
            return Verdict.from_dict({k: v for k, v in line.items() if k not in ("kind", "round", "opened")})
    return None


def _verdict(verdict: Verdict | None) -> list[Section]:
    """Return the section on the final verdict, where there is one."""
    if verdict is None:
        return []
    heading = "The verdict, on rows that nothing had seen"
    return [Section(heading=heading, paragraphs=paragraphs(verdict)), *metric_section(verdict)]


def _looks(model: Model, name: str) -> list[Section]:
    """Return the section on the looks at the monitor rows, where there were any."""
    seen, kept = model.description.get("looks") or [], model.description.get("kept_round")
    if len(seen) < 2:
        return []
    rows = [
        (
            f"round {look['round']:,}" + (", kept" if look["round"] == kept else ""),
            f"{look['jsd']:.4f} +- {look['error']:.4f} nats",
        )
        for look in seen
    ]
    start = start_in_words(model.generator)
    sentence = added(seen, kept, start) if starts_fitted(model.generator) else None
    paragraphs = [f"{sentence[:1].upper()}{sentence[1:]}."] if sentence else []
    paragraphs.append(
        "An estimate of the distance to the monitor rows (Jensen-Shannon, 0.693 is the largest there is), by two quick "
        "referees: for choosing among snapshots of this run, no bound."
    )
    codes = []
    if sentence:
        command = f"saddlepoint sample {name} --base -n 1000 --out base.csv"
        codes = [Code(text=command, caption=f"The {start} that the game started from, alone")]
    return [
        Section(heading="What the game added", paragraphs=paragraphs, tables=[Table(rows=rows)], codes=codes)
    ]


def _picture(run: RunFolder, portrait: ReportFigure) -> Picture:
    drawn = (run.pictures / f"{portrait.name}.png").read_bytes()
    return Picture(png=drawn, alt=portrait.heading, caption=portrait.caption)


def _network(description: dict[str, Any]) -> str:
    numbers = ", ".join(
        f"{key} {value}" for key, value in description.items() if key not in ("name", "shape")
    )
    return f"{description['name'].replace('-', ' ')}: {numbers}"


def _played_how(settings: dict[str, Any]) -> str:
    played = settings.get("rounds_played")
    return "eager" if played is None else f"{'compiled' if played['compiled'] else 'eager'} ({played['why']})"
