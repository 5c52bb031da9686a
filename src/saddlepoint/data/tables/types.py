"""Column type inference: the kind of each column of a table, date formats, and the number of decimals.

Rules, in this order, for the non-null cells of a column (n cells, k distinct values):

1. constant: every row holds the same value; a null counts as a value.
2. boolean: truth values, or text that is only "true" and "false".
3. date-time: dates, times, or text that one of `FORMATS` parses in every cell.
4. identifier: distinct whole numbers whose name says so (it ends in id, key, uuid or guid), or whose range R is
   so narrow that n independent draws would almost surely repeat a value: exp(-n(n-1)/2R) < 1e-4. Uniform draws
   repeat least (the birthday problem), so the rule is safer still for a skewed column.
   Also text of at least 20 cells with more than half of them distinct (keys or free text), unless all but a few
   cells are numbers or dates. Never a float or a date.
5. integer: whole numbers, however few are distinct, also when written as floats; numeric: all other numbers.
6. categorical: all other text, and every dictionary (pandas categories).

Dates written as text are parsed once per distinct cell, so a million rows of a thousand days cost a thousand parses.
Rounding to the data's own number of decimals (`decimals_of`, `rounded_to`) keeps samples in the format of the data.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.tables import csv
from saddlepoint.errors import InputError

MOST_DECIMALS = 12


def decimals_of(values: np.ndarray, *, precision: Any = np.float64, least: int = 0) -> int | None:
    """Return the smallest number of decimals (at least `least`) that writes every finite value exactly, or None.

    A value v has p decimals when |v - round(v, p)| <= 4 eps |v|, so 0.1 + 0.2 has one decimal.
    None when no p <= 12 fits, or when steps of 10^-p are too close to the spacing of the floats to be distinguished.

    values: numbers of any shape.
    precision: the float type whose machine epsilon eps is used.
    least: the smallest number of decimals tried; negative values are tens, hundreds, ...
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    noise = 4 * float(np.finfo(precision).eps) * np.abs(finite)
    few = finite[:1000]
    for digits in range(least, MOST_DECIMALS + 1):
        if 10.0**-digits < 100 * noise.max():
            # Steps this fine cannot be verified in the largest values; only whole numbers are certain even there.
            return 0 if digits <= 0 and bool((finite == np.rint(finite)).all()) else None
        if (np.abs(few - np.round(few, digits)) <= noise[:1000]).all() and (
            np.abs(finite - np.round(finite, digits)) <= noise
        ).all():
            return digits
    return None


def is_single_precision(values: np.ndarray) -> bool:
    """Return whether every finite value is a float32 number, as in a table stored in single precision."""
    finite = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        return bool((finite.astype(np.float32) == finite).all())


def rounded_to(values: np.ndarray, decimals: int) -> np.ndarray:
    """Return values (any shape) rounded to `decimals` decimals; a negative number rounds to tens, hundreds, ...

    A float beyond 2^52 steps of 10^-decimals is as close to the grid as it can be, and is not changed.
    """
    near = np.abs(values) < 2.0**52 / 10.0**decimals  # rounding would overflow beyond
    return np.where(near, np.round(np.where(near, values, 0.0), decimals), values)


_DAYS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d.%m.%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
)
_HOURS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
FORMATS = (
    *_DAYS,
    *(
        f"{day}{gap}{hour}{zone}"
        for day, gap, hour, zone in itertools.product(_DAYS, " T", _HOURS, ("", "%z"))
    ),
    *_HOURS[:3],
    "%Y-%m",
)
MOSTLY = 0.8
_CELLS_FOR_CANDIDATES, _CELLS_TRIED = 3, 20
_PUNCTUATION = {date_format: re.sub(r"%?[A-Za-z]", "", date_format) for date_format in FORMATS}


def date_format_of(cells: pa.ChunkedArray) -> str | None:
    """Return the first of FORMATS that parses every non-null cell, or None.

    If day and month could be swapped in every cell, the month comes first, as in pandas.
    """
    distinct = pc.unique(pc.drop_null(cells)).to_pylist()
    if not distinct:
        return None
    for date_format in _candidates(distinct[0]):
        if (
            all(_parses(cell, date_format) for cell in distinct[:5])
            and not _parse(distinct, date_format).isna().any()
        ):
            return date_format
    return None


