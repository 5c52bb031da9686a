"""Laws of the table encoder: what comes back is what went in, in its own types; what must never come back does not."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from saddlepoint.data.encoders import encoder_from_dict
from saddlepoint.data.tables.read import frame_of
from saddlepoint.data.tables.schema import infer
from saddlepoint.data.transforms.features import FeatureBlock
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import InputError, StoredFileError

N = 400


def fitted(source, columns=None):
    frame = frame_of(source)
    return frame, TableTransformer.fit(frame, infer(frame, columns))


def test_scores_redrawn_within_their_levels_are_a_standard_normal():
    """Dequantised by uniform draws, the scores of non-atoms are N(0, 1) whatever the ties (p at a fixed seed)."""
    rng = np.random.default_rng(1)
    frame, encoder = fitted(
        pd.DataFrame({"x": rng.poisson(200, 20_000), "y": rng.choice(["a", "b"], 20_000)})
    )
    assert encoder.layout[0][1]
    levels = encoder.to_codes(frame)
    rows = encoder.to_features(
        levels, torch.rand(len(levels), encoder.draws, generator=torch.Generator().manual_seed(0))
    )
    scores = rows[:, -1]
    entries = encoder.layout[0][0]
    others = rows[:, entries - 1] == 1 if entries else torch.ones(len(rows), dtype=torch.bool)
    assert stats.kstest(scores[others].numpy(), "norm").pvalue > 0.01
    again = encoder.to_features(
        levels, torch.rand(len(levels), encoder.draws, generator=torch.Generator().manual_seed(7))
    )
    pd.testing.assert_frame_equal(encoder.decode(again), frame)


def test_decoding_normal_scores_gives_the_shares_of_the_levels():
    """The inverse: normal scores decode to the levels' own frequencies (chi-square, fixed seed)."""
    counts = np.array([50, 0, 200, 30, 900, 5]) + 1
    block = FeatureBlock(counts=counts, atoms=np.array([4]))
    first, _, _ = block.decode(np.full(20_000, 1), np.random.default_rng(0).normal(size=20_000))
    taken = np.bincount(first, minlength=6)[[0, 1, 2, 3, 5]]
    expected = np.delete(counts, 4) / np.delete(counts, 4).sum() * 20_000
    assert stats.chisquare(taken, expected).pvalue > 0.01


def test_ten_thousand_categories_keep_their_shares_in_few_entries():
    rng = np.random.default_rng(0)
    words = np.concatenate([[f"w{i}" for i in range(10_000)], rng.choice(["w1", "w2", "w3"], 10_000)])
    frame, encoder = fitted(
        pd.DataFrame({"word": words, "y": rng.choice(["a", "b"], 20_000)}), {"word": "categorical"}
    )
    assert encoder.shape[0] < 270
    pd.testing.assert_frame_equal(encoder.decode(encoder.encode(frame)), frame)
    assert np.exp(encoder.log_frequencies[: encoder.layout[0][0]].numpy()).sum() == pytest.approx(1)


def test_functional_dependencies_hold_in_every_row_made(drawn):
    rng = np.random.default_rng(0)
    city = rng.choice(["Rome", "Oslo", "Lima", "Bonn"], N)
    country = pd.Series(city).map({"Rome": "IT", "Oslo": "NO", "Lima": None, "Bonn": "DE"})
    frame, encoder = fitted(
        pd.DataFrame(
            {"country": country, "city": city, "n": rng.integers(0, 4, N), "m": rng.integers(0, 4, N)}
        )
    )
    assert [(each.name, each.of) for each in encoder.dependencies] == [("country", "city")]
    made = encoder.decode(drawn(encoder, 2000))
    pairs = set(
        map(tuple, frame[["city", "country"]].astype(object).where(lambda f: f.notna(), None).to_numpy())
    )
    assert (
        set(map(tuple, made[["city", "country"]].astype(object).where(lambda f: f.notna(), None).to_numpy()))
        == pairs
    )


def test_a_dependency_by_accident_is_none():
    """One odd row is a function of anything that tells this row apart."""
    odd = ["no"] * (N - 1) + ["yes"]
    _, encoder = fitted(pd.DataFrame({"odd": odd, "group": [f"g{i % 39}" for i in range(N - 1)] + ["alone"]}))
    assert not encoder.dependencies


