"""The library, labels and dtypes of an input frame, so that samples are returned as the same kind of frame.

`FrameForm` is for frames of plain numbers, `TableForm` for tables with text, dates or missing cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from saddlepoint.data.packed import packed_table, unpacked_table
from saddlepoint.errors import InputError, StoredFileError


@dataclass(frozen=True, kw_only=True)
class FrameForm:
    """The form of a frame of numbers: everything except its rows.

    library: the frame's library, as narwhals names it.
    columns: column labels.
    dtypes: the columns' dtypes, as numpy names them.
    own: pandas' own names of the dtypes, which numpy may not know ("Int64", "double[pyarrow]"); None outside pandas.

    Decimals and categories of numbers have no numpy dtype: outside pandas they are returned as plain numbers.
    """

    library: str
    columns: tuple[str | int, ...]
    dtypes: tuple[str, ...]
    own: tuple[str, ...] | None = None

    @classmethod
    def of(cls, frame: Any, *, dtypes: Sequence[str]) -> FrameForm:
        """Return the form of a pandas, polars or pyarrow frame; `dtypes` are its columns' dtypes as numpy names them.

        Raises:
            InputError: the frame has column labels of several levels (pandas).
        """
        import narwhals as nw

        if getattr(getattr(frame, "columns", None), "nlevels", 1) > 1:
            raise InputError(
                f"The frame's column labels have {frame.columns.nlevels} levels; join the levels of each into one name."
            )
        wrapped = nw.from_native(frame, eager_only=True)
        if wrapped.implementation.is_pandas():
            labels = [label if isinstance(label, int) else str(label) for label in frame.columns]
            return cls(
                library="pandas",
                columns=tuple(labels),
                dtypes=tuple(dtypes),
                own=tuple(str(dtype) for dtype in frame.dtypes),
            )
        return cls(library=wrapped.implementation.value, columns=tuple(wrapped.columns), dtypes=tuple(dtypes))

    def restore(self, rows: npt.NDArray[Any]) -> Any:
        """Return decoded rows (n, d) as a frame of the original library, each column in its dtype."""
        columns = [rows[:, at].astype(dtype) for at, dtype in enumerate(self.dtypes)]
        if self.library == "pandas":
            return self._pandas(columns)
        import narwhals as nw

        names = [str(name) for name in self.columns]
        backend: Any = self.library
        return nw.from_dict(dict(zip(names, columns, strict=True)), backend=backend).to_native()

    def _pandas(self, columns: list[npt.NDArray[Any]]) -> Any:
        import pandas as pd

        own: tuple[Any, ...] = self.own or self.dtypes
        series = [
            pd.Series(column) if str(np.dtype(plain)) == dtype else pd.Series(column).astype(dtype)
            for column, plain, dtype in zip(columns, self.dtypes, own, strict=True)
        ]
        frame = pd.concat(series, axis=1)
        frame.columns = pd.Index(self.columns)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the form as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> FrameForm:
        """Restore what `to_dict` returned; StoredFileError if it is damaged."""
        try:
            own = stored["own"]
            return cls(
                library=str(stored["library"]),
                columns=tuple(stored["columns"]),
                dtypes=tuple(np.dtype(name).name for name in stored["dtypes"]),
                own=None if own is None else tuple(map(str, own)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoredFileError(f"The stored form of a frame is damaged ({error}).") from None


@dataclass(frozen=True, kw_only=True, eq=False)
class TableForm:
    """The form of a table: everything except its rows.

    library: the table's library, as narwhals names it.
    form: an Arrow table without rows; for pandas its metadata hold pandas' own dtypes and labels.
    """

    library: str
    form: pa.Table

    @classmethod
    def of(cls, frame: Any) -> TableForm:
        """Return the form of a pandas, polars or pyarrow table.

        Raises:
            InputError: the frame has column labels of several levels (pandas).
        """
        import narwhals as nw

        if getattr(getattr(frame, "columns", None), "nlevels", 1) > 1:
            raise InputError(
                f"The frame's column labels have {frame.columns.nlevels} levels; join the levels of each into one name."
            )
        wrapped = nw.from_native(frame, eager_only=True)
        if wrapped.implementation.is_pandas():
            form = pa.Table.from_pandas(frame, preserve_index=False)
        else:
            form = wrapped.to_arrow()
        return cls(library=wrapped.implementation.value, form=form.slice(0, 0).combine_chunks())

    def restore(self, rows: pd.DataFrame) -> Any:
        """Return a frame of Arrow-backed columns as a table of the original library, each column in its dtype."""
        arrays = [_cast(pa.array(rows[name]), field.type) for name, field in self._fields(rows)]
        table = pa.Table.from_arrays(arrays, schema=self.form.schema)
        if self.library == "pandas":
            return table.to_pandas()
        if self.library == "pyarrow":
            return table
        import narwhals as nw

        backend: Any = self.library
        return nw.from_arrow(table, backend=backend).to_native()

    def _fields(self, rows: pd.DataFrame) -> list[tuple[str, pa.Field]]:
        return [(str(name), field) for name, field in zip(rows.columns, self.form.schema, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Return the form as plain JSON values."""
        return {"library": self.library, "arrow": packed_table(self.form)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TableForm:
        """Restore what `to_dict` returned; StoredFileError if it is damaged."""
        try:
            return cls(library=str(stored["library"]), form=unpacked_table(stored["arrow"]))
        except (KeyError, TypeError, ValueError) as error:
            raise StoredFileError(f"The stored form of a table is damaged ({error}).") from None


def _cast(cells: Any, kind: pa.DataType) -> Any:
    return cells if cells.type == kind else cells.cast(kind)
