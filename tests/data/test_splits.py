"""Properties of the splits: a partition, groups stay whole, identical rows are in one part, and the seed fixes the parts."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saddlepoint.data.splits import split_rows
from saddlepoint.errors import InputError


def parts(splits):
    return splits.train, splits.monitor, splits.vault


@settings(max_examples=150, deadline=None, derandomize=True)
@given(n=st.integers(2, 400), seed=st.integers(0, 2**63), with_groups=st.booleans(), data=st.data())
def test_a_partition_that_tears_no_group(n, seed, with_groups, data):
    groups = None
    if with_groups:
        count = data.draw(st.integers(3, max(3, n)))
        groups = np.concatenate([np.arange(min(3, n)), np.arange(n)[3:] * 7919 % count])[:n]
    splits = split_rows(n, seed=seed, groups=groups)
    together = np.concatenate(parts(splits))
    np.testing.assert_array_equal(np.sort(together), np.arange(n))
    assert all((np.diff(part) > 0).all() for part in parts(splits))
    assert len(splits.train) > 0
    if n >= 50:
        assert len(splits.monitor) > 0
        assert len(splits.vault) > 0
    if groups is not None:
        sides = [set(groups[part]) for part in parts(splits)]
        assert sum(map(len, sides)) == len(set().union(*sides))


@pytest.mark.parametrize(
    ("n", "train", "held"),
    [
        (2, 2, 0),
        (49, 49, 0),
        (50, 40, 5),
        (100, 80, 10),
        (1797, 1439, 179),
        (100_000, 80_000, 10_000),
        (200_000, 180_000, 10_000),
    ],
)
def test_sizes_by_the_rule(n, train, held):
    splits = split_rows(n, seed=0)
    assert [len(part) for part in parts(splits)] == [train, held, held]


def test_sizes_asked():
    assert [len(part) for part in parts(split_rows(100, seed=0, monitor=3, vault=0.25))] == [72, 3, 25]
    assert [len(part) for part in parts(split_rows(100, seed=0, vault=0))] == [90, 10, 0]
    assert [len(part) for part in parts(split_rows(2, seed=0, monitor=0, vault=1))] == [1, 0, 1]


def test_the_seed_decides_and_the_vault_does_not_depend_on_the_monitor():
    first, again, other = (split_rows(1000, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.vault, again.vault)
    assert not np.array_equal(first.vault, other.vault)
    np.testing.assert_array_equal(first.vault, split_rows(1000, seed=1, monitor=7).vault)


def test_the_split_of_seed_0_is_the_same_for_ever():
    # Runs resume by their seed: these numbers may never change.
    assert split_rows(60, seed=0).vault.tolist() == [14, 21, 23, 35, 39, 58]


def test_every_row_is_as_likely_in_the_vault():
    counts = np.zeros(50)
    for seed in range(2000):
        counts[split_rows(50, seed=seed).vault] += 1
    # 2,000 draws at 1/10: sd 13.4; 50 rows beyond 4.5 sd: false alarm 3.4e-4.
    assert np.abs(counts - 200).max() < 4.5 * 13.4


def test_identical_pictures_stay_on_one_side():
    rows = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 1), dtype=np.uint8)
    rows[100:200] = rows[:100]
    splits = split_rows(300, seed=3, rows=rows)
    assert splits.tied == 200
    sides = [{row.tobytes() for row in rows[part]} for part in parts(splits)]
    assert sum(map(len, sides)) == len(set().union(*sides))
    assert "200 identical rows were kept together" in splits.describe()


def test_few_identical_points_stay_on_one_side_and_minus_zero_is_zero():
    rows = np.random.default_rng(0).normal(size=(300, 2))
    rows[0], rows[7] = [0.0, 1.0], [-0.0, 1.0]
    for seed in range(30):
        splits = split_rows(300, seed=seed, rows=rows)
        assert splits.tied == 2
        assert sum(0 in part for part in parts(splits)) == 1
        assert [0 in part for part in parts(splits)] == [7 in part for part in parts(splits)]


def test_points_on_a_grid_are_split_row_by_row():
    rows = np.random.default_rng(0).integers(0, 5, (1000, 2))
    splits = split_rows(1000, seed=0, rows=rows)
    assert splits.tied == 0
    assert [len(part) for part in parts(splits)] == [800, 100, 100]
    # Each part holds the same 25 points as the data: tied rows would have given it values of its own.
    assert len(np.unique(rows[splits.vault], axis=0)) >= 20


def test_identical_rows_join_their_groups():
    rows = np.random.default_rng(0).normal(size=(100, 2))
    rows[99] = rows[0]
    groups = np.arange(100) // 5
    for seed in range(20):
        splits = split_rows(100, seed=seed, rows=rows, groups=groups)
        where = {int(row): number for number, part in enumerate(parts(splits)) for row in part}
        assert len({where[row] for row in (*range(5), *range(95, 100))}) == 1


def test_a_giant_group_leaves_rows_to_all_parts():
    groups = np.array([0] * 900 + [1] * 60 + [2] * 40)
    sizes = [len(part) for part in parts(split_rows(1000, seed=0, groups=groups))]
    assert sorted(sizes) == [40, 60, 900]
    assert sizes[0] == 900


def test_few_rows_say_that_nothing_is_held_out():
    few, more = (re.findall(r"\d+", split_rows(n, seed=0).describe()) for n in (20, 100))
    assert few == ["20", "0", "0", "50"]  # below 50
    assert more == ["80", "10", "10"]


@pytest.mark.parametrize(
    ("n", "options", "sentence"),
    [
        (1, {}, "1 row cannot be split; at least 2 rows"),
        (100, {"seed": -1}, "seed is -1"),
        (
            100,
            {"monitor": 60, "vault": 40},
            r"monitor \(60\) and vault \(40\) leave no training rows of 100",
        ),
        (100, {"vault": -3}, "vault is -3; give a number of rows"),
        (100, {"monitor": 1.5}, "monitor is 1.5"),
        (
            100,
            {"groups": [0] * 50 + [1] * 50},
            "2 groups cannot be split into 3 parts, because each stays whole; at least 3 groups",
        ),
        (100, {"groups": [0, 1]}, "2 groups for 100 rows"),
        (100, {"rows": np.zeros((3, 1))}, "3 rows for 100 rows"),
        (60, {"rows": np.zeros((60, 2, 2, 1), np.uint8)}, "1 distinct rows cannot be split into 3 parts"),
    ],
)
def test_what_cannot_be_split(n, options, sentence):
    with pytest.raises(InputError, match=sentence):
        split_rows(n, **({"seed": 0} | options))
