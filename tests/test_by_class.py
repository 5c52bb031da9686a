"""P(x | y): a sample of class c is a c, and unconditioned draws keep the shares of the data.

The full measurement (default recipe, 1,000 samples a class, three seeds) is benchmarks/digits_by_class.py; here a small
network plays fewer rounds and is held to less.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.svm import SVC
from typer.testing import CliRunner

import saddlepoint as sp
from saddlepoint.cli import app
from saddlepoint.errors import InputError

pytestmark = pytest.mark.usefixtures("quick_looks", "no_figures")


@pytest.mark.slow
def test_each_digit_asked_for_is_that_digit():
    """Seeds 0 to 2 of a short game: worst class 0.69 to 0.74, mean 0.88 to 0.91, spread 0.69 to 0.86; chance is 0.1."""
    digits = load_digits()
    pictures, labels = digits.images.astype(np.uint8), digits.target
    held_out = np.arange(len(labels)) % 4 == 0
    classifier = SVC(gamma=0.001).fit(pictures[~held_out].reshape(-1, 64), labels[~held_out])
    assert classifier.score(pictures[held_out].reshape(-1, 64), labels[held_out]) >= 0.96
    gan = sp.GAN(capacity="small", rounds=1000, batch=128, random_state=0).fit(pictures, labels)
    shares, spreads = [], []
    for digit in gan.classes_:
        samples = gan.sample(300, given=digit, random_state=0).reshape(300, 64)
        shares.append((classifier.predict(samples) == digit).mean())
        spreads.append(
            samples.std(axis=0).mean() / pictures[labels == digit].reshape(-1, 64).std(axis=0).mean()
        )
    assert min(shares) >= 0.5
    assert np.mean(shares) >= 0.8
    assert min(spreads) >= 0.5  # not the same 7 again and again


@pytest.fixture(scope="module")
def two_blobs():
    random = np.random.default_rng(0)
    labels = np.where(random.random(1500) < 0.15, "rare", "common")
    x = random.normal(size=(1500, 2)) + np.where(labels == "rare", 12.0, -12.0)[:, None]
    return sp.GAN(capacity="small", rounds=150, random_state=0).fit(x, labels)


def test_unbalanced_labels_keep_their_shares_when_unconditioned(two_blobs):
    """20,000 draws, 4 standard errors: a correct sampler fails once in 15,000 times; the seed is fixed besides."""
    n = 20_000
    share = dict(zip(two_blobs.classes_, two_blobs.model_.description["class_shares"], strict=True))["rare"]
    assert share == pytest.approx(0.15, abs=0.04)
    found = (two_blobs.sample(n, random_state=1).sum(axis=1) > 0).mean()
    assert abs(found - share) < 4 * (share * (1 - share) / n) ** 0.5


def test_conditioned_points_lie_where_their_class_lies(two_blobs):
    assert (two_blobs.sample(1000, given="rare", random_state=0).sum(axis=1) > 0).mean() > 0.995
    assert (two_blobs.sample(1000, given="common", random_state=0).sum(axis=1) < 0).mean() > 0.995


def test_the_discriminator_knows_the_class_of_a_row():
    """Two classes at +-1: without the condition no network could tell a swapped pair from a true one."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 800)
    x = random.normal(size=(800, 1)) * 0.3 + np.where(labels == 1, 1.0, -1.0)[:, None]
    gan = sp.GAN(start="noise", capacity="small", rounds=400, random_state=0).fit(x, labels)
    assert gan.decision_function(x, labels).mean() > gan.decision_function(x, 1 - labels).mean() + 0.05


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "digits"
    asked = [
        "train",
        "digits",
        "--label",
        "class",
        "--rounds",
        "3",
        "--capacity",
        "small",
        "--out",
        str(folder),
    ]
    assert CliRunner().invoke(app, [*asked, "--quiet"], catch_exceptions=False).exit_code == 0
    return folder


def test_given_on_the_command_line_is_given_in_python(run, tmp_path):
    out = tmp_path / "sevens.npz"
    asked = ["sample", str(run), "-n", "5", "--seed", "3", "--given", "class=7", "--out", str(out)]
    assert CliRunner().invoke(app, asked, catch_exceptions=False).exit_code == 0
    with np.load(out) as stored:
        assert stored["labels"].tolist() == [7] * 5
        np.testing.assert_array_equal(stored["samples"], sp.load(run).sample(5, random_state=3, given=7))


def test_a_wrong_class_on_the_command_line_is_told_with_the_nearest(run, tmp_path):
    asked = ["sample", str(run), "--given", "class=77", "--out", str(tmp_path / "a.npz")]
    with pytest.raises(InputError, match=r"'77'.* 0, 1, 2, "):
        CliRunner().invoke(app, asked, catch_exceptions=False)
    assert not (tmp_path / "a.npz").exists()


def test_the_label_column_s_name_may_stand_for_class(tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    lines = (f"{a},{b},{'xy'[i % 2]}" for i, (a, b) in enumerate(rows))
    (tmp_path / "some.csv").write_text("a,b,sort\n" + "\n".join(lines) + "\n")
    folder, files = str(tmp_path / "run"), [str(tmp_path / name) for name in ("one.csv", "two.csv")]
    small = ["--rounds", "3", "--capacity", "small", "--out", folder, "--quiet"]
    asked = ["train", str(tmp_path / "some.csv"), "--label", "sort", *small]
    assert CliRunner().invoke(app, asked, catch_exceptions=False).exit_code == 0
    for given, out in zip(("class=x", "sort=x"), files, strict=True):
        asked = ["sample", folder, "-n", "4", "--seed", "1", "--given", given, "--out", out]
        assert CliRunner().invoke(app, asked, catch_exceptions=False).exit_code == 0
    assert Path(files[0]).read_text() == Path(files[1]).read_text()
    with pytest.raises(InputError, match=r"'kind=x' .* --given class=VALUE .*--given sort=VALUE"):
        CliRunner().invoke(
            app, ["sample", folder, "--given", "kind=x", "--out", files[0], "--force"], catch_exceptions=False
        )
    with pytest.raises(
        InputError,
        match=r"2 classes .*class=x, class=y",
    ):
        CliRunner().invoke(
            app,
            ["sample", folder, "--given", "class=x", "--given", "class=y", "--out", files[0], "--force"],
            catch_exceptions=False,
        )


def test_a_run_folder_loads_as_an_estimator(run):
    gan = sp.load(run)
    assert gan.classes_.tolist() == list(range(10))
    assert gan.sample(2).shape == (2, 8, 8)
    assert gan.sample(2).dtype == np.uint8
    assert gan.n_features_in_ == 64
