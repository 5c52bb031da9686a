"""The quick two-sample test, power analysis and coverage test: valid bounds, known defects found, no false alarms."""

import itertools

import numpy as np
import pytest

from saddlepoint.judging.c2st import betting_bound
from saddlepoint.judging.monitor.mode_collapse import (
    SHARE,
    WIDTH,
    CoverageTest,
    Region,
    measure_spread,
    missing_p,
)
from saddlepoint.judging.monitor.power import (
    PowerEstimate,
    jsd_of_missing,
    power_analysis,
    power_upwards,
    smallest_detected,
    without_region,
)
from saddlepoint.judging.monitor.quick_c2st import QuickJudge

GRID = np.array([(x, y) for x in (-2, 0, 2) for y in (-2, 0, 2)], dtype=float)


def modes(n, rng, *, missing=None, narrow=None):
    which = rng.integers(0, 9, n)
    if missing is not None:
        which = np.where(which == missing, (which + 1) % 9, which)
    sd = np.where(which == narrow, 0.05, 0.1)[:, None]
    return GRID[which] + sd * rng.normal(size=(n, 2))


@pytest.fixture(scope="module")
def watched():
    rng = np.random.default_rng(0)
    rows = modes(4000, rng)
    quick_judge = QuickJudge(rows[:3500], rows[3500:], seed=0)
    return rows[:3500], quick_judge, CoverageTest(quick_judge.space(rows[:3500]), quick_judge.validation_rows)


def test_bounds_lie_below_the_truth_and_the_same_distribution_is_not_certified_to_differ(watched):
    """One missing mode of nine: JSD(1/9) = 0.0401, here its mass goes to another mode, so at most 0.09; 40 tests each."""
    _, quick_judge, _ = watched
    rng = np.random.default_rng(1)
    n = quick_judge.fakes_wanted
    null = [quick_judge.judge(modes(n, rng), alpha=0.05 / 24) for _ in range(8)]
    assert all(sight.lower == 0 and sight.upper < 0.03 for sight in null)
    gone = quick_judge.judge(modes(n, rng, missing=4), alpha=0.05 / 24)
    # p: 1/9 each; q: 0 and 2/9 at two modes
    truth = (1 / 9 * np.log(2) + 1 / 9 * np.log(2 / 3) + 2 / 9 * np.log(4 / 3)) / 2
    assert 0 < gone.lower < truth
    assert abs(gone.estimate - truth) < 5 * gone.error + 0.01
    assert gone.lower < gone.estimate < gone.upper


def test_a_quick_test_is_repeatable_and_noise_brings_distributions_nearer(watched):
    _, quick_judge, _ = watched
    fakes = quick_judge.space(modes(quick_judge.fakes_wanted, np.random.default_rng(2)) + 0.5)
    one, two = (quick_judge.judge_encoded(fakes, alpha=0.01) for _ in range(2))
    assert (one.estimate, one.lower, one.upper) == (two.estimate, two.lower, two.upper)
    assert quick_judge.judge_encoded(fakes, alpha=0.01, coarse=True).estimate < one.estimate


def test_the_alarm_names_what_is_missing_or_narrow_and_nothing_else(watched):
    _, quick_judge, watch = watched
    rng = np.random.default_rng(3)
    assert sum(region.spread is not None for region in watch.regions) == 9
    for kind in ("missing", "narrow"):
        for mode in range(9):
            found = watch.find_alarms(quick_judge.space(modes(8000, rng, **{kind: mode})), alpha=0.002)
            at = quick_judge.space(GRID[mode][None])[0]
            assert [alarm.kind for alarm in found] == [kind]
            assert np.linalg.norm(watch.regions[found[0].region].centre - at) < 0.2
    healthy = [watch.find_alarms(quick_judge.space(modes(8000, rng)), alpha=0.002) for _ in range(20)]
    assert not any(healthy)  # false alarms at most .002 per check, by Bonferroni


def test_one_connected_cloud_is_tested_cell_by_cell():
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(4000, 2))
    watch = CoverageTest(rows[:3500], rows[3500:])
    assert len(watch.regions) > 40
    fakes = rng.normal(size=(8000, 2))
    assert watch.find_alarms(fakes, alpha=0.002) == []
    assert watch.find_alarms(fakes[fakes[:, 0] < 0.5], alpha=0.002)[0].kind == "missing"


