"""The page and the model card of a table: what was measured, in plain words, and nothing promised."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from saddlepoint.data.opening import open_source
from saddlepoint.fitting import FitOptions, restore
from saddlepoint.model import Model
from saddlepoint.runs.folder import RunFolder
from saddlepoint.runs.report import write_report
from saddlepoint.runs.session import Session, Source
from saddlepoint.runs.table_report import measured, summary

pytestmark = pytest.mark.usefixtures("quick_looks")

FORBIDDEN = ("private", "anonym", "privacy", "gdpr", "de-identif")


def people(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, n)
    return pd.DataFrame(
        {
            "id": np.arange(n) + 1000,
            "age": age,
            "pay": np.round(age * 50 + rng.normal(0, 100, n), 2),
            "city|town": rng.choice(["Rome", "Oslo <b>", "Lima"], n),
            "old": np.where(age > 50, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card")
    people(700).to_csv(folder / "people.csv", index=False)
    session = Session.start(folder / "run", Source(data=str(folder / "people.csv")), FitOptions(rounds=8))
    for _ in session.play():
        pass
    session.close()
    write_report(folder / "run", preparation=session.preparation)
    return folder / "run"


def test_the_card_holds_what_was_measured_and_both_files_agree(run: Path) -> None:
    card, words = json.loads((run / "card.json").read_text()), (run / "card.md").read_text()
    assert card["data"]["source"] == "people.csv"
    assert card["data"]["rows"] == {"train": 560, "monitor": 70, "vault": 70}
    assert [each["name"] for each in card["columns"]] == ["id", "age", "pay", "city|town", "old"]
    assert card["recipe"]["rounds"] == card["recipe"]["horizon"] == 8
    assert card["verdict"]["n_evaluate"] > 0
    assert card["copying"]["tests"]["sentence"] in words
    assert {use["name"] for use in card["use"]} == {"age", "pay", "city|town", "old"}
    assert set(card["margins"]) == {"age", "pay", "city|town", "old"}
    assert "made up in the format of the original ones: id." in words
    assert "| city\\|town |" in words
    assert card["in_short"] in words


def test_the_page_says_it_in_plain_words_and_a_newcomer_meets_the_verdict_first(run: Path) -> None:
    page = (run / "report.html").read_text()
    heads = [part.split("</h2>")[0].split(">")[-1] for part in page.split("<h2")[1:]]
    assert heads[:4] == [
        "Verdict, on held-out test rows",
        "TSTR: train on synthetic rows, test on real rows",
        "Rank correlations",
        "Memorisation test",
    ]
    assert "Marginal distributions of the columns" in heads
    assert "Why it ended: all 8 rounds are played" in page
    assert "50 % is guessing" in page
    assert "<b>" not in page


def test_neither_page_nor_card_promises_what_no_test_can_show(run: Path) -> None:
    for name in ("report.html", "card.md", "card.json"):
        words = re.sub(r"base64,[A-Za-z0-9+/=]+", "", (run / name).read_text()).lower()
        assert [word for word in FORBIDDEN if word in words] == []


def test_the_vault_is_read_once_for_a_round(run: Path) -> None:
    before = (run / "verdicts.jsonl").read_text()
    assert before.count('"kind": "verdict"') == 1
    folder = RunFolder.open(run)
    source, stored = folder.settings()["source"]["data"], folder.settings()
    measured(folder, Model.load(folder.model), restore(open_source(source), stored))
    assert (run / "verdicts.jsonl").read_text() == before


def test_without_its_rows_the_card_says_that_nothing_was_measured(run: Path) -> None:
    source = run.parent / "people.csv"
    kept = source.read_bytes()
    try:
        source.unlink()
        write_report(run)
    finally:
        source.write_bytes(kept)
    card = json.loads((run / "card.json").read_text())
    assert card["verdict"] is None
    assert "nothing was measured" in (run / "card.md").read_text()
    assert "Nothing is certified" in card["limits"][-2]
    assert "could not be opened again" in (run / "report.html").read_text()


def test_few_rows_get_a_reason_in_place_of_a_verdict(tmp_path: Path) -> None:
    people(60).to_csv(tmp_path / "few.csv", index=False)
    session = Session.start(tmp_path / "run", Source(data=str(tmp_path / "few.csv")), FitOptions(rounds=3))
    for _ in session.play():
        pass
    session.close()
    folder = RunFolder.open(tmp_path / "run")
    facts = measured(folder, session.fit.model(), session.preparation)
    assert facts.verdict is None
    assert summary(facts).startswith(
        "6 test rows were held out (vault), too few for a verdict (at least 60 are needed)"
    )
