import numpy as np
import pytest
from matplotlib.text import Text

from saddlepoint.drawing.figure1 import Moment, figure1, moments
from saddlepoint.drawing.points import MOST_MARKS, as_cloud, decision_field, extent, lines, pairs, probability
from saddlepoint.drawing.style import DATA, DISCRIMINATOR, MODEL, to_png
from saddlepoint.errors import InputError

RNG = np.random.default_rng(0)
PLANE, LINE = RNG.normal(size=(60, 2)), RNG.normal(size=60)


def words(figure):
    return " | ".join(text.get_text() for text in figure.findobj(Text))


def ink(figure):
    return {line.get_color(): line.get_linestyle() for line in figure.legends[0].get_lines()}


def slope(points):
    return points[:, :1]


# Every figure of points in one list: each must survive the same bad weather.
def draw_figure1(data, samples):
    return figure1(data[:, 0], samples[:, 0], logit=slope, transport=samples)


def draw_field(data, samples):
    return decision_field(data, samples, logit=slope)


def draw_lines(data, samples):
    return lines(samples.reshape(1, -1, 2), data=data)


FIGURES = [draw_figure1, draw_field, pairs, draw_lines]
WEATHER = {
    "no samples": (PLANE, PLANE[:0], "There are no"),
    "nothing": (PLANE[:0], PLANE[:0], "There are no data to draw."),
    "one of each": (PLANE[:1], PLANE[1:2], ""),
    "not finite": (PLANE, np.vstack([PLANE, [[np.nan, 0.0], [0.0, np.inf]]]), "finite: "),
    "constant": (np.ones((50, 2)), np.ones((50, 2)), ""),
    "far away": (PLANE, 1e30 * PLANE, ""),
}


@pytest.mark.parametrize("draw", FIGURES)
@pytest.mark.parametrize("weather", WEATHER)
def test_odd_points_still_give_a_figure_that_says_what_is_odd(draw, weather):
    data, samples, said = WEATHER[weather]
    figure = draw(data, samples)
    assert said in words(figure)
    for axes in figure.axes:
        assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()
    assert len(to_png(figure, dpi=40)) > 1000


def test_the_roles_keep_their_colours_and_dashes_in_every_figure():
    one = ink(draw_figure1(PLANE, PLANE))
    assert {DATA.colour, MODEL.colour, DISCRIMINATOR.colour} == set(one)
    field = ink(draw_field(PLANE, PLANE))
    assert set(field) == set(one)
    assert len({DATA.marker, MODEL.marker, DISCRIMINATOR.marker}) == 3
    lightness = [
        np.dot([0.2126, 0.7152, 0.0722], _linear(pen.colour)) for pen in (DATA, DISCRIMINATOR, MODEL)
    ]
    assert lightness[1] > 2 * lightness[0]  # told apart in greyscale too
    assert lightness[2] > 2 * lightness[1]


def _linear(colour):
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def test_figure_1_draws_D_as_a_probability_and_states_the_bandwidth():
    figure = figure1(LINE, LINE + 1, logit=lambda x: np.full(len(x), np.log(3.0)), name="pay $", title="T")
    twin = figure.axes[-1]
    assert twin.get_ylim() == (0, 1)
    curve = max(twin.get_lines(), key=lambda line: len(line.get_xdata()))
    assert np.allclose(curve.get_ydata(), 0.75)
    assert any(np.allclose(line.get_ydata(), 0.5) for line in twin.get_lines())
    for part in ("density", "D(x)", "1/2", "pay $", "p_data", "p_g", "standard deviation", "T"):
        assert part in words(figure)


def test_figure_1_takes_the_true_density_when_it_is_known():
    figure = figure1(LINE, LINE, density=lambda x: np.full((len(x), 1), 0.25))
    dotted = next(line for line in figure.axes[0].get_lines() if line.get_color() == DATA.colour)
    assert np.allclose(dotted.get_ydata(), 0.25)
    assert "p_data is exact" in words(figure)


