"""The whole judge: bounds that hold, evaluate rows that choose nothing, options that change something."""

import dataclasses

import numpy as np
import pytest

from saddlepoint.errors import InputError
from saddlepoint.judging import judge, protocol
from saddlepoint.judging.c2st import validity_checks
from saddlepoint.judging.c2st.ensemble import evaluate, fit_ensemble
from saddlepoint.judging.c2st.splits import split
from saddlepoint.judging.c2st.validity_checks import NullControl, null_control
from saddlepoint.judging.samples import check


def normal(n, seed, mean=0.0, d=1):
    return mean + np.random.default_rng(seed).standard_normal((n, d))


def quick(real, fake, **options):
    return judge(real, fake, **({"pool": "quick", "control": False} | options))


def test_finds_most_of_a_known_jsd_and_not_more():
    verdict = judge(normal(1500, 0), normal(6000, 1, mean=1.0), held_out="declared")
    assert verdict.certified
    assert 0.4 * 0.11142 < verdict.jsd_lower < 0.11142
    assert verdict.jsd_lower < verdict.jsd_estimate < 1.3 * 0.11142
    assert 0.4 * 0.38292 < verdict.tv_lower < 0.38292
    assert verdict.control["passed"]
    assert (verdict.n_fit, verdict.n_select, verdict.n_evaluate) == (750, 300, 450)
    assert verdict.fakes_per_real == 4
    assert verdict.floor == pytest.approx(np.log(20) * 1.25 / 450)


@pytest.mark.parametrize(("mean", "truth"), [(0.0, 0.0), (0.5, 0.0303113)])
def test_bound_lies_above_the_truth_in_at_most_one_of_twenty(mean, truth):
    # 40 repeats at a true rate of at most 5 %: more than 7 misses happen with probability 7e-4.
    above = sum(
        quick_bound(normal(300, seed), normal(600, 1000 + seed, mean=mean), seed) > truth
        for seed in range(40)
    )
    assert above <= 7


def test_near_disjoint_laws_do_not_fool_the_bound():
    rng = np.random.default_rng(0)
    above = 0
    for seed in range(25):
        real = np.where(rng.random((600, 1)) < 0.998, 0, 8) + 0.1 * rng.standard_normal((600, 1))
        above += quick_bound(real, 8 + 0.1 * rng.standard_normal((600, 1)), seed) > 0.685932
    # 25 repeats at a true rate of at most 5 %: more than 5 with probability 1.2e-3.
    assert above <= 5


def quick_bound(real, fake, seed):
    samples = check(real, fake)
    splits = split(len(real), len(fake), alpha=0.05, rng=np.random.default_rng(seed))
    ensemble = fit_ensemble(samples, splits, size="quick", alpha=0.05, seed=seed)
    return evaluate(ensemble, samples, splits, alpha=0.05).lower


@pytest.mark.parametrize("size", ["quick", "full"])
def test_evaluate_rows_change_no_weight_clip_or_choice(size):
    samples = check(normal(400, 0, d=2), normal(800, 1, mean=0.4, d=2))
    splits = split(400, 800, alpha=0.05, rng=np.random.default_rng(0))
    real, fake = samples.real.copy(), samples.fake.copy()
    real[splits.real.evaluate], fake[splits.fake.evaluate] = 100.0, -100.0
    spoiled = dataclasses.replace(samples, real=real, fake=fake)
    one, other = (fit_ensemble(s, splits, size=size, alpha=0.05, seed=3) for s in (samples, spoiled))
    assert one.choice == other.choice
    probe = normal(50, 2, d=2)
    np.testing.assert_array_equal(one.logits(probe), other.logits(probe))
    spoiled_reading = evaluate(other, spoiled, splits, alpha=0.05)
    assert spoiled_reading.lower != evaluate(one, samples, splits, alpha=0.05).lower


def test_fit_and_select_rows_do_change_the_choice():
    samples = check(normal(400, 0), normal(400, 1, mean=0.4))
    splits = split(400, 400, alpha=0.05, rng=np.random.default_rng(0))
    real = samples.real.copy()
    real[splits.real.select] += 3
    other = dataclasses.replace(samples, real=real)
    one, two = (fit_ensemble(s, splits, size="quick", alpha=0.05, seed=3).choice for s in (samples, other))
    assert one != two


