"""Tables with missing cells to be filled in: what is known of each row, and the known cells put back as they came."""

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
from saddlepoint.data.transforms.columns import NumericTransformer, not_learnt
from saddlepoint.data.transforms.datetime import DatetimeTransformer
from saddlepoint.data.transforms.identifiers import IdentifierTransformer
from saddlepoint.data.transforms.table import ColumnTransformer, TableTransformer
from saddlepoint.errors import InputError, nearest

Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class ImputationTask:
    """Rows of which some cells are known. levels (n, spans), known (n, spans); filled: names of the columns to fill in.

    never: (entries,) booleans, the entries of missing cells in those columns, which must not be drawn.
    """

    encoder: TableTransformer
    frame: pd.DataFrame
    levels: npt.NDArray[np.int32]
    known: Truths
    filled: tuple[str, ...]
    never: Truths

    @classmethod
    def of(
        cls,
        encoder: TableTransformer,
        frame: pd.DataFrame,
        columns: Sequence[str] | None = None,
        *,
        seed: int = 0,
    ) -> ImputationTask:
        """Return what a frame of Arrow-backed columns knows; null cells of `columns` are to be filled.

        columns: all but identifiers, if None. A column that is absent is filled wholly. Null cells of other columns count
        as known to be missing. A column that is a function of another one tells what that one can be. Raises InputError for
        unknown columns or values.
        """
        names = encoder.form.column_names
        for name in [*map(str, frame.columns), *(columns or ())]:
            if name not in names:
                raise InputError(
                    f"There is no column {name!r} in what was learnt{nearest(name, names) or '.'} The columns are "
                    f"{', '.join(names[:12])}{', ...' if len(names) > 12 else ''}."
                )
        made = {
            transformer.name
            for transformer in encoder.transformers
            if isinstance(transformer, IdentifierTransformer)
        }
        filled = tuple(name for name in names if name not in made) if columns is None else tuple(columns)
        cells = {name: _cells(encoder, frame, name) for name in names}
        rng = np.random.default_rng(seed)
        for dependency in encoder.dependencies:
            cells[dependency.of] = _told(
                encoder, cells[dependency.of], cells[dependency.name], dependency.name, rng
            )
        levels = np.zeros((len(frame), len(encoder.feature_blocks)), dtype=np.int32)
        known = np.zeros((len(frame), len(encoder.feature_blocks)), dtype=bool)
        never = np.zeros(sum(entries for entries, _ in encoder.layout), dtype=bool)
        at = entry = 0
        for transformer in encoder.transformers:
            mine = slice(at, at + len(transformer.feature_blocks))
            codes, here = _codes(encoder, transformer, cells, transformer.name in filled)
            levels[:, mine], known[:, mine] = codes, here
            for block in transformer.feature_blocks:
                if transformer.name in filled and block.null_entry is not None:
                    never[entry + block.null_entry] = True
                entry += block.entries
            at = mine.stop
        return cls(encoder=encoder, frame=frame, levels=levels, known=known, filled=filled, never=never)

    def written(self, drawn: pd.DataFrame) -> pd.DataFrame:
        """Return drawn rows with every known cell as it came, and with what is missing in columns not to be filled."""
        out = {}
        for field in self.encoder.form.schema:
            cells = cells_of(drawn, field.name).combine_chunks()
            if field.name in self.frame.columns:
                came = cells_of(self.frame, field.name)
                came = came.combine_chunks() if pa.types.is_null(came.type) else _cast(came, field.type)
                if field.name not in self.filled:
                    cells = came.cast(field.type)
                elif not pa.types.is_null(came.type):
                    cells = _merged(came, _plain(cells), field.type)
            out[field.name] = pd.Series(pd.arrays.ArrowExtensionArray(_plain(cells)), copy=False)
        return pd.DataFrame(out)


def out_of_range(encoder: TableTransformer, frame: pd.DataFrame) -> tuple[str, ...]:
    """Return in words which known numbers of a frame lie outside what was seen in training, a phrase for each column."""
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


def _merged(came: pa.Array, drawn: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        words = pc.coalesce(came.dictionary_decode(), drawn.dictionary_decode())
        indices = pc.index_in(words, value_set=drawn.dictionary, skip_nulls=True)
        return pa.DictionaryArray.from_arrays(
            indices.cast(kind.index_type), drawn.dictionary, ordered=kind.ordered
        )
    return pc.coalesce(came, drawn)


def _cells(encoder: TableTransformer, frame: pd.DataFrame, name: str) -> pa.ChunkedArray:
    kind = encoder.form.schema.field(name).type
    if name not in frame.columns:
        return pa.chunked_array([pa.nulls(len(frame), kind)])
    cells = cells_of(frame, name)
    return cells.cast(kind) if pa.types.is_null(cells.type) else cells


def _codes(
    encoder: TableTransformer, transformer: ColumnTransformer, cells: dict[str, pa.ChunkedArray], fill: bool
) -> tuple[npt.NDArray[np.int32], Truths]:
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
            transformer.codes(mine, origin, base.writing)
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


def _told(
    encoder: TableTransformer,
    of: pa.ChunkedArray,
    name: pa.ChunkedArray,
    column: str,
    rng: np.random.Generator,
) -> pa.ChunkedArray:
    """Return the cells of a column, those missing drawn from what a function of it tells, by the shares seen."""
    dependency = next(each for each in encoder.dependencies if each.name == column)
    open_ = np.asarray(pc.and_(of.is_null(), name.is_valid()).to_numpy(), dtype=bool)
    if dependency.table is None:
        return pa.chunked_array([pc.coalesce(_plain(of), _plain(name.cast(of.type)))]) if open_.any() else of
    keys, values = (_plain(decoded(dependency.table[each])) for each in ("of", "name"))
    plain = _plain(decoded(name).cast(values.type))
    found = pc.index_in(plain, value_set=pc.unique(values))
    unknown = pc.and_(found.is_null(), plain.is_valid())
    if pc.any(unknown).as_py():
        raise not_learnt(
            column, plain[pc.index(unknown, True).as_py()].as_py(), pc.unique(values).drop_null()
        )
    if not open_.any():
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
    for row in np.flatnonzero(open_):
        weights = counts * (groups == index[row])
        if weights.sum() > 0:
            chosen[row] = rng.choice(len(weights), p=weights / weights.sum())
    told = keys.take(pa.array(np.maximum(chosen, 0), mask=chosen < 0))
    whole = decoded(of)
    return pa.chunked_array([pc.coalesce(_plain(whole), told.cast(whole.type))])
