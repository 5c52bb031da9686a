"""Laws of the fitted model: noise, classes, forms, and what is on the disk."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import saddlepoint as sp
from saddlepoint import compute
from saddlepoint.data.encoders import fit_encoder
from saddlepoint.data.opening.arrays import dataset_from_array
from saddlepoint.errors import InputError, StoredFileError
from saddlepoint.model import _CHUNK, Model, describe_classes, form_of
from saddlepoint.networks import build

WIDTH = 6


def make_model(rows, *, classes=None, shares=None, law="normal", seed=0):
    """Return a model of untrained networks: its laws do not hang on training."""
    dataset = dataset_from_array(rows, name="some")
    encoder = fit_encoder(dataset)
    pictures = dataset.kind == "pictures"
    generator = {
        "name": "residual-generator",
        "noise_width": WIDTH,
        "shape": list(encoder.shape),
        "width": 16,
        "blocks": 1,
        "output": "sigmoid" if pictures else "linear",
        "condition_width": len(classes or ()),
    }
    discriminator = {
        "name": "residual-discriminator",
        "shape": list(encoder.shape),
        "width": 16,
        "blocks": 1,
        "condition_width": len(classes or ()),
    }
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        players = {"generator": build(generator), "discriminator": build(discriminator)}
    return Model(
        encoder=encoder,
        **players,
        description={
            "data": form_of(dataset),
            "recipe": "modern",
            "objective": "relativistic",
            "penalties": ["r1", "r2"],
            "rounds": 0,
            "noise_distribution": law,
            "noise_width": WIDTH,
            "classes": classes,
            "class_shares": shares,
            "generator": generator,
            "discriminator": discriminator,
        },
    )


POINTS = np.random.default_rng(0).normal([5.0, -3.0], [2.0, 0.1], (50, 2))
GREY = np.random.default_rng(0).integers(0, 17, (20, 6, 5), dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
    return make_model(POINTS)


@pytest.fixture(scope="module")
def by_class():
    return make_model(POINTS, classes=["cat", "dog", "fish"], shares=[0.7, 0.25, 0.05])


# -- noise -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", ["normal", "uniform"])
@pytest.mark.parametrize("n", [1, _CHUNK - 1, _CHUNK, _CHUNK + 1, 3 * _CHUNK])
def test_the_first_rows_of_noise_do_not_depend_on_how_many_are_drawn(law, n):
    drawn = make_model(POINTS, law=law).noise(n, 7)
    assert drawn.shape == (n, WIDTH)
    torch.testing.assert_close(drawn, make_model(POINTS, law=law).noise(4 * _CHUNK, 7)[:n], rtol=0, atol=0)


def test_noise_of_different_chunks_and_seeds_is_different(model):
    z = model.noise(2 * _CHUNK, 7)
    assert not torch.equal(z[:_CHUNK], z[_CHUNK:])
    assert not torch.equal(z, model.noise(2 * _CHUNK, 8))


@pytest.mark.parametrize("law", ["normal", "uniform"])
def test_noise_has_mean_0_and_variance_1(law):
    """16,384 x 6 draws: 5 standard errors of each mean and of each variance (false alarms: below 1 in 50,000)."""
    z = make_model(POINTS, law=law).noise(4 * _CHUNK, 3).double()
    fourth = 3.0 if law == "normal" else 1.8
    assert (z.mean(0).abs() < 5 / len(z) ** 0.5).all()
    assert ((z.var(0) - 1).abs() < 5 * ((fourth - 1) / len(z)) ** 0.5).all()
    assert law == "normal" or float(z.abs().max()) <= 3**0.5


def test_the_first_samples_do_not_depend_on_how_many_are_drawn(model, by_class):
    np.testing.assert_allclose(
        model.sample(5, random_state=1), model.sample(5000, random_state=1)[:5], rtol=1e-6
    )
    few, _ = by_class.draw(5, given="cat", random_state=1)
    many, _ = by_class.draw(5000, given="cat", random_state=1)
    np.testing.assert_allclose(few, many[:5], rtol=1e-6)


def test_samples_of_given_noise_are_a_function_of_it(model):
    z = torch.randn(9, WIDTH, generator=torch.Generator().manual_seed(0))
    first = model.sample(noise=z)
    np.testing.assert_array_equal(first, model.sample(noise=z.numpy()))
    np.testing.assert_array_equal(first, model.sample(noise=z.tolist(), random_state=3))
    assert not np.array_equal(first, model.sample(noise=-z))
    drawn = model.noise(4, 11)
    np.testing.assert_array_equal(model.sample(noise=drawn), model.sample(4, random_state=11))


def test_the_way_between_two_draws_begins_and_ends_there(model):
    ends = model.noise(2, 0)
    path = model.sample(noise=torch.stack([ends[0].lerp(ends[1], t) for t in torch.linspace(0, 1, 33)]))
    np.testing.assert_allclose(path[[0, -1]], model.sample(noise=ends), rtol=1e-5)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert steps.max() < 0.2 * np.linalg.norm(path[-1] - path[0]) + 0.2 * steps.sum()


def test_samples_are_fresh_unless_seeded(model):
    assert not np.array_equal(model.sample(5), model.sample(5))
    np.testing.assert_array_equal(model.sample(5, random_state=2), model.sample(5, random_state=2))


WRONG_DRAWS = [
    ({"n": 0}, "0 samples cannot be drawn; ask for a whole number of at least 1."),
    ({"n": -3}, "-3 samples cannot be drawn"),
    ({"n": 2.5}, "2.5 samples cannot be drawn"),
    ({"n": True}, "True samples cannot be drawn"),
    ({}, "None samples cannot be drawn"),
    ({"noise": np.zeros((3, 5))}, "noise has shape (3, 5); this model takes (n, 6) with n at least 1."),
    ({"noise": np.zeros(6)}, "noise has shape (6,); this model takes (n, 6)"),
    ({"noise": np.zeros((0, 6))}, "noise has shape (0, 6)"),
    ({"noise": np.full((2, 6), np.nan)}, "noise has NaN or infinite values; give finite numbers."),
    (
        {"n": 3, "noise": np.zeros((2, 6))},
        "3 samples were asked for with noise for 2; leave one of them out.",
    ),
    (
        {"n": 3, "given": "cat"},
        "given='cat' was asked of a model without classes; train it with labels",
    ),
]


@pytest.mark.parametrize(("ask", "sentence"), WRONG_DRAWS)
def test_what_cannot_be_drawn(model, ask, sentence):
    with pytest.raises(InputError) as caught:
        model.sample(**ask)
    assert sentence in str(caught.value)


# -- classes -----------------------------------------------------------------------------------------------------


def test_unconditioned_draws_keep_unbalanced_shares(by_class):
    """20,000 draws: each share within 4 standard errors (false alarms: below 2 in 10,000)."""
    n = 20_000
    _, classes = by_class.draw(n, random_state=0)
    for name, share in zip(by_class.classes, by_class.description["class_shares"], strict=True):
        assert abs(classes.count(name) / n - share) < 4 * (share * (1 - share) / n) ** 0.5, name


def test_a_given_class_is_the_one_that_is_drawn(by_class):
    _, classes = by_class.draw(4, given="dog", random_state=0)
    assert classes == ["dog"] * 4
    _, classes = by_class.draw(3, given=np.array(["fish", "cat", "fish"]), random_state=0)
    assert classes == ["fish", "cat", "fish"]
    z = by_class.noise(4, 0)
    assert not np.array_equal(by_class.sample(noise=z, given="cat"), by_class.sample(noise=z, given="dog"))


@pytest.mark.parametrize("value", [7, "7", 7.0, np.int64(7), np.float32(7)])
@pytest.mark.parametrize("classes", [[3, 7], [3.0, 7.0], ["3", "7"]])
def test_seven_is_a_seven_however_it_is_written(classes, value):
    model = make_model(POINTS, classes=classes, shares=[0.5, 0.5])
    assert model.draw(2, given=value, random_state=0)[1] == [classes[1]] * 2


WRONG_CLASSES = [
    ("dgo", "Unknown class 'dgo', did you mean 'dog'? The classes are cat, dog, fish."),
    (["cat", "dog", "fsh"], "Unknown class 'fsh', did you mean 'fish'? The classes are"),
    (17, "Unknown class '17'. The classes are cat, dog, fish."),
    (["cat", "dog"], "2 classes were given for 3 rows; give one for all or one per row."),
    ([], "0 classes were given for 3 rows"),
]


@pytest.mark.parametrize(("given", "sentence"), WRONG_CLASSES)
def test_an_unknown_class_is_told_with_the_nearest(by_class, given, sentence):
    with pytest.raises(InputError) as caught:
        by_class.sample(3, given=given)
    assert str(caught.value).startswith(sentence)


def refusals():
    """Yield what is done and the act, for the page of errors."""
    plain = make_model(POINTS)
    classed = make_model(POINTS, classes=["cat", "dog", "fish"], shares=[0.7, 0.25, 0.05])
    for ask, _ in WRONG_DRAWS:
        shown = ("noise=z" if name == "noise" else f"{name}={value!r}" for name, value in ask.items())
        yield f"`model.sample({', '.join(shown)})`", lambda ask=ask: plain.sample(**ask)
    for given, _ in WRONG_CLASSES:
        yield f"`model.sample(3, given={given!r})`", lambda given=given: classed.sample(3, given=given)


def test_of_many_classes_a_dozen_are_named():
    model = make_model(POINTS, classes=list(range(40)), shares=[1 / 40] * 40)
    with pytest.raises(InputError, match=r"The classes are 0, 1, .*, 11, \.\.\., \d+\."):
        model.sample(1, given="x")


def test_classes_are_described_by_values_shares_and_codes():
    values, shares, codes = describe_classes(np.array(["b", "a", "b", "b"]))
    assert (values, shares, codes.tolist()) == (["a", "b"], [0.25, 0.75], [1, 0, 1, 1])
    values, shares, _ = describe_classes(np.array([2, 1, 2], dtype=np.int8))
    assert json.loads(json.dumps(values)) == [1, 2]


def test_logits_of_a_conditional_model_need_the_class(by_class):
    with pytest.raises(
        InputError,
        match="give the class of each row",
    ):
        by_class.logits(POINTS)
    assert by_class.logits(POINTS, "cat").shape == (50,)


def test_logits_do_not_depend_on_the_chunk(model, monkeypatch):
    whole = model.logits(POINTS)
    monkeypatch.setattr("saddlepoint.model._CHUNK", 7)
    np.testing.assert_allclose(model.logits(POINTS), whole, rtol=1e-5, atol=1e-6)


# -- forms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        POINTS,
        POINTS.astype(np.float32),
        (POINTS * 10).astype(np.int32),
        POINTS[:, 0],
        GREY,
        GREY[..., None],
        GREY / 16,
        np.repeat(GREY[:, None], 3, axis=1).repeat(2, axis=3),
    ],
    ids=["float64", "float32", "int32", "1-D", "grey", "channel", "fractions", "channels first"],
)
def test_samples_have_the_form_of_the_data(rows):
    samples = make_model(rows).sample(7, random_state=0)
    assert samples.dtype == rows.dtype
    assert samples.shape == (7, *rows.shape[1:])


def test_the_players_are_plain_modules(model):
    assert isinstance(model.generator, nn.Module)
    assert isinstance(model.discriminator, nn.Module)
    assert not model.generator.training
    z = model.noise(3, 0)
    torch.testing.assert_close(model.generate(z), model.generator(z).detach(), rtol=0, atol=0)


# -- on disk -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["points", "classes", "pictures", "float64"])
def test_saved_and_loaded_is_bitwise_the_same(name, tmp_path):
    made = {
        "points": lambda: make_model(POINTS),
        "classes": lambda: make_model(POINTS, classes=["a", "b"], shares=[0.25, 0.75]),
        "pictures": lambda: make_model(GREY),
        "float64": lambda: make_model(POINTS),
    }[name]()
    if name == "float64":
        made.generator.double()
        made.discriminator.double()
    made.save(tmp_path)
    loaded = Model.load(tmp_path)
    assert loaded.description == json.loads(json.dumps(made.description))
    for player in ("generator", "discriminator"):
        before, after = getattr(made, player).state_dict(), getattr(loaded, player).state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)
        assert all(before[key].dtype == after[key].dtype for key in before)
    drawn, classes = made.draw(50, random_state=3)
    again, same = loaded.draw(50, random_state=3)
    np.testing.assert_array_equal(drawn, again)
    assert classes == same
    assert loaded.sample(3).dtype == made.sample(3).dtype


def test_saving_again_replaces_the_weights(model, tmp_path):
    make_model(POINTS, seed=1).save(tmp_path)
    model.save(tmp_path)
    assert len(list(tmp_path.glob("weights-*.safetensors"))) == 1
    assert len(list(tmp_path.iterdir())) == 2
    np.testing.assert_array_equal(
        Model.load(tmp_path).sample(3, random_state=0), model.sample(3, random_state=0)
    )


def test_nothing_on_disk_is_a_pickle(model, tmp_path):
    model.save(tmp_path)
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert path.suffix in (".json", ".safetensors")
        assert not content.startswith((b"\x80", b"PK"))
    assert safetensors.torch.load_file(next(tmp_path.glob("*.safetensors"))).keys()


def test_loading_never_unpickles(model, tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("something was unpickled")

    model.save(tmp_path)
    for name in ("pickle.load", "pickle.loads", "pickle.Unpickler", "torch.load"):
        monkeypatch.setattr(name, refuse)
    Model.load(tmp_path).sample(2)


def _facts(folder, **changed):
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**facts, **changed}))


def _weights(folder):
    return next(folder.glob("weights-*.safetensors"))


def _another_shape(folder):
    """Weights of other networks, sealed correctly."""
    tensors = safetensors.torch.load_file(_weights(folder))
    content = safetensors.torch.save({name: value.flatten()[:1] for name, value in tensors.items()})
    _weights(folder).write_bytes(content)
    _facts(folder, sha256=hashlib.sha256(content).hexdigest())


def _flip_a_bit(folder):
    content = bytearray(_weights(folder).read_bytes())
    content[-5] ^= 1
    _weights(folder).write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_flip_a_bit, "are damaged: their checksum does not match"),
        (lambda folder: _weights(folder).write_bytes(_weights(folder).read_bytes()[:-9]), "are damaged"),
        (lambda folder: _weights(folder).unlink(), "cannot be read"),
        (
            _another_shape,
            "was saved by another version of saddlepoint, whose networks had weights of other shapes",
        ),
        (lambda folder: (folder / "model.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "model.json").write_text("[]"), "cannot be read"),
        (lambda folder: (folder / "model.json").write_bytes(b"\x80\x04N."), "cannot be read"),
        (lambda folder: (folder / "model.json").write_text('{"format": 1}'), "cannot be read: 'weights'"),
        (lambda folder: _facts(folder, format=2), "has format 2; this version reads format 1: upgrade"),
        (lambda folder: _facts(folder, generator={"name": "os.system"}), "cannot build the network"),
        (lambda folder: _facts(folder, generator={"name": "residual-generator"}), "cannot build the network"),
        (lambda folder: _facts(folder, encoder={"kind": "sound"}), "kind 'sound'"),
        (lambda folder: _facts(folder, weights="../../outside.safetensors"), "cannot be read"),
    ],
)
def test_a_damaged_or_foreign_model_is_refused(model, damage, sentence, tmp_path):
    folder = tmp_path / "model"
    model.save(folder)
    damage(folder)
    with pytest.raises(StoredFileError) as caught:
        Model.load(folder)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_there_is_no_model(tmp_path):
    with pytest.raises(InputError, match=r"no model in .*model\.json"):
        Model.load(tmp_path)


def test_it_cannot_be_written(model, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoredFileError, match=r"taken.* cannot be written"):
        model.save(tmp_path / "taken")


# -- citations ---------------------------------------------------------------------------------------------------


def test_the_papers_behind_a_model_are_cited_once_each(model):
    lines = sp.cite(model)
    assert "Goodfellow" in lines[0]
    assert "1406.2661" in lines[0]
    assert any("Jolicoeur-Martineau" in line for line in lines)
    assert any("Mescheder" in line for line in lines)
    assert len(set(lines)) == len(lines)
    assert all("\n" not in line for line in lines)


def test_another_objective_is_cited_instead(model):
    model = make_model(POINTS)
    model.description.update(objective="wasserstein", penalties=["gradient-penalty"])
    lines = sp.cite(model)
    assert any("Arjovsky" in line for line in lines)
    assert any("Gulrajani" in line for line in lines)
    assert not any("Mescheder" in line for line in lines)


def test_class_draws_are_keyed_apart_from_noise(by_class):
    """The same seed must not tie which class is drawn to the noise that it is drawn with."""
    z = by_class.noise(4000, 5)[:, 0].double().numpy()
    codes = by_class.codes(4000, None, 5).double().numpy()
    assert abs(np.corrcoef(z, codes)[0, 1]) < 5 / 4000**0.5
    assert compute.derived_seed(5, "sample") != compute.derived_seed(5, "classes")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_are_finite_or_not_however_large(dtype):
    largest = torch.finfo(dtype).max
    assert compute.all_finite(torch.full((9, 3), largest, dtype=dtype))  # their sum is not
    for bad in (float("nan"), float("inf"), -float("inf")):
        values = torch.full((9, 3), largest, dtype=dtype)
        values[4, 1] = bad
        assert not compute.all_finite(values)
    assert compute.all_finite(torch.zeros(0, 3, dtype=dtype))
