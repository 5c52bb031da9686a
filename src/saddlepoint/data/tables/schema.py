"""The schema of a table: the type of each column, inferred or given, and two tables of it as matrices of numbers.

`tables.types` holds the rules of inference, `tables.numeric` the matrix of numbers that the judge sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from saddlepoint.data.tables.numeric import NumericTable, numeric_tables_of
from saddlepoint.data.tables.read import table_of
from saddlepoint.data.tables.types import GIVEN, KINDS, Column, Kind, infer_column
from saddlepoint.errors import InputError, nearest, unknown

__all__ = ["GIVEN", "KINDS", "Column", "Kind", "NumericTable", "Schema", "infer"]


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The types of a table's columns, in their order; `rows` is the table's number of rows."""

    columns: tuple[Column, ...]
    rows: int

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names in the table's order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return the type of one column. Raises InputError (with the nearest name) if there is none."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise unknown("There is no column", name, self.names, "The columns are")
        return found

    def matrix(self, source: Any, *, name: str = "the table") -> NumericTable:
        """Return one table as a matrix of numbers; to compare two tables use `matrices`, where both share their codes."""
        return numeric_tables_of(self.columns, [self._table(source, name)], tables=[name])[0]

    def matrices(self, real: Any, fake: Any) -> tuple[NumericTable, NumericTable]:
        """Return both tables as matrices with the same codes; a category that only the fake table has gets its own code.

        real, fake: paths or frames, their columns in any order.

        Raises:
            InputError: columns are missing or extra (names them), or a cell is not of its column's kind (the first).
        """
        names = ["the real table", "the fake table"]
        tables = [self._table(source, name) for source, name in zip((real, fake), names, strict=True)]
        first, second = numeric_tables_of(self.columns, tables, tables=names)
        return first, second

    def _table(self, source: Any, name: str) -> pa.Table:
        table = table_of(source, name=name)
        missing = [column for column in self.names if column not in table.column_names]
        extra = [column for column in table.column_names if column not in self.names]
        differences = []
        for column in missing[:5]:
            close = nearest(column, extra).replace(", did you mean", " (renamed to").replace("?", "?)")
            differences.append(f"lacks column {column!r}{close}")
        if len(missing) > 5:
            differences.append(f"lacks {len(missing) - 5} more")
        if extra:
            plural, more = "s" * (len(extra) > 1), " and more" * (len(extra) > 5)
            differences.append(f"has the extra column{plural} {', '.join(map(repr, extra[:5]))}{more}")
        if differences:
            raise InputError(
                f"{name[0].upper()}{name[1:]} {', '.join(differences)}; both tables need the same columns."
            )
        return table


def infer(source: Any, overrides: Mapping[str, str] | None = None, *, name: str = "the table") -> Schema:
    """Return the schema of a table: kinds by the rules of `tables.types`, unless they are given.

    source: a path, what `read_table` returned, or a frame.
    overrides: kinds of columns in place of those inferred, {"age": "integer"}.
    name: what messages call the table.

    Raises:
        InputError: an unknown column or kind (with the nearest name), or a column cannot be of the kind given.
    """
    table = table_of(source, name=name)
    given: dict[str, Kind] = {}
    for column, kind in (overrides or {}).items():
        if column not in table.column_names:
            raise unknown(f"{name} has no column", column, table.column_names, "Its columns are")
        known = next((allowed for allowed in KINDS if allowed == kind), None)
        if known is None:
            raise unknown(f"The kind of column {column!r} is", kind, KINDS)
        given[column] = known
    columns = tuple(
        infer_column(column, table[column], given=given.get(column), table=name)
        for column in table.column_names
    )
    return Schema(columns=columns, rows=table.num_rows)
