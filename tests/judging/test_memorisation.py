import json
from pathlib import Path

import numpy as np
import pytest

from saddlepoint.errors import InputError
from saddlepoint.judging.memorisation import memorisation_test

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = next(
    (up / "shared" / "data" for up in REPOSITORY.parents if (up / "shared" / "data").is_dir()), Path("none")
)


def parts(seed, *, copies=0, noise=0.0, n=400, m=1200, width=10):
    generator = np.random.default_rng([7, seed])
    train, held_out, fake = (generator.normal(size=(size, width)) for size in (n, n, m))
    fake[:copies] = train[generator.integers(n, size=copies)] + noise * generator.normal(size=(copies, width))
    return train, held_out, fake


def test_null_p_values_are_uniform_or_larger():
    """120 nulls: more than 13 at p <= .05 happens once in 100 times at exactly 5 %."""
    small = [
        memorisation_test(*parts(seed, n=60, m=600, width=4), permutations=199, random_state=seed).p <= 0.05
        for seed in range(120)
    ]
    assert sum(small) <= 13


def test_noisy_copies_are_found():
    found = [memorisation_test(*parts(seed, copies=60, noise=0.3)).copying for seed in range(10)]
    assert sum(found) >= 9


def test_one_exact_copy_among_continuous_rows_is_found():
    train, held_out, fake = parts(0)
    fake[17] = train[30]
    record = memorisation_test(train, held_out, fake)
    assert record.copying
    assert (record.exact_copies, record.exact_share, record.base_share) == (1, 1 / 1200, 0.0)
    assert (17, 30) in record.closest
    assert record.sentence.startswith("Copies found: 1 of 1,200 fake rows")


def test_copies_of_single_precision_rows_are_found():
    train, held_out, fake = (part.astype(np.float32) for part in parts(0))
    fake[17] = train[30]
    assert memorisation_test(train, held_out, fake).copying
    assert not memorisation_test(
        train[:, :1], held_out[:, :1], fake[:, :1]
    ).copying  # one column of float32 may meet by chance


def test_fresh_rows_are_no_copies_and_the_words_say_no_more():
    record = memorisation_test(*parts(1))
    assert not record.copying
    assert record.sentence.startswith("No copies found by the memorisation test: 0 of 1,200 fake rows")
    for word in ("private", "anonymous", "safe"):
        assert word not in record.sentence.lower()
    assert 0.4 < record.share < 0.6


def test_equal_rows_are_no_copying_where_the_data_repeat_themselves():
    """40 nulls of two columns of few values; more than 4 at level .01 has chance < 1e-4."""
    cried = 0
    for seed in range(40):
        record = memorisation_test(
            *(np.rint(part) for part in parts(seed, n=100, m=300, width=2)), permutations=199
        )
        assert record.base_share > 0.5
        cried += record.copying
    assert cried <= 4


def test_held_out_rows_of_another_law_accuse_nobody_but_copies_still_count():
    train, held_out, fake = parts(10)
    record = memorisation_test(train, held_out + 0.4, fake)
    assert not record.copying
    assert record.control_p > 0.01
    assert record.share > 0.52
    for words in ("No copies found", "no proof", "may have another distribution", "saddlepoint split"):
        assert words in record.sentence
    fake[:50] = train[:50]
    record = memorisation_test(train, held_out + 0.4, fake)
    assert record.copying
    assert "50 of 1,200" in record.sentence
    train, held_out, fake = parts(10, copies=100, noise=0.2)
    assert memorisation_test(train, held_out + 0.4, fake).copying


def test_moved_held_out_rows_rarely_accuse():
    """30 nulls with held-out rows .2 sd away: more than 3 at level .01 has chance 2e-4."""
    found = [
        memorisation_test(train, held_out + 0.2, fake).copying
        for train, held_out, fake in map(parts, range(30))
    ]
    assert sum(found) <= 3


def test_the_control_is_asked_only_when_nearness_accuses():
    assert memorisation_test(*parts(1)).control_p is None
    record = memorisation_test(*parts(1, copies=100, noise=0.2))
    assert record.copying
    assert record.control_p <= 0.01


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data folder is not there")
def test_mnist_test_digits_are_of_other_writers_and_no_proof_of_copying():
    with np.load(SHARED / "mnist.npz") as stored:
        train, held_out = stored["train_images"][:10_000], stored["test_images"][:5000]
    record = memorisation_test(train[:5000], held_out, train[5000:])
    assert not record.copying


def test_roles_of_training_and_held_out_are_not_symmetric():
    train, held_out, fake = parts(2, copies=120, noise=0.1)
    assert (
        memorisation_test(train, held_out, fake).share > 0.5 > memorisation_test(held_out, train, fake).share
    )
    assert not memorisation_test(held_out, train, fake).copying


