"""The pictures' suite: sets without a shared picture, figures that tell good from bad, games that go on, records kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.__main__ import app
from benchmarks.suites import pictures as suite
from benchmarks.suites.picture_baselines import GAMES, played, prepared, settings_of
from benchmarks.suites.picture_metrics import by_class, classifier, detail, distances, frechet, stacked_modes
from benchmarks.suites.picture_sets import ODD, PictureSet, picture_set, sprites, stacked
from benchmarks.suites.pictures import shuffled
from scipy.stats import ortho_group

from saddlepoint.errors import InputError
from saddlepoint.training import Settings

pytestmark = pytest.mark.usefixtures("quick_looks")


def dots(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return grey pictures of 12 x 12 with a bright square in one of four quarters, and which."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 60, (n, 12, 12, 1), dtype=np.uint8)
    classes = random.integers(0, 4, n)
    for row, (y, x) in zip(rows, np.stack([classes // 2, classes % 2], 1) * 6 + 2, strict=True):
        row[y : y + 3, x : x + 3] = 220
    return rows, classes


@pytest.fixture(scope="module")
def reader():
    return classifier(*dots(400), *dots(200, seed=1), batches=60)


@pytest.mark.parametrize("name", ODD)
def test_odd_sets_have_their_shape_and_vary_in_every_channel(name: str) -> None:
    rows = sprites(60, ODD[name], seed=0)
    width, height, channels = (int(each) for each in name.split("x"))
    assert rows.shape == (60, height, width, channels)
    assert (rows.std((0, 1, 2)) > 20).all()
    assert rows.reshape(60, -1).any(1).all()
    np.testing.assert_array_equal(rows, sprites(60, ODD[name], seed=0))


def test_sprites_have_their_areas_and_lie_wholly_inside() -> None:
    rows = sprites(4_000, (60, 40, 1), seed=0)[..., 0] / 255
    for edge in (rows[:, 0], rows[:, -1], rows[:, :, 0], rows[:, :, -1]):
        assert edge.max() < 0.86  # a corner that touches the edge covers so much of its pixel, at most
    # E[size^2] of size uniform in [.16, .3] short sides, times the mean area of a square (4), a disc (pi), a bar (2.6).
    squared = 40**2 * (0.3**3 - 0.16**3) / (3 * 0.14)
    expected = squared * (4 + np.pi + 2.6) / 3
    sums = rows.sum((1, 2))
    assert abs(sums.mean() - expected) < 4 * sums.std() / np.sqrt(len(rows))


def test_files_are_split_so_that_no_picture_is_on_both_sides(tmp_path: Path) -> None:
    rows, classes = dots(900)
    np.savez(tmp_path / "cifar10_exact4k.npz", images=rows, labels=classes)
    found = picture_set("cifar", tmp_path)
    assert (len(found.train), len(found.held_out)) == (100, 800)
    assert not {row.tobytes() for row in found.train} & {row.tobytes() for row in found.held_out}
    with pytest.raises(InputError, match=r"mnist\.npz.*--data FOLDER"):
        picture_set("mnist", tmp_path)
    with pytest.raises(InputError, match=r"needs mnist\.npz, and no folder was given"):
        picture_set("mnist", None)


def test_classes_and_distances_tell_the_same_law_from_a_lopsided_one(reader) -> None:
    assert reader.accuracy > 0.95
    held_out, _ = dots(300, seed=2)
    rows, classes = dots(600, seed=3)
    fair, lopsided = by_class(reader, rows, held_out), by_class(reader, rows[classes < 2], held_out)
    assert fair["classes_found"] == 4
    assert fair["worst_share"] < 0.4 < 0.9 < lopsided["worst_share"]
    assert fair["frechet"] < lopsided["frechet"]
    assert fair["kernel"] < lopsided["kernel"]
    assert lopsided["recall"] < fair["recall"]
    assert abs(fair["top_probability"] - fair["top_probability_real"]) < 0.03


def test_distances_do_not_hang_on_the_features_units() -> None:
    random = np.random.default_rng(0)
    made, held_out = random.normal(0.3, 1, (200, 5)), random.normal(0, 1, (400, 5))
    assert distances(7 * made, 7 * held_out) == pytest.approx(distances(made, held_out))


def test_an_enlarged_picture_fails_the_test_of_detail() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (30, 24, 31, 2), dtype=np.uint8)
    found = detail(rows, rows)
    assert found["octave"] == 1
    assert found["octave_enlarged"] < 0.5


def test_features_in_which_held_out_pictures_do_not_differ_are_left_out() -> None:
    random = np.random.default_rng(0)
    held_out, made = random.normal(size=(80, 5)), random.normal(size=(80, 5))
    still = np.full((80, 1), 0.3)
    with_still = distances(np.hstack([made, 1 + made[:, :1]]), np.hstack([held_out, still]))
    assert with_still == distances(made, held_out)


def test_modes_of_stacked_digits_are_counted_by_channel(reader) -> None:
    rows, _ = dots(500, seed=4)
    made = stacked(rows, 400, seed=1)
    found = stacked_modes(reader, made)
    assert made.shape == (400, 12, 12, 3)
    assert found["modes"] == 64
    assert found["kl"] == pytest.approx(np.log(1000 / 64), abs=0.2)
    assert stacked_modes(reader, np.repeat(made[:1], 50, 0))["kl"] == pytest.approx(np.log(1000))


def test_older_games_have_their_papers_settings() -> None:
    ours = Settings(horizon=10, batch=7, augment=0.4)
    dcgan, wgan = settings_of("dcgan", ours), settings_of("wgan-gp", ours)
    assert settings_of("ours", ours) == ours
    assert (dcgan.objective, dcgan.penalties, dcgan.generator.betas) == ("non-saturating", (), (0.5, 0.999))
    assert (wgan.objective, wgan.discriminator_steps, wgan.penalties[0].weight.start) == (
        "wasserstein",
        5,
        10,
    )
    assert {each.batch for each in (dcgan, wgan)} == {7}


@pytest.mark.parametrize("game", GAMES)
def test_a_game_stops_at_its_seconds_and_goes_on(game: str, tmp_path: Path) -> None:
    rows, _ = dots(320)  # classes are found in no fewer than 200
    few = PictureSet(name="dots", train=rows[:300], held_out=rows[300:])
    preparation = prepared(few, game, 0, 3)
    _, first = played(preparation, tmp_path, cpu_seconds=0.0)
    assert first["rounds"] == 0
    _, whole = played(preparation, tmp_path)
    assert whole["rounds"] == 3
    assert whole["cpu_seconds"] >= json.loads((tmp_path / "spent.json").read_text())["cpu_seconds"] - 0.1
    again, facts = played(preparation, tmp_path)
    assert facts["rounds"] == 3
    assert len(suite.drawn(again, 5, seed=0)) == 5


def test_a_shuffled_sheet_has_a_true_key(tmp_path: Path) -> None:
    made, real = (np.full((20, 6, 5, 1), level, dtype=np.uint8) for level in (10, 240))
    shuffled(tmp_path / "sheet.png", made, real, seed=3)
    from PIL import Image

    key = json.loads((tmp_path / "sheet.json").read_text())
    assert sorted(key.values()) == ["made"] * 20 + ["real"] * 20
    with Image.open(tmp_path / "sheet.png") as sheet:
        for number, kind in key.items():
            y, x = divmod(int(number) - 1, 8)
            assert sheet.getpixel((x * 28 + 3, y * 32 + 3)) == (240 if kind == "real" else 10)


def test_records_are_kept_and_not_redone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, _ = dots(200)
    few = PictureSet(name="31x47x1", train=rows[:140], held_out=rows[140:])
    said: list[str] = []
    how = {"rounds": 2, "bound": False, "say": said.append}
    for _ in range(2):
        records = suite.run([few], ["real", "ours"], [5], tmp_path, **how)
    assert [record["row"] for record in records] == ["real", "ours"]
    assert len(said) == 2
    assert {"octave", "frechet", "precision", "copying", "cpu_seconds"} <= set(records[1])
    assert "| 31x47x1 | ours |" in (tmp_path / "pictures.md").read_text()
    assert (tmp_path / "sheets" / "31x47x1-ours-5.png").is_file()


def test_the_command_refuses_unknown_names() -> None:
    with pytest.raises(InputError, match="Unknown set 'mnits', did you mean 'mnist'"):
        app(["pictures", "--sets", "mnits"], standalone_mode=False)
    with pytest.raises(InputError, match="Unknown row 'our'"):
        app(["pictures", "--sets", "31x47x1", "--rows", "our"], standalone_mode=False)


def with_moments(rng: np.random.Generator, n: int, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Rows whose sample mean is `mean` and whose sample covariance is root root^T, exactly."""
    rows = rng.normal(size=(n, len(mean)))
    rows = rows - rows.mean(0)
    rows = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False, ddof=1))).T
    return rows @ root.T + mean


def test_frechet_has_its_closed_form() -> None:
    rng = np.random.default_rng(0)
    for widths, others in (((1.0, 1, 1), (1, 1, 1)), ((1, 2, 0.5), (3, 0.1, 1)), ((1, 1, 0), (0, 2, 1))):
        turn = ortho_group.rvs(3, random_state=1)
        mean = np.array([0.5, -1.0, 2.0])
        one = with_moments(rng, 50, np.zeros(3), turn @ np.diag(widths))
        other = with_moments(rng, 70, mean, turn @ np.diag(others))
        true = (mean**2).sum() + ((np.array(widths) - np.array(others)) ** 2).sum()
        assert frechet(one, other) == pytest.approx(true, rel=1e-6, abs=1e-9)
        assert frechet(other, one) == pytest.approx(true, rel=1e-6, abs=1e-9)
    narrow = rng.normal(size=(8, 1))
    assert frechet(narrow, narrow + 2) == pytest.approx(4.0)  # one column
    assert frechet(narrow, narrow) == pytest.approx(0.0, abs=1e-12)
