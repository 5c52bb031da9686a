"""Places: the planted one and no other, nothing where nothing is."""

import numpy as np
import pytest

from saddlepoint.judging.c2st.splits import split
from saddlepoint.judging.classifiers.tables import fit_bins
from saddlepoint.judging.localise import (
    Certified,
    certify_columns,
    certify_regions,
    name_columns,
    name_regions,
)
from saddlepoint.judging.protocol import certify
from saddlepoint.judging.samples import check

NAMES = ("age", "pay", "sex", "town", "noise")
MASK = [False, False, True, True, False]


def people(n, seed):
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 70, n).astype(float)
    sex = rng.integers(0, 2, n).astype(float)
    pay = np.round(20 * age + 400 * sex + rng.normal(0, 250, n))
    town = np.digitize(pay + rng.normal(0, 300, n), [900, 1200]).astype(float)
    pay[rng.random(n) < 0.05] = np.nan
    return np.column_stack([age, pay, sex, town, rng.standard_normal(n)])


def columns_of(real, fake, seed=0, **options):
    samples = check(real, fake, names=NAMES, categorical=MASK)
    splits = split(len(real), len(fake), alpha=0.05, rng=np.random.default_rng(seed))
    return name_columns(certify_columns(samples, splits, alpha=0.025), samples.names)


@pytest.mark.parametrize("planted", ["pay", "town"])
def test_a_shuffled_column_is_named_by_its_relations_and_alone(planted):
    fake = people(6000, 1)
    j = NAMES.index(planted)
    fake[:, j] = np.random.default_rng(2).permutation(fake[:, j])
    (place,) = columns_of(people(3000, 0), fake)
    assert (place["kind"], place["name"], place["how"]) == ("column", planted, "relation")
    assert len(place["with"]) >= 2
    assert place["jsd_lower"] > 0


def test_wrong_values_are_named_by_the_column_alone():
    fake = people(3000, 1)
    fake[:, 4] *= 1.5
    (place,) = columns_of(people(3000, 0), fake)
    assert (place["name"], place["how"], place["with"]) == ("noise", "values", [])


def test_too_many_nulls_are_seen_as_values():
    fake = people(3000, 1)
    fake[np.random.default_rng(0).random(3000) < 0.2, 1] = np.nan
    assert [place["name"] for place in columns_of(people(3000, 0), fake)] == ["pay"]


def test_a_lone_broken_pair_is_a_pair():
    rng = np.random.default_rng(3)
    real = rng.standard_normal((2000, 5))
    real[:, 1] = 0.8 * real[:, 0] + 0.6 * real[:, 1]
    samples = check(real, rng.standard_normal((2000, 5)), names=NAMES)
    splits = split(2000, 2000, alpha=0.05, rng=rng)
    (place,) = name_columns(certify_columns(samples, splits, alpha=0.025), NAMES)
    assert (place["kind"], place["columns"]) == ("pair", ["age", "pay"])


def test_nothing_is_named_between_equal_laws():
    # Each of 30 nulls names a place with probability at most 2.5 %: more than 4 with probability 1.2e-3.
    assert sum(bool(columns_of(people(500, i), people(1000, 100 + i), seed=i)) for i in range(30)) <= 4


def test_naming_takes_the_column_that_meets_most_pairs():
    pairs = [(0, 1), (1, 2), (1, 3), (4, 3)]
    found = [Certified(columns=p, lower=0.01 * (i + 1)) for i, p in enumerate(pairs)]
    places = name_columns(found, NAMES)
    assert {(p["kind"], p["name"]) for p in places} == {("column", "pay"), ("pair", "noise and town")}
    alone = [*found, Certified(columns=(3,), lower=0.5)]
    assert {p["name"] for p in name_columns(alone, NAMES)} == {"town", "pay"}


