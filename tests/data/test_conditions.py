"""Conditions on columns, and tables with missing cells: what is read, what is refused, what stays exactly as it came."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from saddlepoint.data.conditions import Conditions
from saddlepoint.data.imputation import ImputationTask
from saddlepoint.data.tables.read import frame_of
from saddlepoint.data.tables.schema import infer
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import InputError

N = 400


def towns() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    city = rng.choice(["Rome", "Oslo", "Lima"], N, p=[0.6, 0.3, 0.1])
    return pd.DataFrame(
        {
            "key": [f"K{i:05d}" for i in rng.permutation(N)],
            "city": city,
            "country": pd.Series(city).map({"Rome": "EU", "Oslo": "EU", "Lima": "PE"}),
            "age": rng.integers(18, 90, N),
            "pay": np.round(rng.lognormal(7, 1, N), 2),
            "child": pd.array(np.where(rng.random(N) < 0.3, None, rng.integers(0, 4, N)), dtype="Int64"),
            "born": pd.Timestamp("1950-01-01") + pd.to_timedelta(rng.integers(0, 20_000, N), unit="D"),
            "member": rng.random(N) < 0.4,
            "kind": "a",
        }
    )


@pytest.fixture(scope="module")
def encoder() -> TableTransformer:
    frame = frame_of(towns())
    return TableTransformer.fit(frame, infer(frame))


@pytest.mark.parametrize(
    ("given", "meets"),
    [
        (["city=Oslo"], lambda f: f["city"] == "Oslo"),
        (["city=Oslo|Lima"], lambda f: f["city"] != "Rome"),
        (["country=PE"], lambda f: f["city"] == "Lima"),
        (["country=EU"], lambda f: f["city"] != "Lima"),
        ({"age": (30, 40)}, lambda f: f["age"].between(30, 40)),
        (["age=..25|80..", "member=True"], lambda f: ~f["age"].between(26, 79) & f["member"]),
        ({"child": [1, 2]}, lambda f: f["child"].isin([1, 2]).fillna(False)),
        ({"child": None}, lambda f: f["child"].isna()),
        (["born=1960-01-01..1969-12-31"], lambda f: f["born"].dt.year.between(1960, 1969)),
        (["age=30..60", "age=50..70"], lambda f: f["age"].between(50, 60)),
    ],
)
def test_conditions_say_which_rows_meet_them(encoder, given, meets) -> None:
    frame = towns()
    conditions = Conditions.read(encoder, given)
    good = np.asarray(meets(frame), dtype=bool)
    accepted = conditions.accepted(frame_of(frame))
    exact = [each for each in conditions.predicates.values() if each.exact is not None]
    if not exact:
        np.testing.assert_array_equal(accepted, good)
    assert good[~accepted].sum() == 0
    levels, known = conditions.known(200, np.linspace(0, 1, 200, endpoint=False))
    if not known.any():
        assert list(conditions.predicates) == ["born"]
        return
    drawn = encoder.decode(encoder.to_features(*_tensors(levels, encoder)))
    owners = {encoder.transformers[at].name for at in np.array(encoder.columns_of_blocks)[known]}
    for name in owners:
        values = set(drawn[name].dropna().tolist())
        assert values <= set(frame.loc[good, name].dropna().tolist())


def _tensors(levels, encoder):
    import torch

    return torch.from_numpy(levels), torch.full((len(levels), encoder.draws), 0.5)


def test_a_set_takes_each_value_by_its_share(encoder) -> None:
    conditions = Conditions.read(encoder, ["city=Rome|Lima"])
    levels, known = conditions.known(10_000, np.random.default_rng(0).random(10_000))
    place = int(np.flatnonzero(known)[0])
    transformer = next(transformer for transformer in encoder.transformers if transformer.name == "city")
    share = np.mean(levels[:, place] == transformer.values.to_pylist().index("Lima"))
    frame = towns()
    expected = (frame["city"] == "Lima").sum() / (frame["city"] != "Oslo").sum()
    assert share == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("citi=Rome", "There is no column 'citi', did you mean 'city'?"),
        ("city=Roma", "Column 'city' never was 'Roma' in training, did you mean 'Rome'?"),
        ("age=200", "Column 'age' never was 200 in training; the values seen range from 18 to 89."),
        ("age=95..", "Column 'age' never was 95.. in training; the values seen range from 18 to 89."),
        ("age=40..30", "The range 40..30 of column 'age' is empty: write the smaller end first."),
        ("age=old", "Column 'age' holds numbers, and 'old' is not a number"),
        ("age=", "Column 'age' was never empty in training"),
        ("born=2200-01-01", "Column 'born' never was 2200-01-01 in training"),
        ("born=soon", "Column 'born' holds dates, and 'soon' is not one"),
        ("key=K00001", "Column 'key' holds identifiers, which are not learnt"),
        ("kind=b", "Column 'kind' is always 'a', so kind=b cannot be met"),
        ("city", "The condition 'city' is not understood; write COLUMN=VALUE"),
        ("age>=30", "The condition 'age>=30' is not understood; write 'age=30..' (a range"),
        ("age<30", "The condition 'age<30' is not understood; write 'age=..30' (a range"),
        ("age=>30", "The condition 'age>30' is not understood; write 'age=30..' (a range"),
    ],
)
def test_a_condition_that_cannot_be_met_is_refused_in_a_sentence(encoder, given, said) -> None:
    with pytest.raises(InputError) as error:
        Conditions.read(encoder, [given])
    assert said in str(error.value)


@pytest.mark.parametrize(
    "given",
    [
        ["city=Rome", "city=Oslo"],
        ["city=Rome", "country=PE"],
        ["age=20..30", "age=40..50"],
        ["child=", "child=1"],
    ],
)
def test_conditions_that_contradict_each_other_are_refused(encoder, given) -> None:
    with pytest.raises(InputError, match=f"{given[0]} and {given[1]}"):
        Conditions.read(encoder, given)


def test_a_partial_table_knows_its_cells_and_writes_them_back(encoder) -> None:
    whole = frame_of(towns())
    rng = np.random.default_rng(1)
    holes = towns().drop(columns="pay")
    for name in ("city", "age", "child", "born"):
        holes[name] = holes[name].mask(rng.random(N) < 0.4)
    partial = ImputationTask.of(encoder, frame_of(holes))
    owners = np.array(encoder.columns_of_blocks)
    for at, transformer in enumerate(encoder.transformers):
        mine = partial.known[:, owners == at]
        if transformer.name == "city":  # the country tells the city, or that it is one of two
            assert mine.all()
            assert (partial.codes[:, owners == at][holes["country"] == "PE", 0] == 0).all()
        elif transformer.name == "pay":
            assert not mine.any()
        elif transformer.name in ("age", "child", "born"):
            np.testing.assert_array_equal(mine.all(1), holes[transformer.name].notna())
    out = partial.with_known_cells(whole)
    pd.testing.assert_frame_equal(out[list(whole.columns)], whole.assign(child=out["child"]))
    seen = holes["child"].notna().to_numpy()
    assert (out["child"].to_numpy()[seen] == holes["child"].to_numpy()[seen]).all()


def test_columns_that_are_not_filled_keep_their_holes_and_unknown_ones_are_refused(encoder) -> None:
    holes = towns()
    holes["city"] = holes["city"].mask(np.arange(N) < 10)
    partial = ImputationTask.of(encoder, frame_of(holes), ["age"])
    assert partial.with_known_cells(frame_of(towns()))["city"].isna().sum() == 10
    assert not partial.forbidden.any()
    with pytest.raises(InputError, match="'agee', did you mean 'age'"):
        ImputationTask.of(encoder, frame_of(holes), ["agee"])
    with pytest.raises(InputError, match="'Paris', which did not occur in training"):
        ImputationTask.of(encoder, frame_of(towns().assign(city="Paris")))


def test_a_column_left_out_is_known_and_refused_like_any_other() -> None:
    """Categories in pairs: one of them is left out of what is learnt; text tells as much as categories."""
    frame = towns()[["city", "age"]].astype({"city": "category"})
    frame["code"] = frame["city"].cat.rename_categories({"Lima": "L", "Oslo": "O", "Rome": "R"})
    learnt = frame_of(frame)
    encoder = TableTransformer.fit(learnt, infer(learnt))
    assert encoder.dependencies
    for told, open_ in (("city", "code"), ("code", "city")):
        text = frame.astype({"city": str, "code": str}).assign(**{open_: None})
        partial = ImputationTask.of(encoder, frame_of(text))
        assert partial.known.all()
        assert (partial.codes == ImputationTask.of(encoder, learnt).codes).all()
        with pytest.raises(InputError, match=f"'{told}' holds 'Paris'"):
            ImputationTask.of(encoder, frame_of(text.assign(**{told: "Paris"})))


def test_of_identifiers_only_missing_ones_can_be_asked_for() -> None:
    frame = frame_of(towns().assign(key=lambda f: f["key"].where(f["age"] > 30)))
    encoder = TableTransformer.fit(frame, infer(frame))
    conditions = Conditions.read(encoder, ["key="])
    assert (conditions.accepted(frame, exact=True) == frame["key"].isna()).all()
    levels, known = conditions.known(3, np.full(3, 0.5))
    at = [encoder.transformers[column].name for column in encoder.columns_of_blocks].index("key")
    assert list(np.flatnonzero(known)) == [at]
    assert levels[:, at].tolist() == [1, 1, 1]
    with pytest.raises(InputError, match=r"key=K00001 .* key= "):
        Conditions.read(encoder, ["key=K00001"])
