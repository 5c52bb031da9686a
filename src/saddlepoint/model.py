"""The fitted model: an encoder, a generator and a discriminator; it samples, imputes, gives D's logits, saves and loads.

On disk a model is a folder with `model.json` and one safetensors file, which the JSON names with its SHA-256 checksum.

Conditional sampling of tables (`rows_given`): where unconditional rows often meet the conditions, they are drawn until
enough do. Otherwise cells that a condition fixes exactly are given to G, which draws all others from its
p(unknown | known). If no condition is exact, the rarest column takes a value by its shares in training among the allowed
ones. The remaining conditions are met by drawing again. Draws given known cells are accepted by rejection sampling with
weight p(row) / q(row), where q is the density that they were drawn with. So in both cases the rows follow the distribution
of unconditional rows that meet the conditions; how well G learnt to condition decides only how many draws are needed.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import safetensors.torch
import torch
from torch import Tensor, nn

from saddlepoint import compute
from saddlepoint.aliases import modernise
from saddlepoint.atomic import write_atomically
from saddlepoint.data.conditions import Conditions
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.encoders import Encoder, encoder_from_dict
from saddlepoint.data.imputation import ImputationTask
from saddlepoint.data.tables.read import frame_of
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import GameError, InputError, StoredFileError, nearest
from saddlepoint.networks import MADEGenerator, MixtureGenerator, build
from saddlepoint.version import __version__

_FORMAT = 1
_OF_THE_FILE = ("format", "saddlepoint", "encoder", "weights", "sha256")


def write(folder: Path, facts: dict[str, Any], players: dict[str, nn.Module]) -> None:
    """Write a model atomically: either all of it or nothing.

    folder: the folder of the model.
    facts: the description and the encoder, as plain JSON values.
    players: generator and discriminator by name.

    Raises:
        StoredFileError: the folder cannot be written.
    """
    content = safetensors.torch.save(
        {
            f"{name}.{key}": value.detach().to("cpu", copy=True).contiguous()
            for name, module in players.items()
            for key, value in module.state_dict().items()
        }
    )
    checksum = hashlib.sha256(content).hexdigest()
    weights = folder / f"weights-{checksum[:12]}.safetensors"
    facts = {
        "format": _FORMAT,
        "saddlepoint": __version__,
        **facts,
        "weights": weights.name,
        "sha256": checksum,
    }
    write_atomically(weights, content)
    write_atomically(folder / "model.json", json.dumps(facts, indent=1).encode())
    for old in folder.glob("weights-*.safetensors"):
        if old != weights:
            old.unlink(missing_ok=True)


def read(folder: Path, device: torch.device) -> tuple[dict[str, Any], dict[str, nn.Module], Encoder]:
    """Return what `write` wrote: the description, the players by name, and the encoder.

    Raises:
        InputError: there is no model in that folder.
        StoredFileError: the model is damaged, has a newer format, or has networks that have changed since.
    """
    if not (folder / "model.json").is_file():
        raise InputError(
            f"There is no model in {folder} (no model.json); give a run folder or a saved model."
        )
    try:
        facts = modernise(json.loads((folder / "model.json").read_bytes()))
        if facts["format"] != _FORMAT:
            raise StoredFileError(
                f"{folder} has format {facts['format']}; this version reads format {_FORMAT}: upgrade saddlepoint."
            )
        content = (folder / Path(facts["weights"]).name).read_bytes()
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise StoredFileError(f"The weights in {folder} are damaged: their checksum does not match.")
        tensors = safetensors.torch.load(content)
        try:
            players = {
                name: compute.to_channels_last(_player(facts[name], tensors, name).to(device))
                for name in ("generator", "discriminator")
            }
        except RuntimeError:
            # The checksum matches, so the file is intact, but networks with these names have other shapes today.
            raise StoredFileError(
                f"The model in {folder} was saved by another version of saddlepoint, whose networks had weights of other "
                "shapes: train it again, or load it with the version that saved it."
            ) from None
        encoder = encoder_from_dict(facts["encoder"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        raise StoredFileError(
            f"The model in {folder} cannot be read: {str(error).splitlines()[0]}"
        ) from error
    return {key: value for key, value in facts.items() if key not in _OF_THE_FILE}, players, encoder


def _player(description: dict[str, Any], tensors: dict[str, Tensor], name: str) -> nn.Module:
    state = {
        key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")
    }
    player = build(description)
    player.to(next(iter(state.values())).dtype).load_state_dict(state)
    return player


CHUNK = 4096
_TRIES, _LEAST_SHARE = 25, 1e-4
_OFTEN = 1 / 40  # share of unconditional rows that must meet the conditions for simple rejection
_LEAST_ACCEPTED = (
    1 / 16
)  # share of a chunk that is accepted at least; for this the largest weights are capped

Generate = Callable[[int, Tensor, Tensor, Tensor | None], Tensor]
"""(chunk number, known rows (m, width), known (m, feature blocks), entries never drawn) -> encoded rows (m, width)."""

Places = npt.NDArray[np.int64]

Weigh = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(chunk number, known rows, known, drawn rows) -> log p(row) - log p(unknown | known), (m,)."""


