"""Looks between rounds: the game must earn its place, and looking changes nothing."""

import numpy as np
import pytest
import torch
from scipy import stats

from saddlepoint.data import charts
from saddlepoint.data.sources import open_source
from saddlepoint.errors import InputError
from saddlepoint.fitting import Choices, Looked, prepare
from saddlepoint.judging.glance import glance


def fit_of(rows, tmp_path=None, **choices):
    preparation = prepare(open_source(rows, name="X"), Choices(capacity="small", **choices))
    return preparation.fit(tmp_path, strip=False)


def arc(n):
    random = np.random.default_rng(0)
    angle = random.uniform(0, 5, n)
    return np.column_stack([np.cos(angle), np.sin(angle)]) + 0.1 * random.normal(size=(n, 2))


def test_a_glance_is_near_zero_for_one_law_and_near_the_truth_for_two():
    """The truth by quadrature; 5 standard errors (1 in a million) of slack, and .02 for what the referee misses."""
    random = np.random.default_rng(0)
    one, same, other = (
        random.normal(size=(4000, 1)),
        random.normal(size=(4000, 1)),
        random.normal(2, 1, (4000, 1)),
    )
    level = glance(one, same)
    assert abs(level.jsd) < 5 * level.error + 0.005
    apart = glance(one, other)
    x = np.linspace(-8, 10, 20_001)
    p, q = stats.norm.pdf(x), stats.norm.pdf(x, 2)
    truth = np.trapezoid(p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q)), x) / 2
    assert truth - 5 * apart.error - 0.02 < apart.jsd < truth + 5 * apart.error


def test_a_glance_needs_fifty_rows_of_each():
    with pytest.raises(InputError, match="49 real and 80 fake"):
        glance(np.zeros((49, 1)), np.zeros((80, 1)))


def test_where_the_start_is_the_law_itself_the_start_is_kept():
    fit = fit_of(np.random.default_rng(0).normal(size=(3000, 2)), rounds=200)
    looked = [event for event in fit.play() if isinstance(event, Looked)]
    assert [event.round for event in looked] == [0, 50, 100, 150, 200]
    model = fit.model()
    assert model.description["kept_round"] == 0
    z = model.noise(20, 0)
    torch.testing.assert_close(model.generate(z), model.generator.base(z), rtol=0, atol=0)
    assert "added nothing" in fit.added()


def test_where_the_start_is_coarse_the_game_earns_its_place(monkeypatch):
    monkeypatch.setattr(charts, "MOST_CHARTS", 1)
    fit = fit_of(arc(4000), rounds=400)
    list(fit.play())
    seen = fit.looks.seen()
    model = fit.model()
    assert model.description["kept_round"] in (100, 200, 300, 400)
    assert min(each["jsd"] for each in seen[1:]) < seen[0]["jsd"] / 2
    assert "nearer" in fit.added()
    kept = {each["round"]: each["jsd"] for each in seen}[model.description["kept_round"]]
    again = glance(
        np.asarray(fit.looks._real),
        np.asarray(model.draw(max(2000, 2 * len(fit.looks._real)), random_state=0)[0]),
    )
    assert again.jsd == pytest.approx(kept)


def test_a_fit_in_parts_sees_and_keeps_what_a_fit_at_once_does(tmp_path, monkeypatch):
    monkeypatch.setattr(charts, "MOST_CHARTS", 1)
    once = fit_of(arc(2000), rounds=40)
    list(once.play())
    first = fit_of(arc(2000), tmp_path, rounds=40)
    list(first.play(until_round=25))
    assert [look["round"] for look in first.looks.seen()] == [0, 10, 20, 25]  # the stop is looked at
    second = fit_of(arc(2000), tmp_path, rounds=40)
    second.resume()
    assert [look["round"] for look in second.looks.seen()] == [0, 10, 20]  # but it is no part of the game
    list(second.play())
    assert second.looks.seen() == once.looks.seen()
    assert second.model().description == once.model().description
    for name, value in once.model().generator.state_dict().items():
        torch.testing.assert_close(second.model().generator.state_dict()[name], value, rtol=0, atol=0)


def test_few_rows_and_pictures_are_not_looked_at():
    assert fit_of(arc(300), rounds=4).looks is None
    pictures = np.random.default_rng(0).integers(0, 256, size=(600, 4, 4), dtype=np.uint8)
    assert fit_of(pictures, rounds=4).looks is None
    assert fit_of(arc(600), rounds=4, start="plain").looks is not None


def test_an_unfit_start_is_refused():
    pictures = np.random.default_rng(0).integers(0, 256, size=(600, 4, 4), dtype=np.uint8)
    with pytest.raises(InputError, match="'charts' is for points of the recipe 'modern', not for pictures"):
        fit_of(pictures, start="charts")
    with pytest.raises(InputError, match="not for points of 'goodfellow2014'"):
        fit_of(arc(300), start="learned", recipe="goodfellow2014")
    with pytest.raises(InputError, match="Unknown start 'chart', did you mean 'charts'"):
        fit_of(arc(300), start="chart")
