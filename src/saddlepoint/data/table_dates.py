"""Dates written as text: which one format writes a whole column, and what moments (seconds) its cells are.

Work is done on the distinct cells only, so that a million rows of a thousand days cost a thousand parses.
"""

from __future__ import annotations

import itertools
import re
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

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
_TRIED, _LOOKED_AT = 3, 20
_MARKS = {date_format: re.sub(r"%?[A-Za-z]", "", date_format) for date_format in FORMATS}


def date_format_of(cells: pa.ChunkedArray) -> str | None:
    """Return the first of FORMATS that reads every cell that is not null, or None.

    Where day and month could be swapped throughout, month first is taken, as pandas does.
    """
    distinct = pc.unique(pc.drop_null(cells)).to_pylist()
    if not distinct:
        return None
    for date_format in _candidates(distinct[0]):
        if (
            all(_reads(cell, date_format) for cell in distinct[:5])
            and not _parse(distinct, date_format).isna().any()
        ):
            return date_format
    return None


def mostly_dates(cells: pa.ChunkedArray) -> str | None:
    """Return the first of FORMATS that reads at least four in five of the distinct cells that are not null, or None."""
    distinct = pc.unique(pc.drop_null(cells)).to_pylist()
    for date_format in dict.fromkeys(each for cell in distinct[:_TRIED] for each in _candidates(cell)):
        tried = distinct[:_LOOKED_AT]
        if sum(_reads(cell, date_format) for cell in tried) < MOSTLY * len(tried):
            continue
        if np.asarray(_parse(distinct, date_format).notna()).sum() >= MOSTLY * len(distinct):
            return date_format
    return None


def moments(cells: pa.ChunkedArray, date_format: str | None) -> np.ndarray:
    """Return seconds since 1970-01-01 (UTC), float64 (n,), NaN where a cell is null or not of the format."""
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
    """Return the formats whose punctuation is the cell's: hundreds of others need not be tried."""
    marks = re.sub(r"[A-Za-z0-9]", "", cell)
    zoned = re.sub(r"[+-]:?$", "", marks)
    return [
        date_format
        for date_format in FORMATS
        if _MARKS[date_format] == (zoned if "%z" in date_format else marks)
    ]


def _reads(cell: str, date_format: str) -> bool:
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
