import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.text import Text

from saddlepoint.drawing.curves import curves, running_median, thinned
from saddlepoint.drawing.style import DATA, DISCRIMINATOR, MODEL, to_png
from saddlepoint.errors import InputError

RNG = np.random.default_rng(0)


def words(figure):
    return " | ".join(text.get_text() for text in figure.findobj(Text))


def game(count):
    loss = {
        "discriminator": 1.4 + 0.1 * RNG.normal(size=count),
        "generator": 0.7 + 0.1 * RNG.normal(size=count),
    }
    logit = {"real": RNG.normal(size=count), "fake": RNG.normal(size=count)}
    return np.arange(count) * 10, {"loss (nats)": loss, "mean logit": logit}


@pytest.mark.parametrize("count", [0, 1, 2, 30, 31, 1401, 100_000])
def test_any_number_of_records_gives_a_figure(count):
    rounds, series = game(count)
    figure = curves(rounds, series, references={"loss (nats)": {"log 4": np.log(4)}}, title="Losses")
    for part in ("loss (nats)", "mean logit", "rounds", "log 4", "discriminator", "fake", "Losses"):
        assert part in words(figure)
    assert ("no records" in words(figure)) == (count == 0)
    assert ("Thick: the running median" in words(figure)) == (count > 30)
    assert len(to_png(figure, dpi=40)) > 1000
    assert sum(len(line.get_xdata()) for axes in figure.axes for line in axes.get_lines()) < 8000


def test_the_panels_share_the_axis_of_rounds_and_the_players_keep_their_colours():
    figure = curves(*game(100))
    first, second = figure.axes
    assert first.get_xlim() == second.get_xlim()
    legend = {
        axes: [to_hex(line.get_color()) for line in axes.get_legend().get_lines()] for axes in figure.axes
    }
    assert legend[first] == [DISCRIMINATOR.colour, MODEL.colour]
    assert legend[second] == [DATA.colour, MODEL.colour]


def test_lines_of_no_role_get_colours_of_their_own():
    rounds = np.arange(40)
    figure = curves(rounds, {"p": dict.fromkeys(("one", "two", "generator", "three"), rounds * 1.0)})
    colours = [line.get_color() for line in figure.axes[0].get_legend().get_lines()]
    assert len(set(colours)) == 4
    assert colours[2] == MODEL.colour


def test_an_early_spike_does_not_flatten_the_rest_and_is_said():
    rounds, series = game(500)
    series["loss (nats)"]["generator"][0] = 4e4
    figure = curves(rounds, series)
    low, high = figure.axes[0].get_ylim()
    assert high - low < 3
    assert "loss (nats): spikes up to 40,000 are cut." in words(figure)
    assert "spikes" not in words(curves(*game(500)))


def test_values_that_cannot_be_drawn_are_counted():
    rounds, series = game(50)
    series["mean logit"]["real"][3] = np.nan
    figure = curves(rounds, series, log=["loss (nats)"])
    assert "mean logit: not drawn because not finite: 1 of 100 values." in words(figure)
    series["loss (nats)"]["generator"][:2] = 0.0
    figure = curves(rounds, series, log=["loss (nats)"])
    assert "loss (nats): not drawn because not finite or not positive: 2 of 100 values." in words(figure)
    assert figure.axes[0].get_yscale() == "log"
    all_lost = {"p": {"a": np.full(50, np.nan)}}
    assert "50 of 50 values" in words(curves(rounds, all_lost))


def test_reference_lines_stand_at_their_level_and_share_a_name_when_too_close():
    rounds, series = game(40)
    levels = {
        "loss (nats)": {"log 4": np.log(4), "log 2": np.log(2)},
        "mean logit": {"D = 1/2": 0.0, "near": 0.001},
    }
    figure = curves(rounds, series, references=levels)
    flat = [line.get_ydata()[0] for line in figure.axes[0].get_lines() if np.ptp(line.get_ydata()) == 0]
    assert sorted(flat) == pytest.approx([np.log(2), np.log(4)])
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert "log 2" in texts
    assert "log 4" in texts
    assert "D = 1/2, near" in texts


@given(st.integers(1, 5000), st.integers(0, 2**32 - 1))
def test_thinning_keeps_the_ends_and_the_extremes(count, seed):
    values = np.random.default_rng(seed).normal(size=count)
    kept = thinned(values)
    assert len(kept) <= max(1400, 2) + 2
    assert {0, count - 1, int(values.argmin()), int(values.argmax())} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_the_running_median_ignores_lone_spikes_and_follows_a_trend():
    at = np.arange(1000.0)
    values = 2 * at
    values[::50] = 1e9
    places, medians = running_median(at, values)
    inside = (places > 30) & (places < 970)
    assert np.abs(medians - 2 * places)[inside].max() <= 4
    assert medians.max() < 2100


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: curves([0, 1], {"p": {"a": [1.0]}}), r"series\['p'\]\['a'\] has shape \(1,\); .* \(2,\)"),
        (lambda: curves([[0, 1]], {}), r"rounds has shape \(1, 2\)"),
        (lambda: curves([1, 1], {}), "rounds must be finite and increase"),
        (lambda: curves([0, np.nan], {}), "rounds must be finite and increase"),
        (lambda: curves([0], {"p": {}}, log=["q"]), "no panel 'q'; the panels are 'p'"),
        (lambda: curves([0], {}, references={"q": {}}), "no panel 'q'; the panels are none"),
        (lambda: curves([0], {"p": {"a": ["x"]}}), "cannot be read as numbers"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(call, message):
    with pytest.raises(InputError, match=message):
        call()