def test_the_p_value_of_a_missing_region_holds_its_level():
    """At exactly a third of the share: P(p <= a) <= a, by 20,000 draws with 4 sigma of slack."""
    rng = np.random.default_rng(5)
    real, fake = rng.binomial(500, 0.1, 20_000), rng.binomial(2000, 0.1 * SHARE, 20_000)
    p = np.array([missing_p(r, 500, f, 2000) for r, f in zip(real, fake)])
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() < level + 4 * np.sqrt(level / 20_000)


def test_the_p_value_of_a_narrow_group_holds_its_level_about():
    """Fakes of exactly 0.7 times the width, 60 real rows each time: 600 draws, 4 sigma and a third of slack for normality."""
    rng = np.random.default_rng(8)
    p = []
    for _ in range(600):
        real, fakes = rng.normal(size=(60, 2)), WIDTH * rng.normal(size=(200, 2))
        region = measure_spread(Region(members=(0,), centre=real.mean(0), example=0), real)
        p.append(region.narrow_p(fakes))
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(p) <= level) < 1.33 * level + 4 * np.sqrt(level / 600)
    assert region.narrow_p(fakes / WIDTH) > 0.5  # as wide as the data
    assert region.narrow_p(fakes / 2) < 1e-4
    assert region.narrow_p(fakes[:1]) == 1.0
    assert region.narrow_p(fakes * 0) < 1e-9  # all in one point


def test_power_analysis_goes_on_until_a_defect_is_found(watched):
    train, quick_judge, _ = watched
    marks = power_upwards(train, quick_judge, masses=(0.005,), alpha=0.05 / 24, trials=2)
    assert len(marks) > 1
    assert marks[-1].found == 2 or marks[-1].mass == 0.32
    steps = [np.log2(two.mass / one.mass) for one, two in itertools.pairwise(marks)]
    assert steps == pytest.approx(np.round(steps))  # by powers of two
    assert min(steps) > 0.99
    floor = betting_bound.floor(len(quick_judge.validation_rows), alpha=0.05 / 24, fakes=quick_judge.fakes)
    assert all(jsd_of_missing(mark.mass) >= floor for mark in marks[1:])  # below it nothing is tried
    assert all(mark.found < 2 for mark in marks[:-1])
    assert power_upwards(train[:50], quick_judge, masses=(0.1,), alpha=0.01) == []


def test_a_planted_hole_has_the_mass_that_it_is_said_to_have():
    rng = np.random.default_rng(6)
    rows = rng.normal(size=(20_000, 2))
    kept = [
        len(without_region(rows[10_000:], like=rows[:10_000], mass=0.1, random=np.random.default_rng(i)))
        / 10_000
        for i in range(20)
    ]
    assert np.mean(kept) == pytest.approx(0.9, abs=0.004)


def test_power_analysis_finds_a_large_hole_and_says_which_is_the_smallest(watched):
    train, quick_judge, _ = watched
    marks = power_analysis(train, quick_judge, masses=(0.005, 0.4), alpha=0.05 / 24, trials=3)
    assert marks[1].found == 3
    assert marks[0].found == 0
    assert smallest_detected(marks) == marks[1]
    assert smallest_detected(marks[:1]) is None
    assert PowerEstimate(**marks[1].to_dict()) == marks[1]
    assert power_analysis(train[:50], quick_judge, masses=(0.1,), alpha=0.01) == []


def test_tables_with_categories_and_nulls_can_be_watched():
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 3, 2000)
    numbers = np.where(rng.random(2000) < 0.1, np.nan, codes + 0.1 * rng.normal(size=2000))
    rows = np.column_stack([codes, numbers])
    mask = np.array([True, False])
    quick_judge = QuickJudge(rows[:1700], rows[1700:], categorical=mask)
    fakes = rows[rng.integers(0, 1700, quick_judge.fakes_wanted)]
    assert quick_judge.judge(fakes, alpha=0.01).lower == 0
    assert quick_judge.judge(fakes[fakes[:, 0] > 0][rng.integers(0, 900, len(fakes))], alpha=0.01).lower > 0
