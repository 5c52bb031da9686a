"""The fitted model: an encoder and two players; enough to sample, to judge and to export, and nothing of the game.

On disk it is a folder with `model.json` and one safetensors file that the JSON names and seals.

Rows of a table that meet conditions, and tables with their missing cells filled in: what a conditional G is for.

Where unconditional rows often meet the conditions, these are drawn until enough do. Otherwise cells that are known exactly
are given to G, which draws all others from its p(unknown | known); of sets and ranges the rarest column takes a value by
the shares seen in training, if no cell is exact; whatever conditions are left are met by drawing again. Of rows drawn so
some are kept, by the weight p(row) that whole rows have, over the density they were drawn with. So either way the law is
that of unconditional rows which meet the conditions; what G learnt of known cells settles how many draws that takes.

A model on disk: a folder with `model.json` and one safetensors file, which the JSON names and seals by its SHA-256.
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
    """Write facts (plain JSON values, the encoder's among them) and the players' weights, whole or not at all.

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
    seal = hashlib.sha256(content).hexdigest()
    weights = folder / f"weights-{seal[:12]}.safetensors"
    facts = {
        "format": _FORMAT,
        "saddlepoint": __version__,
        **facts,
        "weights": weights.name,
        "sha256": seal,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target, data in (
            (weights, content),
            (folder / "model.json", json.dumps(facts, indent=1).encode()),
        ):
            temporary = target.with_name(f".{target.name}.tmp")
            temporary.write_bytes(data)
            os.replace(temporary, target)
        for old in folder.glob("weights-*.safetensors"):
            if old != weights:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise StoredFileError(f"The model cannot be written to {folder} ({error.strerror}).") from error


def read(folder: Path, device: torch.device) -> tuple[dict[str, Any], dict[str, nn.Module], Encoder]:
    """Return the facts, the players by name, and the encoder.

    Raises:
        InputError: there is no model in that folder.
        StoredFileError: the model is damaged, of a newer format, or of networks that have changed since.
    """
    if not (folder / "model.json").is_file():
        raise InputError(
            f"There is no model in {folder} (no model.json); give a run folder or a saved model."
        )
    try:
        facts = modernise(json.loads((folder / "model.json").read_bytes()))
        if facts["format"] != _FORMAT:
            raise StoredFileError(
                f"{folder} has format {facts['format']}; this version reads format {_FORMAT}: upgrade."
            )
        content = (folder / Path(facts["weights"]).name).read_bytes()
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise StoredFileError(f"The weights in {folder} are damaged: their checksum is another.")
        tensors = safetensors.torch.load(content)
        try:
            players = {
                name: compute.to_channels_last(_player(facts[name], tensors, name).to(device))
                for name in ("generator", "discriminator")
            }
        except RuntimeError:
            # The seal holds, so these are the weights that were saved: of networks that are built otherwise today.
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
_OFTEN = 1 / 40  # of unconditional rows: then these are drawn until enough meet the conditions
_LEAST_KEPT = 1 / 16  # of a chunk, however uneven its weights: beyond that they are cut

Generate = Callable[[int, Tensor, Tensor, Tensor | None], Tensor]
"""(number of the chunk, known rows (m, width), known (m, spans), entries never drawn) -> encoded rows (m, width)."""

Places = npt.NDArray[np.int64]

Weigh = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(number of the chunk, known rows, known, rows drawn) -> log p(row) - log p(unknown | known), (m,)."""


def rows_given(
    conditions: Conditions, generate: Generate, weigh: Weigh, n: int, seed: int
) -> tuple[pd.DataFrame, Places]:
    """Return n rows that meet the conditions, and where they were drawn, (n,): CHUNK times the chunk, plus the row in it.

    The first rows do not depend on n.

    Raises InputError where next to no draw meets all of them.
    """
    kept: list[pd.DataFrame] = []
    places: list[Places] = []
    found, tries, whole = 0, 0, True
    while found < n:
        if tries >= _TRIES and found < _LEAST_SHARE * tries * CHUNK:
            raise InputError(
                f"Of {tries * CHUNK:,} rows drawn, {found:,} meet {conditions.said} together: they are too rare to draw "
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
    """Return the rows of a chunk drawn without a condition, and their numbers."""
    encoder = conditions.encoder
    nothing = torch.zeros(CHUNK, encoder.shape[0]), torch.zeros(CHUNK, len(encoder.feature_blocks))
    return encoder.decode(generate(chunk, *nothing, None)), np.arange(CHUNK)


def _of_known_cells(
    conditions: Conditions, generate: Generate, weigh: Weigh, chunk: int, seed: int
) -> tuple[pd.DataFrame, Places]:
    """Return those rows of a chunk drawn given known cells that their weights keep, and their numbers."""
    encoder = conditions.encoder
    levels, known = conditions.known(CHUNK, compute.numpy_generator(seed, "given", chunk).random(CHUNK))
    rows = _expanded(encoder, levels, seed, chunk)
    mask = torch.from_numpy(known).float().expand(CHUNK, -1)
    drawn = generate(chunk, rows, mask, None)
    weights = weigh(chunk, rows, mask, drawn) - encoder.log_shares(rows, mask)
    chosen = kept_by(weights, compute.random_generator(seed, "given/kept", chunk))
    return conditions.written(encoder.decode(drawn[chosen])), np.flatnonzero(chosen.numpy())


def kept_by(log_weights: Tensor, draws: torch.Generator) -> Tensor:
    """Return which of m rows are kept, (m,) booleans: each with the chance min(1, weight / c).

    c is the largest weight, or so much less that a sixteenth of the rows is kept on average.
    """
    weights = torch.exp(log_weights.double() - log_weights.max())
    m = len(weights)
    most = int(_LEAST_KEPT * m)
    # With the k heaviest cut, k + (sum of the others) / c rows are kept: c by that, for the first k it agrees with.
    heaviest = weights.sort(descending=True).values
    others = heaviest.flip(0).cumsum(0).flip(0)[: most or 1]
    cuts = others / (_LEAST_KEPT * m - torch.arange(len(others)))
    cut = cuts[heaviest[: len(cuts)] <= cuts][:1].clamp_max(1.0)
    return (
        torch.rand(m, generator=draws, dtype=torch.float64) * (float(cut) if len(cut) else float(cuts[-1]))
        < weights
    )


def completed(partial: ImputationTask, generate: Generate, seed: int) -> pd.DataFrame:
    """Return a partly known table with its missing cells drawn given the known ones of their row."""
    never = torch.from_numpy(partial.never) if partial.never.any() else None
    encoder, drawn = partial.encoder, []
    for chunk, start in enumerate(range(0, len(partial.levels), CHUNK)):
        mine = slice(start, start + CHUNK)
        rows = _expanded(encoder, partial.levels[mine], seed, chunk)
        drawn.append(generate(chunk, rows, torch.from_numpy(partial.known[mine]).float(), never))
    return partial.written(encoder.decode(torch.cat(drawn)))


def _expanded(encoder: TableTransformer, levels: np.ndarray, seed: int, chunk: int) -> Tensor:
    uniforms = torch.rand(
        len(levels), encoder.draws, generator=compute.random_generator(seed, "given/scores", chunk)
    )
    return encoder.expand(torch.from_numpy(levels), uniforms)


_CHUNK = CHUNK
_PIECE = 2048
"""Rows that a network takes at once: twice as many leave the cache, and a table's rows take half as long again."""
_FORM = (
    *("name", "kind", "columns", "dtypes", "levels", "form", "shape", "dtype", "fractions"),
    *("resolution", "other_sizes", "pandas"),
)


class Model:
    """An encoder, a generator and a discriminator that belong together.

    description holds the networks' names and numbers, the noise law and width, the classes with their shares (or
    None), and where the model comes from: what `model.json` says.
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
        """The values of the condition y in the order of its one-hot code, or None if there is no condition."""
        classes: list[Any] | None = self.description["classes"]
        return classes

    @property
    def like(self) -> Dataset:
        """A data set without rows, of the form that the training data came in."""
        form = dict(self.description["data"])
        for name in ("columns", "dtypes", "shape"):
            form[name] = None if form[name] is None else tuple(form[name])
        return Dataset(rows=self.encoder.decode(torch.empty(0, *self.encoder.shape)), **form)

    @property
    def noise_width(self) -> int:
        """How many numbers make one z."""
        return int(self.description["noise_width"])

    @property
    def device(self) -> torch.device:
        """Where the generator is."""
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
        """Return n rows from p_g in the form of the training data.

        noise, (n, noise_width), stands in place of a draw; given is one class for all rows or one a row, without it
        classes are drawn by their shares in the training data; random_state makes the draw repeatable. Of a table given
        are conditions on its columns: {"income": ">50K", "age": (30, 40), "sex": ["Male", "Female"]}, or the same as texts,
        ["income=>50K", "age=30..40", "sex=Male|Female"].

        Raises:
            InputError: n is not a whole number of at least 1, noise has another width or is not finite, `given` names
                an unknown class or a model without classes, or conditions that cannot be met.
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
            GameError: the generator's numbers are not finite, as of a game that broke.
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
        # A chunk at a time to the end: it stays in the cache, and the noise of a million rows of a table is a gigabyte.
        parts = self._generated(chunks, codes)
        if isinstance(self.encoder, TableTransformer):
            rows: Any = self.encoder.decode_chunks(parts)
        else:
            rows = np.concatenate([self.encoder.decode(part) for part in parts])
        classes = self.classes
        return rows, None if codes is None or classes is None else [classes[code] for code in codes.tolist()]

    def _generated(self, noise: Iterable[Tensor], codes: Tensor | None) -> Iterator[Tensor]:
        """Yield encoded rows of each chunk of noise; GameError where they are not finite."""
        at = 0
        for z in noise:
            encoded = self.generate(z, None if codes is None else codes[at : at + len(z)])
            if not compute.all_finite(encoded):
                raise GameError(
                    f"The generator's samples are not finite in round {self.description.get('rounds', 0)}, so the game stopped "
                    "there; what was saved before is kept. Lower the learning rates or look at the data's range."
                )
            yield encoded
            at += len(z)

    def complete(
        self, frame: Any, *, columns: Sequence[str] | None = None, random_state: int | None = None
    ) -> Any:
        """Return a table with its missing cells drawn given the known cells of their row; known cells stay as they are.

        frame: a table of the columns learnt, in any form that is read; a column that is absent is filled wholly. columns:
        the columns to fill in, all but identifiers if left out; a missing cell of another column counts as known to be
        missing. Each draw is one from p(unknown | known), so that the spread of the data is kept; random_state repeats it.

        Raises:
            InputError: the model is of no table or learnt no conditions, or the table holds unknown columns or values.
        """
        encoder = self._conditional("cells to fill in")
        seed = compute.fresh_seed() if random_state is None else random_state
        partial = ImputationTask.of(
            encoder, frame_of(frame), columns, seed=compute.derived_seed(seed, "functions")
        )
        return self.like.as_came(completed(partial, self._generator_of(None, seed), seed))

    def _draw_given(self, n: Any, noise: Any, given: Any, seed: int) -> tuple[Any, list[Any] | None]:
        encoder = self._conditional(f"given={given!r}")
        if noise is not None:
            raise InputError(
                "noise cannot be given together with conditions on columns; leave one of them out."
            )
        n = _count_of(1 if n is None else n)
        wish = None
        if isinstance(given, Mapping) and self.classes is not None:
            given = dict(given)
            wish = given.pop("class", None)
        conditions = Conditions.read(encoder, given)
        draw, weigh = self._generator_of(wish, seed), self._weigher_of(wish, seed)
        rows, places = rows_given(conditions, draw, weigh, n, seed)
        classes = self.classes
        if classes is None:
            return rows, None
        chunks = [self._codes_of_chunk(chunk, CHUNK, wish, seed) for chunk in range(places[-1] // CHUNK + 1)]
        codes = torch.cat([each for each in chunks if each is not None])
        return rows, [classes[code] for code in codes[torch.from_numpy(places)].tolist()]

    def _conditional(self, what: str) -> TableTransformer:
        if isinstance(self.encoder, TableTransformer) and isinstance(self.generator, MADEGenerator):
            return self.encoder
        if not isinstance(self.encoder, TableTransformer):
            raise InputError(f"This model is of {self.encoder.kind}, not of a table: it cannot take {what}.")
        raise InputError(
            f"This model learnt no conditions, so it cannot take {what}; train the table with --start autoregressive (the default)."
        )

    def _generator_of(self, wish: Any, seed: int) -> Generate:
        """Return what draws a chunk given known cells: (chunk, rows, known, never) -> encoded rows."""

        def generate(chunk: int, rows: Tensor, known: Tensor, never: Tensor | None) -> Tensor:
            z, condition = self._told(chunk, rows, known, wish, seed)
            return self.generate(z, condition=condition, never=never)

        return generate

    def _weigher_of(self, wish: Any, seed: int) -> Weigh:
        """Return what weighs the rows that `_generator_of` drew: (chunk, rows, known, rows drawn) -> log weights."""

        def weigh(chunk: int, rows: Tensor, known: Tensor, drawn: Tensor) -> Tensor:
            generator = self.generator
            if not isinstance(generator, MADEGenerator):
                return torch.zeros(len(drawn))
            dtype = next(generator.parameters()).dtype
            z, condition = self._told(chunk, rows, known, wish, seed)
            parts = []
            for start in range(0, len(z), _PIECE):
                mine = slice(start, start + _PIECE)
                sides = (each[mine].to(self.device, dtype) for each in (z, condition, drawn))
                parts.append(generator.log_weights(*sides).cpu())
            return torch.cat(parts)

        return weigh

    def _told(self, chunk: int, rows: Tensor, known: Tensor, wish: Any, seed: int) -> tuple[Tensor, Tensor]:
        """Return a chunk's noise and its condition, [classes | rows | known]."""
        draws = compute.random_generator(seed, "sample", chunk)
        z = compute.noise(self.description["noise_distribution"], CHUNK, self.noise_width, draws)[: len(rows)]
        codes = self._codes_of_chunk(chunk, len(rows), wish, seed)
        parts = [rows, known] if codes is None else [self._one_hot(codes), rows, known]
        return z, torch.cat(parts, 1)

    def _codes_of_chunk(self, chunk: int, rows: int, wish: Any, seed: int) -> Tensor | None:
        return self.codes(rows, wish, compute.derived_seed(seed, "classes", chunk))

    def base(self) -> Model:
        """Return the model before the game: the mixture of Gaussians, or the fitted heads, that its generator started from.

        Raises:
            InputError: the generator started from neither.
        """
        generator = copy.deepcopy(self.generator)
        charted = isinstance(generator, MixtureGenerator) and generator.start == "mixture"
        if not isinstance(generator, MixtureGenerator | MADEGenerator) or not (
            charted or isinstance(generator, MADEGenerator)
        ):
            raise InputError(
                "This generator did not start near the data, so there is no base to sample from; train points with "
                "--start mixture or a table with --start autoregressive (the defaults), or leave the base out."
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
        """Return encoded rows G(z), on the CPU; codes are class numbers (n,), condition what G takes as such."""
        dtype = next(self.generator.parameters()).dtype
        rows = []
        for start in range(0, len(z), _PIECE):
            mine = slice(start, start + _PIECE)
            told = self._one_hot(codes[mine]) if codes is not None else condition
            told = told[mine] if told is condition and told is not None else told
            arguments = [z[mine], *([] if told is None else [told])]
            more = {} if never is None else {"never": never.to(self.device)}
            rows.append(self.generator(*(each.to(self.device, dtype) for each in arguments), **more).cpu())
        return torch.cat(rows)

    @torch.no_grad()
    def logits(self, rows: Any, given: Any = None) -> np.ndarray[Any, Any]:
        """Return D's logit for each row, (n,): positive where D takes it for data.

        Raises:
            InputError: rows of another shape, or a condition is needed and not given.
        """
        encoded = self.encoder.encode(rows if self.encoder.kind == "tables" else np.asarray(rows))
        if self.classes is not None and given is None:
            raise InputError("This model learnt rows together with their class; give the class of each row.")
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
            raise InputError("noise holds NaN or infinity; it must be finite.")
        return z

    def codes(self, n: int, given: Any, seed: int) -> Tensor | None:
        """Return n class numbers: of `given`, or drawn by the classes' shares; None for a model without classes.

        Raises:
            InputError: an unknown class, another number of classes than rows, or a model without classes.
        """
        classes = self.classes
        if classes is None:
            if given is not None:
                raise InputError(
                    f"given={given!r} was asked of a model that learnt no classes; train it with labels "
                    "(--label, or fit(X, y)) or with classes found in pictures (cluster), or leave the condition out."
                )
            return None
        if given is None:
            shares = np.asarray(self.description["class_shares"], dtype=float)
            draws = compute.numpy_generator(seed, "classes").choice(len(classes), n, p=shares / shares.sum())
            return torch.from_numpy(draws)
        wanted = [given] if isinstance(given, str) or np.ndim(given) == 0 else list(given)
        if len(wanted) not in (1, n):
            raise InputError(f"{len(wanted)} classes were given for {n} rows; give one for all or one a row.")
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
        """Write the model into a folder, whole or not at all.

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
            StoredFileError: the model is damaged or of a newer format.
        """
        facts, players, encoder = read(Path(folder), device or torch.device("cpu"))
        return cls(encoder=encoder, **players, description=facts)


def form_of(dataset: Dataset) -> dict[str, Any]:
    """Return the form of a data set, without its rows, as plain JSON values: what `Model.like` restores."""
    return {name: getattr(dataset, name) for name in _FORM}


def _count_of(n: Any) -> int:
    if n is None or isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InputError(f"{n!r} samples cannot be drawn; ask for a whole number of at least 1.")
    return int(n)


def _names(value: Any) -> tuple[str, ...]:
    """Return what a class may be called: 7 and 7.0 are one class, on the command line too."""
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
