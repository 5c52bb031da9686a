"""The schema of a table: the kind of each column, inferred or given, stored as JSON, checked on a second table.

`tables.types` holds the rules of inference, `tables.numeric` the matrix of numbers that the judge sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from saddlepoint.data.tables.numeric import NumericTable, cells_of, numeric_tables_of
from saddlepoint.data.tables.read import frame_of
from saddlepoint.data.tables.types import GIVEN, KINDS, Column, Kind, infer_column
from saddlepoint.errors import InputError, StoredFileError, nearest

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
            raise InputError(f"There is no column {name!r}{_listed(nearest(name, self.names), self.names)}.")
        return found

    def describe(self) -> list[tuple[str, str, str]]:
        """Return (name, kind, details) for each column, as text to show the user."""
        return [(column.name, column.kind, _described(column)) for column in self.columns]

    def check(self, frame: Any, *, name: str = "the second table") -> None:
        """Check a second table against this schema: the same columns, in any order, of kinds that fit.

        Raises:
            InputError: columns are missing or extra (names them), or a cell is not of its column's kind (the first).
        """
        table = frame_of(frame, name=name)
        self._check_names([str(column) for column in table.columns], name=name)
        numeric_tables_of(self.columns, [table], tables=[name])

    def matrix(self, frame: Any, *, name: str = "the table") -> NumericTable:
        """Return one table as a matrix of numbers; to compare two tables use `matrices`, where both share their codes."""
        table = frame_of(frame, name=name)
        self._check_names([str(column) for column in table.columns], name=name)
        return numeric_tables_of(self.columns, [table], tables=[name])[0]

    def matrices(self, real: Any, fake: Any) -> tuple[NumericTable, NumericTable]:
        """Return both tables as matrices with the same codes; a category that only the fake table has gets its own code.

        Raises InputError as `check` does.
        """
        tables = []
        for frame, name in ((real, "the real table"), (fake, "the fake table")):
            tables.append(frame_of(frame, name=name))
            self._check_names([str(column) for column in tables[-1].columns], name=name)
        first, second = numeric_tables_of(self.columns, tables, tables=["the real table", "the fake table"])
        return first, second

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as JSON values."""
        return {"version": 1, "rows": self.rows, "columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Schema:
        """Return the schema that `to_dict` wrote. Raises StoredFileError when it is damaged."""
        try:
            columns = tuple(Column(**column) for column in stored["columns"])
            rows = int(stored["rows"])
        except (KeyError, TypeError, ValueError) as error:
            raise StoredFileError(f"This is not a stored schema ({type(error).__name__}: {error}).") from None
        unknown = next((column for column in columns if column.kind not in KINDS), None)
        if unknown is not None:
            raise StoredFileError(
                f"The stored schema gives column {unknown.name!r} the unknown kind {unknown.kind!r}."
            )
        return cls(columns=columns, rows=rows)

    def _check_names(self, given: list[str], *, name: str) -> None:
        missing = [column for column in self.names if column not in given]
        extra = [column for column in given if column not in self.names]
        if not missing and not extra:
            return
        differences = []
        for column in missing[:5]:
            close = nearest(column, extra).replace(", did you mean", "; renamed to").rstrip("?")
            differences.append(f"lacks column {column!r}" + (f" ({close[2:]}?)" if close else ""))
        if len(missing) > 5:
            differences.append(f"lacks {len(missing) - 5} more")
        if extra:
            differences.append(
                f"has the extra column{'s' * (len(extra) > 1)} {', '.join(map(repr, extra[:5]))}"
                f"{' and more' if len(extra) > 5 else ''}"
            )
        raise InputError(
            f"{name[0].upper()}{name[1:]} {', '.join(differences)}; both tables need the same columns."
        )


def infer(frame: Any, overrides: Mapping[str, str] | None = None, *, name: str = "the table") -> Schema:
    """Return the schema of a path or frame: kinds by the rules of `tables.types`, unless they are given.

    frame: a path or a frame.
    overrides: kinds of columns in place of those inferred, {"age": "integer"}.
    name: what messages call the table.

    Raises:
        InputError: an unknown column or kind (with the nearest name), or a column cannot be of the kind given.
    """
    table = frame_of(frame, name=name)
    names = [str(column) for column in table.columns]
    given: dict[str, Kind] = {}
    for column, kind in (overrides or {}).items():
        if column not in names:
            raise InputError(f"{name} has no column {column!r}{_listed(nearest(column, names), names)}.")
        known = next((allowed for allowed in KINDS if allowed == kind), None)
        if known is None:
            raise InputError(
                f"There is no kind {kind!r} for column {column!r}{nearest(kind, KINDS) or '.'} "
                f"Allowed are {', '.join(KINDS)}."
            )
        given[column] = known
    columns = tuple(
        infer_column(column, cells_of(table, column), given_type=given.get(column), table=name)
        for column in names
    )
    return Schema(columns=columns, rows=len(table))


def _listed(hint: str, names: tuple[str, ...] | list[str]) -> str:
    text = f"its columns are {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"
    return f"{hint} I{text[1:]}" if hint else f"; {text}"


def _described(column: Column) -> str:
    details = []
    if column.kind == "numeric":
        details.append("continuous" if column.decimals is None else f"{column.decimals} decimals")
    if column.kind == "date-time":
        details.append(column.date_format or column.dtype)
    if column.kind not in ("constant", "numeric"):
        details.append(f"{column.distinct:,} values")
    if column.nulls:
        details.append(f"{column.nulls:.1%} null")
    if column.kind in ("identifier", "constant") or column.reason == GIVEN or "; " in column.reason:
        details.append(column.reason)
    return ", ".join(details)