def test_equal_columns_stay_equal(drawn):
    x = np.random.default_rng(0).normal(size=N)
    _, encoder = fitted(pd.DataFrame({"x": x, "again": x, "word": ["a", "b"] * (N // 2)}))
    made = encoder.decode(drawn(encoder, 500))
    assert (made["x"] == made["again"]).all()
    assert made["x"].nunique() > 300


def test_identifiers_are_made_anew_in_their_pattern_and_never_copied(drawn):
    rng = np.random.default_rng(0)
    keys = [f"PC {i:05d}" for i in rng.permutation(20_000)[:N]]
    uuids = ["".join(rng.choice(list("0123456789abcdef"), 8)) + "-4" + str(i % 10) for i in range(N)]
    frame, encoder = fitted(
        pd.DataFrame({"id": np.arange(N) + 1, "key": keys, "uuid": uuids, "word": ["a", "b"] * (N // 2)})
    )
    made = encoder.decode(drawn(encoder, 3000))
    for name in ("id", "key", "uuid"):
        assert encoder.kinds[name] == "identifier"
        assert not set(made[name]) & set(frame[name])
        assert made[name].is_unique
    assert made["key"].str.fullmatch(r"PC [0-9]{5}").all()
    assert made["uuid"].str.fullmatch(r"[0-9a-f]{8}-4[0-9]").all()


def test_a_pattern_that_is_used_up_grows_rather_than_copies(drawn):
    frame, encoder = fitted(
        pd.DataFrame(
            {
                "key": [f"k{i}" for i in range(10)] * 2 + ["kx", "ky", "kz"] * 5,
                "word": list("ab") * 17 + ["a"],
            }
        ),
        {"key": "identifier"},
    )
    made = encoder.decode(drawn(encoder, 40))
    assert not set(made["key"]) & set(frame["key"])
    assert made["key"].is_unique


def test_prose_is_refused_with_what_to_do():
    prose = [f"{i} " + "many words " * 20 for i in range(30)]
    with pytest.raises(InputError, match=r"'said' .*30 .* --column said=categorical"):
        fitted(pd.DataFrame({"said": prose, "word": ["a", "b"] * 15}))
    fitted(pd.DataFrame({"said": prose, "word": ["a", "b"] * 15}), {"said": "categorical"})


def test_dates_keep_their_order_and_the_hours_of_the_day(drawn):
    rng = np.random.default_rng(0)
    begin = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        rng.integers(0, 600, N) * 86400 + rng.integers(9, 17, N) * 3600, unit="s"
    )
    end = begin + pd.to_timedelta(rng.integers(0, 90, N), unit="min")
    _, encoder = fitted(pd.DataFrame({"begin": begin, "end": end, "word": ["a", "b"] * (N // 2)}))
    made = encoder.decode(drawn(encoder, 2000))
    assert (made["end"] >= made["begin"]).all()
    assert set(made["begin"].dt.hour) == set(range(9, 17))
    assert (made["begin"].dt.minute == 0).all()


def test_nothing_to_learn_is_refused():
    with pytest.raises(InputError, match="No column varies except identifiers"):
        fitted(pd.DataFrame({"id": np.arange(30), "same": ["x"] * 30}))


def test_values_that_were_not_learnt_are_refused_with_the_nearest():
    frame, encoder = fitted(pd.DataFrame({"city": ["Rome", "Oslo"] * 20, "n": [1, 1, 2, 3, 4] * 8}))
    with pytest.raises(InputError, match=r"'city' holds 'Rom', .* did you mean 'Rome'"):
        encoder.encode(frame.assign(city="Rom"))
    with pytest.raises(InputError, match="'n' is empty in row 1"):
        encoder.encode(frame.assign(n=pd.Series([None] * 40, dtype=frame["n"].dtype)))
    with pytest.raises(InputError, match="lacks column 'city'"):
        encoder.encode(frame[["n"]])


@pytest.mark.parametrize(
    "damage", [{"form": "x"}, {"transformers": [{"kind": "number"}]}, {"constants": 3}, {"kinds": None}]
)
def test_a_damaged_encoder_is_told(damage):
    _, encoder = fitted(pd.DataFrame({"city": ["Rome", "Oslo"] * 20, "n": [1, 2, 3, 4] * 10}))
    with pytest.raises(StoredFileError, match="stored table encoder is damaged"):
        encoder_from_dict({**encoder.to_dict(), **damage})
