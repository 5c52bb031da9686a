"""Pseudo-labels of pictures: known clusters are found again, and the order of the rows does not change them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from saddlepoint.data.opening import open_source
from saddlepoint.data.pseudo_labels import MOST_CLUSTERS, SMALLEST_CLUSTER, _downscaled, find_clusters
from saddlepoint.errors import InputError
from saddlepoint.fitting import FitOptions, prepare, restore

pytestmark = pytest.mark.usefixtures("quick_looks", "no_figures")


def grouped(n: int, groups: int = 4, sides: tuple[int, int] = (20, 23), seed: int = 0):
    """Pictures of a bright band, each group's in a place of its own, under noise; and the groups."""
    random = np.random.default_rng(seed)
    group = np.arange(n) % groups
    rows = random.integers(0, 60, (n, *sides, 1))
    step = sides[0] // groups
    for place in range(groups):
        rows[group == place, place * step : (place + 1) * step] += 180
    return rows.astype(np.uint8), group


def test_groups_that_lie_apart_are_never_mixed_in_a_kind():
    rows, group = grouped(1_000)
    clusters = find_clusters(open_source(rows, name="X"), seed=0)
    assert set(clusters) == set(range(1_000 // SMALLEST_CLUSTER))
    assert all(len(set(group[clusters == kind])) == 1 for kind in set(clusters))


def test_kinds_are_a_function_of_pictures_and_seed_and_not_more_than_allowed():
    dataset = open_source(grouped(300)[0], name="X")
    assert np.array_equal(find_clusters(dataset, seed=3), find_clusters(dataset, seed=3))
    rows = np.random.default_rng(0).integers(0, 256, ((MOST_CLUSTERS + 20) * SMALLEST_CLUSTER, 2, 3, 1))
    assert find_clusters(open_source(rows.astype(np.uint8), name="X"), seed=0).max() == MOST_CLUSTERS - 1


def test_equal_pictures_are_one_kind_without_a_warning():
    rows = np.full((400, 9, 9, 3), 7, dtype=np.uint8)
    assert set(find_clusters(open_source(rows, name="X"), seed=0)) == {0}


@pytest.mark.parametrize("shape", [(40, 30, 1), (1, 500, 1), (17, 16, 4), (3, 2, 2), (65, 200, 3)])
def test_small_pictures_are_means_of_blocks_of_at_most_256_numbers(shape):
    rows = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    small = _downscaled(rows)
    assert small.shape[1] <= max(256, shape[2])
    flat = _downscaled(np.full((2, *shape), 93, dtype=np.uint8))
    np.testing.assert_allclose(flat, 93, rtol=1e-6)
    if np.prod(shape) <= 256:
        np.testing.assert_array_equal(small, rows.reshape(3, -1))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros((150, 8, 8, 1), np.uint8), "at least 200 training pictures, and X has 150"),
        (
            np.random.default_rng(0).normal(size=(400, 3)),
            "holds points; classes can be found in pictures only",
        ),
    ],
)
def test_what_no_kinds_are_found_in_is_refused(rows, words):
    with pytest.raises(InputError, match=words):
        find_clusters(open_source(rows, name="X"), seed=0)


def test_a_game_learns_found_kinds_and_begins_at_their_means():
    rows = grouped(1_200, sides=(40, 44))[0]
    dataset = open_source(rows, name="X")
    choices = FitOptions(rounds=2, cluster="on", compile="off", capacity="small")
    preparation = prepare(dataset, choices)
    again = restore(dataset, preparation.to_dict())
    assert np.array_equal(preparation.codes, again.codes)
    assert again.clustered
    stored = preparation.to_dict()
    stored["class_shares"] = stored["class_shares"][::-1]
    with pytest.raises(InputError, match="The clusters found in 'X' are not those this run began with"):
        restore(dataset, stored)
    fit = preparation.fit(strip=False)
    model = fit.model()  # before the first round
    assert preparation.classes == list(range(preparation.codes.max() + 1))
    train = preparation.train.rows
    for kind in preparation.classes[:3]:
        made = np.asarray(model.draw(200, given=kind, random_state=0)[0], dtype=float).mean(0)
        wanted = train[preparation.codes == kind].mean(0)
        other = train[preparation.codes != kind].mean(0)
        assert np.abs(made - wanted).mean() < 0.5 * np.abs(made - other).mean()
    list(fit.play())
    shares = np.bincount(fit.model().codes(20_000, None, 0), minlength=len(preparation.classes)) / 20_000
    np.testing.assert_allclose(shares, preparation.class_shares, atol=0.02)


def test_classes_are_found_by_default_where_they_are_known_to_help():
    rows, group = grouped(2_600)
    many, few = open_source(rows, name="X"), open_source(rows[:2_000], name="X")
    labelled = open_source(rows, label=group, name="X")

    def clustered(dataset, **choices):
        preparation = prepare(dataset, FitOptions(rounds=2, compile="off", capacity="small", **choices))
        return preparation.clustered, preparation.classes

    assert clustered(many) == (True, list(range(20)))
    assert clustered(many, cluster="off") == (False, None)
    assert clustered(few) == (False, None)  # 1,600 of them train
    assert clustered(labelled)[0]
    assert clustered(labelled, conditional=True) == (False, [0, 1, 2, 3])
    assert clustered(many, recipe="goodfellow2014") == (False, None)
    assert not clustered(open_source(grouped(2_600, sides=(44, 44))[0], name="X"))[
        0
    ]  # the residual pair plays


def test_what_is_asked_of_clusters_in_vain_is_refused():
    with pytest.raises(InputError, match=r"cluster is 'found'.* auto, on, off"):
        FitOptions(cluster="found")
    with pytest.raises(InputError, match=r"cluster is 'on', .* label"):
        FitOptions(cluster="on", conditional=True)
    points = open_source(np.random.default_rng(0).normal(size=(400, 3)), name="X")
    with pytest.raises(InputError, match="X holds points: leave cluster out"):
        prepare(points, FitOptions(cluster="on", rounds=2))


def test_the_command_line_learns_found_classes(tmp_path: Path):
    from typer.testing import CliRunner

    from saddlepoint.cli import app

    images, labels = grouped(500)
    np.savez(tmp_path / "bands.npz", images=images, labels=labels)
    run = str(tmp_path / "run")
    call = CliRunner().invoke
    said = call(app, ["train", str(tmp_path / "bands.npz"), "--cluster", "on", "--rounds", "2", "--out", run])
    assert said.exit_code == 0, said.output
    assert (
        "4 classes, pseudo-labels found by k-means (--cluster off: without; --label class: the data's own 4 classes)"
        in (said.output)
    )
    said = call(app, ["sample", run, "-n", "3", "--given", "class=9", "--out", str(tmp_path / "a.png")])
    assert said.exit_code == 1
    assert "The classes are 0, 1, 2, 3." in str(said.exception)
    said = call(app, ["sample", run, "-n", "3", "--given", "class=2", "--out", str(tmp_path / "a.png")])
    assert said.exit_code == 0, said.output
