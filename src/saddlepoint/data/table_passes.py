"""Fitting a table's encoder to rows that are never in memory together: a look at some of them, then one counting pass.

What the look takes for granted (a constant column, a function of another one, an order of dates) is checked in every row of
the pass; where a row breaks it, the look is taken again with that row, or without that function, and the pass begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.parquet_rows import ParquetRows
from saddlepoint.data.schema import Schema, infer
from saddlepoint.data.table_calendar import DateCodec
from saddlepoint.data.table_codecs import CategoryCodec, NumberCodec
from saddlepoint.data.table_columns import Column, decoded
from saddlepoint.data.table_dependencies import Dependency
from saddlepoint.data.table_encoder import TableEncoder
from saddlepoint.data.table_matrix import cells_of
from saddlepoint.data.table_tallies import CategoryTally, DateTally, IdentifierTally, NumberTally, Tally
from saddlepoint.data.table_text import NUMBER
from saddlepoint.errors import InputError

LOOKED_AT = 50_000
_ODD_ROWS = 20


def look_at(rows: ParquetRows) -> pd.DataFrame:
    """Return some rows, spread evenly over the file: what the kinds of columns are inferred from."""
    count = min(LOOKED_AT, len(rows))
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, count).astype(np.int64))]


def infer_from(looked: pd.DataFrame, told: Mapping[str, str] | None, rows: int, *, name: str) -> Schema:
    """Return the schema of a large table by some of its rows.

    A text that repeats so often among these that the table must hold fewer than half as many values as rows is no key.
    """
    _refuse_words_for_numbers(looked, told, name=name)
    schema = infer(looked, told, name=name)
    words = {
        column.name: "categorical"
        for column in schema.columns
        if column.kind == "identifier" and column.reason != "as told" and _repeats(column, len(looked), rows)
    }
    if words:
        schema = infer(looked, {**(told or {}), **words}, name=name)
    return replace(schema, rows=rows)


def _refuse_words_for_numbers(part: pd.DataFrame, told: Mapping[str, str] | None, *, name: str) -> None:
    """Refuse a column of text that is told to be numbers and holds a cell that is none: cells of a file stay as they are.

    Raises:
        InputError: the cell, and what to do.
    """
    for column in [each for each, kind in (told or {}).items() if kind in ("numeric", "integer")]:
        cells = decoded(cells_of(part, column)) if column in part else pa.chunked_array([pa.nulls(0)])
        if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
            continue
        at = pc.index(pc.match_substring_regex(cells, NUMBER), False).as_py()
        if at >= 0:
            raise InputError(
                f"Column {column!r} of {name} is text and holds {cells[at].as_py()!r}, which is no number; in a file that is "
                f"read in parts that cell cannot be taken as missing: write the column as numbers first, or take it as words "
                f"with --column {column}=categorical."
            )


def _repeats(column: Column, looked: int, rows: int) -> bool:
    if "int" in column.dtype:
        return False
    present = looked * (1 - column.nulls)
    met = present - column.distinct
    # Of K values equally often, n draws meet n^2 / 2K times; where some are more often, K is larger at most by what is rare.
    return met > 0 and present**2 / (2 * met) < rows / 2


def fit_in_passes(rows: ParquetRows, told: Mapping[str, str] | None = None, *, name: str) -> TableEncoder:
    """Return the encoder of all rows; `rank_error` says by which share of the rows a number's rank may be off.

    Raises:
        InputError: as `TableEncoder.fit`, or a column holds infinite numbers.
    """
    looked, broken = look_at(rows), set[str]()
    while True:
        schema = infer_from(looked, told, len(rows), name=name)
        first = TableEncoder.fit(looked, schema, broken=frozenset(broken))
        tallies = _tallies(first)
        pairs = {each.name: each for each in first.dependencies}
        for part in rows.parts():
            _refuse_words_for_numbers(part, told, name=name)
            odd = _odd(first, part)
            fallen = _fallen(pairs, tallies, part)
            if odd is not None or fallen:
                broken |= fallen
                looked = looked if odd is None else pd.concat([looked, odd], ignore_index=True)
                break
            for tally in tallies:
                tally.add(part)
        else:
            error = max((tally.error for tally in tallies), default=0)
            codecs = tuple(tally.result() for tally in tallies)
            heaviest = max(
                (
                    int(span.counts[span.others].max())
                    for codec in codecs
                    for span in codec.spans
                    if span.smooth
                ),
                default=0,
            )
            return replace(
                first,
                codecs=codecs,
                dependencies=tuple(pairs[each.name] for each in first.dependencies),
                rank_error=(error + heaviest) / len(rows),
            )


def _tallies(first: TableEncoder) -> list[Tally]:
    found: list[Tally] = []
    dates = {codec.name: codec for codec in first.codecs if isinstance(codec, DateCodec)}
    for codec in first.codecs:
        if isinstance(codec, CategoryCodec):
            found.append(CategoryTally(codec, as_numbers=first.kinds[codec.name] in ("numeric", "integer")))
        elif isinstance(codec, NumberCodec):
            found.append(NumberTally(codec))
        elif isinstance(codec, DateCodec):
            found.append(DateTally(codec, None if codec.since is None else dates[codec.since]))
        else:
            found.append(IdentifierTally(codec))
    return found


def _odd(first: TableEncoder, part: pd.DataFrame) -> pd.DataFrame | None:
    """Return rows that are not as the look took them: in a constant column, or fractions among whole numbers."""
    for name, wrong in _suspects(first, part):
        at = np.flatnonzero(np.asarray(wrong.fill_null(False).to_numpy()))
        if len(at):
            del name
            return part.iloc[at[:_ODD_ROWS]]
    return None


def _suspects(first: TableEncoder, part: pd.DataFrame) -> Iterator[tuple[str, pa.ChunkedArray]]:
    for name, value in first.constants.items():
        cells = decoded(cells_of(part, name))
        one = decoded(pa.chunked_array([value]))[0]
        if pa.types.is_null(cells.type):
            continue
        if not one.is_valid:
            yield name, cells.is_valid()
        else:
            yield name, pc.or_(pc.fill_null(pc.not_equal(cells, one), True), cells.is_null())
    for name, kind in first.kinds.items():
        cells = decoded(cells_of(part, name))
        if kind == "integer" and pa.types.is_floating(cells.type):
            yield name, pc.not_equal(cells, pc.round(cells))


def _fallen(pairs: dict[str, Dependency], tallies: list[Tally], part: pd.DataFrame) -> set[str]:
    """Return the columns whose function or order a part breaks; pairs that are new are added to the functions."""
    fallen = {tally.codec.name for tally in tallies if isinstance(tally, DateTally) and tally.breaks(part)}
    for name, each in pairs.items():
        of, mine = cells_of(part, each.of), cells_of(part, name)
        if each.table is None:
            if not of.equals(mine):
                fallen.add(name)
            continue
        both = pa.concat_tables(
            [each.table, _distinct(of, mine).cast(each.table.schema)]
        ).unify_dictionaries()
        both = _distinct(both["of"], both["name"])
        if len(both) != len(
            pc.unique(both["of"])
        ):  # a value of the other column that goes with two of this one
            fallen.add(name)
        else:
            pairs[name] = replace(each, table=both)
    return fallen


def _distinct(of: pa.ChunkedArray, name: pa.ChunkedArray) -> pa.Table:
    """Return each pair of values that occurs once, columns "of" and "name", in the order of their first rows."""
    both = pa.table({"of": decoded(of), "name": name}).combine_chunks()
    codes = []
    for column in (both["of"], decoded(both["name"])):
        whole = column.combine_chunks()
        array = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
        codes.append(
            array.dictionary_encode(null_encoding="encode")
            .indices.to_numpy(zero_copy_only=False)
            .astype(np.int64)
        )
    _, first = np.unique(codes[0] * (int(codes[1].max(initial=0)) + 1) + codes[1], return_index=True)
    return both.take(pa.array(np.sort(first))).combine_chunks()
