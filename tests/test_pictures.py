"""Pictures of any shape, from end to end: learnt, sampled at exactly their size, saved, filmed, exported, opened again."""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import saddlepoint as sp
from saddlepoint.cli import app
from saddlepoint.data.opening import open_source
from saddlepoint.data.pictures import refuse_flips
from saddlepoint.data.pseudo_labels import find_clusters
from saddlepoint.errors import InputError
from saddlepoint.fitting import FitOptions, prepare
from saddlepoint.model import Model
from saddlepoint.networks import PCAPriorGenerator
from saddlepoint.runs import onnx_export
from saddlepoint.runs.sampling import load_model, sample_to_file, walk
from saddlepoint.training import Settings, checkpoint, rounds

pytestmark = pytest.mark.usefixtures("quick_looks", "no_figures")

DOCS = Path(__file__).parents[1] / "docs" / "pictures.md"


def call(*arguments: object) -> None:
    app([str(argument) for argument in arguments], standalone_mode=False)


def refusals() -> list[tuple[str, Callable[[], object]]]:
    """Return what is done, in code or on the command line, and the act."""
    random = np.random.default_rng(0)
    points, pictures = random.normal(size=(60, 2)), random.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)

    def model(rows: np.ndarray) -> Model:
        return (
            prepare(open_source(rows, name="X"), FitOptions(rounds=1, start="noise"))
            .fit(strip=False)
            .playing()
        )

    def filmed() -> None:
        with tempfile.TemporaryDirectory() as folder:
            model(pictures).save(folder)
            sample_to_file(Path(folder), Path("film.gif"), n=2, seed=0)

    return [
        ("export runs/X g.pt", lambda: onnx_export.export(model(pictures), Path("g.pt"))),
        ("export of a run on points", lambda: onnx_export.export(model(points), Path("g.onnx"))),
        ("sample -n 2 --out film.gif", filmed),
        ("train points.csv --flips", lambda: refuse_flips(open_source(points, name="points.csv"))),
        ('Choices(augment="of")', lambda: FitOptions(augment="of")),
        (
            "train points.csv --augment on",
            lambda: prepare(open_source(points, name="points.csv"), FitOptions(augment="on")),
        ),
        (
            "train points.csv --cluster on",
            lambda: prepare(open_source(points, name="points.csv"), FitOptions(cluster="on")),
        ),
        ("train pictures/ --label class --cluster on", lambda: FitOptions(cluster="on", conditional=True)),
        (
            "train pictures/ --cluster on (few)",
            lambda: find_clusters(open_source(pictures, name="pictures"), seed=0),
        ),
        ("Settings(horizon=1, augment=0.5)", lambda: Settings(horizon=1, augment=0.5)),
        ("train pictures/ --accumulation-steps 0", lambda: FitOptions(accumulation_steps=0)),
        (
            "train points.csv --recompute",
            lambda: prepare(open_source(points, name="points.csv"), FitOptions(rounds=1, recompute=True)),
        ),
        (
            "Settings(horizon=1, batch=12, accumulation_steps=5)",
            lambda: Settings(horizon=1, batch=12, accumulation_steps=5),
        ),
    ]


