"""`saddlepoint complete`: missing cells filled in, known ones as they were, the same bytes for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from saddlepoint.cli import app
from saddlepoint.errors import InputError

pytestmark = pytest.mark.usefixtures("quick_looks", "no_figures")


def call(*arguments: object) -> None:
    app([str(argument) for argument in arguments], standalone_mode=False)


def people(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    city = rng.choice(["Rome", "Oslo", "Lima"], n)
    return pd.DataFrame(
        {
            "id": np.arange(n) + 1,
            "city": city,
            "age": rng.integers(18, 90, n),
            "pay": np.round(rng.lognormal(7, 1, n), 2),
            "note": rng.choice(["=1+2", "plain"], n),
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("complete")
    people(120).to_csv(folder / "people.csv", index=False)
    from saddlepoint.fitting import FitOptions
    from saddlepoint.runs.session import Session, Source

    session = Session.start(folder / "run", Source(data=str(folder / "people.csv")), FitOptions(rounds=2))
    for _ in session.play():
        pass
    session.close()
    return folder / "run"


def test_cells_are_filled_in_and_known_ones_stay(run: Path, tmp_path: Path, capsys) -> None:
    whole = people(120).iloc[:40]
    gaps = whole.astype(object).where(np.random.default_rng(1).random(whole.shape) > 0.3)
    gaps["id"] = whole["id"]
    gaps.to_csv(tmp_path / "gaps.csv", index=False)
    for name in ("one", "two"):
        call("complete", run, tmp_path / "gaps.csv", "--seed", 3, "--out", tmp_path / f"{name}.csv")
    said = capsys.readouterr().out
    made = pd.read_csv(tmp_path / "one.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert list(made.columns) == list(whole.columns)
    assert not made.isna().any().any()
    for name in whole.columns:
        known = gaps[name].notna()
        assert list(made[name][known].astype(str)) == list(whole[name][known].astype(str)), name
    assert set(made["city"]) <= {"Rome", "Oslo", "Lima"}
    assert made["age"].between(18, 89).all()
    assert f"{int(gaps.isna().sum().sum())} cells filled in; 40 rows of 5 columns, written to" in said
    assert "(again: --seed 3)" in said


def test_identifiers_that_are_left_empty_are_told(run: Path, tmp_path: Path, capsys) -> None:
    gaps = people(120).iloc[:10].astype({"id": object})
    gaps.loc[gaps.index[:2], ["id", "city"]] = None
    gaps.to_csv(tmp_path / "gaps.csv", index=False)
    call("complete", run, tmp_path / "gaps.csv", "--out", tmp_path / "out.csv")
    assert "2 cells filled in; 2 left empty in id; 10 rows" in capsys.readouterr().out


def test_known_numbers_beyond_what_was_seen_are_told(run: Path, tmp_path: Path, capsys) -> None:
    gaps = people(120).iloc[:10].astype({"city": object})
    gaps["age"] = [30, 900, 31, -1, 32, 33, 34, 35, 36, 37]
    gaps.loc[gaps.index[0], "city"] = None
    gaps.to_csv(tmp_path / "gaps.csv", index=False)
    call("complete", run, tmp_path / "gaps.csv", "--out", tmp_path / "out.csv")
    said = capsys.readouterr().out
    assert (
        "; outside the training range, so clipped to it as conditions: age 900 in row 2 and 1 more (seen: 1"
        in said
    )
    assert pd.read_csv(tmp_path / "out.csv")["age"].tolist() == gaps["age"].tolist()


def test_a_column_that_is_absent_is_filled_wholly_and_formulas_are_escaped(
    run: Path, tmp_path: Path, capsys
) -> None:
    people(120)[["id", "city", "age"]].iloc[:30].to_parquet(tmp_path / "some.parquet")
    call(
        "complete",
        run,
        tmp_path / "some.parquet",
        "--out",
        tmp_path / "out.csv",
        "--seed",
        0,
        "--escape-formulas",
    )
    made = pd.read_csv(tmp_path / "out.csv")
    assert set(made["note"]) <= {"'=1+2", "plain"}
    assert "60 cells filled in, pay, note entirely" in capsys.readouterr().out


def test_what_cannot_be_completed_is_refused(run: Path, tmp_path: Path) -> None:
    people(120).iloc[:20].to_csv(tmp_path / "whole.csv", index=False)
    people(120).iloc[:20].assign(citi="x").to_csv(tmp_path / "extra.csv", index=False)
    people(120).iloc[:20].assign(city="Roma", age=None).to_csv(tmp_path / "unknown.csv", index=False)
    (tmp_path / "there.csv").write_text("x")
    out = tmp_path / "out.csv"
    for arguments, words in (
        ([run, tmp_path / "whole.csv", "--out", out], "has no missing cell to fill in"),
        (
            [run, tmp_path / "extra.csv", "--out", out],
            "The training table had no column 'citi', did you mean 'city'",
        ),
        ([run, tmp_path / "unknown.csv", "--out", out], "'Roma'"),
        (
            [run, tmp_path / "whole.csv", "--out", tmp_path / "there.csv"],
            "exists; choose another name, or add --force",
        ),
        ([run, tmp_path / "whole.csv", "--out", tmp_path / "out.npy"], "cannot hold samples of tables"),
        (
            [run, tmp_path / "whole.csv", "--out", out, "--seed", "-1"],
            "seed is -1; give a whole number, 0 or more",
        ),
    ):
        with pytest.raises(InputError) as caught:
            call("complete", *arguments)
        assert words in str(caught.value)
    assert not out.exists()
    assert (tmp_path / "there.csv").read_text() == "x"
