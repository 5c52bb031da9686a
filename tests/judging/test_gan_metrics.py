"""Metrics: closed forms, known truths, invariances, exact levels; and words that claim no more than they are."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, ortho_group

import saddlepoint as sp
from saddlepoint.errors import InputError
from saddlepoint.judging.metrics import gan_metrics as statistics
from saddlepoint.judging.metrics.gan_metrics import chosen_of, measure_metrics
from saddlepoint.judging.samples import check
from saddlepoint.judging.verdict import Verdict
from saddlepoint.names import METRICS


def figures(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    apart = statistics.distances(np.concatenate([real, fake]))
    order = np.arange(len(apart))
    return statistics.neighbour_figures(apart, order[: len(real)], order[len(real) :])


def gap(kernel: np.ndarray, n: int) -> float:
    return float(statistics.u_statistics(kernel, (np.arange(len(kernel)) < n)[:, None])[0])


def test_identical_samples_cover_each_other() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    # Every ball holds its own row's twin and the k nearest: (k + 1) / k.
    assert figures(rows, rows) == pytest.approx([1.0, 1.0, 1 + 1 / statistics.COVERAGE_K, 1.0])


def test_neighbours_of_far_and_of_lost_modes() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 100, 2)) * 0.1 + np.array([[[-5.0, 0]], [[5.0, 0]]])
    assert figures(left, right) == pytest.approx([0, 0, 0, 0])
    precision, recall, _, coverage = figures(np.concatenate([left, right]), left + 0.0)
    assert (precision, recall, coverage) == (1.0, 0.5, 0.5)
    precision, recall, _, coverage = figures(left, np.concatenate([left, right]))
    assert (precision, recall, coverage) == (0.5, 1.0, 1.0)


def test_neighbours_do_not_hang_on_turns_and_scales() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(80, 4)), rng.normal(size=(90, 4)) + 0.5
    turn = 3.0 * ortho_group.rvs(4, random_state=0)
    assert figures(real @ turn + 1, fake @ turn + 1) == pytest.approx(figures(real, fake))


def test_density_and_coverage_of_one_law_have_their_means() -> None:
    """Mean density is 1 and mean coverage has a closed form in any dimension; 4.5 standard errors: 1 in 70,000 each."""
    rng = np.random.default_rng(0)
    seen = np.array([figures(rng.normal(size=(30, 3)), rng.normal(size=(40, 3)))[2:] for _ in range(300)])
    error = seen.std(0, ddof=1) / np.sqrt(len(seen))
    assert np.abs(seen.mean(0) - [1.0, statistics.expected_coverage(30, 40)]).max() <= 4.5 * error.max()


def test_u_statistics_are_their_double_sums() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 2)), rng.normal(size=(5, 2)) + 1
    k = lambda a, b: float(np.exp(-((a - b) ** 2).sum()))  # noqa: E731
    rows = np.concatenate([x, y])
    kernel = np.array([[k(a, b) for b in rows] for a in rows])
    within = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    beside = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    between = np.mean([k(a, b) for a in x for b in y])
    assert gap(kernel, 6) == pytest.approx(within + beside - 2 * between)
    # Part of the rows, as the halves of the jackknife are.
    ours, theirs = np.zeros((11, 1), bool), np.zeros((11, 1), bool)
    ours[:4], theirs[6:9] = True, True
    part = np.r_[0:4, 6:9]
    expected = gap(kernel[np.ix_(part, part)], 4)
    assert statistics.u_statistics(kernel, ours, theirs)[0] == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_mmd_is_unbiased(shift: float) -> None:
    """The mean over 300 draws of 20 rows against the closed form for N(0,1) and N(s,1); 4.5 standard errors."""
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(300):
        rows = np.concatenate([rng.normal(size=(20, 1)), rng.normal(size=(25, 1)) + shift])
        seen.append(gap(np.exp(-0.5 * statistics.distances(rows) ** 2), 20))
    true = (2 - 2 * np.exp(-(shift**2) / 6)) / np.sqrt(
        3
    )  # E exp(-d^2/2) of d ~ N(s, 2) is exp(-s^2/6)/sqrt 3
    assert abs(np.mean(seen) - true) <= 4.5 * np.std(seen, ddof=1) / np.sqrt(len(seen))
    assert shift > 0 or min(seen) < 0  # an unbiased figure falls on both sides of 0


def test_p_values_keep_their_level() -> None:
    """300 nulls of 12 and 15 rows: more than 30 at p <= .05 happens once in 5,000 times, at exactly 5 %."""
    rng, small = np.random.default_rng(0), 0
    for _ in range(300):
        apart = statistics.distances(rng.normal(size=(27, 2)))
        small += statistics.permutation_p(-apart, 12, permutations=99, rng=rng) <= 0.05
    assert binom.sf(30, 300, 0.05) < 2e-4
    assert small <= 30


def test_rows_that_repeat_do_not_break_the_level() -> None:
    rows = np.zeros((20, 2))
    kernel = statistics.gaussian_kernel(statistics.distances(rows))
    assert statistics.permutation_p(kernel, 10, permutations=49, rng=np.random.default_rng(0)) == 1.0


def test_a_shift_is_found_and_one_law_is_not() -> None:
    rng = np.random.default_rng(0)
    for shift, expected in ((0.4, True), (0.0, False)):
        samples = check(rng.normal(size=(300, 2)), rng.normal(size=(900, 2)) + shift)
        told = measure_metrics(samples, ("mmd",), seed=1)
        assert [each.p <= 0.01 for each in told] == [expected]
        assert all(each.rows == 300 for each in told)


@pytest.mark.parametrize("name", ["neighbours", "mmd"])
def test_errors_are_as_large_as_the_figures_swing(name: str) -> None:
    """Over 40 pairs of samples a jackknife error is the standard deviation within a factor of 1.8 in the mean, 2.5 above
    for recall, which takes the best of many balls."""
    rng = np.random.default_rng(0)
    seen = []
    for seed in range(40):
        samples = check(rng.normal(size=(80, 2)), rng.normal(size=(80, 2)) * 1.5 + 1)
        seen.append([(each.value, each.error) for each in measure_metrics(samples, (name,), seed=seed)])
    values, errors = np.array(seen).transpose(2, 0, 1)
    ratio = np.sqrt((errors**2).mean(0)) / values.std(0, ddof=1)
    assert (ratio > 1 / 1.8).all()
    assert (ratio < (2.5 if name == "neighbours" else 1.8)).all()


def test_every_kind_of_rows_has_its_named_features() -> None:
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.normal(size=90), rng.integers(0, 3, 90)]).astype(float)
    table[:9, 0] = np.nan
    pictures = rng.integers(0, 256, size=(80, 12, 12, 1)).astype(np.uint8)
    mask = np.array([False, True])
    for samples, features in (
        (check(table[:45], table[45:], categorical=mask), "2 standardised columns, categories one-hot"),
        (check(pictures[:40], pictures[40:]), "40 principal components of the pixels"),
        (check(pictures[:40, :3, :3], pictures[40:, :3, :3]), "pixels"),
        (check(table[9:50, :1], table[50:, :1]), "1 standardised column"),
    ):
        found = measure_metrics(samples, METRICS)
        assert len(found) == 5
        assert {each.features.split(", scales")[0] for each in found} == {features}
        assert all(np.isfinite([each.value, each.error]).all() for each in found)
        words = json.dumps([each.to_dict() for each in found])
        assert "FID" not in words
        assert "KID" not in words


def test_of_groups_one_row_each_is_taken() -> None:
    rng = np.random.default_rng(0)
    samples = check(rng.normal(size=(90, 2)), rng.normal(size=(90, 2)))
    (told,) = measure_metrics(samples, ("mmd",), groups=np.arange(90) // 3)
    assert told.rows == 30


def test_names_are_read_in_our_order_and_wrong_ones_told() -> None:
    assert chosen_of("all") == METRICS
    assert chosen_of(["mmd,neighbours", "mmd"]) == ("neighbours", "mmd")
    assert chosen_of(()) == ()
    with pytest.raises(InputError, match=r"'mmmd', did you mean 'mmd'.*or all"):
        chosen_of("mmmd")
    with pytest.raises(InputError, match=r"FID.* Inception"):
        chosen_of(["fid"])


def test_a_verdict_carries_its_metrics_and_changes_in_nothing_else() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(200, 2)), rng.normal(size=(400, 2)) + 1
    options = {"pool": "quick", "control": False}
    plain, told = (
        sp.judge(real, fake, **options),
        sp.judge(real, fake, metrics=["mmd"], **options),
    )
    assert replace(told, metrics=(), seconds=None) == replace(plain, seconds=None)
    assert [each["name"] for each in told.metrics] == ["MMD^2"]
    assert Verdict.from_dict(json.loads(json.dumps(told.to_dict()))) == told
    lines = str(told).splitlines()
    assert str(told).startswith(str(plain))
    assert "none of them a bound, on 200 rows of each sample" in " ".join(lines)
    assert all(len(line) <= 100 for line in lines)
    assert "(p = 0.002, by permutation)" in str(told)