def test_bins_give_atoms_categories_and_nulls_a_place_of_their_own():
    rng = np.random.default_rng(4)
    hours = np.where(rng.random(4000) < 0.5, 40.0, rng.normal(40, 10, 4000))
    rows = np.column_stack([hours, rng.integers(0, 50, 4000)])
    bins = fit_bins(rows, np.array([False, True]), most=12)
    codes = bins.codes(rows)
    assert np.all(codes.max(axis=0) < bins.sizes)
    assert set(hours[codes[:, 0] == bins.codes(np.array([[40.0, 0]]))[0, 0]]) == {40.0}
    assert np.bincount(codes[:, 0]).max() < 0.6 * 4000
    null, unseen = bins.codes(np.array([[np.nan, np.nan], [0.0, 77.0]]))
    assert null.tolist() == [size - 1 for size in bins.sizes]
    assert unseen[1] == bins.sizes[1] - 2


@pytest.mark.parametrize("missing", [True, False])
def test_a_missing_or_invented_mode_is_the_region(missing):
    rng = np.random.default_rng(5)
    centres = 4 * rng.standard_normal((12, 6))

    def draw(n, modes):
        return centres[rng.integers(0, modes, n)] + rng.standard_normal((n, 6))

    sides = draw(2500, 12), draw(2500, 11)
    verdict = certify(*(sides if missing else sides[::-1]), pool="quick", control=False)
    regions = [place for place in verdict.where if place["kind"] == "region"]
    nearest = np.linalg.norm(centres - regions[0]["centre"], axis=1).argmin()
    assert nearest == 11
    assert (regions[0]["real_share"] > regions[0]["fake_share"]) == missing
    assert verdict.jsd_lower > 0
    rows = {place["name"]: place["indices"] for place in verdict.where if place["kind"] == "rows"}
    surest = sides[0][rows["real" if missing else "fake"]]
    assert np.all(np.linalg.norm(surest[:, None] - centres, axis=2).argmin(axis=1) == 11)


def test_regions_of_equal_laws_are_not_named():
    named = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        samples = check(rng.standard_normal((600, 2)), rng.standard_normal((600, 2)))
        splits = split(600, 600, alpha=0.05, rng=rng)
        named += bool(certify_regions(samples, splits, alpha=0.05, seed=seed))
    # 20 nulls at 5 %: more than 5 with probability 3e-4.
    assert named <= 5


def test_a_table_of_categories_has_no_regions():
    rows = np.random.default_rng(0).integers(0, 3, (200, 2)).astype(float)
    samples = check(rows, rows[::-1], categorical=[True, True])
    splits = split(200, 200, alpha=0.05, rng=np.random.default_rng(0))
    assert certify_regions(samples, splits, alpha=0.05, seed=0) == []


def test_regions_are_named_by_dates_and_by_digits_that_tell_them_apart():
    day = 86400.0
    start = np.datetime64("2019-03-07").astype("datetime64[s]").astype(float)
    centres = [
        (np.array([start, 1551000.0, 5.0]), np.zeros(3)),
        (np.array([start + 18 * day, 1551000.0, 5.0]), np.zeros(3)),
    ]
    names = ("pickup", "metres", "stops")
    spread = np.array([9 * day, 300.0, 1.0])
    assert name_regions(centres, names, spread, (True, False, False)) == [
        "the region with pickup near 2019-03-07, metres near 1,551,000, stops near 5",
        "the region with pickup near 2019-03-25, metres near 1,551,000, stops near 5",
    ]
    close = [(np.array([1.55e9, 0.5]), np.zeros(2)), (np.array([1.55e9 + 40, 0.5]), np.zeros(2))]
    assert name_regions(close, ("a", "b"), np.array([60.0, 1.0]), (False, False)) == [
        "the region around (1,550,000,000, 0.5)",
        "the region around (1,550,000,040, 0.5)",
    ]
    assert name_regions(close, ("a", "b"), np.array([9 * day, 1.0]), (True, False)) == [
        "the region with a near 2019-02-12 19:33, b near 0.5",
        "the region with a near 2019-02-12 19:34, b near 0.5",
    ]
