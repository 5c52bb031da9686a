"""Rows of a table as tensors: the one-hot entries of all columns first, then the normal scores.

Three kinds of columns are not encoded: columns that are functions of others are restored from these, constants are repeated,
and identifiers are generated in the same format. Column transformers are in `columns`, `datetime` and `identifiers`; how
their codes become one-hot entries and scores is in `features`; how they are fitted to large files is in `streaming`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch

from saddlepoint.data.packed import packed_table, packed_values, unpacked_table, unpacked_values
from saddlepoint.data.tables.numeric import cells_of
from saddlepoint.data.tables.parquet import ParquetRows
from saddlepoint.data.tables.schema import Schema
from saddlepoint.data.tables.types import Column, decoded
from saddlepoint.data.transforms.columns import CategoricalTransformer, Decoded, NumericTransformer
from saddlepoint.data.transforms.datetime import DateFormat, DatetimeTransformer, ordered_after
from saddlepoint.data.transforms.features import FeatureBlock
from saddlepoint.data.transforms.functional_dependencies import FunctionalDependency, find, pairs_of
from saddlepoint.data.transforms.identifiers import IdentifierTransformer
from saddlepoint.errors import InputError, StoredFileError

ColumnTransformer = CategoricalTransformer | NumericTransformer | DatetimeTransformer | IdentifierTransformer
_TRANSFORMERS: dict[str, Any] = {
    each.kind: each
    for each in (CategoricalTransformer, NumericTransformer, DatetimeTransformer, IdentifierTransformer)
}


@dataclass(frozen=True, kw_only=True, eq=False)
class TableTransformer:
    """Frames of Arrow-backed columns <-> float tensors (n, width).

    form: an empty table with the columns' names and Arrow types, in their order.
    transformers: one for each column that is learnt, and for each identifier.
    dependencies: one for each column that is restored from another one.
    constants: the one cell of each column that never varies.
    kinds: the kind of each column, by name.
    rank_error: the largest rank error of a number, as a share of the rows; above 0 only if fitted by `streaming`.
    """

    form: pa.Table
    transformers: tuple[ColumnTransformer, ...]
    dependencies: tuple[FunctionalDependency, ...]
    constants: dict[str, pa.Array]
    kinds: dict[str, str]
    rank_error: float = 0.0

    @classmethod
    def fit(
        cls, frame: pd.DataFrame, schema: Schema, *, violated: frozenset[str] = frozenset()
    ) -> TableTransformer:
        """Return the transformer fitted to a frame.

        frame: as `tables.read.frame_of` returns it.
        schema: the kinds of its columns.
        violated: columns for which no functional dependency and no order of dates is assumed.

        Raises InputError where nothing varies, or a column cannot be of its given kind.
        """
        cells = {column.name: cells_of(frame, column.name) for column in schema.columns}
        constants = {
            column.name: cells[column.name].slice(0, 1).combine_chunks()
            for column in schema.columns
            if column.kind == "constant" or cells[column.name].null_count == len(frame)
        }
        varying = [column for column in schema.columns if column.name not in constants]
        transformers = _fitted(varying, cells, violated)
        dependencies = _dependencies(transformers, cells, violated)
        restored = {each.name for each in dependencies}
        learnt = tuple(transformer for transformer in transformers if transformer.name not in restored)
        if not any(
            transformer.feature_blocks
            for transformer in learnt
            if not isinstance(transformer, IdentifierTransformer)
        ):
            raise InputError(
                "No column varies except identifiers, which are not learnt: there is nothing to learn from this table."
            )
        return cls(
            form=pa.table(cells).slice(0, 0).combine_chunks(),
            transformers=learnt,
            dependencies=dependencies,
            constants={name: _plain(value) for name, value in constants.items()},
            kinds={column.name: column.kind for column in schema.columns},
        )

    @property
    def kind(self) -> str:
        """Return "tables"."""
        return "tables"

    @cached_property
    def feature_blocks(self) -> tuple[FeatureBlock, ...]:
        """Return the feature blocks of all columns, in order."""
        return tuple(block for transformer in self.transformers for block in transformer.feature_blocks)

    @property
    def layout(self) -> tuple[tuple[int, bool], ...]:
        """Return for each feature block its number of one-hot entries, and whether it has a score."""
        return tuple((block.entries, block.scored) for block in self.feature_blocks)

    @property
    def columns_of_blocks(self) -> tuple[int, ...]:
        """Return for each feature block the index of its column in `transformers`."""
        return tuple(
            at for at, transformer in enumerate(self.transformers) for _ in transformer.feature_blocks
        )

    @property
    def shape(self) -> tuple[int]:
        """Return (width,): the number of entries plus the number of scores."""
        return (sum(entries + scored for entries, scored in self.layout),)

    @property
    def draws(self) -> int:
        """Return the number of uniform numbers needed to draw a row's scores: one for each score."""
        return sum(scored for _, scored in self.layout)

    @property
    def mean_encoded(self) -> torch.Tensor:
        """Return the mean of encoded rows, (width,): each entry's share of rows, and 0 for each score."""
        return torch.cat([self.log_frequencies.exp(), torch.zeros(self.draws)])

    @property
    def log_frequencies(self) -> torch.Tensor:
        """Return the logarithm of each entry's share of rows, (entries,)."""
        return _joined([block.log_frequencies() for block in self.feature_blocks])

    def log_shares(self, rows: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Return log p of each row's known entries, (n,), as if columns were independent: a sum of log shares.

        rows: encoded rows (n, width).
        known: which feature blocks are known, (n, blocks).
        """
        of_entries = known[:, [at for at, (entries, _) in enumerate(self.layout) for _ in range(entries)]]
        return (rows[:, : of_entries.shape[1]] * of_entries) @ self.log_frequencies

    @property
    def entry_scores(self) -> torch.Tensor:
        """Return the score of each entry, (entries,); 0 where its feature block has no score."""
        return _joined([block.entry_scores() for block in self.feature_blocks])

    @cached_property
    def _tables(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Where each feature block begins in the flat tables, and the tables: entry (or -1), low and high of each level."""
        starts, entries, lows, highs, offset, begin = [], [], [], [], 0, 0
        for block in self.feature_blocks:
            entry, low, high = block.tables()
            starts.append(begin)
            entries.append(entry + offset if block.entries else np.full(len(entry), -1))
            lows.append(low)
            highs.append(high)
            offset, begin = offset + block.entries, begin + len(entry)
        places = torch.from_numpy(np.concatenate(entries))
        edges = [torch.from_numpy(np.concatenate(each)).float() for each in (lows, highs)]
        return torch.tensor(starts), places, edges[0], edges[1]

    def to_codes(self, frame: pd.DataFrame | ParquetRows) -> torch.Tensor:
        """Return the code of each row in each feature block, int32 (n, blocks): the compact form kept in memory.

        A code is the index of a level; a missing cell has the number of levels as its code.

        Raises InputError for missing columns, cells of another kind, unknown categories, and missing cells in a column that
        had none in training.
        """
        if isinstance(frame, ParquetRows):
            filled, at = torch.empty(len(frame), len(self.feature_blocks), dtype=torch.int32), 0
            for part in frame.parts():
                filled[at : at + len(part)] = self.to_codes(part)
                at += len(part)
            return filled
        missing = [name for name in self.form.column_names if name not in frame.columns]
        if missing:
            raise InputError(
                f"The table lacks column {missing[0]!r}; the columns needed are {', '.join(self.form.column_names[:12])}."
            )
        columns: list[npt.NDArray[np.int32]] = []
        for transformer in self.transformers:
            codes = self._codes(transformer, frame)
            for block, each in zip(transformer.feature_blocks, codes, strict=True):
                if block.nulls == 0 and (each == len(block.counts)).any():
                    row = int(np.flatnonzero(each == len(block.counts))[0])
                    raise InputError(
                        f"Column {transformer.name!r} is empty in row {row + 1}, which never occurred in training; "
                        "fill the cell in."
                    )
            columns += codes
        return torch.from_numpy(np.column_stack(columns))

    def encodable(self, frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Return which rows have only known categories, and missing cells only in columns that had some in training, (n,)."""
        good = np.ones(len(frame), dtype=bool)
        for transformer in self.transformers:
            cells = decoded(cells_of(frame, transformer.name))
            missing = np.asarray(cells.is_null().to_numpy(), dtype=bool)
            if isinstance(transformer, CategoricalTransformer):
                plain = (
                    cells if cells.type == transformer.values.type else cells.cast(transformer.values.type)
                )
                known = pc.is_in(plain, value_set=transformer.values)
                good &= np.asarray(known.to_numpy(), dtype=bool) | missing
            if any(block.nulls == 0 for block in transformer.feature_blocks):
                good &= ~missing
        return good

    def to_features(self, codes: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
        """Return encoded rows (n, width).

        codes: as `to_codes` returns them, (n, blocks).
        uniforms: numbers in (0, 1), (n, draws): the place of each score within its level's interval.
        """
        starts, entry, low, high = (each.to(codes.device) for each in self._tables)
        at = codes.long() + starts
        blocks = torch.tensor([entries > 0 for entries, _ in self.layout], device=codes.device)
        scored = torch.tensor([scored for _, scored in self.layout], device=codes.device)
        hot = entry[at[:, blocks]]
        rows = uniforms.new_zeros(len(codes), self.shape[0])
        rows.scatter_(1, hot, 1.0)
        if self.draws:
            within = at[:, scored]
            u = torch.lerp(low[within].to(uniforms.dtype), high[within].to(uniforms.dtype), uniforms)
            rows[:, -self.draws :] = torch.special.ndtri(u)
        return rows

    def encode(self, rows: pd.DataFrame, *, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return the rows as a tensor (n, width), each score in the middle of its level's interval."""
        codes = self.to_codes(rows)
        return self.to_features(codes, torch.full((len(codes), self.draws), 0.5, dtype=dtype))

    def decode(self, encoded: torch.Tensor) -> pd.DataFrame:
        """Return an encoded tensor (n, width) as a frame of Arrow-backed columns, in their original order and types.

        Raises InputError for another width, or for numbers that are not finite.
        """
        return self.decode_chunks([encoded])

    def decode_chunks(self, parts: Iterable[torch.Tensor]) -> pd.DataFrame:
        """Return the frame that `decode` returns for all parts together, with one part in memory at a time."""
        digest, rows = hashlib.sha256(), 0
        found: list[list[Decoded]] = [[] for _ in self.feature_blocks]
        for encoded in parts:
            if encoded.ndim != 2 or encoded.shape[1] != self.shape[0]:
                raise InputError(
                    f"encoded rows of width {self.shape[0]} are needed, not of shape {tuple(encoded.shape)}."
                )
            numbers = encoded.detach().to(device="cpu", dtype=torch.float32).contiguous().numpy()
            if not np.isfinite(numbers).all():
                raise InputError("encoded rows with NaN or infinity cannot be decoded.")
            digest.update(numbers.data)
            rows += len(numbers)
            for kept, each in zip(found, self._decoded(numbers), strict=True):
                kept.append(each)
        levels = iter([_concatenated(each) for each in found])
        stream = np.random.default_rng(np.frombuffer(digest.digest(), np.uint32))
        cells: dict[str, pa.Array] = {}
        ticks: dict[str, npt.NDArray[np.int64]] = {}
        for transformer in self.transformers:
            mine: list[Decoded] = [next(levels) for _ in transformer.feature_blocks]
            if isinstance(transformer, DatetimeTransformer):
                moments, present = transformer.moments(
                    mine, None if transformer.since is None else ticks[transformer.since]
                )
                ticks[transformer.name] = moments
                cells[transformer.name] = transformer.format.cells(moments, present)
            elif isinstance(transformer, IdentifierTransformer):
                cells[transformer.name] = transformer.cells(mine, rows, stream)
            else:
                cells[transformer.name] = transformer.cells(mine)
        for name, value in self.constants.items():
            cells[name] = value.take(pa.array(np.zeros(rows, dtype=np.int64)))
        for dependency in self.dependencies:
            kind = self.form.schema.field(dependency.name).type
            cells[dependency.name] = dependency.cells(cells[dependency.of], kind)
        return pd.DataFrame(
            {
                field.name: pd.Series(
                    pd.arrays.ArrowExtensionArray(_cast(cells[field.name], field.type)), copy=False
                )
                for field in self.form.schema
            }
        )

    def describe(self) -> list[tuple[str, str, str]]:
        """Return (name, kind, how it is learnt) for each column, in the table's order."""
        descriptions = {transformer.name: transformer.describe() for transformer in self.transformers}
        for name, value in self.constants.items():
            descriptions[name] = (
                "constant, repeated" if value[0].is_valid else "empty in every row, kept empty"
            )
        descriptions |= {
            each.name: f"a function of {each.of}, restored from it" for each in self.dependencies
        }
        return [(name, self.kinds[name], descriptions[name]) for name in self.form.column_names]

    def to_dict(self) -> dict[str, Any]:
        """Return the transformer as plain JSON values."""
        return {
            "kind": "tables",
            "form": packed_table(self.form),
            "transformers": [transformer.to_dict() for transformer in self.transformers],
            "dependencies": [each.to_dict() for each in self.dependencies],
            "constants": {name: packed_values(value) for name, value in self.constants.items()},
            "kinds": self.kinds,
            "rank_error": self.rank_error,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TableTransformer:
        """Restore what `to_dict` returned; StoredFileError if something is missing or does not fit."""
        try:
            return cls(
                form=unpacked_table(stored["form"]),
                transformers=tuple(
                    _TRANSFORMERS[each["kind"]].from_dict(each) for each in stored["transformers"]
                ),
                dependencies=tuple(FunctionalDependency.from_dict(each) for each in stored["dependencies"]),
                constants={name: unpacked_values(each) for name, each in stored["constants"].items()},
                kinds={str(name): str(kind) for name, kind in stored["kinds"].items()},
                rank_error=float(stored.get("rank_error", 0.0)),
            )
        except (KeyError, TypeError, ValueError, AttributeError, pa.ArrowException) as error:
            raise StoredFileError(
                f"the stored table encoder is damaged or from another version of saddlepoint ({error!r}): "
                "train the model again."
            ) from None

    def _codes(self, transformer: ColumnTransformer, frame: pd.DataFrame) -> list[npt.NDArray[np.int32]]:
        cells = cells_of(frame, transformer.name)
        if isinstance(transformer, DatetimeTransformer) and transformer.since is not None:
            base = next(each for each in self.transformers if each.name == transformer.since)
            if isinstance(base, DatetimeTransformer):
                return transformer.codes(cells, cells_of(frame, base.name), base.format)
        return transformer.codes(cells)

    def _decoded(self, numbers: npt.NDArray[np.float32]) -> list[Decoded]:
        found, entry_at, score_at = [], 0, self.shape[0] - self.draws
        for block in self.feature_blocks:
            entry = np.zeros(len(numbers), dtype=np.int64)
            if block.entries:
                entry = numbers[:, entry_at : entry_at + block.entries].argmax(1)
                entry_at += block.entries
            score = np.zeros(len(numbers))
            if block.scored:
                score = numbers[:, score_at].astype(np.float64)
                score_at += 1
            found.append(block.decode(entry, score))
        return found


def _concatenated(parts: list[Decoded]) -> Decoded:
    """Return the decoded parts of one feature block, concatenated."""
    if len(parts) == 1:
        return parts[0]
    first, second, weight = (np.concatenate(each) for each in zip(*parts, strict=True))
    return first, second, weight


def _fitted(
    columns: list[Column], cells: Mapping[str, pa.ChunkedArray], violated: frozenset[str]
) -> list[ColumnTransformer]:
    dates = []
    for column in columns:
        if column.kind == "date-time":
            plain = decoded(cells[column.name])
            date_format = DateFormat.of(column, plain)
            if date_format is not None and not pa.types.is_dictionary(cells[column.name].type):
                dates.append((column.name, date_format, *date_format.ticks(plain, column.name)))
    after = {name: of for name, of in ordered_after(dates).items() if name not in violated}
    transformers: dict[str, ColumnTransformer] = {}
    for column in columns:
        mine = cells[column.name]
        if column.kind == "identifier":
            transformers[column.name] = IdentifierTransformer.fit(column, mine)
        elif column.kind in ("numeric", "integer"):
            transformers[column.name] = NumericTransformer.fit(column, mine)
        elif column.kind == "date-time":
            base = transformers.get(after.get(column.name, ""))
            since = (base, cells[base.name]) if isinstance(base, DatetimeTransformer) else None
            transformers[column.name] = DatetimeTransformer.fit(column, mine, since)
        else:
            transformers[column.name] = CategoricalTransformer.fit(column, mine)
    return list(transformers.values())


def _dependencies(
    transformers: list[ColumnTransformer], cells: Mapping[str, pa.ChunkedArray], violated: frozenset[str]
) -> tuple[FunctionalDependency, ...]:
    exact = {
        transformer.name: transformer.codes(cells[transformer.name])[0]
        for transformer in transformers
        if isinstance(transformer, CategoricalTransformer | NumericTransformer)
        and not transformer.feature_blocks[0].smooth
    }
    origins = {
        transformer.since for transformer in transformers if isinstance(transformer, DatetimeTransformer)
    }
    able = [
        transformer.name for transformer in transformers if not isinstance(transformer, IdentifierTransformer)
    ]
    equal = [
        (name, other)
        for at, name in enumerate(able)
        for other in able[:at]
        if name not in origins and cells[name].type == cells[other].type and cells[name].equals(cells[other])
    ]
    found = {name: of for name, of in find(exact, equal).items() if name not in violated}
    same = {name for name, other in found.items() if (name, other) in equal}
    return tuple(
        FunctionalDependency(
            name=name, of=of, table=None if name in same else pairs_of(cells[of], cells[name])
        )
        for name, of in found.items()
    )


def _plain(value: Any) -> pa.Array:
    return value.combine_chunks() if isinstance(value, pa.ChunkedArray) else value


def _cast(cells: pa.Array, kind: pa.DataType) -> pa.Array:
    return cells if cells.type == kind else cells.cast(kind)


def _joined(parts: list[npt.NDArray[np.float64]]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(parts)).float()