def mostly_dates(cells: pa.ChunkedArray) -> str | None:
    """Return the first of FORMATS that parses at least 80 % of the distinct non-null cells, or None."""
    distinct = pc.unique(pc.drop_null(cells)).to_pylist()
    for date_format in dict.fromkeys(
        each for cell in distinct[:_CELLS_FOR_CANDIDATES] for each in _candidates(cell)
    ):
        tried = distinct[:_CELLS_TRIED]
        if sum(_parses(cell, date_format) for cell in tried) < MOSTLY * len(tried):
            continue
        if np.asarray(_parse(distinct, date_format).notna()).sum() >= MOSTLY * len(distinct):
            return date_format
    return None


def timestamps(cells: pa.ChunkedArray, date_format: str | None) -> np.ndarray:
    """Return seconds since 1970-01-01 (UTC), float64 (n,); NaN where a cell is null or not in the format."""
    kind = cells.type
    if pa.types.is_timestamp(kind):
        cells = cells.cast(pa.timestamp("us", tz=kind.tz), safe=False).cast(pa.int64())
        return np.asarray(cells.to_numpy(), dtype=float) / 1e6
    if pa.types.is_date(kind):
        return np.asarray(cells.cast(pa.date32()).cast(pa.int32()).to_numpy(), dtype=float) * 86400.0
    if pa.types.is_time(kind):
        return np.asarray(cells.cast(pa.time64("us")).cast(pa.int64()).to_numpy(), dtype=float) / 1e6
    if date_format is None:
        return np.full(len(cells), np.nan)
    coded = cells.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    distinct = _parse(coded.dictionary.to_pylist(), date_format)
    stamps = np.asarray(distinct.as_unit("us").asi8, dtype=float) / 1e6
    stamps[np.asarray(distinct.isna())] = np.nan
    codes = np.asarray(coded.indices.fill_null(len(stamps)))
    values: np.ndarray = np.append(stamps, np.nan)[codes]
    return values


def _candidates(cell: str) -> list[str]:
    """Return the formats with the same punctuation as the cell, so that hundreds of others need not be tried."""
    punctuation = re.sub(r"[A-Za-z0-9]", "", cell)
    without_zone = re.sub(r"[+-]:?$", "", punctuation)
    return [
        date_format
        for date_format in FORMATS
        if _PUNCTUATION[date_format] == (without_zone if "%z" in date_format else punctuation)
    ]


def _parses(cell: str, date_format: str) -> bool:
    try:
        datetime.strptime(cell, date_format)
    except (ValueError, TypeError):
        return False
    return True


def _parse(cells: list[str], date_format: str) -> pd.DatetimeIndex:
    parsed = pd.to_datetime(
        pd.Index(cells, dtype=object), format=date_format, errors="coerce", utc="%z" in date_format
    )
    return pd.DatetimeIndex(parsed)