def test_the_arrows_of_figure_1_end_where_the_noise_lands():
    z = np.linspace(-1, 1, 11)
    figure = figure1(LINE, LINE, transport=np.stack([z, 2 * z], axis=1))
    (quiver,) = figure.axes[1].collections
    ends = quiver.get_offsets()[:, 0] + quiver.U
    assert np.allclose(ends, 2 * z)
    starts = quiver.get_offsets()[:, 0]
    assert np.allclose(np.diff(starts), np.diff(starts)[0])
    assert "−1" in words(figure)


def test_a_collapsed_generator_does_not_flatten_the_data_and_its_peak_is_said():
    figure = figure1(RNG.normal(size=3000), np.zeros(500))
    data = next(line for line in figure.axes[0].get_lines() if line.get_color() == DATA.colour)
    assert max(data.get_ydata()) >= figure.axes[0].get_ylim()[1] / 4
    assert "its peak is" in words(figure)


def test_moments_share_their_axes_and_carry_their_labels():
    panels = [
        Moment(data=LINE, samples=LINE + shift, label=f"({name})") for shift, name in ((3, "a"), (0, "b"))
    ]
    figure = moments(panels)
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert "(a)" in words(figure)
    with pytest.raises(InputError, match="There are 0 moments; Figure 1 shows 1 to 4"):
        moments([])


def test_the_field_is_D_itself_with_one_half_in_the_middle_of_the_map():
    figure = decision_field(PLANE, PLANE, logit=slope, names=["$a_1$", "b"], title="Field")
    (image,) = figure.axes[0].images
    low, high = image.get_extent()[:2]
    across = low + (np.arange(128) + 0.5) / 128 * (high - low)
    assert np.allclose(image.get_array(), 1 / (1 + np.exp(-across))[None, :])
    assert image.get_clim() == (0.0, 1.0)
    assert image.get_cmap()(0.5)[:3] == pytest.approx((1, 1, 1), abs=0.01)
    for part in ("$a_1$", "b", "D = 1/2", "D(x)", "1/2", "says data", "says model", "Field"):
        assert part in words(figure)


def test_a_field_that_is_not_a_number_is_said():
    figure = decision_field(PLANE, PLANE, logit=lambda x: np.full(len(x), np.nan))
    assert "D is not finite at 16,384 of 16,384 points of the field." in words(figure)


def test_pairs_say_which_columns_they_leave_out_and_count_every_row_in_the_margins():
    wide = RNG.normal(size=(200, 7))
    figure = pairs(wide, wide[:50] * 2, names=[f"col {i}" for i in range(7)])
    assert len(figure.axes) == 25
    text = words(figure)
    assert "The first 5 of 7 columns are shown." in text
    assert "col 4" in text
    assert "col 5" not in text
    heights, edges, _ = figure.axes[0].patches[0].get_data()
    assert np.sum(heights * np.diff(edges)) == pytest.approx(1.0)
    r = f"r = {np.corrcoef(wide[:, 0], wide[:, 1])[0, 1]:.2f}".replace("-", "−")
    assert r in text


def test_a_million_points_are_thinned_by_a_fixed_rule_that_is_said():
    huge = np.random.default_rng(1).normal(size=(1_000_000, 2))
    cloud = as_cloud(huge, "data")
    assert len(cloud.marks) == MOST_MARKS
    assert np.array_equal(cloud.marks, as_cloud(huge, "data").marks)
    figure = decision_field(huge, huge[:10])
    assert "Drawn, chosen at random: 2,000 of 1,000,000 rows of data." in words(figure)
    data, samples = (sum(len(c.get_offsets()) for c in axes.collections) for axes in figure.axes[:2])
    assert (data, samples) == (MOST_MARKS, 10)


