import numpy as np

from saddlepoint.judging.metrics.marginals import correlations
from saddlepoint.judging.metrics.tstr import tstr


def table(n: int, seed: int, *, related: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = x + 0.1 * rng.normal(size=n) if related else rng.normal(size=n)
    kind = (x > 0 if related else rng.random(n) > 0.5).astype(float)
    return np.column_stack([x, y, kind])


NAMES, MASK = ("x", "y", "kind"), np.array([False, False, True])


def test_rows_of_the_law_are_as_useful_as_training_rows_and_unrelated_ones_are_guessing():
    train, held = table(300, 0, related=True), table(300, 1, related=True)
    good = {
        use.name: use for use in tstr(train, table(300, 2, related=True), held, names=NAMES, categorical=MASK)
    }
    bad = {
        use.name: use
        for use in tstr(train, table(300, 2, related=False), held, names=NAMES, categorical=MASK)
    }
    assert list(good) == ["kind", "y", "x"]
    assert good["kind"].by_guessing == 0.5
    for name in NAMES:
        assert good[name].from_synthetic > good[name].from_real - 0.03
        assert good[name].from_real > 0.9
        assert bad[name].from_synthetic < good[name].from_synthetic - 0.3
        assert bad[name].from_real == good[name].from_real


def test_missing_targets_constant_columns_and_few_rows_are_passed_over():
    train, made, held = (table(60, seed, related=True) for seed in range(3))
    for side in (train, made, held):
        side[:, 1] = 7.0
    train[:25, 0] = np.nan
    found = tstr(train, made, held, names=NAMES, categorical=MASK)
    assert [use.name for use in found] == ["kind", "x"]
    assert tstr(train[:20], made, held, names=NAMES, categorical=MASK) == []
    made[:, 2] = 0.0  # one class only: nothing to teach
    assert [use.name for use in tstr(train, made, held, names=NAMES, categorical=MASK)] == ["x"]


def test_correlations_list_the_largest_difference_first_and_ignore_missing_cells():
    real, fake = table(500, 0, related=True), table(500, 1, related=False)
    real[::7, 0] = np.nan
    more = np.column_stack([real[:, :2], -real[:, 1]]), np.column_stack([fake[:, :2], -fake[:, 1]])
    found = correlations(*more, np.zeros(3, dtype=bool))
    assert [each[:2] for each in found][2] == (1, 2)
    assert found[2][2:] == (-1.0, -1.0) or np.allclose(found[2][2:], -1.0)
    assert found[0][2] ** 2 > 0.95
    assert abs(found[0][3]) < 0.15
    assert correlations(real, fake, np.ones(3, dtype=bool)) == []
