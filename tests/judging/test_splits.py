"""Splits: nothing torn, nothing used twice, blocks as said."""

import numpy as np
import pytest

from saddlepoint.errors import InputError
from saddlepoint.judging.c2st.splits import cannot_repeat, copies_as_groups, split


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("n_real", "n_fake", "reals", "fakes"),
    [(1000, 1000, 1, 1), (1000, 1999, 1, 2), (1000, 4000, 1, 4), (1000, 90_000, 1, 4), (1000, 300, 3, 1)],
)
def test_parts_are_disjoint_and_blocks_fit(n_real, n_fake, reals, fakes):
    splits = split(n_real, n_fake, alpha=0.05, rng=rng())
    assert (splits.reals, splits.fakes) == (reals, fakes)
    for side, n, per in ((splits.real, n_real, reals), (splits.fake, n_fake, fakes)):
        together = np.concatenate([side.fit, side.select, side.evaluate])
        assert len(np.unique(together)) == len(together)
        assert together.max() < n
        assert len(side.evaluate) == per * splits.n_evaluate
        assert len(side.select) == per * splits.n_select
        assert len(side.fit) >= 0.4 * min(n_real, n_fake)


def test_shares_are_half_a_fifth_and_the_rest():
    splits = split(10_000, 40_000, alpha=0.05, rng=rng())
    assert (len(splits.real.fit), splits.n_select, splits.n_evaluate) == (5000, 2000, 3000)


def test_groups_are_never_torn_and_one_row_speaks_for_each():
    groups = rng(1).integers(0, 400, 3000)
    splits = split(3000, 3000, groups=groups, alpha=0.05, rng=rng())
    parts = [set(groups[part]) for part in (splits.real.fit, splits.real.select, splits.real.evaluate)]
    assert not parts[0] & parts[1]
    assert not parts[1] & parts[2]
    assert not parts[0] & parts[2]
    assert len(parts[2]) == len(splits.real.evaluate)
    assert len(splits.real.fit) == np.isin(groups, list(parts[0])).sum()


def test_every_row_of_a_group_is_as_likely_to_speak_for_it():
    groups = np.repeat(np.arange(40), 5)
    spoken = np.concatenate(
        [split(200, 200, groups=groups, alpha=0.05, rng=rng(seed)).real.evaluate % 5 for seed in range(100)]
    )
    counts = np.bincount(spoken, minlength=5)
    # 1,200 draws of five faces: chi-square above 23.5 with probability 1e-4.
    assert ((counts - len(spoken) / 5) ** 2 / (len(spoken) / 5)).sum() < 23.5


def test_the_seed_decides():
    one, again, other = (split(500, 500, alpha=0.05, rng=rng(seed)).real.evaluate for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_too_few_rows_are_told_what_they_could_certify():
    with pytest.raises(InputError, match=r"20 real rows and 20 fake rows .* 6 "):
        split(20, 20, alpha=0.05, rng=rng())
    with pytest.raises(InputError, match=r"28 real rows .* 8 .* 30 of each"):
        split(28, 500, alpha=0.05, rng=rng())
    with pytest.raises(InputError, match="100 real rows in 5 groups"):
        split(100, 100, groups=np.repeat(np.arange(5), 20), alpha=0.05, rng=rng())
    with pytest.raises(InputError, match=r"28 real rows .* 0\.58 nats.* 0\.69"):
        split(28, 28, alpha=0.1, rng=rng())
    assert split(30, 30, alpha=0.05, rng=rng()).n_evaluate == 9


def test_groups_of_another_length_are_refused():
    with pytest.raises(InputError, match=r"groups .*\(3,\); .*\(100,\)"):
        split(100, 100, groups=[1, 2, 3], alpha=0.05, rng=rng())


def test_identical_rows_are_a_group_only_where_two_draws_cannot_be_equal():
    fine = np.repeat(rng().standard_normal((50, 2)), 2, axis=0)
    groups, repeated = copies_as_groups(fine)
    assert repeated == 50
    assert np.array_equal(groups[::2], groups[1::2])
    coins = rng().integers(0, 2, (100, 1)).astype(float)
    assert copies_as_groups(coins) == (None, 0)
    assert copies_as_groups(np.round(fine, 2)) == (None, 0)
    assert copies_as_groups(fine[::2]) == (None, 0)
    assert cannot_repeat(np.zeros((3, 2, 2, 1), dtype=np.uint8))