def test_the_field_shows_data_and_samples_beside_one_another_on_the_same_axes():
    asked = []
    figure = decision_field(PLANE, PLANE[:20] + 1, logit=lambda x: asked.append(len(x)) or slope(x))
    left, right = figure.axes[:2]
    assert tuple(axes.get_title(loc="left") for axes in (left, right)) == ("data", "samples")
    assert left.get_xlim() == right.get_xlim()
    assert left.get_ylim() == right.get_ylim()
    assert np.array_equal(left.images[0].get_array(), right.images[0].get_array())
    assert len(asked) == 1
    drawn = [axes.collections[-1].get_offsets() for axes in (left, right)]
    assert np.allclose(drawn[0], PLANE)
    assert np.allclose(drawn[1], PLANE[:20] + 1)


def test_lines_hold_each_path_and_mark_both_ends():
    paths = RNG.normal(size=(3, 6, 2))
    figure = lines(paths, data=PLANE, names=["a", "b"])
    drawn = next(c for c in figure.axes[0].collections if hasattr(c, "get_segments")).get_segments()
    assert np.allclose(drawn, paths)
    flat = lines(paths[..., :1])
    drawn = next(c for c in flat.axes[0].collections if c.get_label() != "" and len(c.get_paths()) == 3)
    assert np.allclose([path.vertices[:, 0] for path in drawn.get_paths()], np.linspace(0, 1, 6))
    assert "position on the line in noise space" in words(flat)
    assert "The first 40 of 41 paths are drawn." in words(lines(np.zeros((41, 2, 1))))
    assert "There are no paths to draw." in words(lines(np.zeros((0, 2, 1))))
    broken = paths.copy()
    broken[0, 2] = np.nan
    assert "Not drawn because not finite: 1 of 18 points of the paths." in words(lines(broken))


def test_the_extent_holds_the_data_and_is_not_led_astray_by_samples():
    low, high = extent(LINE, 1e9 * LINE)
    block = np.ptp(LINE)
    assert low <= LINE.min()
    assert high >= LINE.max()
    assert high - low < 3.5 * block
    assert extent(np.empty(0), np.empty(0)) == (0.0, 1.0)
    assert extent(np.array([5.0]), np.empty(0)) == pytest.approx((4.5, 5.5))


def test_probability_stays_finite_for_large_logits():
    values = probability(lambda x: np.array([-1e4, 0.0, 1e4]), np.zeros((3, 1)))
    assert values.tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: decision_field(LINE, LINE), r"data has 1 columns; .* \(n, 2\)"),
        (lambda: figure1(PLANE, PLANE), r"data has 2 columns; .* \(n, 1\)"),
        (lambda: pairs(PLANE, LINE), "data has 2 columns and samples 1"),
        (lambda: pairs(PLANE, PLANE, names=["a"]), "There are 1 names for 2 columns"),
        (lambda: pairs(PLANE[None], PLANE), r"data has shape \(1, 60, 2\) and dtype float64"),
        (lambda: pairs([["a", "b"]], PLANE), r"data has shape \(1, 2\) and dtype <U1"),
        (lambda: figure1(LINE, LINE, transport=LINE), r"transport has 1 columns; give pairs \(z, G\(z\)\)"),
        (
            lambda: decision_field(PLANE, PLANE, logit=lambda x: x),
            r"\(16384, 2\) and returned shape \(16384, 2\)",
        ),
        (lambda: figure1(LINE, LINE, density=lambda x: [1.0]), r"shape \(2048, 1\) and returned 1 values"),
        (lambda: lines(np.zeros((2, 3, 4))), r"frames has shape \(2, 3, 4\)"),
        (lambda: lines(np.zeros((2, 3, 1)), data=PLANE), "data has 2 columns and frames have 1"),
        (lambda: lines([["a"]]), "frames cannot be read as an array of numbers"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_the_shapes(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("weather", ["one of each", "constant", "no samples"])
@pytest.mark.parametrize("draw", FIGURES)
def test_no_word_is_cut_by_the_edge(draw, weather):
    figure = draw(*WEATHER[weather][:2])
    box = figure.get_tightbbox()  # inches, of all that is drawn
    width, height = figure.get_size_inches()
    assert min(box.x0, box.y0, width - box.x1, height - box.y1) > -0.01
