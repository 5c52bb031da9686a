"""The suite of point sets: what coverage counts, and one small run of the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.__main__ import app
from benchmarks.suites.modes import COLUMNS, coverage, reached
from benchmarks.suites.point_sets import SETS
from scipy import stats

from benchmarks import __main__ as command_line
from saddlepoint.errors import InputError

pytestmark = pytest.mark.usefixtures("quick_looks")


@pytest.mark.parametrize("name", ["ring", "grid", "unequal"])
def test_the_data_themselves_have_the_ideal_coverage(name):
    """20,000 rows: the share within 3 sigma is 1 - exp(-4.5); binomial at 1e-4, fixed seed."""
    rows, _ = SETS[name].split(20_000, 10, 0)
    seen = coverage(rows, SETS[name])
    assert seen["modes"] == seen["modes20"] == seen["of"]
    good = round(seen["high_quality"] * 20_000)
    assert stats.binomtest(good, 20_000, 1 - np.exp(-4.5)).pvalue > 1e-4
    assert seen["spread"] == pytest.approx(0.975, abs=0.02)
    assert 0 <= seen["reverse_kl"] < 0.002
    assert reached(seen)


def test_a_lost_mode_and_a_narrow_one_are_seen():
    rows, _ = SETS["ring"].split(20_000, 10, 0)
    without = rows[rows[:, 0] < 0.9]
    seen = coverage(without, SETS["ring"])
    assert (seen["modes"], seen["modes20"]) == (7, 7)
    assert not reached(seen)
    assert seen["reverse_kl"] == pytest.approx(np.log(8 / 7), abs=0.003)
    centres = SETS["ring"].centres
    mode = np.linalg.norm(rows[:, None] - centres, axis=2).argmin(1)
    assert coverage((rows + centres[mode]) / 2, SETS["ring"])["spread"] < 0.52
    assert coverage(rows, SETS["moons"]) is None


@pytest.mark.parametrize("name", SETS)
def test_every_set_splits_into_rows_that_do_not_repeat(name):
    train, judged = SETS[name].split(300, 100, 1)
    again, _ = SETS[name].split(300, 100, 1)
    assert train.shape[1] == judged.shape[1]
    np.testing.assert_array_equal(train, again)
    assert not {row.tobytes() for row in train} & {row.tobytes() for row in judged}


def test_the_command_writes_every_figure_and_does_not_redo_them(tmp_path, capsys):
    asked = [
        "modes", "--sets", "ring", "--seeds", "1", "--rows", "600", "--judged", "200", "--rounds", "4",
        "--quick", "--out", str(tmp_path),
    ]  # fmt: skip
    app(asked, standalone_mode=False)
    assert capsys.readouterr().out.count("ring, seed 1000") == len(COLUMNS)
    records = json.loads((tmp_path / "modes.json").read_text())["records"]
    assert {record["column"] for record in records} == set(COLUMNS)
    assert "| ring | mixture+game | 1 |" in (tmp_path / "modes.md").read_text()
    app(asked, standalone_mode=False)
    assert "ring, seed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sets": "rign"}, "Unknown set 'rign', did you mean 'ring'"),
        ({"columns": "gan"}, "Unknown column 'gan'"),
        ({"mnist": "nowhere.npz"}, "There is no file nowhere.npz"),
    ],
)
def test_wrong_names_are_refused(given, said, tmp_path):
    options = {
        "sets": None,
        "columns": None,
        "seeds": 1,
        "first_seed": 0,
        "rows": 600,
        "judged": 200,
        "rounds": 1,
    }
    if "mnist" in given:
        given = {"mnist": Path(given["mnist"])}
    with pytest.raises(InputError, match=said):
        command_line.modes(**{**options, "mnist": None, "quick": True, "out": tmp_path, **given})
