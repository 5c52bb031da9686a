"""Every referee sees what it is there to see, is balanced, and reads rows it has never met."""

import math

import numpy as np
import pytest

from saddlepoint.judging.c2st.ensemble import pool
from saddlepoint.judging.classifiers import pictures, points, tables
from saddlepoint.judging.classifiers.points import FitContext

NUMBERS = np.array([False, False])
POINTS = ["logistic", "trees", "geometry", "neighbours", "network"]


def worth(logit, real, fake):
    """log 2 + V/2 of a logit function, in nats."""
    return math.log(2) - (np.logaddexp(0, -logit(real)).mean() + np.logaddexp(0, logit(fake)).mean()) / 2


def shifted(n, rng, shift=0.0):
    return rng.standard_normal((n, 2)) + np.array([shift, 0])


@pytest.mark.parametrize("name", POINTS)
def test_point_referees_come_near_a_known_jsd_with_unequal_counts(name):
    rng = np.random.default_rng(0)
    logit = getattr(points, name)(
        shifted(1200, rng), shifted(3600, rng, 1.0), FitContext(categorical=NUMBERS, seed=0)
    )
    seen = worth(logit, shifted(4000, rng), shifted(4000, rng, 1.0))
    assert 0.7 * 0.11142 < seen < 0.11142 + 0.02


@pytest.mark.parametrize("name", POINTS)
def test_same_law_and_unequal_counts_leave_the_logit_near_zero(name):
    rng = np.random.default_rng(1)
    logit = getattr(points, name)(
        shifted(900, rng), shifted(3600, rng), FitContext(categorical=NUMBERS, seed=0)
    )
    assert abs(float(np.median(logit(shifted(2000, rng))))) < 0.25


def test_geometry_sees_a_wrong_width_that_trees_miss():
    def ring(n, rng, sd):
        angle = rng.integers(0, 8, n) * np.pi / 4
        return 2 * np.column_stack([np.cos(angle), np.sin(angle)]) + sd * rng.standard_normal((n, 2))

    rng = np.random.default_rng(2)
    sides = ring(1500, rng, 0.05), ring(1500, rng, 0.08)
    fresh = ring(3000, rng, 0.05), ring(3000, rng, 0.08)
    context = FitContext(categorical=NUMBERS, seed=0)
    trees, geometry = (worth(fit(*sides, context), *fresh) for fit in (points.trees, points.geometry))
    assert geometry > 0.03
    assert geometry > trees + 0.01


def test_wide_points_are_read_by_squares_and_components():
    rng = np.random.default_rng(3)
    context = FitContext(categorical=np.zeros(60, bool), seed=0)
    real, fake = rng.standard_normal((800, 60)), 1.15 * rng.standard_normal((800, 60))
    fresh = rng.standard_normal((2000, 60)), 1.15 * rng.standard_normal((2000, 60))
    assert worth(points.logistic(real, fake, context), *fresh) > 0.05
    assert np.isfinite(points.neighbours(real, fake, context)(fresh[0])).all()


def table(n, rng, *, linked):
    one = rng.integers(0, 4, n).astype(float)
    other = np.where(rng.random(n) < 0.6, one, rng.integers(0, 4, n)) if linked else rng.integers(0, 4, n)
    amount = np.where(rng.random(n) < 0.1, np.nan, rng.exponential(1, n))
    return np.column_stack([one, other, amount, rng.standard_normal(n)])


@pytest.mark.parametrize("name", ["trees", "pairs"])
def test_table_referees_see_a_broken_relation(name):
    rng = np.random.default_rng(4)
    context = FitContext(categorical=np.array([True, True, False, False]), seed=0)
    fit = getattr(tables, name)
    logit = fit(table(1500, rng, linked=True), table(1500, rng, linked=False), context)
    assert worth(logit, table(3000, rng, linked=True), table(3000, rng, linked=False)) > 0.03