def rows_given(
    conditions: Conditions, generate: Generate, weigh: Weigh, n: int, seed: int
) -> tuple[pd.DataFrame, Places]:
    """Return n rows that meet the conditions, and their numbers among all draws (chunk number * CHUNK + row), (n,).

    The first rows do not depend on n.

    conditions: what the rows must meet.
    generate: draws a chunk of rows given known cells.
    weigh: returns the log weights of drawn rows.
    n: number of rows.
    seed: seed of the draw.

    Raises:
        InputError: almost no draw meets all conditions.
    """
    kept: list[pd.DataFrame] = []
    places: list[Places] = []
    found, tries, whole = 0, 0, True
    while found < n:
        if tries >= _TRIES and found < _LEAST_SHARE * tries * CHUNK:
            raise InputError(
                f"Of {tries * CHUNK:,} rows drawn, {found:,} meet {conditions.text} together: such rows are too rare to draw "
                f"{n:,}; ask for fewer rows or leave a condition out."
            )
        if whole:
            frame, chosen = _of_whole_rows(conditions, generate, tries)
        else:
            frame, chosen = _of_known_cells(conditions, generate, weigh, tries, seed)
        good = conditions.accepted(frame, exact=whole)
        if tries == 0:
            whole = good.sum() >= _OFTEN * CHUNK
        kept.append(frame if good.all() else frame[good])
        places.append(tries * CHUNK + chosen[good])
        found, tries = found + int(good.sum()), tries + 1
    return pd.concat(kept, ignore_index=True).iloc[:n], np.concatenate(places)[:n]


def _of_whole_rows(conditions: Conditions, generate: Generate, chunk: int) -> tuple[pd.DataFrame, Places]:
    """Return the rows of a chunk, drawn without conditions, and their numbers."""
    encoder = conditions.encoder
    nothing = torch.zeros(CHUNK, encoder.shape[0]), torch.zeros(CHUNK, len(encoder.feature_blocks))
    return encoder.decode(generate(chunk, *nothing, None)), np.arange(CHUNK)


def _of_known_cells(
    conditions: Conditions, generate: Generate, weigh: Weigh, chunk: int, seed: int
) -> tuple[pd.DataFrame, Places]:
    """Return the accepted rows of a chunk, drawn given known cells, and their numbers."""
    encoder = conditions.encoder
    cell_codes, known = conditions.known(CHUNK, compute.numpy_generator(seed, "given", chunk).random(CHUNK))
    rows = _features(encoder, cell_codes, seed, chunk)
    mask = torch.from_numpy(known).float().expand(CHUNK, -1)
    drawn = generate(chunk, rows, mask, None)
    weights = weigh(chunk, rows, mask, drawn) - encoder.log_shares(rows, mask)
    chosen = accept_by_weight(weights, compute.random_generator(seed, "given/kept", chunk))
    return conditions.with_exact_cells(encoder.decode(drawn[chosen])), np.flatnonzero(chosen.numpy())


