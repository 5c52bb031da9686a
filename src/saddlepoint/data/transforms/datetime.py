"""Dates and times of a table as levels: the calendar's own parts, or the time since another column of dates.

A moment is a whole number of ticks. Its day is learnt apart from its time of day, and where days are many the week apart
from the weekday, so that the shape of a day and of a week are margins that a network sees. A column whose moments never
lie before those of another one is learnt as the time between the two, so that the order always holds.
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
_EVERY_DAY = 7
Present = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class DateFormat:
    """How moments are written: an Arrow type, and for text its format; plain: numbers without leading zeros."""

    type: pa.DataType
    date_format: str | None = None
    plain: str = ""

    @property
    def dated(self) -> bool:
        """Return whether moments lie on a day, not only at a time of day."""
        if self.date_format is None:
            return not pa.types.is_time(self.type)
        return any(sign in self.date_format for sign in ("%Y", "%y", "%m", "%b", "%B", "%d", "%j"))

    @property
    def ticks_a_day(self) -> int:
        """Return how many ticks make a day."""
        if pa.types.is_date32(self.type):
            return 1
        if pa.types.is_date64(self.type):
            return _DAY_SECONDS * 1000
        unit = "us" if self.date_format else self.type.unit
        return _DAY_SECONDS * _UNITS[unit]

    def ticks(self, cells: pa.ChunkedArray, name: str) -> tuple[Integers, Present]:
        """Return whole ticks since 1970 (or midnight), 0 where missing, and which cells are present."""
        present = np.asarray(cells.is_valid().to_numpy(), dtype=bool)
        if self.date_format is not None:
            moments = seconds(cells, self.date_format, name=name, table="the table")
            return np.rint(np.nan_to_num(moments) * _MICROSECONDS).astype(np.int64), present
        cells = cells.cast(self.type) if cells.type != self.type else cells
        whole = pa.int32() if self.type.bit_width == 32 else pa.int64()
        return np.asarray(cells.cast(whole).fill_null(0).to_numpy()).astype(np.int64), present

    def cells(self, ticks: Integers, present: Present) -> pa.Array:
        """Return moments as cells of the type that came in."""
        if self.date_format is None:
            whole = pa.int32() if self.type.bit_width == 32 else pa.int64()
            return pa.array(ticks, mask=~present).cast(whole).cast(self.type)
        distinct, codes = np.unique(ticks, return_inverse=True)
        moments = pd.to_datetime(pd.Series(distinct), unit="us")
        if "%z" in self.date_format:
            moments = moments.dt.tz_localize("UTC")
        marked = self.date_format
        for sign in self.plain:
            marked = marked.replace(f"%{sign}", f"\x00%{sign}")
        words = [re.sub("\x000?(?=[0-9])", "", word) for word in moments.dt.strftime(marked)]
        return pa.array(words, pa.string()).take(pa.array(codes, mask=~present)).cast(self.type)

    @classmethod
    def of(cls, column: Column, cells: pa.ChunkedArray) -> DateFormat | None:
        """Return the writing that gives back every cell as it came; None where none does."""
        if column.date_format is None:
            return cls(type=cells.type)
        distinct = pc.unique(pc.drop_null(cells))
        for plain in ("", "md", "mdHI", "HI"):
            writing = cls(type=cells.type, date_format=column.date_format, plain=plain)
            back = writing.cells(*writing.ticks(pa.chunked_array([distinct]), column.name))
            if back.equals(distinct):
                return writing
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class DatetimeTransformer:
    """A column of dates. parts: levels of each part that varies, by name; fixed: the value of those that do not.

    since: the column whose moments are the origin, for mode "since".
    """

    kind: ClassVar[str] = "dates"
    name: str
    writing: DateFormat
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
        """Return the codec of a column's cells; of dates written in no one way a CategoricalTransformer."""
        plain = decoded(cells)
        writing = DateFormat.of(column, plain)
        if writing is None or pa.types.is_dictionary(cells.type):
            return CategoricalTransformer.fit(column, cells)
        ticks, present = writing.ticks(plain, column.name)
        seen = ticks[present]
        first, last = int(seen.min()), int(seen.max())
        origin = None
        if since is not None:
            origin = since[0].writing.ticks(decoded(since[1]), since[0].name)[0][present]
        days = np.unique(seen // writing.ticks_a_day)
        empty = cls(
            name=column.name,
            writing=writing,
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
        """Return the parts of moments by name: of the calendar, or the time since others."""
        return (
            {"since": ticks - origin}
            if origin is not None
            else _split(ticks, self.writing.ticks_a_day, self.mode)
        )

    def of_counts(
        self, counted: Mapping[str, tuple[Integers, Integers]], nulls: int, *, first: int, last: int
    ) -> DatetimeTransformer:
        """Return this codec with the levels of parts whose sorted values occur so often; first and last moment."""
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
        """Return the spans of the parts that vary."""
        return tuple(counted.levels.block for counted in self.parts.values())

    def codes(
        self, cells: pa.ChunkedArray, others: pa.ChunkedArray | None = None, base: DateFormat | None = None
    ) -> list[Codes]:
        """Return the level of each row for each part; others and base: the column that this one counts from."""
        ticks, present = self.writing.ticks(decoded(cells), self.name)
        if others is not None and base is not None:
            values = {"since": ticks - base.ticks(decoded(others), self.name)[0]}
        else:
            values = _split(ticks, self.writing.ticks_a_day, self.mode)
        return [levels.codes(values[part], present) for part, levels in self.parts.items()]

    def moments(self, decoded: Sequence[Decoded], origin: Integers | None = None) -> tuple[Integers, Present]:
        """Return ticks and which are present, of what the spans decoded; origin: the ticks counted from."""
        values: dict[str, Any] = dict(self.fixed)
        present: Present | None = None
        for (part, levels), each in zip(self.parts.items(), decoded, strict=True):
            values[part], here = levels.restore(each)
            present = here if present is None else present  # the first part decides
        if present is None:
            present = np.ones(0, dtype=bool)
        if (
            origin is not None
        ):  # the order of every row held, so that of the two ends does too, and clipping keeps it
            return np.clip(origin + values["since"], self.first, self.last), present
        ticks = _joined(values, self.writing.ticks_a_day, self.mode, len(present))
        return np.clip(ticks, self.first, self.last), present

    def cells(self, decoded: Sequence[Decoded], origin: Integers | None = None) -> pa.Array:
        """Return the dates as they came: of their type, or written in their format."""
        return self.writing.cells(*self.moments(decoded, origin))

    def describe(self) -> str:
        """Return in words how the dates are learnt."""
        written = self.writing.cells(np.array([self.first, self.last]), np.ones(2, dtype=bool)).to_pylist()
        ways = {
            "time": "time of day",
            "days": "day and time",
            "weeks": "week, weekday and time",
            "months": "month",
        }
        how = f"the time since {self.since}, never of the other sign" if self.since else ways[self.mode]
        return f"{written[0]} to {written[1]}, as {how}"

    def to_dict(self) -> dict[str, Any]:
        """Return the codec as plain JSON values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "type": packed_table(pa.schema([("cells", self.writing.type)]).empty_table()),
            "format": self.writing.date_format,
            "plain": self.writing.plain,
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
            writing=DateFormat(type=kind, date_format=stored["format"], plain=str(stored["plain"])),
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
    """Return {column: the earlier of the columns it is counted from} where no row breaks the order of the two.

    Columns are told apart by name, ticks and presence; both must count in the same ticks, and the first must be there
    wherever the second is. Times of day have no such order: beyond midnight they begin again.
    """
    found: dict[str, str] = {}
    dates = [each for each in dates if each[1].dated]
    for at, (name, writing, ticks, present) in enumerate(dates):
        for other, written, origin, there in dates[:at]:
            if other in found or written.ticks_a_day != writing.ticks_a_day or (present & ~there).any():
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


def _split(ticks: Integers, a_day: int, mode: Mode) -> dict[str, Integers]:
    days, rest = ticks // a_day, ticks % a_day
    if mode in ("time", "days"):
        return {"days": days, "time": rest}
    if mode == "months":
        months, within = _month_parts(days)
        return {"months": months, "within": within, "time": rest}
    return {"weeks": days // _EVERY_DAY, "weekday": days % _EVERY_DAY, "time": rest}


def _joined(values: Mapping[str, Any], a_day: int, mode: Mode, rows: int) -> Integers:
    whole = {part: np.broadcast_to(np.asarray(value, dtype=np.int64), rows) for part, value in values.items()}
    if mode in ("time", "days"):
        days = whole["days"]
    elif mode == "months":
        days = (
            whole["months"].astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + whole["within"]
        )
    else:
        days = whole["weeks"] * _EVERY_DAY + whole["weekday"]
    ticks: Integers = days * a_day + whole["time"]
    return ticks


def _levels(part: str, values: Integers, counts: Integers, nulls: int) -> NumericBins:
    found = NumericBins.of_counts(values, counts, nulls)
    if found is None:
        raise InputError(
            "The dates of a column lie further apart than can be counted; leave it out or take it as text."
        )
    block = found.levels.block
    if part in ("weekday", "days") and len(block.counts) <= FEW_VALUES:
        block = FeatureBlock(counts=block.counts, atoms=np.arange(len(block.counts)), nulls=block.nulls)
        return NumericBins(steps=found.steps, levels=Levels(values=found.levels.values, block=block))
    return found