def test_of_many_columns_some_pairs_are_drawn_and_each_column_is_read(monkeypatch):
    """Six columns have 15 pairs; with 2 of them the shift of the last column is still seen."""
    monkeypatch.setattr(tables, "MOST_PAIRS", 2)
    rng = np.random.default_rng(6)
    real, fake = rng.standard_normal((2, 3000, 6))
    fake[:, 5] += 1.0
    context = FitContext(categorical=np.zeros(6, dtype=bool), seed=0)
    logit = tables.pairs(real[:1500], fake[:1500], context)
    again = tables.pairs(real[:1500], fake[:1500], context)
    assert worth(logit, real[1500:], fake[1500:]) > 0.05
    np.testing.assert_array_equal(logit(real), again(real))


def test_table_referees_read_unseen_categories_and_nulls():
    rng = np.random.default_rng(5)
    context = FitContext(categorical=np.array([True, True, False, False]), seed=0)
    rows = table(400, rng, linked=True)
    strange = rows[:5].copy()
    strange[:, 0], strange[:, 1], strange[:, 2:] = 99, np.nan, np.nan
    for referee in tables.pool("full", categorical=context.categorical).values():
        assert np.isfinite(referee(rows[:200], rows[200:], context)(strange)).all()


def test_trees_fold_more_categories_than_they_can_hold():
    rng = np.random.default_rng(6)
    rows = rng.integers(0, 1000, (1200, 1)).astype(float)
    logit = tables.trees(rows[:600], rows[600:], FitContext(categorical=np.array([True]), seed=0))
    assert np.isfinite(logit(rows)).all()


def test_pools_differ_by_kind_size_and_columns():
    none = np.zeros(2, bool)
    full = pool("points", "full", n_fit=5000, categorical=none)
    assert set(full) == set(POINTS)
    assert set(pool("points", "quick", n_fit=5000, categorical=none)) == {"logistic", "trees"}
    assert "neighbours" not in pool("points", "full", n_fit=100_000, categorical=none)
    assert "geometry" not in pool("tables", "full", n_fit=5000, categorical=np.array([True, False]))
    assert set(pool("pictures", "full", n_fit=5000, categorical=none)) == {"network", "pooled", "neighbours"}


def strokes(n, rng, *, tilted):
    pictures = rng.integers(0, 60, (n, 12, 12, 1))
    for picture, start in zip(pictures, rng.integers(1, 8, n)):
        steps = np.arange(4)
        picture[start + steps, start + (steps if tilted else 0)] += 150
    return pictures.astype(np.uint8)


@pytest.mark.parametrize("name", ["network", "pooled", "neighbours"])
def test_picture_referees_see_tilted_strokes(name):
    rng = np.random.default_rng(7)
    context = FitContext(categorical=np.zeros(0, bool), seed=0)
    fit = getattr(pictures, name)
    logit = fit(strokes(400, rng, tilted=False), strokes(400, rng, tilted=True), context)
    assert worth(logit, strokes(400, rng, tilted=False), strokes(400, rng, tilted=True)) > 0.2


def test_large_pictures_are_averaged_to_a_bounded_side():
    rows = np.random.default_rng(8).integers(0, 256, (2, 100, 200, 3)).astype(np.uint8)
    encoded = pictures.encode(rows)
    assert encoded.shape == (2, 3, 32, 64)
    assert abs(float(encoded.mean()) - float(rows.mean() / 127.5 - 1)) < 0.02


def test_steps_keep_the_order_and_hold_the_same_weight_each():
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=5000), rng.integers(0, 9, 5000), rng.normal(size=5000)])
    rows[:50, 0] = np.nan
    weights = np.where(np.arange(5000) < 1000, 2.5, 0.625)
    steps = points.steps_of(rows, weights, skip=np.array([False, False, True]))
    seen = steps(rows)
    assert np.isnan(seen[:50, 0]).all()
    np.testing.assert_array_equal(seen[:, 2], rows[:, 2])  # skipped
    np.testing.assert_array_equal(seen[:, 1], rows[:, 1])  # nine values are nine steps
    order = np.argsort(rows[50:, 0])
    assert (np.diff(seen[50:, 0][order]) >= 0).all()
    mass = np.bincount(seen[50:, 0].astype(int), weights[50:])
    assert len(mass) == points.STEPS
    assert abs(mass - mass.mean()).max() <= 2.5  # to one row's weight
    assert steps(np.array([[-99.0, -1.0, 0.0], [99.0, 99.0, 0.0]]))[:, 0].tolist() == [0, 254]