def test_a_seed_repeats_the_verdict_and_leaves_global_randomness_alone():
    real, fake = normal(300, 0), normal(300, 1, mean=1)
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    one, again, other = (judge(real, fake, random_state=seed, control=False) for seed in (4, 4, 5))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert dataclasses.replace(one, seconds=0) == dataclasses.replace(again, seconds=0)
    assert one.jsd_lower != other.jsd_lower


def test_confidence_lowers_the_bound():
    real, fake = normal(500, 0), normal(500, 1, mean=1)
    loose, tight = (quick(real, fake, confidence=level) for level in (0.8, 0.999))
    assert 0 < tight.jsd_lower < loose.jsd_lower
    assert tight.floor > loose.floor


def test_scaling_both_sides_leaves_about_the_same_bound():
    real, fake = normal(1000, 0), normal(1000, 1, mean=1)
    plain = quick(real, fake).jsd_lower
    assert quick(1e6 * real + 1e7, 1e6 * fake + 1e7).jsd_lower == pytest.approx(plain, abs=0.01)


def test_fewer_fakes_than_real_rows_make_blocks_of_real_rows():
    verdict = quick(normal(3000, 0), normal(750, 1, mean=1))
    assert verdict.fakes_per_real == 0.25
    assert verdict.n_evaluate == 4 * 225
    assert verdict.certified
    assert "4 for each fake row" in str(verdict)


def test_held_out_no_certifies_nothing():
    verdict = quick(normal(500, 0), normal(500, 1, mean=2), held_out="no")
    assert not verdict.certified
    assert verdict.jsd_lower > 0.1
    assert str(verdict).startswith(
        "The generator was trained on these real rows, so the bound below does NOT"
    )


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_the_same_rows_twice_are_said(order):
    rows = normal(200, 0)
    verdict = quick(rows, rows[order])
    assert not verdict.certified
    assert verdict.jsd_lower is None
    assert str(verdict).splitlines()[1].startswith("No verdict. The real and the fake rows are the same")


def test_equal_counts_of_coins_are_not_the_same_rows():
    coins = np.repeat([0.0, 1.0], 100)
    verdict = quick(coins, np.random.default_rng(0).permutation(coins))
    assert verdict.jsd_lower == 0


def test_copied_real_rows_and_repeats_and_series_are_noted():
    rows = normal(300, 0)
    shared = quick(rows, np.concatenate([normal(200, 1), rows[:100]]))
    assert shared.notes == ("100 of the 300 fake rows are exact copies of real rows given here.",)
    repeated = np.concatenate([rows, rows[:50]])[np.random.default_rng(2).permutation(350)]
    assert quick(repeated, normal(350, 3)).notes[0].startswith("50 of the real rows repeat an earlier one")
    series = np.cumsum(normal(300, 4), axis=0)
    (note,) = quick(series, normal(300, 5, d=1)).notes
    assert "The order of the real rows matters (column x1: correlation 0.9" in note
    assert "give groups" in note
    assert quick(rows, normal(300, 6)).notes == ()


def test_groups_replace_the_warning_and_change_the_count():
    series = np.repeat(normal(60, 0), 10, axis=0) + 0.01 * normal(600, 1)
    grouped = quick(series, normal(600, 2), groups=np.repeat(np.arange(60), 10))
    assert grouped.n_evaluate == 18
    assert grouped.notes[0].startswith("One row of each group was read")


def test_a_failed_control_gives_no_bound(monkeypatch):
    failed = NullControl(passed=False, accuracy=0.57, jsd_lower=0.004, p=1e-5, n=1000)
    monkeypatch.setattr(protocol, "null_control", lambda *args, **kwargs: failed)
    verdict = judge(normal(200, 0), normal(200, 1, mean=3), pool="quick")
    assert not verdict.certified
    assert verdict.jsd_lower is None
    assert verdict.notes[0].startswith(
        "The control failed: between two halves of the real rows the classifier accuracy is 57.0 %"
    )
    assert "No verdict. The control failed" in str(verdict)


