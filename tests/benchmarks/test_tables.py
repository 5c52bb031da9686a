from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks.__main__ import app
from benchmarks.suites import tables
from benchmarks.suites.table_baselines import copula, independent, make, repaired, samples_in_subprocess
from benchmarks.suites.table_metrics import broken_format, figures, sdmetrics_quality
from benchmarks.suites.table_sets import SHIPPED, table_set

from saddlepoint.errors import InputError

pytestmark = pytest.mark.usefixtures("quick_looks")


def related(n: int = 2000) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    level = np.digitize(x, [-0.5, 0.5])
    return pd.DataFrame(
        {
            "x": np.round(x, 3),
            "spike": np.where(x < 0, 0, rng.integers(1, 50, n)),
            "word": np.array(["low", "middle", "high"])[level],
            "number": level + 3,
            "some": pd.Series(x).where(rng.random(n) > 0.3),
        }
    )


def test_independent_columns_keep_margins_and_lose_relations_the_copula_keeps_both() -> None:
    frame = related()
    alone, joint = independent(frame, 1), copula(frame, 1)
    for made in (alone, joint):
        assert list(made.dtypes) == list(frame.dtypes)
        assert abs(made["some"].isna().mean() - frame["some"].isna().mean()) < 0.03
        assert set(made["word"]) == set(frame["word"])
        assert set(made["spike"]) <= set(frame["spike"])
        assert abs((made["spike"] == 0).mean() - 0.5) < 0.05
    assert abs(np.corrcoef(alone["x"], alone["number"])[0, 1]) < 0.08
    assert np.corrcoef(joint["x"], joint["number"])[0, 1] > 0.7
    pd.testing.assert_frame_equal(copula(frame, 1), joint)
    assert not copula(frame, 2).equals(joint)


def test_repairing_snaps_numbers_and_restores_functions_of_words() -> None:
    frame = related()
    wrong = frame.copy()
    wrong["spike"] = frame["spike"] + 0.3
    wrong["number"] = 7.2
    mended = repaired(wrong, frame)
    assert mended["spike"].equals(frame["spike"])
    assert mended["number"].equals(frame["number"])
    assert mended["some"].equals(frame["some"])
    assert repaired(frame, frame).equals(frame)


@pytest.mark.parametrize("name", SHIPPED[:1])
def test_the_figures_of_real_rows_are_those_of_no_difference(name: str) -> None:
    several = table_set(name, None)
    assert not set(map(tuple, several.train.to_numpy())) & set(map(tuple, several.test.to_numpy()))
    found = figures(several, several.train, bound=False, copies=False)
    assert found["margin_excess"] == 0
    assert abs(found["c2st_accuracy"] - 0.5) < 0.12
    assert found["tstr"]["boosting"] > 0.25
    assert "exact_copies" not in found
    assert (found["broken_format"], found["null_gap"]) == ([], 0)
    alone = figures(several, independent(several.train, 0), bound=False)
    assert alone["c2st_auc"] > found["c2st_auc"]
    assert alone["tstr"]["boosting"] < found["tstr"]["boosting"]


def test_a_broken_format_is_named_column_by_column() -> None:
    frame = related()
    made = frame.assign(
        x=frame["x"] + 0.0001,
        spike=frame["spike"] + 0.5,
        number=frame["number"] * 2,
        word=0,
        some=frame["some"],
    )
    assert broken_format(frame, made) == ["x", "spike", "word", "number"]
    assert broken_format(frame, frame.sample(50, random_state=0)) == []


def test_sets_that_need_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needs adult\.csv, but its folder was not given"):
        table_set("adult", None)
    with pytest.raises(InputError, match=r"--data, .* diabetes, cancer"):
        table_set("titanic", tmp_path)
    frame = pd.DataFrame({"Survived": [0, 1] * 5, "PassengerId": range(10)})
    frame.to_csv(tmp_path / "titanic.csv", index=False)
    found = table_set("titanic", tmp_path)
    assert (len(found.train), len(found.test), found.keys) == (5, 5, ("PassengerId",))


def test_the_command_keeps_records_and_does_not_redo_them(tmp_path: Path, monkeypatch, capsys) -> None:
    def near(maker, train, seed, folder, *, rounds=None):
        made, facts = make(maker, train, seed, rounds=rounds)
        return made, {**facts, "cpu_seconds": 1.0, "peak_memory_mb": 100}

    monkeypatch.setattr(tables, "samples_in_subprocess", near)
    peer = tmp_path / "peer.csv"
    copula(table_set("cancer", None).train, 5).to_csv(peer, index=False)
    peer.with_suffix(".json").write_text(json.dumps({"cpu_seconds": 77, "peak_memory_mb": 9}))
    arguments = [
        "tables",
        "--sets",
        "cancer",
        "--rows",
        "ours,independent",
        "--seeds",
        "1",
        "--rounds",
        "2",
    ]
    arguments += ["--no-bound", "--out", str(tmp_path / "out"), "--peer", f"cancer:Peer={peer}"]
    app(arguments, standalone_mode=False)
    printed = capsys.readouterr().out
    records = json.loads((tmp_path / "out" / "tables.json").read_text())["records"]
    assert [record["row"] for record in records] == ["ours", "independent", "Peer", "Peer, repaired"]
    assert records[2]["cpu_seconds"] == 77
    assert "cancer, Peer, repaired, seed 0" in printed
    page = (tmp_path / "out" / "tables.md").read_text()
    assert page.index("| ours | 1 |") < page.index("| Peer | 1 |")
    monkeypatch.setattr(tables, "figures", None)
    app(arguments, standalone_mode=False)
    assert json.loads((tmp_path / "out" / "tables.json").read_text())["records"] == records


def test_peers_and_names_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    for arguments, words in (
        (["--peer", "CTGAN=x.csv"], "write SET:NAME=FILE.csv"),
        (["--peer", f"cancer:CTGAN={tmp_path / 'none.csv'}"], "There is no file"),
        (["--sets", "cancr"], "did you mean 'cancer'"),
        (["--rows", "theirs"], "Allowed are real, ours, base, independent, copula"),
    ):
        with pytest.raises(InputError, match=words):
            app(["tables", *arguments, "--out", str(tmp_path)], standalone_mode=False)


def test_rows_made_in_a_process_of_their_own_come_with_what_it_took(tmp_path: Path) -> None:
    frame = related(60)
    made, facts = samples_in_subprocess("independent", frame, 3, tmp_path)
    assert made is not None
    pd.testing.assert_frame_equal(made, independent(frame, 3))
    assert facts["peak_memory_mb"] > 20
    assert 0 < facts["cpu_seconds"] < 60


def test_an_interpreter_without_sdmetrics_is_refused_with_its_own_words():
    cancer = table_set("cancer", None)
    with pytest.raises(InputError, match="sdmetrics"):
        sdmetrics_quality(cancer, cancer.train.head(20), sys.executable)
