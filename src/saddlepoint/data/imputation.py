"""Imputation (Rubin 1987): which cells of a partly known table are known, and the known cells put back unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.tables.numeric import cells_of
from saddlepoint.data.tables.types import decoded
from saddlepoint.data.transforms.columns import NumericTransformer, unknown_value
from saddlepoint.data.transforms.datetime import DatetimeTransformer
from saddlepoint.data.transforms.identifiers import IdentifierTransformer
from saddlepoint.data.transforms.table import ColumnTransformer, TableTransformer
from saddlepoint.errors import unknown

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class ImputationTask:
    """Rows with some known cells, the missing cells of which are drawn given the known ones.

    encoder: the fitted table transformer.
    frame: the rows as given.
    codes: of the cells (n, blocks); without meaning where a cell is unknown.
    known: which feature blocks of each row are known (n, blocks).
    filled: names of the columns to fill in.
    forbidden: the one-hot entries that must not be drawn (entries,): those of missing cells in the columns to fill in.
    """

    encoder: TableTransformer
    frame: pd.DataFrame
    codes: npt.NDArray[np.int32]
    known: Booleans
    filled: tuple[str, ...]
    forbidden: Booleans

    @classmethod
    def of(
        cls,
        encoder: TableTransformer,
        frame: pd.DataFrame,
        columns: Sequence[str] | None = None,
        *,
        seed: int = 0,
    ) -> ImputationTask:
        """Return the task of filling in the null cells of `columns`.

        encoder: the fitted table transformer.
        frame: of Arrow-backed columns; an absent column is filled in every row.
        columns: to fill in; None for all except identifiers. Null cells of other columns are known to be missing.
        seed: of random draws. If B = f(A), B is known and A is missing, A is drawn from the values that f maps to B.

        Raises InputError for unknown columns or values.
        """
        names = encoder.form.column_names
        for name in [*map(str, frame.columns), *(columns or ())]:
            if name not in names:
                raise unknown("The training table had no column", name, names, "Its columns are")
        identifiers = {
            transformer.name
            for transformer in encoder.transformers
            if isinstance(transformer, IdentifierTransformer)
        }
        filled = (
            tuple(name for name in names if name not in identifiers) if columns is None else tuple(columns)
        )
        cells = {name: _cells(encoder, frame, name) for name in names}
        rng = np.random.default_rng(seed)
        for dependency in encoder.dependencies:
            cells[dependency.of] = _inverted(
                encoder, cells[dependency.of], cells[dependency.name], dependency.name, rng
            )
        codes = np.zeros((len(frame), len(encoder.feature_blocks)), dtype=np.int32)
        known = np.zeros((len(frame), len(encoder.feature_blocks)), dtype=bool)
        forbidden = np.zeros(sum(entries for entries, _ in encoder.layout), dtype=bool)
        at = entry = 0
        for transformer in encoder.transformers:
            mine = slice(at, at + len(transformer.feature_blocks))
            codes[:, mine], known[:, mine] = _codes(encoder, transformer, cells, transformer.name in filled)
            for block in transformer.feature_blocks:
                if transformer.name in filled and block.null_entry is not None:
                    forbidden[entry + block.null_entry] = True
                entry += block.entries
            at = mine.stop
        return cls(encoder=encoder, frame=frame, codes=codes, known=known, filled=filled, forbidden=forbidden)

    def with_known_cells(self, drawn: pd.DataFrame) -> pd.DataFrame:
        """Return drawn rows with every known cell as given, and with the given missing cells of columns not filled in."""
        out = {}
        for field in self.encoder.form.schema:
            cells = cells_of(drawn, field.name).combine_chunks()
            if field.name in self.frame.columns:
                given = cells_of(self.frame, field.name)
                given = given.combine_chunks() if pa.types.is_null(given.type) else _cast(given, field.type)
                if field.name not in self.filled:
                    cells = given.cast(field.type)
                elif not pa.types.is_null(given.type):
                    cells = _merged(given, _plain(cells), field.type)
            out[field.name] = pd.Series(pd.arrays.ArrowExtensionArray(_plain(cells)), copy=False)
        return pd.DataFrame(out)


def out_of_range(encoder: TableTransformer, frame: pd.DataFrame) -> tuple[str, ...]:
    """Return a phrase for each column with known numbers outside the range seen in training: the first one, and its row."""
    found = []
    for transformer in encoder.transformers:
        if not isinstance(transformer, NumericTransformer) or transformer.name not in frame.columns:
            continue
        cells = cells_of(frame, transformer.name)
        if pa.types.is_null(cells.type):
            continue
        values = np.asarray(decoded(cells).cast(pa.float64(), safe=False).to_numpy(), dtype=float)
        low, high = transformer.bins.steps.value(transformer.bins.levels.values[[0, -1]])
        rows = np.flatnonzero((values < low) | (values > high))
        if len(rows):
            many = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
            found.append(
                f"{transformer.name} {values[rows[0]]:g} in row {rows[0] + 1:,}{many} (seen: {low:g} to {high:g})"
            )
    return tuple(found)


def _plain(cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    return cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells


def _cast(cells: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    return _plain(cells if cells.type == kind else cells.cast(kind, safe=False))


def _merged(given: pa.Array, drawn: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        values = pc.coalesce(given.dictionary_decode(), drawn.dictionary_decode())
        indices = pc.index_in(values, value_set=drawn.dictionary, skip_nulls=True)
        return pa.DictionaryArray.from_arrays(
            indices.cast(kind.index_type), drawn.dictionary, ordered=kind.ordered
        )
    return pc.coalesce(given, drawn)


def _cells(encoder: TableTransformer, frame: pd.DataFrame, name: str) -> pa.ChunkedArray:
    kind = encoder.form.schema.field(name).type
    if name not in frame.columns:
        return pa.chunked_array([pa.nulls(len(frame), kind)])
    cells = cells_of(frame, name)
    return cells.cast(kind) if pa.types.is_null(cells.type) else cells


def _codes(
    encoder: TableTransformer, transformer: ColumnTransformer, cells: dict[str, pa.ChunkedArray], fill: bool
) -> tuple[npt.NDArray[np.int32], Booleans]:
    mine = cells[transformer.name]
    missing = np.asarray(mine.is_null().to_numpy(), dtype=bool)
    if isinstance(transformer, IdentifierTransformer):
        shape = (len(mine), len(transformer.feature_blocks))
        if not transformer.feature_blocks:
            return np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=bool)
        here = ~missing if fill else np.ones(len(mine), dtype=bool)
        return np.column_stack(transformer.codes(mine)), np.repeat(
            here[:, None], len(transformer.feature_blocks), 1
        )
    here = ~missing
    if isinstance(transformer, DatetimeTransformer) and transformer.since is not None:
        base = next(each for each in encoder.transformers if each.name == transformer.since)
        origin = cells[transformer.since]
        here = here & np.asarray(origin.is_valid().to_numpy(), dtype=bool)
        codes = (
            transformer.codes(mine, origin, base.format)
            if isinstance(base, DatetimeTransformer)
            else transformer.codes(mine)
        )
    else:
        codes = transformer.codes(mine)
    found = np.column_stack(codes)
    if not fill and all(block.nulls for block in transformer.feature_blocks):
        here = here | missing
    for place, block in enumerate(transformer.feature_blocks):
        if not block.nulls:
            found[:, place] = np.minimum(found[:, place], len(block.counts) - 1)
    return found, np.repeat(here[:, None], len(transformer.feature_blocks), 1)


def _inverted(
    encoder: TableTransformer,
    of: pa.ChunkedArray,
    name: pa.ChunkedArray,
    column: str,
    rng: np.random.Generator,
) -> pa.ChunkedArray:
    """Return the cells of A, where B = f(A): each missing one, with B known, is drawn from the values that f maps to B.

    The draws follow the values' shares in training.

    encoder: the fitted table transformer.
    of: the cells of A (n,).
    name: the cells of B (n,).
    column: the name of B.
    rng: for the draws.
    """
    dependency = next(each for each in encoder.dependencies if each.name == column)
    to_draw = np.asarray(pc.and_(of.is_null(), name.is_valid()).to_numpy(), dtype=bool)
    if dependency.table is None:
        return (
            pa.chunked_array([pc.coalesce(_plain(of), _plain(name.cast(of.type)))]) if to_draw.any() else of
        )
    keys, values = (_plain(decoded(dependency.table[each])) for each in ("of", "name"))
    plain = _plain(decoded(name).cast(values.type))
    found = pc.index_in(plain, value_set=pc.unique(values))
    unknown = pc.and_(found.is_null(), plain.is_valid())
    if pc.any(unknown).as_py():
        raise unknown_value(
            column, plain[pc.index(unknown, True).as_py()].as_py(), pc.unique(values).drop_null()
        )
    if not to_draw.any():
        return of
    transformer = next(each for each in encoder.transformers if each.name == dependency.of)
    block = transformer.feature_blocks[0]
    counts = np.append(block.counts, block.nulls)[transformer.codes(pa.chunked_array([keys]))[0]].astype(
        np.float64
    )
    counts[np.asarray(keys.is_null())] = 0.0
    index = found.to_numpy(zero_copy_only=False)
    groups = pc.index_in(values, value_set=pc.unique(values)).to_numpy()
    chosen = np.full(len(of), -1, dtype=np.int64)
    for row in np.flatnonzero(to_draw):
        weights = counts * (groups == index[row])
        if weights.sum() > 0:
            chosen[row] = rng.choice(len(weights), p=weights / weights.sum())
    drawn = keys.take(pa.array(np.maximum(chosen, 0), mask=chosen < 0))
    whole = decoded(of)
    return pa.chunked_array([pc.coalesce(_plain(whole), drawn.cast(whole.type))])
