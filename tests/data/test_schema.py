from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saddlepoint.data.tables.schema import infer
from saddlepoint.data.tables.types import FORMATS, GIVEN, Reason, decimals_of
from saddlepoint.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = next(
    (up / "shared" / "data" for up in REPOSITORY.parents if (up / "shared" / "data").is_dir()), Path("none")
)
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data folder is not there")


def kinds(frame, **overrides):
    return {column.name: column.kind for column in infer(frame, overrides).columns}


def kind_of(values, name="x"):
    return infer(pd.DataFrame({name: values})).columns[0].kind


def refused(call, *parts):
    with pytest.raises(InputError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, 2.25, None], "numeric"),
        ([1.0, 2.0, np.nan], "integer"),
        ([0, 1, 0, 1], "integer"),
        ([True, False, None], "boolean"),
        (["true", "False", "true"], "boolean"),
        (["yes", "no", "yes"], "categorical"),
        (pd.Categorical(["a", "b", "c"]), "categorical"),
        (["2020-01-02", "2021-12-31", None], "date-time"),
        (["2/1/2020", "31/12/2021", "1/1/1999"], "date-time"),
        (pd.to_datetime(["2020-01-02", "2021-12-31"]), "date-time"),
        (["a", "a", "a"], "constant"),
        (["a", "a", None], "categorical"),
        ([None, None], "constant"),
        ([f"u{i}" for i in range(30)], "identifier"),
        ([f"u{i % 14}" for i in range(30)], "categorical"),
        ([f"u{i}" for i in range(5)], "categorical"),
        (list(range(100, 150)), "identifier"),
        (list(range(0, 10**9, 10**7)), "integer"),
        (["2020-01-02", "soon", "2020-01-04"], "categorical"),
        ([np.inf, 1.0, 2.0], "numeric"),
    ],
)
def test_kinds_by_the_stated_rules(values, kind):
    assert kind_of(values) == kind


def test_a_column_called_a_key_is_one_and_drawn_numbers_are_not():
    drawn = np.random.default_rng(0).choice(10**9, 500, replace=False)
    assert [kind_of(drawn, name) for name in ("user_id", "PassengerId", "Key", "paid", "weight")] == [
        "identifier",
        "identifier",
        "integer",
        "integer",
        "integer",
    ]


def test_independent_whole_numbers_are_rarely_taken_for_keys():
    """The birthday rule errs once in 10,000 uniform draws; 2 of 400 would be a defect (chance 1e-3)."""
    generator = np.random.default_rng(0)
    taken = 0
    for _ in range(400):
        n = int(generator.integers(20, 60))
        taken += kind_of(generator.integers(0, generator.integers(n, 2000), n)) == "identifier"
    assert taken < 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 8), st.lists(st.integers(-(10**5), 10**5), min_size=1, max_size=20))
def test_decimals_are_the_fewest_that_write_every_value(digits, whole):
    values = np.array([float(f"{n}e-{digits}") for n in whole])
    found = decimals_of(values)
    written = max(next(p for p in range(digits + 1) if n * 10**p % 10**digits == 0) for n in whole)
    assert found == written
    assert decimals_of(values * (1 + 2e-16)) == written


def test_decimals_of_what_has_none():
    generator = np.random.default_rng(0)
    assert decimals_of(generator.normal(size=100)) is None
    assert decimals_of(np.array([1e-30, 3e-30])) is None
    assert decimals_of(np.array([np.nan, np.inf])) is None
    assert decimals_of(np.array([2.0**60, 1.0])) == 0
    assert decimals_of(np.array([0.1 + 0.2])) == 1
    assert decimals_of(np.float32([0.1, 0.25]).astype(float), precision=np.float32) == 2


def test_every_date_format_is_found_or_one_that_reads_the_same():
    moments = pd.to_datetime(["2021-12-31 23:59:58.25", "1999-01-13 01:02:03.50", "2003-05-17 12:00:00.75"])
    for date_format in FORMATS[::3]:
        stamps = moments.tz_localize("UTC") if "%z" in date_format else moments
        frame = pd.DataFrame({"at": stamps.strftime(date_format)})
        schema = infer(frame)
        assert schema.columns[0].kind == "date-time", date_format
        expected = (
            pd.to_datetime(frame["at"], format=date_format, utc=True).dt.as_unit("us").astype("int64") / 1e6
        )
        np.testing.assert_allclose(schema.matrix(frame).values[:, 0], expected, err_msg=date_format)