def test_unequal_parts_are_balanced_and_stay_valid():
    shares = []
    for seed in range(20):
        train, held_out, fake = parts(seed)
        record = memorisation_test(train, held_out[:80], fake)
        shares.append(record.share)
        assert (record.n_train, record.n_held_out) == (400, 80)
    assert abs(np.mean(shares) - 0.5) < 4 * np.std(shares) / np.sqrt(20)


def test_scale_shift_and_order_of_rows_do_not_matter():
    train, held_out, fake = parts(3, copies=60, noise=0.3)
    scale, shift = 10.0 ** np.arange(-4, 6), np.arange(10) * 100.0
    plain = memorisation_test(train, held_out, fake)
    moved = memorisation_test(train * scale + shift, held_out * scale + shift, fake * scale + shift)
    assert moved.share == pytest.approx(plain.share, abs=2e-3)
    assert moved.copying == plain.copying
    assert memorisation_test(train[::-1], held_out[::-1], fake[::-1]).share == pytest.approx(
        plain.share, abs=1e-12
    )


def test_nulls_and_categories_are_values():
    generator = np.random.default_rng(0)
    sides = [np.column_stack([part[:, :5], generator.integers(0, 60, len(part))]) for part in parts(4)]
    for side in sides:
        side[generator.random(len(side)) < 0.3, 0] = np.nan
        side[generator.random(len(side)) < 0.1, 5] = np.nan
    categorical = np.array([False] * 5 + [True])
    assert not memorisation_test(*sides, categorical=categorical).copying
    sides[2][:50] = sides[0][:50]
    sides[2][:50, 1] += 0.05
    record = memorisation_test(*sides, categorical=categorical)
    assert record.copying
    assert record.exact_copies == 0
    sides[2][:50, 1] = sides[0][:50, 1]
    assert memorisation_test(*sides, categorical=categorical).exact_copies == 50


def test_a_null_only_among_the_fakes_is_a_value_too():
    train, held_out, fake = parts(5)
    fake[:30, 2] = np.nan
    assert not memorisation_test(train, held_out, fake).copying


def test_pictures_are_compared_as_wholes():
    generator = np.random.default_rng(0)
    sides = [generator.integers(0, 256, size=(n, 12, 12, 1)).astype(np.uint8) for n in (150, 150, 300)]
    assert not memorisation_test(*sides).copying
    noisy = sides[0][:40].astype(int) + generator.integers(-20, 21, size=(40, 12, 12, 1))
    sides[2][:40] = noisy.clip(0, 255)
    assert memorisation_test(*sides).copying


def test_rows_beyond_the_limit_are_sampled_but_exact_copies_counted_in_all():
    train, held_out, fake = parts(6)
    fake[100:130] = train[:30]
    record = memorisation_test(train, held_out, fake, max_rows=50)
    assert (record.n_train, record.n_held_out, record.n_fake) == (50, 50, 100)
    assert record.exact_copies == 30


def test_same_state_same_record_and_it_is_json():
    sides = parts(8, copies=30)
    first, again = memorisation_test(*sides, random_state=3), memorisation_test(*sides, random_state=3)
    assert first == again
    assert json.loads(json.dumps(first.to_dict()))["exact_copies"] == 30
    faint = parts(9, copies=20, noise=0.5)
    assert len({memorisation_test(*faint, permutations=199, random_state=state).p for state in range(4)}) > 1


@pytest.mark.parametrize(
    ("change", "parts_of_sentence"),
    [
        (lambda t, h, f: ((t[:4], h, f), {}), ("4 training rows", "10")),
        (lambda t, h, f: ((t, h[:0], f), {}), ("0 held-out rows", "10")),
        (lambda t, h, f: ((t, h, f[:, :3]), {}), ("fake", "(3,)", "(10,)")),
        (lambda t, h, f: ((t, h, f + np.inf), {}), ("fake", "infinities")),
        (lambda t, h, f: ((t, h, f), {"permutations": 20}), ("20 permutations", "0.01", "142")),
        (lambda t, h, f: ((t, h, f), {"categorical": [True]}), ("1 entries", "(10,)")),
    ],
)
def test_refused_in_one_sentence(change, parts_of_sentence):
    sides, options = change(*parts(0))
    with pytest.raises(InputError) as caught:
        memorisation_test(*sides, **options)
    for part in parts_of_sentence:
        assert part in str(caught.value)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data folder is not there")
def test_adult_rows_copied_with_one_cell_changed():
    from saddlepoint.data.tables.read import frame_of
    from saddlepoint.data.tables.schema import infer

    frame = frame_of(SHARED / "adult.csv")
    matrix = infer(frame).matrix(frame)
    rows = matrix.values[np.random.default_rng(0).permutation(len(matrix))[:6000]]
    train, held_out, fake = rows[:2000], rows[2000:4000], rows[4000:].copy()
    assert not memorisation_test(train, held_out, fake, categorical=matrix.categorical).copying
    fake[:100] = train[:100]
    fake[:100, 0] += 1
    assert memorisation_test(train, held_out, fake, categorical=matrix.categorical).copying
