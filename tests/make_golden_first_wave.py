"""How tests/golden/first-wave was made, by the first wave's code (commit 0a562a3); kept, never made again.

OMP_NUM_THREADS=1 python tests/make_golden_first_wave.py FOLDER
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

import saddlepoint as sp
from saddlepoint import recipes
from saddlepoint.cli import app
from saddlepoint.fitting import Played
from saddlepoint.runs.session import Session
from saddlepoint.training.settings import PenaltySettings

sys.path.insert(0, str(Path(__file__).parent))
from golden_pairs import PAIRS, mixed_table, sprites

TINY = {"width": 6, "hidden": 6, "units": 4, "components": 3}
_PLAN = recipes.plan


def tiny(change: Callable[[Any], Any] = lambda plan: plan) -> Any:
    """Let recipes plan networks of a few units, so that what is stored here stays small."""

    def plan(*args: Any, **options: Any) -> Any:
        planned = _PLAN(*args, **options)

        def small(network: dict[str, Any]) -> dict[str, Any]:
            cut: dict[str, Any] = {key: size for key, size in TINY.items() if key in network}
            if isinstance(network.get("hidden"), list):
                cut["hidden"] = [6] * len(network["hidden"])
            return network | cut

        planned = dataclasses.replace(
            planned, generator=small(planned.generator), discriminator=small(planned.discriminator)
        )
        return change(planned)

    return mock.patch.object(recipes, "plan", plan)


def by_differences(plan: Any) -> Any:
    both = PenaltySettings(name="r1-differences"), PenaltySettings(name="r2-differences")
    return dataclasses.replace(plan, settings=dataclasses.replace(plan.settings, penalties=both))


def run(*words: str) -> None:
    app([*words], standalone_mode=False)


@contextlib.contextmanager
def within(folder: Path) -> Iterator[None]:
    with contextlib.chdir(folder):
        yield


def train(folder: Path, source: str, *options: str, change: Callable[[Any], Any] = lambda plan: plan) -> None:
    with within(folder), tiny(change):
        run("train", source, "--quiet", "--compile", "off", "--out", "run", *options)
        shutil.rmtree("run/pictures")
        Path("run/report.html").unlink()
        settings = Path("run/settings.json")
        settings.write_text(settings.read_text().replace(str(Path(source).resolve()), source))
        kept = sorted(Path("run/checkpoint").glob("*.safetensors"))
        for old in kept[:-1]:
            old.unlink()
            old.with_suffix(".json").unlink()


def played_on(folder: Path) -> list[dict[str, float]]:
    """Two more rounds of a copy of a run: their records."""
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(folder, Path(place) / "copy")
        with within(Path(place) / "copy"):
            session = Session.resume(Path("run"))
            first = session.fit.round
            events = list(session.play(until_round=first + 2))
            session.close()
    return [event.record.to_dict() for event in events if isinstance(event, Played)]


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("table", "pictures", "differences", "memory"):
        (folder / name).mkdir()
    table = mixed_table(600, seed=0)
    table.to_csv(folder / "table" / "table.csv", index=False)
    gaps = mixed_table(12, seed=1)
    gaps.loc[::2, "amount"], gaps.loc[::3, "region"] = None, None
    gaps.to_csv(folder / "table" / "gaps.csv", index=False)
    checks = ["--until", "budget", "--metrics", "energy"]
    train(folder / "table", "table.csv", "--rounds", "6", *checks, "--power", "full")
    with within(folder / "table"):
        run("sample", "run", "-n", "20", "--seed", "0", "--out", "samples.csv")
        run("sample", "run", "-n", "20", "--seed", "0", "--given", "region=north", "--out", "given.csv")
        run("complete", "run", "gaps.csv", "--seed", "0", "--out", "completed.csv")

    pictures, kinds = sprites(120, 12, seed=0)
    np.savez_compressed(folder / "pictures" / "pictures.npz", images=pictures, labels=kinds)
    train(folder / "pictures", "pictures.npz", "--rounds", "6", "--label", "class")
    with within(folder / "pictures"):
        run("sample", "run", "-n", "9", "--seed", "0", "--out", "samples.npz")

    points = np.random.default_rng(0).normal(size=(80, 2))
    file = folder / "differences" / "points.csv"
    np.savetxt(file, points, delimiter=",", header="x,y", comments="", fmt="%.4f")
    train(folder / "differences", "points.csv", "--rounds", "4", "--start", "plain", change=by_differences)

    wide, wide_kinds = sprites(40, 20, seed=1)
    smooth = np.random.default_rng(2).normal(size=(40, 1, 1, 6)) * np.linspace(0, 1, 20)[:, None, None]
    smooth = np.cumsum(smooth + 0.2, axis=3) @ np.linspace(0, 1, 6 * 24).reshape(6, 24) / 6
    smooth = np.clip(120 + 20 * smooth.reshape(40, 20, 24), 0, 255).astype(np.uint8)
    np.savez_compressed(folder / "memory" / "pictures.npz", images=smooth)
    train(folder / "memory", "pictures.npz", "--rounds", "4", "--memory", "0.5MB")
    for name in ("checkpoint", "model"):  # large, and read by other runs here: what counts are its settings
        shutil.rmtree(folder / "memory" / "run" / name)
    with within(folder / "differences"):
        run("sample", "run", "-n", "5", "--seed", "0", "--out", "samples.npy")

    wanted: dict[str, tuple[Any, Any, dict[str, Any]]] = {
        "points-mixture": (points, None, {}),
        "points-learned": (points, None, {"start": "learned"}),
        "points-plain": (points, None, {"start": "plain"}),
        "points-goodfellow2014": (points, None, {"recipe": "goodfellow2014"}),
        "table-plain": (mixed_table(120, seed=2), None, {"start": "plain"}),
        "pictures-strided": (wide, wide_kinds, {}),
        "pictures-residual": (smooth, None, {}),
        "pictures-goodfellow2014": (pictures, None, {"recipe": "goodfellow2014"}),
    }
    described = {}
    for name, (X, y, options) in wanted.items():
        with tiny():
            gan = sp.GAN(rounds=4, compile="off", random_state=0, **options).fit(X, y)
        target = folder / "models" / name
        gan.save(target)
        made = gan.sample(6, random_state=0)
        if isinstance(made, pd.DataFrame):
            made.to_csv(folder / "models" / f"{name}.csv", index=False)
        else:
            np.save(folder / "models" / f"{name}.npy", np.asarray(made))
        described[name] = gan.model_.description["generator"]["name"]
    (folder / "models" / "networks.json").write_text(json.dumps(described, indent=1) + "\n")

    continued = {name: played_on(folder / name) for name in ("table", "pictures", "differences", "memory")}
    continued["../run-1"] = played_on(Path(__file__).parent / "golden" / "run-1")
    (folder / "continued.json").write_text(json.dumps(continued, indent=1) + "\n")

    for name, pair in PAIRS.items():
        verdict = sp.judge(**pair(), random_state=0, metrics="all").to_dict()
        (folder / f"verdict-{name}.json").write_text(json.dumps(verdict, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