def test_dates_of_every_type_are_the_same_seconds():
    text = pd.DataFrame({"at": ["2020-01-02 03:04:05", None, "1969-12-31 00:00:00"]})
    stamps = pd.DataFrame({"at": pd.to_datetime(text["at"])})
    for real, fake in ((text, stamps), (stamps, text), (text, pl.from_pandas(stamps))):
        first, second = infer(real).matrices(real, fake)
        np.testing.assert_array_equal(first.values, second.values)
    assert first.values[0, 0] == 1577934245.0
    assert np.isnan(first.values[1, 0])
    assert first.values[2, 0] == -86400.0


def test_dates_beyond_nanoseconds_are_read():
    frame = pd.DataFrame({"day": ["0001-01-01", "9999-12-31"]})
    assert infer(frame).matrix(frame).values[1, 0] == 253402214400.0


def test_both_sides_share_one_code_book():
    real = pd.DataFrame(
        {"c": ["b", "a", "b", None], "n": [1, 2, 3, None], "yes": ["true", "false", "true", None]}
    )
    fake = pd.DataFrame({"n": [1.5, 2.0, 3.0], "yes": [True, False, True], "c": ["z", "a", "b"]})
    first, second = infer(real).matrices(real, fake)
    assert first.names == second.names == ("c", "n", "yes")
    assert first.categories == (("b", "a", "z"), None, ("false", "true"))
    np.testing.assert_array_equal(first.values[:, 0], [0, 1, 0, np.nan])
    np.testing.assert_array_equal(second.values[:, 0], [2, 1, 0])
    np.testing.assert_array_equal(second.values[:, 1], [1.5, 2, 3])
    np.testing.assert_array_equal(second.values[:, 2], [1, 0, 1])
    np.testing.assert_array_equal(first.categorical, [True, False, True])
    assert first.values.dtype == np.float64


def test_whole_numbers_as_categories_survive_a_passage_through_floats():
    real = pd.DataFrame({"code": [3, 5, 3]})
    first, second = infer(real, {"code": "categorical"}).matrices(
        real, pd.DataFrame({"code": [3.0, np.nan, 7.0]})
    )
    assert first.categories[0] == ("3", "5", "7")
    np.testing.assert_array_equal(second.values[:, 0], [0, np.nan, 2])


def test_what_is_left_out_is_said_and_a_changed_constant_is_not_left_out():
    real = pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(30)],
            "land": ["de"] * 30,
            "note": [f"w{i}" if i % 2 else None for i in range(30)],
        }
    )
    schema = infer(real, {"note": "identifier"})
    same, _ = schema.matrices(real, real)
    assert same.names == ("note",)
    np.testing.assert_array_equal(np.isnan(same.values[:, 0]), np.arange(30) % 2 == 0)
    assert [name for name, _ in same.left_out] == ["id", "land", "note"]
    assert "30 of 30" in same.left_out[0][1]
    _, fake = schema.matrices(real, real.assign(land="fr"))
    assert fake.names == ("land", "note")
    np.testing.assert_array_equal(fake.values[:, 0], 1)


def test_overrides_are_obeyed_or_refused_with_the_first_cell():
    frame = pd.DataFrame(
        {"age": ["30", "?", "41"], "x": [1.0, 2.5, 3.0], "n": ["7", "8", "08"], "d": ["1.1.20", "x", "y"]}
    )
    assert kinds(frame, x="categorical", n="integer", age="identifier") == {
        "age": "identifier",
        "x": "categorical",
        "n": "integer",
        "d": "categorical",
    }
    np.testing.assert_array_equal(infer(frame, {"n": "integer"}).matrix(frame).values[:, 2], [7, 8, 8])
    refused(lambda: infer(frame, {"age": "integer"}), "'age'", "row 2", "'?'", "numbers")
    refused(lambda: infer(frame, {"x": "integer"}), "'x'", "row 2", "2.5", "numeric")
    refused(lambda: infer(frame, {"d": "date-time"}), "'d'", "row 1", "dates")
    refused(lambda: infer(frame, {"n": "boolean"}), "'n'", "row 1", "true and false")
    refused(lambda: infer(frame, {"x": "constant"}), "'x'", "3 different values")
    refused(lambda: infer(frame, {"Age": "integer"}), "'Age'", "did you mean 'age'?")
    refused(lambda: infer(frame, {"age": "integr"}), "'integr'", "did you mean 'integer'?", "identifier")


