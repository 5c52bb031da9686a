"""From a run folder or a saved model to a file of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from saddlepoint import compute
from saddlepoint.data.writing import FEWEST_FRAMES, check_target, write_film, write_samples
from saddlepoint.errors import InputError
from saddlepoint.model import Model
from saddlepoint.runs.film import walk
from saddlepoint.runs.folder import RunFolder


def load_model(path: Path) -> Model:
    """Return the model of a run folder, or a saved model.

    Raises:
        InputError: there is neither.
        StoredFileError: it is damaged.
    """
    if (path / "settings.json").is_file():
        if not (path / "model" / "model.json").is_file():
            raise InputError(
                f"The run in {path} has not saved a model yet: let it train until its first save."
            )
        return Model.load(path / "model")
    return Model.load(path)


def label_of(path: Path) -> str | None:
    """Return the name of the label column that a run was told to learn by, or None."""
    if not (path / "settings.json").is_file():
        return None
    label = RunFolder.open(path).settings().get("source", {}).get("label")
    return None if label is None else str(label)


def condition_of(run: Path, model: Model, given: list[str]) -> Any:
    """Return what `Model.draw` takes as given: a class, or conditions on the columns of a table.

    Raises:
        InputError: it is neither.
    """
    names = ["class", *filter(None, [label_of(run)])]
    pairs = [each.partition("=") for each in given]
    if model.encoder.kind == "tables":
        if model.classes is None:
            return given
        classes = [value if equals else name for name, equals, value in pairs if not equals or name in names]
        rest = {name: value for name, equals, value in pairs if equals and name not in names}
        if len(classes) + len(rest) == len(given) and len(classes) <= 1:
            return {**rest, **({"class": classes[0]} if classes else {})}
    name, equals, value = pairs[0]
    if not equals:  # there is one label, so that a value alone is clear
        name, value = "class", name
    ways = " or ".join(f"--given {each}=VALUE" for each in dict.fromkeys(names))
    if name not in names or not value:
        raise InputError(f"--given {given[0]!r} is not understood; write {ways}.")
    if len(given) > 1:
        raise InputError(
            f"--given names {len(given)} classes ({', '.join(given)}), and one file is drawn from one of them, or from all "
            f"by their shares: give one {ways}, a file each, or none."
        )
    return value


def sample_to_file(
    run: Path,
    out: Path,
    *,
    n: int = 100,
    seed: int | None = None,
    given: list[str] | None = None,
    base: bool = False,
    escape_formulas: bool = False,
) -> str:
    """Draw n samples and write them; return in one sentence what was written.

    Into a .gif goes a film of n frames that walks through noise space from sample to sample, within one class.

    given: "class=7", or conditions on the columns of a table; base: of what the generator
    started from; escape_formulas: as for `write_samples`.

    Raises:
        InputError: n, the seed, the class or the file's suffix cannot be used.
        StoredFileError: the model is damaged, or the file cannot be written.
    """
    if seed is not None and seed < 0:
        raise InputError(f"seed is {seed}; give a whole number, 0 or more.")
    model = load_model(run).base() if base else load_model(run)
    like = model.like
    check_target(out, like.kind)
    used = compute.fresh_seed() if seed is None else seed
    wish = None if given is None else condition_of(run, model, given)
    if out.suffix.lower() == ".gif":
        return f"{_film(model, out, n, used, wish)}, written to {out} (again: --seed {used})"
    rows, classes = model.draw(n, given=wish, random_state=used)
    written = write_samples(
        out,
        rows,
        like,
        classes=None if classes is None else np.asarray(classes),
        escape_formulas=escape_formulas,
    )
    return f"{written}, written to {out} (again: --seed {used})"


def _film(model: Model, out: Path, frames: int, seed: int, given: Any) -> str:
    if frames < FEWEST_FRAMES:
        raise InputError(
            f"a film of {frames} frames shows no way from sample to sample; ask for {FEWEST_FRAMES} or more."
        )
    codes = model.codes(1, given, seed)
    same = None if codes is None or model.classes is None else model.classes[int(codes[0])]
    rows, _ = model.draw(noise=walk(model, frames, seed).numpy(), given=same, random_state=seed)
    return write_film(out, rows, model.like) + ("" if same is None else f" of class {same}")
