"""The bound's law is its theorem: P(L > mean) <= alpha, whatever the distribution."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from saddlepoint.errors import InputError
from saddlepoint.judging.c2st import betting_bound


@pytest.mark.parametrize("alpha", [0.05, 0.2])
@pytest.mark.parametrize("n", [1, 5, 11])
def test_never_too_high_over_every_sequence_of_coin_flips(n, alpha):
    flips = np.array(list(itertools.product([0.0, 1.0], repeat=n)))
    bounds = betting_bound.lower_bound(flips, 0.0, 1.0, alpha=alpha)
    heads = flips.sum(axis=1)
    for p in np.linspace(0.01, 0.99, 99):
        weights = p**heads * (1 - p) ** (n - heads)
        assert weights[bounds > p].sum() <= alpha


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_never_too_high_over_three_valued_sequences(alpha):
    faces = np.array([0.0, 0.7, 1.0])
    rolls = np.array(list(itertools.product(range(3), repeat=7)))
    bounds = betting_bound.lower_bound(faces[rolls], 0.0, 1.0, alpha=alpha)
    for law in ([0.05, 0.0, 0.95], [0.01, 0.98, 0.01], [1 / 3, 1 / 3, 1 / 3], [0.6, 0.3, 0.1]):
        probabilities = np.array(law)[rolls].prod(axis=1)
        assert probabilities.sum() == pytest.approx(1)
        assert probabilities[bounds > faces @ law].sum() <= alpha


@pytest.mark.parametrize(
    "law",
    [stats.beta(0.05, 0.02), stats.beta(2, 2), stats.bernoulli(0.998), stats.bernoulli(0.01)],
    ids=["two-humped", "round", "rare-loss", "rare-win"],
)
def test_coverage_by_simulation(law):
    # 3,000 repeats at a true rate of at most 5 %: more than 200 misses happen with probability 2e-5.
    values = law.rvs(size=(3000, 200), random_state=np.random.default_rng(1)).astype(float)
    assert np.count_nonzero(betting_bound.lower_bound(values, 0.0, 1.0, alpha=0.05) > law.mean()) <= 200


def test_normal_interval_would_fail_where_ours_holds():
    values = (np.random.default_rng(0).random((3000, 300)) < 0.998).astype(float) - 0.998
    normal = values.mean(axis=1) - 1.645 * values.std(axis=1, ddof=1) / math.sqrt(300)
    ours = betting_bound.lower_bound(values, -0.998, 0.002, alpha=0.05)
    assert np.mean(normal > 0) > 0.3
    assert np.mean(ours > 0) <= 0.05


def test_scales_with_the_values():
    values = np.random.default_rng(2).random(500) ** 3
    plain = betting_bound.lower_bound(values, 0.0, 1.0, alpha=0.1)
    moved = betting_bound.lower_bound(7 - 3 * (1 - values), 4.0, 7.0, alpha=0.1)
    np.testing.assert_allclose(moved, 4 + 3 * plain, rtol=1e-10)
    assert 0 < plain < values.mean()


def test_a_smaller_alpha_gives_a_lower_bound():
    values = np.random.default_rng(3).random(400)
    bounds = [
        float(betting_bound.lower_bound(values, 0, 1, alpha=alpha)) for alpha in (0.2, 0.05, 0.01, 1e-4)
    ]
    assert bounds == sorted(bounds, reverse=True)
    assert len(set(bounds)) == 4


def test_comes_near_the_mean_as_the_variance_theory_says():
    values = np.random.default_rng(4).normal(0.5, 0.01, (50, 5000)).clip(0, 1)
    bounds = betting_bound.lower_bound(values, 0.0, 1.0, alpha=0.05)
    gap = np.median(values.mean(axis=1) - bounds)
    assert gap < 1.6 * 0.01 * math.sqrt(2 * math.log(20) / 5000)


def test_the_plain_product_crosses_the_level_at_the_bound():
    u = np.random.default_rng(5).random(60)
    alpha, cap = 0.05, 0.75
    bound = float(betting_bound.lower_bound(u, 0, 1, alpha=alpha))

    def best_wealth(m):
        wealth, best, total, squares, variance = 1.0, 0.0, 0.5, 0.25, 0.25
        for t, value in enumerate(u, start=1):
            bet = min(math.sqrt(2 * math.log(1 / alpha) / (len(u) * variance)), cap / m)
            wealth *= 1 + bet * (value - m)
            best = max(best, wealth)
            total += value
            squares += (value - total / (t + 1)) ** 2
            variance = squares / (t + 1)
        return best

    assert best_wealth(bound - 1e-6) > 1 / alpha > best_wealth(bound + 1e-6)


def test_no_evidence_gives_the_lower_end():
    assert betting_bound.lower_bound(np.zeros(100), 0, 1, alpha=0.05) == 0
    assert betting_bound.lower_bound(np.ones(2), -1, 1, alpha=0.05) >= -1
    assert betting_bound.lower_bound(np.empty(0), -1, 1, alpha=0.05) == -1


def test_refuses_values_outside_the_range():
    with pytest.raises(InputError, match=r"outside \[0, 1\]"):
        betting_bound.lower_bound(np.array([0.5, 1.5]), 0, 1, alpha=0.05)
    with pytest.raises(InputError, match=r"alpha is 1\.5"):
        betting_bound.lower_bound(np.array([0.5]), 0, 1, alpha=1.5)
    with pytest.raises(InputError, match=r"range of the values is \[1, 0\]"):
        betting_bound.lower_bound(np.array([0.5]), 1, 0, alpha=0.05)


@pytest.mark.parametrize(
    ("n", "fakes", "value"), [(600, 4, 0.00625), (3000, 4, 0.00125), (15000, 4, 0.00025)]
)
def test_floor_as_in_the_plan(n, fakes, value):
    assert betting_bound.floor(n, alpha=0.05, fakes=fakes) == pytest.approx(value, rel=0.002)


def test_floor_of_nothing_is_infinite():
    assert betting_bound.floor(0, alpha=0.05) == math.inf


def test_total_variation_bound_covers_over_every_outcome():
    n, alpha = 30, 0.05
    for right in (0.5, 0.7, 0.95):
        law = stats.binom(n, right).pmf(np.arange(n + 1))
        missed = sum(
            law[a] * law[b]
            for a in range(n + 1)
            for b in range(n + 1)
            if betting_bound.total_variation_bound(a, n, b, n, alpha=alpha) > 2 * right - 1 + 1e-12
        )
        assert missed <= alpha


def test_total_variation_bound_against_scipy():
    lower = stats.binomtest(80, 100).proportion_ci(confidence_level=0.95, method="exact").low
    assert betting_bound.total_variation_bound(80, 100, 80, 100, alpha=0.05) == pytest.approx(2 * lower - 1)
    assert betting_bound.total_variation_bound(0, 10, 0, 10, alpha=0.05) == 0


def test_proportion_bounds_at_the_ends():
    assert betting_bound.proportion_bounds(0, 10, alpha=0.05)[0] == 0
    assert betting_bound.proportion_bounds(10, 10, alpha=0.05)[1] == 1
    assert betting_bound.proportion_bounds(0, 10, alpha=0.05)[1] == pytest.approx(1 - 0.05**0.1)


def test_bernoulli_jsd_known_values():
    assert betting_bound.bernoulli_jsd(0, 1) == pytest.approx(math.log(2))
    assert betting_bound.bernoulli_jsd(0.3, 0.3) == 0
    assert betting_bound.bernoulli_jsd(0.998, 0) == pytest.approx(0.68593157, abs=1e-8)