def test_a_second_table_is_held_against_the_first():
    real = pd.DataFrame(
        {"age": [1, 2, 3], "job": ["a", "b", "a"], "at": ["2020-01-01", "2020-01-02", "2020-01-05"]}
    )
    schema = infer(real)
    schema.matrix(real[["at", "job", "age"]])
    schema.matrix(pl.from_pandas(real))
    refused(
        lambda: schema.matrix(real.rename(columns={"age": "Age"})), "'age'", "renamed to 'Age'", "The table"
    )
    refused(lambda: schema.matrices(real, real.drop(columns="job")), "The fake table lacks column 'job'")
    refused(lambda: schema.matrix(real.assign(pay=1)), "has the extra column 'pay'")
    refused(lambda: schema.matrix(real.assign(age=["1", "old", "3"])), "'age'", "row 2", "'old'")
    refused(
        lambda: schema.matrix(real.assign(at=["2020-01-01", "never", "x"])),
        "'at'",
        "row 2",
        "'never'",
        "%Y-%m-%d",
    )
    refused(lambda: schema.matrices(real, real.assign(at=[1, 2, 3])), "'at' of the fake table", "int64")
    refused(lambda: schema.column("jobb"), "did you mean 'job'?")
    assert schema.column("job").kind == "categorical"


@pytest.mark.parametrize(
    ("name", "values", "reason", "told"),
    [
        ("pay", [1.25, 2.0, None, 4.0], Reason.NUMBERS, ""),
        ("whole", [1.0, 2.0, None, 2.0], Reason.WHOLE_FLOATS, ""),
        ("n", [4, 5, 5, 7], Reason.WHOLE_NUMBERS, ""),
        ("id", [4, 5, 6, 7], Reason.NAMED_KEY, ""),
        ("n", list(range(10, 40)), Reason.COUNTER, "all 30 distinct within a range of 30"),
        ("land", ["de"] * 4, Reason.ONE_VALUE, ""),
        ("land", [None] * 4, Reason.NO_VALUE, ""),
        ("yes", ["true", "False", None], Reason.TRUTH_VALUES, ""),
        ("at", ["2020-01-02", "2021-12-31"], Reason.DATES_AS_TEXT, "%Y-%m-%d"),
        ("word", [f"u{i}" for i in range(30)] + [None], Reason.DISTINCT_TEXT, "30 of 30 texts"),
        ("word", ["a", "b", "a"], Reason.REPEATED_TEXT, ""),
        (
            "n",
            [str(i) for i in range(59)] + ["?"],
            Reason.DIRTY_TEXT,
            "numbers except 1 cell that is not a number, '?' in row 60",
        ),
    ],
)
def test_each_reason_has_its_kind_and_its_sentence(name, values, reason, told):
    column = infer(pd.DataFrame({name: values})).column(name)
    assert column.reason is reason
    assert column.kind == reason.kind
    assert told in column.describe()
    assert "{" not in column.describe()


def test_a_column_with_many_other_cells_is_not_dirty():
    column = infer(pd.DataFrame({"few": ["1", "2", "x"] * 20})).column("few")
    assert column.reason is Reason.REPEATED_TEXT
    assert column.dirty is None
    given = infer(pd.DataFrame({"few": ["1", "2", "x"] * 20}), {"few": "identifier"}).column("few")
    assert given.reason is GIVEN


@needs_shared
def test_real_tables():
    adult = infer(SHARED / "adult.csv")
    assert sum(column.kind == "integer" for column in adult.columns) == 6
    assert sum(column.kind == "categorical" for column in adult.columns) == 9
    train, test = adult.matrices(SHARED / "adult.csv", SHARED / "adult_test.csv")
    assert train.values.shape == (32561, 15)
    assert not np.isnan(test.values).any()
    titanic = {column.name: column for column in infer(SHARED / "titanic.csv").columns}
    assert [titanic[name].kind for name in ("PassengerId", "Name", "Age", "Pclass", "Embarked")] == [
        "identifier",
        "identifier",
        "numeric",
        "integer",
        "categorical",
    ]
    assert titanic["Age"].nulls == pytest.approx(177 / 891)
    taxis = {column.name: column for column in infer(SHARED / "taxis.csv").columns}
    assert taxis["pickup"].date_format == "%Y-%m-%d %H:%M:%S"
    assert taxis["fare"].decimals == 2
    assert {column.decimals for column in infer(SHARED / "stock_data.csv").columns} == {6, 0}