Kind = Literal["numeric", "integer", "boolean", "categorical", "date-time", "identifier", "constant"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SAME_BY_CHANCE = 1e-4
FEWEST_KEYS = 20
MIXED_BELOW = 0.2


class Reason(Enum):
    """Why a column is of its kind: the kind that follows (None: any), and the sentence in which `Column.describe` tells it."""

    GIVEN = None, "given by the user"
    ONE_VALUE = "constant", "every row holds the same value"
    NO_VALUE = "constant", "every row is null"
    CATEGORIES = "categorical", "a column of categories"
    TRUTH_VALUES = "boolean", "only true and false"
    DATES = "date-time", "a column of dates"
    DATES_AS_TEXT = "date-time", "every cell is a date in the format {date_format}"
    WHOLE_NUMBERS = "integer", "whole numbers"
    WHOLE_FLOATS = "integer", "whole numbers, written as floats"
    NUMBERS = "numeric", "numbers"
    NAMED_KEY = "identifier", "all distinct, and named as a key"
    COUNTER = "identifier", "all {present:,} distinct within a range of {value_range:,}: a counter"
    DISTINCT_TEXT = "identifier", "{distinct:,} of {present:,} texts are distinct: a key or free text"
    DIRTY_TEXT = "categorical", "text of {distinct:,} values"
    REPEATED_TEXT = "categorical", "text with repeated values"

    def __init__(self, kind: Kind | None, sentence: str) -> None:
        self.kind, self.sentence = kind, sentence


GIVEN = Reason.GIVEN


@dataclass(frozen=True, kw_only=True)
class DirtyColumn:
    """A column of text whose cells are numbers or dates, except a few.

    kind: what the other cells are, "numeric" or "date-time".
    wrong: which cells are not, bool (n,).
    count: the number of these.
    row: the first of them.
    cell: what it holds.
    """

    kind: Kind
    wrong: pa.ChunkedArray = field(repr=False, compare=False)
    count: int
    row: int
    cell: str

    @property
    def plural(self) -> str:
        """Return what the other cells are: "numbers" or "dates"."""
        return "numbers" if self.kind == "numeric" else "dates"

    def describe(self) -> str:
        """Return how many cells are wrong, and the first: "1 cell that is not a number, '12x' in row 1,234"."""
        which = (
            f"1 cell that is not a {self.plural[:-1]},"
            if self.count == 1
            else f"{self.count:,} cells that are not {self.plural}, the first"
        )
        return f"{which} {self.cell!r} in row {self.row + 1:,}"


@dataclass(frozen=True, kw_only=True)
class Column:
    """The type of one column of a table.

    name: the column's name.
    kind: one of `KINDS`.
    dtype: the Arrow type of the cells as they were read.
    nulls: share of rows without a value.
    present: number of rows with a value.
    distinct: number of distinct values, nulls not counted.
    reason: why the column is of this kind.
    decimals: number of decimals that writes every value; None if there is none, or the column holds no numbers.
    date_format: format of dates in text.
    value_range: of a counter: its largest value - its smallest + 1.
    dirty: of text, kind inferred, that is mostly numbers or dates: the other cells.
    """

    name: str
    kind: Kind
    dtype: str
    nulls: float
    present: int
    distinct: int
    reason: Reason
    decimals: int | None = None
    date_format: str | None = None
    value_range: int | None = None
    dirty: DirtyColumn | None = None

    def describe(self) -> str:
        """Return in words why the column is of its kind."""
        sentence = self.reason.sentence.format(**vars(self))
        if self.dirty is None:
            return sentence
        return f"{sentence}; {self.dirty.plural} except {self.dirty.describe()}"


def infer_column(
    name: str, cells: pa.ChunkedArray, *, given: Kind | None = None, table: str = "the table"
) -> Column:
    """Return the type of a column, inferred by the rules above unless it is given.

    name: the column's name.
    cells: its cells, (n,).
    given: the kind that the user gave; None: infer it.
    table: what messages call the table.

    Raises:
        InputError: the cells cannot be of the kind given (names the first such cell and its row).
    """
    dictionary = pa.types.is_dictionary(cells.type)
    cells = decoded(cells)
    present = len(cells) - cells.null_count
    distinct = len(pc.unique(pc.drop_null(cells))) if present else 0
    facts: dict[str, Any] = {}
    if given is not None:
        kind, reason = given, Reason.GIVEN
    else:
        reason, facts = _reason_of(name, cells, distinct, dictionary=dictionary)
        kind = reason.kind or "categorical"
    if kind in ("numeric", "integer"):
        values = numbers(cells, name=name, table=table)
        precision = np.float32 if pa.types.is_float32(cells.type) else np.float64
        facts["decimals"] = decimals_of(values, precision=precision)
        if kind == "integer" and facts["decimals"] != 0 and np.isfinite(values).any():
            row = int(np.flatnonzero(np.isfinite(values) & (values != np.rint(values)))[0])
            raise InputError(
                f"Column {name!r} of {table} cannot be integer: row {row + 1} holds {values[row]:g}; "
                "give it the kind numeric, or round it first."
            )
    elif kind == "date-time":
        if "date_format" not in facts and is_text(cells):
            facts["date_format"] = date_format_of(cells)
        seconds(cells, facts.get("date_format"), name=name, table=table)
    elif kind == "boolean":
        booleans(cells, name=name, table=table)
    elif kind == "constant" and distinct + (present < len(cells)) > 1:
        raise InputError(
            f"Column {name!r} of {table} cannot be constant: it holds {distinct} different values; "
            "give it another kind."
        )
    return Column(
        name=name,
        kind=kind,
        dtype=str(cells.type),
        nulls=cells.null_count / len(cells),
        present=present,
        distinct=distinct,
        reason=reason,
        **facts,
    )


def _reason_of(
    name: str, cells: pa.ChunkedArray, distinct: int, *, dictionary: bool
) -> tuple[Reason, dict[str, Any]]:
    """Return why an inferred column is of its kind, and the facts of `Column` that were found on the way."""
    kind, present = cells.type, len(cells) - cells.null_count
    if distinct + (cells.null_count > 0) <= 1:
        return (Reason.ONE_VALUE if distinct else Reason.NO_VALUE), {}
    if dictionary:
        return Reason.CATEGORIES, {}
    if pa.types.is_boolean(kind) or (is_text(cells) and _lowercase_values(cells) <= {"true", "false"}):
        return Reason.TRUTH_VALUES, {}
    if pa.types.is_temporal(kind):
        return Reason.DATES, {}
    if pa.types.is_integer(kind):
        if distinct == present and present > 1:
            ends = pc.min_max(cells).as_py()
            value_range = ends["max"] - ends["min"] + 1
            if re.search(r"(^|[a-z0-9_. -])(ID|Id)$|(^|[_. -])(id|key|uuid|guid)$", name):
                return Reason.NAMED_KEY, {}
            if math.exp(-present * (present - 1) / 2 / value_range) < SAME_BY_CHANCE:
                return Reason.COUNTER, {"value_range": value_range}
        return Reason.WHOLE_NUMBERS, {}
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = numbers(cells, name=name, table="the table")
        whole = np.isfinite(values[~np.isnan(values)]).all() and decimals_of(values) == 0
        return (Reason.WHOLE_FLOATS if whole else Reason.NUMBERS), {}
    if (date_format := date_format_of(cells)) is not None:
        return Reason.DATES_AS_TEXT, {"date_format": date_format}
    dirty = almost_numeric(cells)
    if present < FEWEST_KEYS or distinct <= present / 2:
        return Reason.REPEATED_TEXT, {"dirty": dirty}
    return (Reason.DISTINCT_TEXT if dirty is None else Reason.DIRTY_TEXT), {"dirty": dirty}


def almost_numeric(cells: pa.ChunkedArray) -> DirtyColumn | None:
    """Return the wrong cells of a text column that is mostly numbers or dates; None for any other column."""
    if not is_text(cells):
        return None
    wrong = pc.fill_null(pc.invert(pc.match_substring_regex(cells, csv.NUMBER)), False)
    kind: Kind = "numeric"
    if not _few(wrong, cells) and (date_format := mostly_dates(cells)) is not None:
        lost = np.isnan(timestamps(cells, date_format)) & np.asarray(cells.is_valid())
        wrong, kind = pa.chunked_array([pa.array(lost)]), "date-time"
    if not _few(wrong, cells):
        return None
    row = pc.index(wrong, True).as_py()
    return DirtyColumn(kind=kind, wrong=wrong, count=pc.sum(wrong).as_py(), row=row, cell=cells[row].as_py())


def _few(wrong: pa.ChunkedArray, cells: pa.ChunkedArray) -> bool:
    return bool(0 < (pc.sum(wrong).as_py() or 0) < MIXED_BELOW * (len(cells) - cells.null_count))


def is_numeric(kind: pa.DataType) -> bool:
    """Return whether an Arrow type holds whole numbers, floats or decimals."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def is_text(cells: pa.ChunkedArray) -> bool:
    """Return whether cells are strings."""
    return bool(pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type))


def _lowercase_values(cells: pa.ChunkedArray) -> set[str]:
    """Return the distinct values in lower case; of more than two, a set that is never boolean."""
    distinct = pc.unique(pc.drop_null(cells))
    return {cell.lower() for cell in distinct.to_pylist()} if len(distinct) <= 2 else {"more", "than", "two"}


def decoded(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a dictionary column as its values, string views as strings, and any other column unchanged."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    return cells.cast(pa.large_string()) if pa.types.is_string_view(cells.type) else cells


def numbers(cells: pa.ChunkedArray, *, name: str, table: str) -> np.ndarray:
    """Return a column's numbers as float64 (n,), NaN for null. Raises InputError at the first other cell."""
    if pa.types.is_null(cells.type):
        return np.full(len(cells), np.nan)
    if is_text(cells):
        trimmed = pc.utf8_trim_whitespace(cells)
        wrong = pc.invert(pc.match_substring_regex(trimmed, csv.NUMBER))
        _refuse_first(cells, wrong, name=name, table=table, expected="numbers")
        cells = pc.utf8_ltrim(pc.utf8_lower(trimmed), "+")
    elif pa.types.is_boolean(cells.type):
        cells = cells.cast(pa.int8())
    elif not is_numeric(cells.type):
        raise InputError(
            f"Column {name!r} of {table} should hold numbers, but holds {cells.type}; convert it, or give it another kind."
        )
    return np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(), dtype=float)


