"""Column transformer for dates and times: calendar parts, or the time since another column of dates.

A moment is a whole number of ticks since 1970; a time of day counts from midnight. The day is encoded apart from the time of
day; where there are many days, the week is encoded apart from the weekday, so that the shapes of a day and of a week are
marginal distributions of single feature blocks. A column whose moments never come before those of another column is encoded as
the time between the two, so that the order always holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.packed import packed_table, unpacked_table
from saddlepoint.data.tables.types import Column, decoded, seconds
from saddlepoint.data.transforms.columns import CategoricalTransformer, Codes, Decoded
from saddlepoint.data.transforms.features import FEW_VALUES, FeatureBlock, Integers, Levels, NumericBins
from saddlepoint.errors import InputError

Mode = Literal["since", "time", "days", "weeks", "months"]
_MICROSECONDS = 10**6
_DAY_SECONDS = 86400
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAYS_PER_WEEK = 7
Present = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class DateFormat:
    """How moments are written.

    type: the Arrow type of the cells.
    pattern: for text, its strftime format.
    plain: the strftime letters whose numbers are written without leading zeros.
    """

    type: pa.DataType
    pattern: str | None = None
    plain: str = ""

    @property
    def dated(self) -> bool:
        """Return whether moments have a date, not only a time of day."""
        if self.pattern is None:
            return not pa.types.is_time(self.type)
        return any(code in self.pattern for code in ("%Y", "%y", "%m", "%b", "%B", "%d", "%j"))

    @property
    def ticks_per_day(self) -> int:
        """Return the number of ticks in a day."""
        if pa.types.is_date32(self.type):
            return 1
        if pa.types.is_date64(self.type):
            return _DAY_SECONDS * 1000
        unit = "us" if self.pattern else self.type.unit
        return _DAY_SECONDS * _UNITS[unit]

    def ticks(self, cells: pa.ChunkedArray, name: str) -> tuple[Integers, Present]:
        """Return whole ticks since 1970 (or midnight), 0 where missing, and which cells are present."""
        present = np.asarray(cells.is_valid().to_numpy(), dtype=bool)
        if self.pattern is not None:
            moments = seconds(cells, self.pattern, name=name, table="the table")
            return np.rint(np.nan_to_num(moments) * _MICROSECONDS).astype(np.int64), present
        cells = cells.cast(self.type) if cells.type != self.type else cells
        whole = pa.int32() if self.type.bit_width == 32 else pa.int64()
        return np.asarray(cells.cast(whole).fill_null(0).to_numpy()).astype(np.int64), present

    def cells(self, ticks: Integers, present: Present) -> pa.Array:
        """Return moments as cells of the column's original type."""
        if self.pattern is None:
            whole = pa.int32() if self.type.bit_width == 32 else pa.int64()
            return pa.array(ticks, mask=~present).cast(whole).cast(self.type)
        distinct, codes = np.unique(ticks, return_inverse=True)
        moments = pd.to_datetime(pd.Series(distinct), unit="us")
        if "%z" in self.pattern:
            moments = moments.dt.tz_localize("UTC")
        marked = self.pattern
        for letter in self.plain:
            marked = marked.replace(f"%{letter}", f"\x00%{letter}")
        texts = [re.sub("\x000?(?=[0-9])", "", text) for text in moments.dt.strftime(marked)]
        return pa.array(texts, pa.string()).take(pa.array(codes, mask=~present)).cast(self.type)

    @classmethod
    def of(cls, column: Column, cells: pa.ChunkedArray) -> DateFormat | None:
        """Return the format that reproduces every cell exactly; None where no format does."""
        if column.date_format is None:
            return cls(type=cells.type)
        distinct = pc.unique(pc.drop_null(cells))
        for plain in ("", "md", "mdHI", "HI"):
            date_format = cls(type=cells.type, pattern=column.date_format, plain=plain)
            back = date_format.cells(*date_format.ticks(pa.chunked_array([distinct]), column.name))
            if back.equals(distinct):
                return date_format
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class DatetimeTransformer:
    """A column of dates or times.

    format: how its cells are written.
    mode: the parts that a moment is split into, or "since": the time since another column.
    parts: the levels of each part that varies, by name.
    fixed: the value of each part that does not vary.
    first, last: the earliest and latest moment seen, in ticks; decoded moments are clipped to this range.
    since: for mode "since", the column that is subtracted.
    """

    kind: ClassVar[str] = "dates"
    name: str
    format: DateFormat
    mode: Mode
    parts: dict[str, NumericBins]
    fixed: dict[str, int]
    first: int
    last: int
    since: str | None = None

    @classmethod
    def fit(
        cls,
        column: Column,
        cells: pa.ChunkedArray,
        since: tuple[DatetimeTransformer, pa.ChunkedArray] | None = None,
    ) -> DatetimeTransformer | CategoricalTransformer:
        """Return the transformer of a column's cells; a CategoricalTransformer where no single format reproduces the dates."""
        plain = decoded(cells)
        date_format = DateFormat.of(column, plain)
        if date_format is None or pa.types.is_dictionary(cells.type):
            return CategoricalTransformer.fit(column, cells)
        ticks, present = date_format.ticks(plain, column.name)
        seen = ticks[present]
        first, last = int(seen.min()), int(seen.max())
        origin = None
        if since is not None:
            origin = since[0].format.ticks(decoded(since[1]), since[0].name)[0][present]
        days = np.unique(seen // date_format.ticks_per_day)
        empty = cls(
            name=column.name,
            format=date_format,
            mode=_mode(days, pa.types.is_time(plain.type)) if since is None else "since",
            parts={},
            fixed={},
            since=None if since is None else since[0].name,
            first=first,
            last=last,
        )
        counted = {
            part: np.unique(values, return_counts=True) for part, values in empty.split(seen, origin).items()
        }
        return empty.of_counts(counted, int((~present).sum()), first=first, last=last)

    def split(self, ticks: Integers, origin: Integers | None = None) -> dict[str, Integers]:
        """Return the parts of moments by name: calendar parts, or the time since `origin`."""
        return (
            {"since": ticks - origin}
            if origin is not None
            else _split(ticks, self.format.ticks_per_day, self.mode)
        )

    def of_counts(
        self, counted: Mapping[str, tuple[Integers, Integers]], nulls: int, *, first: int, last: int
    ) -> DatetimeTransformer:
        """Return this transformer fitted to counts.

        counted: for each part its sorted distinct values, and how often each occurs.
        nulls: number of missing cells.
        first, last: the earliest and latest moment, in ticks.
        """
        parts: dict[str, NumericBins] = {}
        fixed: dict[str, int] = {}
        for part, (values, counts) in counted.items():
            if len(values) == 1 and self.since is None and (parts or not nulls):
                fixed[part] = int(values[0])
            else:
                parts[part] = _levels(part, values, counts, nulls)
        return replace(self, parts=parts, fixed=fixed, first=first, last=last)

    @property
    def feature_blocks(self) -> tuple[FeatureBlock, ...]:
        """Return the feature blocks of the parts that vary."""
        return tuple(counted.levels.block for counted in self.parts.values())

    def codes(
        self, cells: pa.ChunkedArray, others: pa.ChunkedArray | None = None, base: DateFormat | None = None
    ) -> list[Codes]:
        """Return the code of each row for each part.

        others: for mode "since", the cells of the column that is subtracted.
        base: the format of these cells.
        """
        ticks, present = self.format.ticks(decoded(cells), self.name)
        if others is not None and base is not None:
            values = {"since": ticks - base.ticks(decoded(others), self.name)[0]}
        else:
            values = _split(ticks, self.format.ticks_per_day, self.mode)
        return [levels.codes(values[part], present) for part, levels in self.parts.items()]

    def moments(self, decoded: Sequence[Decoded], origin: Integers | None = None) -> tuple[Integers, Present]:
        """Return the ticks of decoded feature blocks, and which are present; origin: ticks of the column subtracted."""
        values: dict[str, Any] = dict(self.fixed)
        present: Present | None = None
        for (part, levels), each in zip(self.parts.items(), decoded, strict=True):
            values[part], here = levels.restore(each)
            present = here if present is None else present  # the first part decides what is missing
        if present is None:
            present = np.ones(0, dtype=bool)
        if origin is not None:
            # The order held in every training row, so it holds for the two columns' ends too, and clipping keeps it.
            return np.clip(origin + values["since"], self.first, self.last), present
        ticks = _joined(values, self.format.ticks_per_day, self.mode, len(present))
        return np.clip(ticks, self.first, self.last), present

    def cells(self, decoded: Sequence[Decoded], origin: Integers | None = None) -> pa.Array:
        """Return the dates in their original type and format."""
        return self.format.cells(*self.moments(decoded, origin))

    def describe(self) -> str:
        """Return a phrase: the range of the dates, and how they are encoded."""
        written = self.format.cells(np.array([self.first, self.last]), np.ones(2, dtype=bool)).to_pylist()
        ways = {
            "time": "time of day",
            "days": "day and time",
            "weeks": "week, weekday and time",
            "months": "month",
        }
        how = f"the time since {self.since}, always of the same sign" if self.since else ways[self.mode]
        return f"{written[0]} to {written[1]}, as {how}"

    def to_dict(self) -> dict[str, Any]:
        """Return the transformer as plain JSON values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "type": packed_table(pa.schema([("cells", self.format.type)]).empty_table()),
            "format": self.format.pattern,
            "plain": self.format.plain,
            "mode": self.mode,
            "parts": {part: levels.to_dict() for part, levels in self.parts.items()},
            "fixed": self.fixed,
            "first": self.first,
            "last": self.last,
            "since": self.since,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> DatetimeTransformer:
        """Restore what `to_dict` returned. Raises KeyError, TypeError or ValueError where it is damaged."""
        kind = unpacked_table(stored["type"]).schema.field("cells").type
        if stored["mode"] not in ("since", "time", "days", "weeks", "months"):
            raise ValueError(f"mode {stored['mode']!r}")
        return cls(
            name=str(stored["name"]),
            format=DateFormat(type=kind, pattern=stored["format"], plain=str(stored["plain"])),
            mode=stored["mode"],
            parts={part: NumericBins.from_dict(levels) for part, levels in stored["parts"].items()},
            fixed={part: int(value) for part, value in stored["fixed"].items()},
            first=int(stored["first"]),
            last=int(stored["last"]),
            since=stored["since"],
        )


def ordered_after(
    dates: Sequence[tuple[str, DateFormat, Integers, Present]],
) -> dict[str, str]:
    """Return {column: an earlier column of the table} where the order of the two is the same in every row.

    dates: for each column its name, format, ticks (n,), and which cells are present (n,). Both columns must have the same
    ticks per day, and the other column must be present wherever this one is. Times of day have no such order, because
    they start again at midnight.
    """
    found: dict[str, str] = {}
    dates = [each for each in dates if each[1].dated]
    for at, (name, date_format, ticks, present) in enumerate(dates):
        for other, written, origin, there in dates[:at]:
            if (
                other in found
                or written.ticks_per_day != date_format.ticks_per_day
                or (present & ~there).any()
            ):
                continue
            away = (ticks - origin)[present]
            if len(away) and ((away >= 0).all() or (away <= 0).all()) and (away != 0).any():
                found[name] = other
                break
    return found


def _mode(days: Integers, only_times: bool) -> Mode:
    if only_times or len(days) == 1:
        return "time"
    if len(days) <= FEW_VALUES:
        return "days"
    if len(np.unique(_month_parts(days)[1])) == 1:
        return "months"
    return "weeks"


def _month_parts(days: Integers) -> tuple[Integers, Integers]:
    """Return months since 1970 and the day within the month, from 0."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    return months.astype(np.int64), (dates - months).astype(np.int64)


def _split(ticks: Integers, per_day: int, mode: Mode) -> dict[str, Integers]:
    days, rest = ticks // per_day, ticks % per_day
    if mode in ("time", "days"):
        return {"days": days, "time": rest}
    if mode == "months":
        months, within = _month_parts(days)
        return {"months": months, "within": within, "time": rest}
    return {"weeks": days // _DAYS_PER_WEEK, "weekday": days % _DAYS_PER_WEEK, "time": rest}


def _joined(values: Mapping[str, Any], per_day: int, mode: Mode, rows: int) -> Integers:
    whole = {part: np.broadcast_to(np.asarray(value, dtype=np.int64), rows) for part, value in values.items()}
    if mode in ("time", "days"):
        days = whole["days"]
    elif mode == "months":
        days = (
            whole["months"].astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + whole["within"]
        )
    else:
        days = whole["weeks"] * _DAYS_PER_WEEK + whole["weekday"]
    ticks: Integers = days * per_day + whole["time"]
    return ticks


def _levels(part: str, values: Integers, counts: Integers, nulls: int) -> NumericBins:
    found = NumericBins.of_counts(values, counts, nulls)
    if found is None:
        raise InputError(
            "The dates of a column are too far apart to be counted in int64; leave the column out, or read it as text."
        )
    block = found.levels.block
    if part in ("weekday", "days") and len(block.counts) <= FEW_VALUES:
        block = FeatureBlock(counts=block.counts, atoms=np.arange(len(block.counts)), nulls=block.nulls)
        return NumericBins(steps=found.steps, levels=Levels(values=found.levels.values, block=block))
    return found
