"""Conditional tables end to end: rows given cells follow the conditional law, and are not rows with a cell overwritten."""

from __future__ import annotations

import copy
import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

import saddlepoint as sp
from saddlepoint.cli import app
from saddlepoint.data.conditions import Conditions
from saddlepoint.data.opening import open_source
from saddlepoint.data.tables.read import frame_of
from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.fitting import FitOptions, prepare
from saddlepoint.model import accept_by_weight, rows_given

pytestmark = pytest.mark.usefixtures("quick_looks", "no_figures")

N = 3000


def known_law(seed: int = 0, n: int = N) -> pd.DataFrame:
    """Rows where the first column depends on the last: P(left = a | right = yes) = .9, P(a | no) = .1; x = +-2 by right."""
    rng = np.random.default_rng(seed)
    right = rng.random(n) < 0.3
    left = rng.random(n) < np.where(right, 0.9, 0.1)
    return pd.DataFrame(
        {
            "left": np.where(left, "a", "b"),
            "x": np.where(right, 2.0, -2.0) + rng.normal(size=n),
            "right": np.where(right, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def fitted() -> sp.GAN:
    return sp.GAN(rounds=20, random_state=0).fit(known_law())


def test_given_a_later_column_the_earlier_ones_follow_it(fitted) -> None:
    given = fitted.sample(2000, given={"right": "yes"}, random_state=0)
    assert (given["right"] == "yes").all()
    assert (given["left"] == "a").mean() == pytest.approx(0.9, abs=0.08)
    assert given["x"].mean() == pytest.approx(2.0, abs=0.25)
    # What overwriting the column in unconditional rows would give is another law.
    overwritten = fitted.sample(2000, random_state=0).assign(right="yes")
    assert (overwritten["left"] == "a").mean() == pytest.approx(0.34, abs=0.06)
    assert overwritten["x"].mean() < 0


def test_several_columns_sets_and_ranges_hold_in_every_row(fitted) -> None:
    rows = fitted.sample(1500, given=["x=1..", "left=a|b"], random_state=1)
    assert len(rows) == 1500
    assert (rows["x"] >= 1).all()
    truth = known_law(1, 200_000)
    expected = (truth.loc[truth["x"] >= 1, "right"] == "yes").mean()
    assert (rows["right"] == "yes").mean() == pytest.approx(expected, abs=0.06)
    both = fitted.sample(1000, given={"left": "b", "x": (0, 1)}, random_state=1)
    assert (both["left"] == "b").all()
    assert both["x"].between(0, 1).all()
    pd.testing.assert_frame_equal(
        both.iloc[:100], fitted.sample(100, given={"left": "b", "x": (0, 1)}, random_state=1)
    )


def test_an_exact_number_is_given_exactly(fitted) -> None:
    rows = fitted.sample(1000, given={"x": 1.2345678}, random_state=0)
    assert (rows["x"] == 1.2345678).all()
    truth = known_law(1, 400_000)
    near = truth["x"].between(1.13, 1.33)
    expected = (truth.loc[near, "right"] == "yes").mean()
    assert (rows["right"] == "yes").mean() == pytest.approx(expected, abs=0.1)


def test_conditions_too_rare_to_draw_are_refused(fitted) -> None:
    encoder = fitted.model_.encoder
    never = encoder.encode(frame_of(known_law().query("right == 'no'").head(1)))
    conditions = Conditions.read(encoder, {"left": "a", "right": ["yes"], "x": (0, 3)})
    with pytest.raises(InputError, match=r"102,400 rows drawn, 0 meet left=a and .* 10"):
        rows_given(
            conditions,
            lambda chunk, rows, known, entries: never.expand(len(rows), -1),
            lambda chunk, rows, known, drawn: torch.zeros(len(drawn)),
            10,
            0,
        )


@pytest.mark.parametrize("often", [0.025, 1.1])
def test_what_g_learnt_of_known_cells_changes_the_draws_but_not_their_law(fitted, monkeypatch, often) -> None:
    monkeypatch.setattr("saddlepoint.model._OFTEN", often)
    model = copy.deepcopy(fitted.model_)
    whole = model.sample(40_000, random_state=5)
    draws = torch.Generator().manual_seed(0)
    feature_blocks = model.generator.order.feature_blocks
    for name in ("context", "context_direct"):
        # Unconditional rows do not meet these weights.
        here = getattr(model.generator, f"start_{name}")[:feature_blocks]
        here += 0.3 * torch.randn(here.shape, generator=draws)
    pd.testing.assert_frame_equal(model.sample(100, random_state=5), whole.iloc[:100])
    for given, meets in (
        ({"right": "yes"}, whole["right"] == "yes"),
        ({"x": (1, 3)}, whole["x"].between(1, 3)),
    ):
        expected, rows = whole[meets], model.sample(3000, given=given, random_state=1)
        assert (rows["left"] == "a").mean() == pytest.approx((expected["left"] == "a").mean(), abs=0.03)
        assert (rows["right"] == "yes").mean() == pytest.approx((expected["right"] == "yes").mean(), abs=0.03)
        assert rows["x"].mean() == pytest.approx(expected["x"].mean(), abs=0.08)
        assert rows["x"].std() == pytest.approx(expected["x"].std(), abs=0.08)


def test_rows_are_kept_in_proportion_to_their_weights() -> None:
    draws = torch.Generator().manual_seed(0)
    assert accept_by_weight(torch.zeros(100), draws).all()
    weights = torch.tensor([1.0, 2.0, 4.0]).repeat(20_000)
    kept = accept_by_weight(weights.log() - 1000, draws)
    shares = [float(kept[at::3].float().mean()) for at in range(3)]
    assert shares == pytest.approx([0.25, 0.5, 1.0], abs=0.015)
    # Where few rows have nearly all the weight, these are cut: a sixteenth is kept all the same.
    uneven = accept_by_weight(torch.cat([torch.full((100,), 9.0), torch.zeros(9_900)]), draws)
    assert uneven[:100].all()
    assert float(uneven.float().mean()) == pytest.approx(1 / 16, abs=0.01)


def test_a_table_with_classes_says_of_each_row_the_class_it_was_drawn_for() -> None:
    rng = np.random.default_rng(0)
    y = np.where(rng.random(1500) < 0.5, "low", "high")
    frame = pd.DataFrame(
        {"x": np.where(y == "low", -3.0, 3.0) + rng.normal(size=1500), "w": rng.choice(["a", "b"], 1500)}
    )
    model = sp.GAN(rounds=5, random_state=0).fit(frame, y).model_
    rows, classes = model.draw(500, given={"w": "a"}, random_state=0)
    assert (rows["w"] == "a").all()
    assert ((rows["x"] < 0).to_numpy() == (np.asarray(classes) == "low")).mean() > 0.95


def test_complete_fills_in_by_the_conditional_law_and_leaves_known_cells_alone(fitted) -> None:
    truth = known_law(2)
    holes = truth.copy()
    rng = np.random.default_rng(3)
    for name in holes:
        holes[name] = holes[name].mask(rng.random(N) < 0.4)
    full = fitted.complete(holes, random_state=0)
    assert not full.isna().any().any()
    for name in holes:
        known = holes[name].notna()
        assert (full.loc[known, name] == holes.loc[known, name]).all()
    open_ = holes["left"].isna() & (truth["right"] == "yes") & holes["right"].notna()
    assert (full.loc[open_, "left"] == "a").mean() == pytest.approx(0.9, abs=0.12)
    pd.testing.assert_frame_equal(full, fitted.complete(holes, random_state=0))
    wholly = fitted.complete(holes[["right"]].dropna(), random_state=0)
    assert list(wholly.columns) == list(truth.columns)


def test_the_base_is_the_fitted_law_and_round_0_samples_it() -> None:
    preparation = prepare(open_source(known_law(), name="X"), FitOptions(rounds=3, seed=0))
    fit = preparation.fit()
    events = fit.play(until_round=0)
    list(events)
    start = fit.playing()
    before = start.sample(200, random_state=1)
    assert fit.started is not None
    assert fit.started.validation_curve[-1][1] < fit.started.validation_curve[0][1] - 0.05
    list(fit.play())
    moved = fit.playing()
    assert not moved.sample(200, random_state=1).equals(before)
    pd.testing.assert_frame_equal(moved.base().sample(200, random_state=1), before)


def test_plain_tables_learn_no_conditions_and_say_so() -> None:
    plain = sp.GAN(start="noise", rounds=2, random_state=0).fit(known_law(n=300))
    with pytest.raises(InputError, match=r"cannot condition on columns.*--start autoregressive"):
        plain.sample(3, given={"left": "a"})
    with pytest.raises(InputError, match="cannot condition on columns"):
        plain.complete(known_law(n=5))
    with pytest.raises(InputError, match="there is no base"):
        plain.model_.base()


def test_conditions_from_the_command_line_give_the_same_bytes_for_the_same_seed(tmp_path) -> None:
    known_law(n=400).to_csv(tmp_path / "t.csv", index=False)
    train = ["train", str(tmp_path / "t.csv"), "--rounds", "3", "--seed", "1", "--out", str(tmp_path / "run")]
    app(train, standalone_mode=False)
    outs = [tmp_path / "a.csv", tmp_path / "b.csv"]
    asked = [
        "sample",
        str(tmp_path / "run"),
        "-n",
        "50",
        "--seed",
        "2",
        "--given",
        "right=yes",
        "--given",
        "x=..3",
    ]
    for out in outs:
        app([*asked, "--out", str(out)], standalone_mode=False)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    made = pd.read_csv(outs[0])
    assert (made["right"] == "yes").all()
    assert (made["x"] <= 3).all()


def test_classes_and_conditions_hold_together() -> None:
    frame = known_law(n=1500)
    gan = sp.GAN(rounds=5, random_state=0).fit(frame[["left", "x"]], frame["right"])
    rows = gan.sample(500, given={"class": "yes", "x": (0, 9)}, random_state=0)
    assert rows["x"].between(0, 9).all()
    assert (gan.sample(500, given="yes", random_state=0)["left"] == "a").mean() > 0.75
    assert (gan.sample(500, given="no", random_state=0)["left"] == "a").mean() < 0.25
    assert torch.isfinite(torch.tensor(gan.model_.logits(rows, "yes"))).all()


def test_a_model_of_before_the_guesses_is_refused_in_a_sentence(fitted, tmp_path) -> None:
    folder = tmp_path / "model"
    fitted.model_.save(folder)
    facts = json.loads((folder / "model.json").read_text())
    tensors = safetensors.torch.load_file(folder / facts["weights"])
    order = fitted.model_.generator.order
    kept = [at for step in order.steps for at in range(step.codes_out.start, step.codes_out.stop)]
    for (
        name,
        value,
    ) in tensors.items():  # as versions saved them whose heads drew numbers in bins without a guess
        if name.startswith("generator.") and value.shape[-1:] == (order.outputs,):
            tensors[name] = value[..., kept].contiguous()
    content = safetensors.torch.save(tensors)
    (folder / facts["weights"]).write_bytes(content)
    facts["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(facts))
    with pytest.raises(
        StoredFileError,
        match=r"another version of saddlepoint.* shapes",
    ):
        sp.load(folder)
