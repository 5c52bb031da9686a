"""Quick estimates between rounds: a snapshot must be better than the fitted start, and estimates change nothing."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from scipy import stats

from saddlepoint.data.encoders import gaussian_mixture
from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError
from saddlepoint.fitting import Estimated, FitOptions, preparation, prepare
from saddlepoint.fitting.monitor import EstimateRecord, _preferred, refused_snapshots
from saddlepoint.judging.memorisation import memorisation_test
from saddlepoint.judging.monitor.quick_c2st import quick_estimate


def fit_of(rows, tmp_path=None, **choices):
    preparation = prepare(open_source(rows, name="X"), FitOptions(capacity="small", **choices))
    return preparation.fit(tmp_path, strip=False)


def arc(n):
    random = np.random.default_rng(0)
    angle = random.uniform(0, 5, n)
    return np.column_stack([np.cos(angle), np.sin(angle)]) + 0.1 * random.normal(size=(n, 2))


def test_an_estimate_is_near_zero_for_one_law_and_near_the_truth_for_two():
    """The truth by quadrature; 5 standard errors (1 in a million) of slack, and .02 for what the referee misses."""
    random = np.random.default_rng(0)
    one, same, other = (
        random.normal(size=(4000, 1)),
        random.normal(size=(4000, 1)),
        random.normal(2, 1, (4000, 1)),
    )
    level = quick_estimate(one, same)
    assert abs(level.jsd) < 5 * level.error + 0.005
    apart = quick_estimate(one, other)
    x = np.linspace(-8, 10, 20_001)
    p, q = stats.norm.pdf(x), stats.norm.pdf(x, 2)
    truth = np.trapezoid(p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q)), x) / 2
    assert truth - 5 * apart.error - 0.02 < apart.jsd < truth + 5 * apart.error


def test_an_estimate_needs_ten_rows_of_each():
    with pytest.raises(InputError, match="9 real and 80 fake"):
        quick_estimate(np.zeros((9, 1)), np.zeros((80, 1)))


def test_where_the_start_is_the_law_itself_the_start_is_kept():
    fit = fit_of(np.random.default_rng(0).normal(size=(3000, 2)), rounds=200)
    looked = [event for event in fit.play() if isinstance(event, Estimated)]
    assert [event.round for event in looked] == [0, 50, 100, 150, 200]
    model = fit.model()
    assert model.description["kept_round"] == 0
    z = model.noise(20, 0)
    torch.testing.assert_close(model.generate(z), model.generator.base(z), rtol=0, atol=0)
    assert "did not measurably improve" in fit.gain_of_game()


def test_where_the_start_is_coarse_the_game_earns_its_place(monkeypatch):
    monkeypatch.setattr(gaussian_mixture, "MOST_COMPONENTS", 1)
    fit = fit_of(arc(4000), rounds=400)
    list(fit.play())
    seen = fit.selection.estimates()
    model = fit.model()
    assert model.description["kept_round"] in (100, 200, 300, 400)
    assert min(each["jsd"] for each in seen[1:]) < seen[0]["jsd"] / 2
    assert "the game improved on the mixture" in fit.gain_of_game()
    kept = {each["round"]: each["jsd"] for each in seen}[model.description["kept_round"]]
    again = quick_estimate(
        np.asarray(fit.selection._real),
        np.asarray(model.draw(max(2000, 2 * len(fit.selection._real)), random_state=0)[0]),
    )
    assert again.jsd == pytest.approx(kept)


def test_a_fit_in_parts_sees_and_keeps_what_a_fit_at_once_does(tmp_path, monkeypatch):
    monkeypatch.setattr(gaussian_mixture, "MOST_COMPONENTS", 1)
    once = fit_of(arc(3000), rounds=40)
    list(once.play())
    first = fit_of(arc(3000), tmp_path, rounds=40)
    list(first.play(until_round=25))
    assert [each["round"] for each in first.selection.estimates()] == [0, 10, 20, 25]  # one at the stop
    second = fit_of(arc(3000), tmp_path, rounds=40)
    second.resume()
    assert [each["round"] for each in second.selection.estimates()] == [0, 10, 20]  # but it is not stored
    list(second.play())
    assert second.selection.estimates() == once.selection.estimates()
    assert second.model().description == once.model().description
    for name, value in once.model().generator.state_dict().items():
        torch.testing.assert_close(second.model().generator.state_dict()[name], value, rtol=0, atol=0)


def test_a_small_table_is_estimated_early_and_copies_of_it_are_refused(monkeypatch):
    """By the last round G has memorised 160 rows of 12-D noise: fresh rows show it (the test is exact: 1 in 100)."""
    monkeypatch.setattr(gaussian_mixture, "MOST_COMPONENTS", 1)
    random = np.random.default_rng(1)
    fit = fit_of(random.normal(size=(200, 12)), rounds=400, batch=64)
    list(fit.play())
    seen = fit.selection.estimates()
    assert [each["round"] for each in seen] == [0, 3, 6, 12, 25, 50, 100, 200, 300, 400]
    assert seen[-1]["copies"]
    train, fresh = np.asarray(fit.selection._train.rows, dtype=float), random.normal(size=(200, 12))
    last, kept = (
        memorisation_test(train, fresh, np.asarray(model.draw(2000, random_state=0)[0]))
        for model in (fit.playing(), fit.model())
    )
    assert last.copying
    assert last.p < kept.p
    assert not kept.copying
    assert "memorisation test found copies of training rows" in fit.gain_of_game()
    assert f"of {len(seen) - 1} quick estimates" in fit.gain_of_game()


def test_a_snapshot_that_copies_never_takes_the_place_of_one_that_does_not():
    near, far = (
        EstimateRecord(round=1, jsd=jsd, error=0.01, copies=copies)
        for jsd, copies in ((0.01, True), (0.3, False))
    )
    assert _preferred(far, near)
    assert not _preferred(near, far)
    assert refused_snapshots([asdict(EstimateRecord(round=0, jsd=0.1, error=0.1)), asdict(far)], 1) is None
    assert "at 1 of 2 quick estimates; these snapshots are refused and round 1 is kept" in refused_snapshots(
        [asdict(EstimateRecord(round=0, jsd=0.1, error=0.1)), asdict(near), asdict(far)], 1
    )
    assert "too few rows to learn from" in refused_snapshots([asdict(near)], 1)


def test_the_components_for_few_rows_are_halved_while_they_copy(monkeypatch):
    asked = []
    monkeypatch.setattr(
        preparation, "copies", lambda train, monitor, fake: asked.append(len(fake)) or len(asked) < 2
    )
    random = np.random.default_rng(0)
    rows = random.normal(size=(900, 2)) + 40 * random.integers(0, 2, size=(900, 2))
    free = prepare(open_source(rows, name="X"), FitOptions()).encoder.components
    assert asked == [2000, 2000]
    assert free < 4
    asked[:] = [0, 0]
    assert prepare(open_source(rows, name="X"), FitOptions()).encoder.components == 4


def test_few_rows_and_pictures_have_no_estimates():
    assert fit_of(arc(90), rounds=4).selection is None
    pictures = np.random.default_rng(0).integers(0, 256, size=(600, 4, 4), dtype=np.uint8)
    assert fit_of(pictures, rounds=4).selection is None
    assert fit_of(arc(600), rounds=4, start="noise").selection is not None


def test_an_unfit_start_is_refused():
    pictures = np.random.default_rng(0).integers(0, 256, size=(600, 4, 4), dtype=np.uint8)
    with pytest.raises(InputError, match=r"'mixture' .* points .* 'modern', not for pictures"):
        fit_of(pictures, start="mixture")
    with pytest.raises(InputError, match="not for points of 'goodfellow2014'"):
        fit_of(arc(300), start="learned", recipe="goodfellow2014")
    with pytest.raises(InputError, match="'mixtur', did you mean 'mixture'"):
        fit_of(arc(300), start="mixtur")