def accept_by_weight(log_weights: Tensor, draws: torch.Generator) -> Tensor:
    """Return which of m rows rejection sampling accepts, (m,) booleans: each with probability min(1, weight / c).

    c is the largest weight, or smaller, so that on average at least a sixteenth of the rows is accepted.
    """
    weights = torch.exp(log_weights.double() - log_weights.max())
    m = len(weights)
    most = int(_LEAST_ACCEPTED * m)
    # If the k largest weights are capped at c, k + (sum of the others) / c rows are accepted. This gives a c for each k;
    # the first consistent one is taken.
    heaviest = weights.sort(descending=True).values
    others = heaviest.flip(0).cumsum(0).flip(0)[: most or 1]
    caps = others / (_LEAST_ACCEPTED * m - torch.arange(len(others)))
    cap = caps[heaviest[: len(caps)] <= caps][:1].clamp_max(1.0)
    return (
        torch.rand(m, generator=draws, dtype=torch.float64) * (float(cap) if len(cap) else float(caps[-1]))
        < weights
    )


def impute(task: ImputationTask, generate: Generate, seed: int) -> pd.DataFrame:
    """Return a table with its missing cells drawn given the known cells of their row."""
    never = torch.from_numpy(task.forbidden) if task.forbidden.any() else None
    encoder, drawn = task.encoder, []
    for chunk, start in enumerate(range(0, len(task.codes), CHUNK)):
        mine = slice(start, start + CHUNK)
        rows = _features(encoder, task.codes[mine], seed, chunk)
        drawn.append(generate(chunk, rows, torch.from_numpy(task.known[mine]).float(), never))
    return task.with_known_cells(encoder.decode(torch.cat(drawn)))


def _features(encoder: TableTransformer, cell_codes: np.ndarray, seed: int, chunk: int) -> Tensor:
    """Return the encoded rows of a chunk of cell codes; scores within ties are drawn by a stream of their own."""
    uniforms = torch.rand(
        len(cell_codes), encoder.draws, generator=compute.random_generator(seed, "given/scores", chunk)
    )
    return encoder.to_features(torch.from_numpy(cell_codes), uniforms)


_CHUNK = CHUNK
_PIECE = 2048
"""Rows in one forward pass: twice as many no longer fit into the cache, and rows of a table take 1.5 times as long."""
_FORM = (
    *("name", "kind", "columns", "dtypes", "levels", "form", "shape", "dtype", "fractions"),
    *("resolution", "other_sizes", "pandas"),
)