@pytest.mark.parametrize(
    ("act", "words"),
    list(
        zip(
            [act for _, act in refusals()],
            [
                r"^g\.pt does not end in \.onnx; give the name of an ONNX file\.$",
                "This model generates points, .* only models of pictures can be exported",
                "A film of 2 frames is too short to show a walk from sample to sample; ask for 4 or more",
                r"points\.csv holds points; mirror images \(--flips\) are for pictures",
                r"augment is 'of', did you mean 'off'\? Allowed are auto, on, off\.",
                r"augmentation is for pictures, and points\.csv holds points",
                r"finding clusters is for pictures, and .*points\.csv holds points: leave cluster out",
                "^cluster is 'on', and there is a label, which already gives the classes to learn: leave out one of the two",
                r"^Finding classes needs at least 200 training pictures, and pictures has \d+; leave cluster out",
                r"augment is 0\.5; it must be below 0\.5",
                r"^accumulation_steps is 0; give a whole number of at least 1\.",
                "^recompute is for residual convolutional networks of pictures, and this game is between mixture-generator",
                "^A batch of 12 cannot be played in 5 micro-batches: accumulation_steps must divide the batch",
            ],
            strict=True,
        )
    ),
    ids=[given for given, _ in refusals()],
)
def test_what_pictures_cannot_do_is_a_sentence(act: Callable[[], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        act()


def blobs(n: int, height: int, width: int, channels: int) -> np.ndarray:
    """Return pictures of one bright blob each, its place and colour drawn anew."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    at = random.uniform(0.25, 0.75, (n, 2)) * [height, width]
    far = ((y - at[:, 0, None, None]) / height) ** 2 + ((x - at[:, 1, None, None]) / width) ** 2
    colour = random.uniform(120, 250, (n, 1, 1, channels))
    return (np.exp(-40 * far)[..., None] * colour).astype(np.uint8)


@pytest.mark.parametrize("shape", [(47, 31, 1), (64, 200, 3), (33, 33, 4)])
def test_any_shape_trains_and_samples_exactly_its_size(shape: tuple[int, ...], tmp_path: Path) -> None:
    pictures, kinds = blobs(60, *shape), np.arange(60) % 2
    gan = sp.GAN(capacity="small", rounds=2, batch=4, random_state=0).fit(pictures, kinds)
    assert isinstance(gan.model_.generator, PCAPriorGenerator)
    rows = gan.sample(3, given=1, random_state=1)
    assert (rows.shape, rows.dtype) == ((3, *shape), np.uint8)
    gan.save(tmp_path / "model")
    np.testing.assert_array_equal(sp.load(tmp_path / "model").sample(3, given=1, random_state=1), rows)


def test_a_stopped_game_of_augmented_pictures_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    preparation = prepare(open_source(blobs(60, 40, 30, 1)), FitOptions(rounds=4, capacity="small", batch=4))
    assert preparation.plan.settings.augment > 0
    whole, early, late = (preparation.fit(folder) for folder in (None, tmp_path, tmp_path))
    list(whole.play()), list(early.play(until_round=2))
    assert late.resume() == ()
    list(late.play())
    for player in ("generator", "discriminator"):
        one, two = (fit.game.player(player).state_dict() for fit in (whole, late))
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_round_in_bf16_is_nearly_the_round_in_float32() -> None:
    norms = []
    for precision in ("float32", "bf16"):
        choices = FitOptions(rounds=1, capacity="small", batch=8, precision=precision, augment="off")
        fit = prepare(open_source(blobs(60, 48, 50, 1)), choices).fit(strip=False)
        (record,) = rounds(fit.game, fit.batches.from_round(0), 1)
        norms.append([record.to_dict()[f"{player}_gradient"] for player in ("discriminator", "generator")])
    assert norms[1] == pytest.approx(norms[0], rel=0.1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on a folder of two classes, whose pictures are scaled to 40 x 28."""
    home = tmp_path_factory.mktemp("pictures")
    for index, picture in enumerate(blobs(60, 42, 50, 3)):
        file = home / "blobs" / f"kind{index % 2}" / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)
    (home / "blobs" / "kind0" / "empty\tname.png").write_bytes(b"")
    (home / "blobs" / "kind1" / "page.png").write_bytes(b"<html>")
    options = ["--resolution", "40x28", "--other-sizes", "pad", "--flips", "--label", "class"]
    small = ["--capacity", "small", "--batch", 4, "--rounds", 2, "--quiet"]
    call("train", home / "blobs", "--out", home / "run", *options, *small)
    return home / "run"


def test_a_run_on_a_folder_goes_on_with_the_same_pictures(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("train", run.parent / "blobs", "--out", run, "--resume", "--rounds", 3, "--quiet")
    assert checkpoint.load(run / "checkpoint").round == 3
    for option, value in (("--resolution", "41x28"), ("--other-sizes", "crop")):
        with pytest.raises(InputError, match=f"{option} {value} cannot be changed on --resume"):
            call("train", run.parent / "blobs", "--out", run, "--resume", option, value)
    assert len(load_model(run).like.as_came(load_model(run).draw(2, random_state=0)[0])[0]) == 28


def test_a_run_keeps_the_names_of_all_files_left_out(run: Path) -> None:
    lines = (run / "left_out.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[0] for line in lines] == ["kind0/empty name.png", "kind1/page.png"]
    assert all("blobs" in line.split("\t")[1] for line in lines)


def test_samples_are_one_file_a_picture_or_a_film(run: Path, tmp_path: Path) -> None:
    call("sample", run, "-n", 16, "--out", tmp_path / "faces", "--given", "class=kind1", "--seed", 1)
    files = sorted((tmp_path / "faces").rglob("*.png"))
    assert len(files) == 16
    for file in files:
        with Image.open(file) as picture:
            assert picture.size == (40, 28)
    call("sample", run, "-n", 30, "--out", tmp_path / "film.gif", "--seed", 1)
    with Image.open(tmp_path / "film.gif") as film:
        assert 2 <= film.n_frames <= 30  # frames that are alike to the bit are joined
        assert film.size[0] * 28 == film.size[1] * 40  # enlarged by a whole factor


def test_every_moment_of_a_film_is_a_draw_of_the_noise(run: Path) -> None:
    model = load_model(run)
    z = walk(model, 60, seed=3)
    ends = model.noise(3, 3)
    torch.testing.assert_close(z[::20], ends)
    steps = (z - z.roll(1, 0)).norm(dim=1)  # the last step leads back to the first
    assert float(steps.max()) < 3 * float(steps.min())
    many = torch.cat([walk(model, 40, seed)[[7, 33]] for seed in range(200)])
    assert float(many.mean()) == pytest.approx(0, abs=0.02)
    assert float(many.var()) == pytest.approx(1, abs=0.02)


def test_a_model_opens_in_ten_lines_of_plain_pytorch(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)[0]
    assert sum(bool(line) for line in code.splitlines()) == 10
    assert {line for line in code.splitlines() if "saddlepoint" in line} == {
        "from saddlepoint.networks import build"
    }
    gan = sp.GAN(capacity="small", rounds=1, batch=4, random_state=0).fit(blobs(20, 40, 30, 1))
    gan.save(tmp_path / "runs" / "faces" / "model")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, "docs/pictures.md", "exec"), names)
    wanted = gan.model_.sample(noise=names["z"])
    made = np.asarray(names["pictures"]).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(made.reshape(wanted.shape), wanted)


def test_export_without_its_packages_is_a_sentence(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'saddlepoint\[onnx\]'"):
        call("export", run, tmp_path / "g.onnx")


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in onnx_export.NEEDED),
    reason="saddlepoint[onnx] is not installed",
)
def test_onnx_and_torch_agree(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import onnxruntime

    call("export", run, tmp_path / "g.onnx")
    assert "generator exported to ONNX (z and y -> pictures), largest difference" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["g.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx", providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert (facts["classes"], facts["noise_width"], facts["levels"]) == ('["kind0", "kind1"]', "64", "255")
    model = load_model(run)
    z, given = model.noise(7, 5), [f"kind{index % 2}" for index in range(7)]
    y = np.eye(2, dtype=np.float32)[np.arange(7) % 2]
    (made,) = session.run(None, {"z": z.numpy(), "y": y})
    margin = model.encoder.margin
    wanted = (model.generate(z, model.codes(7, given, 0)) - margin) / (1 - 2 * margin)
    np.testing.assert_allclose(made, wanted.clamp(0, 1).numpy(), atol=1e-4)