def test_control_passes_on_independent_rows_and_fails_when_its_reading_says_so(monkeypatch):
    samples = check(normal(400, 0), normal(400, 1))
    found = null_control(samples, groups=None, size="quick", seed=0)
    assert found.passed
    assert found.n == 400
    honest = validity_checks.evaluate
    monkeypatch.setattr(
        validity_checks, "evaluate", lambda *a, **k: dataclasses.replace(honest(*a, **k), lower=0.01)
    )
    assert not null_control(samples, groups=None, size="quick", seed=0).passed
    monkeypatch.setattr(
        validity_checks,
        "evaluate",
        lambda *a, **k: dataclasses.replace(honest(*a, **k), right=(55, 55), lower=0.0),
    )
    assert not null_control(samples, groups=None, size="quick", seed=0).passed


def test_too_few_rows_for_a_control_are_said():
    verdict = judge(normal(40, 0), normal(40, 1), pool="quick")
    assert verdict.control is None
    assert "Too few real rows for the control" in verdict.notes[0]


def test_progress_is_told():
    heard = []
    judge(normal(100, 0), normal(100, 1, mean=3), pool="quick", progress=heard.append)
    assert heard[0] == "judging real rows against real rows"
    assert "fitting the referee 'trees'" in heard
    assert "evaluating" in heard


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"held_out": "declare"}, "'declare', did you mean 'declared'. Allowed are unknown, declared, no"),
        ({"confidence": 95}, "confidence is 95; it must be at least 0.5 and less than 1"),
        ({"held_out": None}, "held_out is None. Allowed are unknown, declared, no, or True for declared"),
        ({"random_state": "a"}, "random_state is 'a'; give a whole number from 0 on, or None"),
        ({"random_state": -1}, "random_state is -1; give a whole number"),
        ({"pool": "ful"}, "'ful', did you mean 'full'. Allowed are full, quick"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        judge(normal(100, 0), normal(100, 1), **options)


def test_training_rows_are_searched_for_copies():
    pytest.importorskip("saddlepoint.judging.memorisation")
    train = normal(300, 0, d=3)
    copied = quick(normal(300, 1, d=3), np.concatenate([train[:150], normal(150, 2, d=3)]), train=train)
    assert copied.memorisation["copying"]
    fresh = quick(normal(300, 1, d=3), normal(300, 3, d=3), train=train)
    assert not fresh.memorisation["copying"]
    assert quick(normal(300, 1, d=3), normal(300, 3, d=3)).memorisation is None


def test_pictures_are_judged_and_the_noise_ladder_grades_what_saturates():
    rng = np.random.default_rng(0)
    blank = rng.integers(100, 110, (500, 8, 8)).astype(np.uint8)
    near = rng.integers(110, 120, (500, 8, 8)).astype(np.uint8)
    verdict = judge(blank, near, pool="quick", control=False)
    assert verdict.jsd_lower > 0.5
    assert [rung["sigma"] for rung in verdict.noise_smoothed] == [0.1, 0.2, 0.4, 0.8]
    points, others = rng.standard_normal((2, 600, 1))
    thin, moved = np.hstack([points, points]), np.hstack([others, others + 0.3])
    near, far = quick(thin, moved), quick(thin, moved + np.array([0, 5.0]))
    assert min(near.jsd_lower, far.jsd_lower) > 0.5
    assert near.noise_smoothed[-1]["jsd_lower"] < 0.05 < 0.2 < far.noise_smoothed[-1]["jsd_lower"]
    assert quick(points, others).noise_smoothed is None


def test_one_thread_is_used_and_given_back():
    import threadpoolctl
    import torch

    torch.set_num_threads(2)
    try:
        seen = []
        judge(
            normal(60, 0),
            normal(60, 1, mean=2),
            control=False,
            progress=lambda words: seen.append(
                (
                    torch.get_num_threads(),
                    max(pool["num_threads"] for pool in threadpoolctl.threadpool_info()),
                )
            ),
        )
        assert set(seen) == {(1, 1)}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_true_and_false_say_what_the_real_rows_were():
    real, fake = normal(100, 0), normal(100, 1)
    assert quick(real, fake, held_out=True).held_out == "declared"
    assert quick(real, fake, held_out=np.False_).held_out == "no"