class Model:
    """A fitted encoder, generator and discriminator.

    encoder: maps rows to what the networks see, and back.
    generator, discriminator: the networks; they are set to evaluation mode.
    description: the content of `model.json`: names and numbers of the networks, distribution and width of the noise, the
        classes with their shares (or None), and the origin of the model.
    """

    def __init__(
        self, *, encoder: Encoder, generator: nn.Module, discriminator: nn.Module, description: dict[str, Any]
    ) -> None:
        self.encoder = encoder
        self.generator = generator.eval()
        self.discriminator = discriminator.eval()
        self.description = description

    @property
    def classes(self) -> list[Any] | None:
        """The class values in the order of the one-hot code, or None for a model without classes."""
        classes: list[Any] | None = self.description["classes"]
        return classes

    @property
    def like(self) -> Dataset:
        """An empty data set in the form of the training data."""
        form = dict(self.description["data"])
        for name in ("columns", "dtypes", "shape"):
            form[name] = None if form[name] is None else tuple(form[name])
        return Dataset(rows=self.encoder.decode(torch.empty(0, *self.encoder.shape)), **form)

    @property
    def noise_width(self) -> int:
        """The number of values in one z."""
        return int(self.description["noise_width"])

    @property
    def device(self) -> torch.device:
        """The device of the generator."""
        return next(self.generator.parameters()).device

    def noise(self, n: int, random_state: int) -> Tensor:
        """Return n draws of z, (n, noise_width); the first rows do not depend on n."""
        return torch.cat(list(self._noise_by_chunk(n, random_state)))

    def _noise_by_chunk(self, n: int, random_state: int) -> Iterator[Tensor]:
        for chunk, start in enumerate(range(0, n, _CHUNK)):
            draws = compute.random_generator(random_state, "sample", chunk)
            z = compute.noise(self.description["noise_distribution"], _CHUNK, self.noise_width, draws)
            yield z[: n - start]

    def sample(
        self,
        n: int | None = None,
        *,
        noise: Any = None,
        given: Any = None,
        random_state: int | None = None,
    ) -> Any:
        """Return n samples in the form of the training data.

        n: number of samples; may be left out where noise is given.
        noise: noise to use instead of a random draw, (n, noise_width).
        given: one class for all rows, or one per row; if left out, classes are drawn by their shares in training. For a
            table, conditions on its columns: {"income": ">50K", "age": (30, 40), "sex": ["Male", "Female"]}, or the same as
            text, ["income=>50K", "age=30..40", "sex=Male|Female"].
        random_state: seed that makes the draw repeatable.

        Raises:
            InputError: n is not a whole number of at least 1, noise has another width or is not finite, or `given` has an
                unknown class, is used without classes, or has conditions that cannot be met.
        """
        seed = compute.fresh_seed() if random_state is None else random_state
        rows, _ = self.draw(n, noise=noise, given=given, random_state=seed)
        return self.like.as_came(rows)

    def draw(
        self, n: int | None = None, *, noise: Any = None, given: Any = None, random_state: int
    ) -> tuple[Any, list[Any] | None]:
        """Return decoded rows, points (n, d), pictures (n, H, W, C) or a frame, and the class of each, if any.

        Raises:
            InputError: as `sample`.
            GameError: the generator's output is not finite, because the game diverged.
        """
        conditions = self.encoder.kind == "tables" and (isinstance(given, Mapping) or self.classes is None)
        if given is not None and conditions:
            return self._draw_given(n, noise, given, random_state)
        if noise is None:
            count = _count_of(n)
            chunks: Iterable[Tensor] = self._noise_by_chunk(count, random_state)
        else:
            z = self._noise_of(n, noise)
            count, chunks = len(z), torch.split(z, _CHUNK)
        codes = self.codes(count, given, random_state)
        # Each chunk is decoded before the next is drawn: it stays in the cache, and the noise of a million table rows would
        # be a gigabyte.
        parts = self._generated(chunks, codes)
        if isinstance(self.encoder, TableTransformer):
            rows: Any = self.encoder.decode_chunks(parts)
        else:
            rows = np.concatenate([self.encoder.decode(part) for part in parts])
        classes = self.classes
        return rows, None if codes is None or classes is None else [classes[code] for code in codes.tolist()]

    def _generated(self, noise: Iterable[Tensor], codes: Tensor | None) -> Iterator[Tensor]:
        """Yield encoded rows for each chunk of noise; raise GameError where they are not finite."""
        at = 0
        for z in noise:
            encoded = self.generate(z, None if codes is None else codes[at : at + len(z)])
            if not compute.all_finite(encoded):
                raise GameError(
                    f"The generator's samples are not finite in round {self.description.get('rounds', 0)}, so the game stopped "
                    "there; earlier checkpoints are kept. Lower the learning rates, or check the range of the data."
                )
            yield encoded
            at += len(z)

    def complete(
        self, frame: Any, *, columns: Sequence[str] | None = None, random_state: int | None = None
    ) -> Any:
        """Return a table with its missing cells drawn given the known cells of their row (imputation).

        Known cells do not change. Each row is one draw from p(unknown | known), so that the spread of the data is kept.

        frame: a table with the columns of the training data, in any form that can be read; a column that is absent is
            filled completely.
        columns: the columns to fill in; by default all except identifiers. A missing cell of any other column counts as
            known to be missing.
        random_state: seed that makes the draw repeatable.

        Raises:
            InputError: the model was not trained on a table or cannot condition on columns, or the table has unknown columns
                or values.
        """
        encoder = self._conditional("cells to fill in")
        seed = compute.fresh_seed() if random_state is None else random_state
        task = ImputationTask.of(
            encoder, frame_of(frame), columns, seed=compute.derived_seed(seed, "functions")
        )
        return self.like.as_came(impute(task, self._generator_of(None, seed), seed))

    def _draw_given(self, n: Any, noise: Any, given: Any, seed: int) -> tuple[Any, list[Any] | None]:
        encoder = self._conditional(f"given={given!r}")
        if noise is not None:
            raise InputError(
                "noise cannot be given together with conditions on columns; leave one of them out."
            )
        n = _count_of(1 if n is None else n)
        wanted_class = None
        if isinstance(given, Mapping) and self.classes is not None:
            given = dict(given)
            wanted_class = given.pop("class", None)
        conditions = Conditions.read(encoder, given)
        draw, weigh = self._generator_of(wanted_class, seed), self._weigher_of(wanted_class, seed)
        rows, places = rows_given(conditions, draw, weigh, n, seed)
        classes = self.classes
        if classes is None:
            return rows, None
        chunks = [
            self._codes_of_chunk(chunk, CHUNK, wanted_class, seed) for chunk in range(places[-1] // CHUNK + 1)
        ]
        codes = torch.cat([each for each in chunks if each is not None])
        return rows, [classes[code] for code in codes[torch.from_numpy(places)].tolist()]

    def _conditional(self, what: str) -> TableTransformer:
        """Return the encoder of a model that can condition on columns of a table; raise InputError for any other."""
        if isinstance(self.encoder, TableTransformer) and isinstance(self.generator, MADEGenerator):
            return self.encoder
        if not isinstance(self.encoder, TableTransformer):
            raise InputError(
                f"This model was trained on {self.encoder.kind}, not on a table, so it cannot take {what}."
            )
        raise InputError(
            f"This model cannot condition on columns, so it cannot take {what}; train the table with --start autoregressive "
            "(the default)."
        )

    def _generator_of(self, wanted_class: Any, seed: int) -> Generate:
        """Return the function that draws a chunk given known cells: (chunk, rows, known, never) -> encoded rows."""

        def generate(chunk: int, rows: Tensor, known: Tensor, never: Tensor | None) -> Tensor:
            z, condition = self._noise_and_condition(chunk, rows, known, wanted_class, seed)
            return self.generate(z, condition=condition, never=never)

        return generate

    def _weigher_of(self, wanted_class: Any, seed: int) -> Weigh:
        """Return the function that weighs rows of `_generator_of`: (chunk, rows, known, drawn rows) -> log weights."""

        def weigh(chunk: int, rows: Tensor, known: Tensor, drawn: Tensor) -> Tensor:
            generator = self.generator
            if not isinstance(generator, MADEGenerator):
                return torch.zeros(len(drawn))
            dtype = next(generator.parameters()).dtype
            z, condition = self._noise_and_condition(chunk, rows, known, wanted_class, seed)
            parts = []
            for start in range(0, len(z), _PIECE):
                mine = slice(start, start + _PIECE)
                sides = (each[mine].to(self.device, dtype) for each in (z, condition, drawn))
                parts.append(generator.log_weights(*sides).cpu())
            return torch.cat(parts)

        return weigh

    def _noise_and_condition(
        self, chunk: int, rows: Tensor, known: Tensor, wanted_class: Any, seed: int
    ) -> tuple[Tensor, Tensor]:
        """Return the noise and the condition of a chunk; the condition is [classes | rows | known]."""
        draws = compute.random_generator(seed, "sample", chunk)
        z = compute.noise(self.description["noise_distribution"], CHUNK, self.noise_width, draws)[: len(rows)]
        codes = self._codes_of_chunk(chunk, len(rows), wanted_class, seed)
        parts = [rows, known] if codes is None else [self._one_hot(codes), rows, known]
        return z, torch.cat(parts, 1)

    def _codes_of_chunk(self, chunk: int, rows: int, wanted_class: Any, seed: int) -> Tensor | None:
        return self.codes(rows, wanted_class, compute.derived_seed(seed, "classes", chunk))

    def base(self) -> Model:
        """Return the model before the game: the Gaussian mixture or the fitted MADE that its generator started from.

        Raises:
            InputError: the generator has no fitted start.
        """
        generator = copy.deepcopy(self.generator)
        is_mixture = isinstance(generator, MixtureGenerator) and generator.start == "mixture"
        if not isinstance(generator, MixtureGenerator | MADEGenerator) or not (
            is_mixture or isinstance(generator, MADEGenerator)
        ):
            raise InputError(
                "This generator has no fitted start, so there is no base to sample from; train points with --start mixture "
                "or a table with --start autoregressive (the defaults), or leave --base out."
            )
        generator.reset_to_start()
        return Model(
            encoder=self.encoder,
            generator=generator,
            discriminator=self.discriminator,
            description={**self.description, "kept_round": 0},
        )

    @torch.no_grad()
    def generate(
        self,
        z: Tensor,
        codes: Tensor | None = None,
        *,
        condition: Tensor | None = None,
        never: Tensor | None = None,
    ) -> Tensor:
        """Return encoded rows G(z), on the CPU.

        z: noise, (n, noise_width).
        codes: class numbers, (n,), None without classes.
        condition: the whole condition of G, instead of codes.
        never: entries of a table's row that are never drawn.
        """
        dtype = next(self.generator.parameters()).dtype
        rows = []
        for start in range(0, len(z), _PIECE):
            mine = slice(start, start + _PIECE)
            given = self._one_hot(codes[mine]) if codes is not None else condition
            given = given[mine] if given is condition and given is not None else given
            arguments = [z[mine], *([] if given is None else [given])]
            more = {} if never is None else {"never": never.to(self.device)}
            rows.append(self.generator(*(each.to(self.device, dtype) for each in arguments), **more).cpu())
        return torch.cat(rows)

    @torch.no_grad()
    def logits(self, rows: Any, given: Any = None) -> np.ndarray[Any, Any]:
        """Return D's logit for each row, (n,): positive where D takes it for data.

        rows: decoded rows.
        given: one class for all rows or one per row, for a model with classes.

        Raises:
            InputError: rows have another shape, or the class is missing.
        """
        encoded = self.encoder.encode(rows if self.encoder.kind == "tables" else np.asarray(rows))
        if self.classes is not None and given is None:
            raise InputError(
                "This model learnt rows together with their class, so a logit needs it: give the class of each row."
            )
        codes = None if self.classes is None else self.codes(len(encoded), given, 0)
        dtype = next(self.discriminator.parameters()).dtype
        out = []
        for start in range(0, len(encoded), _PIECE):
            arguments = [encoded[start : start + _PIECE].to(self.device, dtype)]
            if codes is not None:
                arguments.append(self._one_hot(codes[start : start + _PIECE]).to(self.device, dtype))
            out.append(self.discriminator(*arguments).reshape(-1).cpu())
        return torch.cat(out).double().numpy()

    def _noise_of(self, n: int | None, noise: Any) -> Tensor:
        z = torch.as_tensor(np.asarray(noise, dtype=np.float32))
        if z.ndim != 2 or z.shape[1] != self.noise_width or len(z) == 0:
            raise InputError(
                f"noise has shape {tuple(z.shape)}; this model takes (n, {self.noise_width}) with n at least 1."
            )
        if n is not None and n != len(z):
            raise InputError(f"{n} samples were asked for with noise for {len(z)}; leave one of them out.")
        if not bool(z.isfinite().all()):
            raise InputError("noise has NaN or infinite values; give finite numbers.")
        return z

    def codes(self, n: int, given: Any, seed: int) -> Tensor | None:
        """Return n class numbers, from `given` or drawn by the classes' shares; None for a model without classes.

        n: number of rows.
        given: one class for all rows or one per row, None to draw.
        seed: seed of the draw.

        Raises:
            InputError: an unknown class, a number of classes other than 1 or n, or `given` for a model without classes.
        """
        classes = self.classes
        if classes is None:
            if given is not None:
                raise InputError(
                    f"given={given!r} was asked of a model without classes; train it with labels (--label, or fit(X, y)) or "
                    "with clusters found in pictures (cluster), or leave the condition out."
                )
            return None
        if given is None:
            shares = np.asarray(self.description["class_shares"], dtype=float)
            draws = compute.numpy_generator(seed, "classes").choice(len(classes), n, p=shares / shares.sum())
            return torch.from_numpy(draws)
        wanted = [given] if isinstance(given, str) or np.ndim(given) == 0 else list(given)
        if len(wanted) not in (1, n):
            raise InputError(
                f"{len(wanted)} classes were given for {n} rows; give one for all or one per row."
            )
        known = {name: code for code, value in enumerate(classes) for name in _names(value)}
        try:
            codes = [known[_names(value)[0]] for value in wanted]
        except KeyError as error:
            name, names = str(error.args[0]), [str(value) for value in classes]
            some = ", ".join(names[:12]) + (f", ..., {names[-1]}" if len(names) > 12 else "")
            raise InputError(
                f"Unknown class {name!r}{nearest(name, names) or '.'} The classes are {some}."
            ) from error
        return torch.tensor(codes * n if len(codes) == 1 else codes)

    def _one_hot(self, codes: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(codes, len(self.classes or ())).float()

    # -- on disk -------------------------------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model to a folder, atomically: either all of it or nothing.

        Raises:
            StoredFileError: the folder cannot be written.
        """
        write(
            Path(folder),
            {**self.description, "encoder": self.encoder.to_dict()},
            {"generator": self.generator, "discriminator": self.discriminator},
        )

    @classmethod
    def load(cls, folder: str | os.PathLike[str], device: torch.device | None = None) -> Model:
        """Read a model from a folder.

        Raises:
            InputError: there is no model in that folder.
            StoredFileError: the model is damaged or has a newer format.
        """
        facts, players, encoder = read(Path(folder), device or torch.device("cpu"))
        return cls(encoder=encoder, **players, description=facts)


def form_of(dataset: Dataset) -> dict[str, Any]:
    """Return the form of a data set, without its rows, as plain JSON values; `Model.like` restores it."""
    return {name: getattr(dataset, name) for name in _FORM}


def _count_of(n: Any) -> int:
    if n is None or isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InputError(f"{n!r} samples cannot be drawn; ask for a whole number of at least 1.")
    return int(n)


def _names(value: Any) -> tuple[str, ...]:
    """Return the texts that mean this class: 7 and 7.0 are one class, on the command line too."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        return str(int(plain)), str(plain)
    return (str(plain),)


def describe_classes(
    labels: Sequence[Any] | np.ndarray[Any, Any],
) -> tuple[list[Any], list[float], np.ndarray[Any, Any]]:
    """Return the distinct labels in order (as plain values), their shares, and each row's class number."""
    values, codes, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    return plain, [float(share) for share in counts / counts.sum()], codes.reshape(-1)
