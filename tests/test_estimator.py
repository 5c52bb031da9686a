"""`GAN` behaves as scikit-learn's users expect, and hands back what came in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import saddlepoint as sp
from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.judging.metrics.parzen import log_density

pytestmark = pytest.mark.usefixtures("quick_looks")

ROUNDS = 4
QUICK = {"capacity": "small", "rounds": ROUNDS, "random_state": 0}


@parametrize_with_checks([sp.GAN(capacity="small", rounds=2)])
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(0).normal([1.0, -2.0], [2.0, 0.5], size=(300, 2))


@pytest.fixture(scope="module")
def fitted(points):
    return sp.GAN(**QUICK).fit(points)


@pytest.fixture(scope="module")
def by_class(points):
    labels = np.where(points[:, 0] > 0, "right", "left")
    return sp.GAN(**QUICK).fit(points, labels)


# -- what scikit-learn's tools ask of an estimator ---------------------------------------------------------------


def test_fit_does_not_change_the_parameters_and_clone_forgets_what_was_learnt(points):
    gan = sp.GAN(**QUICK)
    before = gan.get_params()
    assert gan.fit(points) is gan
    assert gan.get_params() == before
    copy = clone(gan)
    assert copy.get_params() == before
    assert not hasattr(copy, "model_")


def test_the_same_random_state_gives_the_same_fit_and_another_gives_another(points, fitted):
    again = sp.GAN(**QUICK).fit(points).sample(5, random_state=1)
    np.testing.assert_array_equal(again, fitted.sample(5, random_state=1))
    other = sp.GAN(**{**QUICK, "random_state": 1}).fit(points).sample(5, random_state=1)
    assert not np.array_equal(other, again)
    same = sp.GAN(**{**QUICK, "random_state": np.int64(0)}).fit(points).sample(5, random_state=1)
    np.testing.assert_array_equal(same, again)


def test_in_a_pipeline_behind_a_scaler(points):
    pipeline = make_pipeline(StandardScaler(), sp.GAN(**QUICK)).fit(points)
    scaled = pipeline[:-1].transform(points)
    assert pipeline.score(points) == pytest.approx(pipeline[-1].score(scaled))
    assert np.isfinite(pipeline.score_samples(points)).all()


def test_grid_search_over_the_score_ranks_by_it(points):
    search = GridSearchCV(
        sp.GAN(capacity="small", start="noise", random_state=0), {"rounds": [1, 20]}, cv=2
    ).fit(points)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert scores[0] != scores[1]
    assert search.best_params_ == {"rounds": [1, 20][int(np.argmax(scores))]}
    assert search.best_estimator_.sample(3).shape == (3, 2)


def test_what_was_learnt_ends_in_an_underscore_and_is_true(points, fitted):
    assert fitted.n_rounds_ == fitted.model_.description["rounds"] == ROUNDS
    assert fitted.n_features_in_ == 2
    assert sum(fitted.splits_.values()) == len(points)
    assert [record["round"] for record in fitted.records_] == list(range(ROUNDS))
    assert fitted.stop_reason_.startswith(f"all {ROUNDS} rounds are played")
    assert not hasattr(fitted, "classes_")


@pytest.mark.parametrize(
    "ask",
    [
        lambda gan: gan.sample(1),
        lambda gan: gan.decision_function([[0.0, 0.0]]),
        lambda gan: gan.score_samples([[0.0, 0.0]]),
        lambda gan: gan.score([[0.0, 0.0]]),
        lambda gan: gan.save("nowhere"),
        sp.cite,
    ],
)
def test_nothing_can_be_asked_before_fit(ask):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        ask(sp.GAN())


def test_numbers_in_one_dimension_are_refused_as_scikit_learn_does(fitted):
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        sp.GAN(**QUICK).fit(np.arange(9.0))
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        fitted.decision_function(np.arange(2.0))
    with pytest.raises(ValueError, match="X has 3 features, but GAN is expecting 2"):
        fitted.score_samples(np.eye(3))


WRONG = [
    ({"rounds": 0}, "rounds is 0; give a whole number of at least 1."),
    ({"rounds": 2.5}, "rounds is 2.5; give a whole number of at least 1."),
    ({"rounds": "10"}, "rounds is '10'; give a whole number of at least 1."),
    ({"rounds": True}, "rounds is True; give"),
    ({"minutes": -1}, "minutes is -1; give a number above 0."),
    ({"minutes": "2"}, "minutes is '2'; give a number above 0."),
    ({"batch": 0}, "batch is 0; it must be a whole number of at least 1."),
    ({"batch": 2.5}, "batch is 2.5; it must be a whole number"),
    (
        {"recipe": "modrn"},
        "Unknown recipe 'modrn', did you mean 'modern'? Allowed are auto, goodfellow2014",
    ),
    ({"recipe": None}, "Unknown recipe None. Allowed are auto, goodfellow2014, modern"),
    ({"capacity": "huge"}, "Unknown capacity 'huge'. Allowed are small, medium, large."),
    ({"objective": "relativstic"}, "'relativstic', did you mean 'relativistic'?"),
    ({"objective": 3}, "No objective is called 3. The objectives are minimax, "),
    (
        {"precision": "f16"},
        "Unknown precision 'f16', did you mean 'bf16'? Allowed are float32, bf16, float64.",
    ),
    ({"device": "gpu"}, "The device 'gpu' cannot be used here; allowed are 'cpu'"),
]


def refusals():
    """Yield what is done and the act, for the page of errors."""
    rows = np.random.default_rng(0).normal(size=(30, 2))
    for wrong, _ in WRONG:
        ((name, value),) = wrong.items()
        yield f"`GAN({name}={value!r})`", lambda wrong=wrong: sp.GAN(**{**QUICK, **wrong}).fit(rows)


@pytest.mark.parametrize(("wrong", "sentence"), WRONG)
def test_a_wrong_parameter_is_named_with_what_is_allowed(points, wrong, sentence):
    with pytest.raises(InputError) as caught:
        sp.GAN(**{**QUICK, **wrong}).fit(points)
    assert sentence in str(caught.value)


def test_each_parameter_changes_something(points, fitted):  # where the mixture is kept, the game cannot
    def drawn(**changed):
        return sp.GAN(**{**QUICK, "rounds": 3, "start": "noise", **changed}).fit(points)

    first = drawn().sample(4, random_state=0)
    assert not np.array_equal(fitted.sample(4, random_state=0), first)  # start is not plain
    for changed in (
        {"recipe": "goodfellow2014"},
        {"capacity": "medium"},
        {"rounds": 4},
        {"objective": "hinge"},
        {"batch": 64},
        {"precision": "bf16"},
        {"precision": "float64"},
    ):
        assert not np.array_equal(drawn(**changed).sample(4, random_state=0), first), changed
    assert next(drawn(precision="float64").model_.generator.parameters()).element_size() == 8
    assert drawn(rounds=None, minutes=0.002).n_rounds_ >= 1


def test_verbose_speaks_and_silence_is_the_default(points, capsys):
    sp.GAN(**QUICK).fit(points)
    assert capsys.readouterr() == ("", "")
    sp.GAN(**QUICK, verbose=True).fit(points)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith(
        "GAN: 240 rows of 2 columns, float64 to train on; recipe modern, objective relativistic"
    )
    assert first.endswith(f"{ROUNDS} rounds")
    assert last.startswith(f"GAN: all {ROUNDS} rounds are played")


def test_verbose_says_a_line_now_and_then(points, capsys, monkeypatch):
    monkeypatch.setattr("saddlepoint.estimator.gan._SECONDS_BETWEEN_LINES", 0.0)
    sp.GAN(**QUICK, verbose=True).fit(points)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == ROUNDS + 2
    assert lines[1].startswith(f"GAN: round 1 of {ROUNDS}, ")
    assert "rounds/s, loss D " in lines[1]


# -- the form that came in goes out ------------------------------------------------------------------------------


def frame():
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "weight": random.normal(70, 10, 60),
            "count": random.integers(0, 9, 60),
            "small": random.integers(-5, 5, 60).astype(np.int8),
            "yes": random.random(60) < 0.4,
            "height": random.normal(1.7, 0.1, 60).astype(np.float32),
        }
    )


def test_a_pandas_frame_in_and_out():
    came = frame().assign(nullable=pd.array(np.arange(60) % 7, dtype="Int16"))
    came["arrow"] = pd.array(np.linspace(0, 1, 60), dtype="double[pyarrow]")
    gan = sp.GAN(**QUICK).fit(came)
    samples = gan.sample(7)
    assert isinstance(samples, pd.DataFrame)
    pd.testing.assert_series_equal(samples.dtypes, came.dtypes)
    assert list(gan.feature_names_in_) == list(came.columns)
    assert samples["count"].between(0, 8).all()


def test_a_pandas_frame_with_numbers_for_names_gets_them_back():
    came = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=[2, 0, 1])
    samples = sp.GAN(**QUICK).fit(came).sample(4)
    assert list(samples.columns) == [2, 0, 1]
    assert list(samples.index) == [0, 1, 2, 3]


def test_a_polars_frame_in_and_out():
    came = pl.from_pandas(frame())
    gan = sp.GAN(**QUICK).fit(came)
    samples = gan.sample(7)
    assert isinstance(samples, pl.DataFrame)
    assert samples.schema == came.schema
    assert np.isfinite(gan.decision_function(came)).all()


def test_a_pyarrow_table_in_and_out():
    came = pa.Table.from_pandas(frame(), preserve_index=False)
    samples = sp.GAN(**QUICK).fit(came).sample(7)
    assert isinstance(samples, pa.Table)
    assert samples.schema.equals(came.schema.remove_metadata())


def test_frames_that_cannot_be_learnt_from_are_told_why():
    wide = frame()[["weight", "height"]].set_axis(pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]), axis=1)
    with pytest.raises(InputError, match="column labels have 2 levels"):
        sp.GAN(**QUICK).fit(wide)
    with pytest.raises(InputError, match=r"LazyFrame.* X\.collect\(\)"):
        sp.GAN(**QUICK).fit(pl.from_pandas(frame()).lazy())


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_column_of_text_makes_a_table(library):
    came = library({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "x"]})
    gan = sp.GAN(rounds=1, random_state=0).fit(came)
    assert gan.model_.like.kind == "tables"
    assert type(gan.sample(2)) is type(came)


@pytest.mark.parametrize("name", ["people.csv", Path("people.csv")])
def test_a_name_in_place_of_rows_is_told(name):
    with pytest.raises(InputError, match=r"'people\.csv'.*read_csv.*`saddlepoint train people\.csv`"):
        sp.GAN(**QUICK).fit(name)


@pytest.mark.parametrize("y", [[0.0, np.nan, 1.0, np.nan] * 10, ["a", None, "b", None] * 10])
def test_missing_classes_are_told_without_a_warning(y):
    with pytest.raises(InputError, match=r"y has 20 missing values .* row 2"):
        sp.GAN(**QUICK).fit(np.arange(80.0).reshape(40, 2), y)


def test_a_batch_beyond_the_rows_is_refused_and_the_recipe_s_own_is_not():
    rows = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(InputError, match=r"batch of 31 .* 30 training rows"):
        sp.GAN(**{**QUICK, "batch": 31}).fit(rows)
    assert sp.GAN(**{**QUICK, "batch": None}).fit(rows).sample(2).shape == (2, 2)


def test_citing_what_is_no_model_is_told():
    with pytest.raises(InputError, match=r"cite .* 3, .* GAN or a Model"):
        sp.cite(3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_an_array_comes_back_in_its_dtype(dtype):
    came = np.random.default_rng(0).integers(0, 100, (50, 3)).astype(dtype)
    samples = sp.GAN(**QUICK).fit(came).sample(5)
    assert samples.dtype == dtype
    assert samples.shape == (5, 3)


def test_refitting_on_another_form_forgets_the_first(points):
    gan = sp.GAN(**QUICK).fit(frame(), np.arange(60) % 2)
    gan.score(frame())
    gan.fit(points)
    assert isinstance(gan.sample(2), np.ndarray)
    assert not hasattr(gan, "classes_")
    assert not hasattr(gan, "feature_names_in_")
    assert gan.score(points) == sp.GAN(**QUICK).fit(points).score(points)


GREY = np.random.default_rng(0).integers(0, 256, (40, 6, 5), dtype=np.uint8)


@pytest.mark.parametrize(
    "pictures",
    [
        GREY,
        GREY[..., None],
        np.repeat(GREY[..., None], 3, axis=3),
        np.repeat(GREY[:, None], 3, axis=1).repeat(2, axis=3),
        (GREY / 255).astype(np.float32),
        GREY.astype(np.int64),
    ],
    ids=["grey", "channel last", "colour", "channels first", "fractions", "int64"],
)
def test_pictures_come_back_in_their_shape_and_dtype(pictures):
    gan = sp.GAN(**QUICK).fit(pictures)
    samples = gan.sample(3)
    assert samples.shape == (3, *pictures.shape[1:])
    assert samples.dtype == pictures.dtype
    assert samples.min() >= 0
    assert samples.max() <= pictures.max()
    assert gan.n_features_in_ == pictures[0].size
    assert gan.decision_function(pictures).shape == (40,)


def test_pictures_have_no_parzen_score():
    gan = sp.GAN(**QUICK).fit(GREY)
    for ask in (gan.score_samples, gan.score):
        with pytest.raises(InputError, match=r"pictures .*saddlepoint\.judge"):
            ask(GREY)


# -- sampling ----------------------------------------------------------------------------------------------------


def test_a_draw_is_fresh_each_call_unless_a_random_state_is_given(fitted):
    assert not np.array_equal(fitted.sample(4), fitted.sample(4))
    np.testing.assert_array_equal(fitted.sample(4, random_state=3), fitted.sample(4, random_state=3))
    assert not np.array_equal(fitted.sample(4, random_state=3), fitted.sample(4, random_state=4))
    state = np.random.RandomState(3)
    first, second = fitted.sample(4, random_state=state), fitted.sample(4, random_state=state)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, fitted.sample(4, random_state=np.random.RandomState(3)))


def test_a_random_state_means_the_same_to_the_estimator_and_the_model(fitted):
    np.testing.assert_array_equal(fitted.sample(4, random_state=3), fitted.model_.sample(4, random_state=3))


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "3", None])
def test_a_number_of_samples_that_is_none(fitted, n):
    with pytest.raises(InputError, match=f"{n!r} samples .* at least 1"):
        fitted.sample(n)


# -- classes -----------------------------------------------------------------------------------------------------


def test_fit_with_y_learns_classes(points, by_class):
    assert list(by_class.classes_) == ["left", "right"]
    assert by_class.sample(3, given="left").shape == (3, 2)
    one_each = by_class.sample(2, given=["left", "right"], random_state=0)
    np.testing.assert_array_equal(one_each[0], by_class.sample(2, given="left", random_state=0)[0])
    np.testing.assert_array_equal(one_each[1], by_class.sample(2, given="right", random_state=0)[1])


def test_the_logit_without_a_class_is_the_mean_over_classes_by_share(points, by_class):
    shares = by_class.model_.description["class_shares"]
    each = [by_class.decision_function(points, name) for name in by_class.classes_]
    np.testing.assert_allclose(by_class.decision_function(points), shares[0] * each[0] + shares[1] * each[1])
    names = np.where(np.arange(len(points)) % 2 == 0, "left", "right")
    mixed = by_class.decision_function(points, names)
    np.testing.assert_allclose(mixed[::2], each[0][::2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mixed[1::2], each[1][1::2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (
            np.linspace(0, 1, 300),
            "y is continuous; the classes to condition on must be one whole number or text per row",
        ),
        (np.zeros((300, 2), int), "y is multilabel-indicator; the classes"),
        (np.arange(7), "X: 7 labels for 300 rows; give one for each row."),
    ],
)
def test_a_y_that_is_no_class(points, y, sentence):
    with pytest.raises(InputError) as caught:
        sp.GAN(**QUICK).fit(points, y)
    assert sentence in str(caught.value)


def test_groups_are_not_torn(points):
    groups = np.arange(300) // 3
    gan = sp.GAN(**QUICK).fit(points, groups=groups)
    assert all(size % 3 == 0 for size in gan.splits_.values())
    assert gan.splits_["monitor"] > 0
    with pytest.raises(InputError, match="X: 4 groups for 300 rows"):
        sp.GAN(**QUICK).fit(points, groups=[1, 2, 3, 4])


# -- density -----------------------------------------------------------------------------------------------------


def test_the_log_density_is_in_the_units_of_x(points, fitted):
    """Scaling a column by c moves the log-density by -log c (the games are the same: columns are standardised)."""
    scaled = points * [4.0, 1.0]
    moved = sp.GAN(**QUICK).fit(scaled)
    np.testing.assert_allclose(
        moved.score_samples(scaled), fitted.score_samples(points) - np.log(4.0), atol=1e-3
    )


def test_the_density_integrates_to_one_in_the_units_of_x(monkeypatch):
    monkeypatch.setattr("saddlepoint.estimator.gan.SAMPLES", 300)
    x = np.random.default_rng(0).normal(50.0, 9.0, size=(200, 1))
    gan = sp.GAN(**QUICK).fit(x)
    window = gan._parzen_score
    samples, sigma, volume = window.samples, window.sigma, window.volume
    reach = (np.abs(samples).max() + 9 * sigma) * np.exp(volume)
    grid = np.linspace(50 - 1.2 * reach, 50 + 1.2 * reach, 10_001)
    assert grid[1] - grid[0] < sigma * np.exp(volume) / 2
    assert np.trapezoid(np.exp(gan.score_samples(grid[:, None])), grid) == pytest.approx(1.0, abs=1e-9)


def test_score_is_the_mean_and_equals_the_parzen_window(points, fitted):
    assert fitted.score(points) == pytest.approx(fitted.score_samples(points).mean())
    assert fitted.score(points, np.zeros(300)) == fitted.score(points)
    window = fitted._parzen_score
    samples, sigma, volume = window.samples, window.sigma, window.volume
    encoded = fitted.model_.encoder.points.encode(points, dtype=torch.float64).numpy()
    np.testing.assert_allclose(fitted.score_samples(points), log_density(encoded, samples, sigma) - volume)
    assert volume == pytest.approx(np.log(points[:, 0].std() * points[:, 1].std()), abs=0.2)


def test_columns_that_never_varied_are_left_out_of_the_density(points, fitted):
    wide = sp.GAN(**QUICK).fit(np.column_stack([points, np.full(300, 5.0)]))
    there, elsewhere = np.array([[1.0, -2.0, 5.0]]), np.array([[1.0, -2.0, 6.0]])
    assert wide.score_samples(there) == wide.score_samples(elsewhere)
    assert (wide.sample(9)[:, 2] == 5.0).all()


# -- on disk -----------------------------------------------------------------------------------------------------


def test_saved_and_loaded_the_estimator_is_the_same(points, fitted, tmp_path):
    fitted.save(tmp_path)
    loaded = sp.load(tmp_path)
    np.testing.assert_array_equal(loaded.sample(9, random_state=5), fitted.sample(9, random_state=5))
    np.testing.assert_array_equal(loaded.score_samples(points), fitted.score_samples(points))
    np.testing.assert_array_equal(loaded.decision_function(points), fitted.decision_function(points))
    assert loaded.get_params() == fitted.get_params()
    for name in ("n_rounds_", "n_features_in_", "records_", "stop_reason_", "splits_"):
        assert getattr(loaded, name) == getattr(fitted, name)


def test_a_conditional_estimator_and_numpy_parameters_survive(points, by_class, tmp_path):
    gan = clone(by_class).set_params(rounds=np.int64(ROUNDS), random_state=np.random.RandomState(0))
    gan.fit(points, np.where(points[:, 0] > 0, "right", "left")).save(tmp_path)
    loaded = sp.load(tmp_path)
    assert list(loaded.classes_) == ["left", "right"]
    assert loaded.get_params() == {**gan.get_params(), "rounds": ROUNDS, "random_state": None}
    np.testing.assert_array_equal(
        loaded.sample(4, given="left", random_state=1), gan.sample(4, given="left", random_state=1)
    )


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_loaded_estimator_gives_the_library_s_frame(library, tmp_path):
    came = {
        "pandas": frame,
        "polars": lambda: pl.from_pandas(frame()),
        "pyarrow": lambda: pa.Table.from_pandas(frame(), preserve_index=False),
    }[library]()
    gan = sp.GAN(**QUICK).fit(came)
    gan.save(tmp_path)
    loaded = sp.load(tmp_path)
    assert type(loaded.sample(2)) is type(came)
    assert loaded.sample(5, random_state=0).equals(gan.sample(5, random_state=0))
    assert loaded.score(came) == gan.score(came)


def test_pictures_survive(tmp_path):
    gan = sp.GAN(**QUICK).fit(GREY)
    gan.save(tmp_path)
    loaded = sp.load(tmp_path)
    np.testing.assert_array_equal(loaded.sample(3, random_state=0), gan.sample(3, random_state=0))
    assert loaded.n_features_in_ == 30


def numbers_in(stored):
    if isinstance(stored, dict | list):
        for value in stored.values() if isinstance(stored, dict) else stored:
            yield from numbers_in(value)
    elif isinstance(stored, float):
        yield stored


def test_no_row_of_the_data_is_saved(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 2))
    sp.GAN(**QUICK).fit(x).save(tmp_path)
    files = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    assert len(files) == 2
    # The range (low, high) of each column is part of its encoder.
    assert len(set(x.ravel()) & set(numbers_in(files))) == 4


def test_a_damaged_estimator_is_refused(fitted, tmp_path):
    fitted.save(tmp_path)
    stored = json.loads((tmp_path / "estimator.json").read_text())
    for content in (
        "{",
        "[]",
        json.dumps({**stored, "parameters": {"size": 3}}),
        json.dumps({**stored, "frame": 3}),
    ):
        (tmp_path / "estimator.json").write_text(content)
        with pytest.raises(StoredFileError, match="estimator"):
            sp.load(tmp_path)


def test_there_is_nothing_to_load(tmp_path):
    with pytest.raises(InputError, match=r"no model in .*model\.json"):
        sp.load(tmp_path)


def test_it_cannot_be_saved_into_a_file(fitted, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoredFileError, match="taken"):
        fitted.save(tmp_path / "taken")


def test_companions_stand_in_the_final_verdict(points):
    rows = np.concatenate([points, points + 0.01 * np.random.default_rng(0).normal(size=points.shape)] * 2)
    gan = sp.GAN(**QUICK, until="budget", metrics="mmd").fit(rows)
    assert {companion["name"] for companion in gan.verdict_.metrics} == {"MMD^2"}
    with pytest.raises(ValueError, match=r"metrics mmd .* final verdict"):
        sp.GAN(**QUICK, metrics=["mmd"]).fit(rows)