def seconds(cells: pa.ChunkedArray, date_format: str | None, *, name: str, table: str) -> np.ndarray:
    """Return a column's dates as seconds since 1970-01-01 (UTC), float64 (n,), NaN for null.

    Text is parsed in `date_format`, or else in a format that fits this column.

    Raises:
        InputError: a cell that is not a date (names the first and its row).
    """
    if pa.types.is_null(cells.type):
        return np.full(len(cells), np.nan)
    if pa.types.is_duration(cells.type):
        raise InputError(
            f"Column {name!r} of {table} holds durations ({cells.type}); give them as numbers, for instance seconds."
        )
    if not (pa.types.is_temporal(cells.type) or is_text(cells)):
        raise InputError(
            f"Column {name!r} of {table} should hold dates, but holds {cells.type}; convert it, or give it another kind."
        )
    values = timestamps(cells, date_format)
    lost = np.isnan(values) & np.asarray(cells.is_valid())
    if lost.any() and (own_format := date_format_of(cells) if is_text(cells) else None) is not None:
        return timestamps(cells, own_format)
    expected = f"dates ({date_format})" if date_format else "dates in one format"
    _refuse_first(cells, pa.chunked_array([pa.array(lost)]), name=name, table=table, expected=expected)
    return values


def booleans(cells: pa.ChunkedArray, *, name: str, table: str) -> np.ndarray:
    """Return a column's truth values as float64 0 and 1 (n,), NaN for null; cells are booleans, 1/0 or true/false.

    Raises:
        InputError: any other cell (names the first and its row).
    """
    if pa.types.is_null(cells.type):
        return np.full(len(cells), np.nan)
    if is_text(cells):
        lowered = pc.utf8_lower(cells)
        wrong = pc.invert(pc.is_in(lowered, value_set=pa.array(["true", "false"], cells.type)))
        wrong = pc.and_(wrong, cells.is_valid())
        _refuse_first(cells, wrong, name=name, table=table, expected="true and false")
        cells = pc.equal(lowered, "true")
    values = numbers(cells, name=name, table=table)
    wrong = pa.chunked_array([pa.array(~np.isin(values, (0, 1)) & ~np.isnan(values))])
    _refuse_first(cells, wrong, name=name, table=table, expected="true and false")
    return values


def _refuse_first(
    cells: pa.ChunkedArray, wrong: pa.ChunkedArray, *, name: str, table: str, expected: str
) -> None:
    row = pc.index(wrong, True).as_py()
    if row >= 0:
        raise InputError(
            f"Column {name!r} of {table} should hold {expected}, but row {row + 1} holds "
            f"{cells[row].as_py()!r}; correct that cell, or give the column another kind (--column {name}=categorical)."
        )
