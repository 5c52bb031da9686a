"""The library, labels and dtypes of an input frame, so that samples are returned as the same kind of frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from saddlepoint.data.packed import packed_table, unpacked_table
from saddlepoint.errors import InputError, StoredFileError


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameForm:
    """The form of a frame: everything except its rows.

    library: the frame's library, as narwhals names it.
    columns: column labels.
    dtypes: of a frame of plain numbers: the columns' dtypes, as numpy names them.
    own: pandas' own names of these, which numpy may not know ("Int64", "double[pyarrow]"); None outside pandas.
    arrow: of any other frame: an Arrow table without rows; for pandas its metadata hold pandas' own dtypes and labels.

    Decimals and categories of numbers have no numpy dtype: outside pandas they are returned as plain numbers.
    """

    library: str
    columns: tuple[str | int, ...]
    dtypes: tuple[str, ...] = ()
    own: tuple[str, ...] | None = None
    arrow: pa.Table | None = None

    @classmethod
    def of(cls, frame: Any, *, dtypes: Sequence[str] | None = None) -> FrameForm:
        """Return the form of a pandas, polars or pyarrow frame.

        dtypes: of plain numbers: the columns' dtypes as numpy names them; None: of any other frame.

        Raises:
            InputError: the frame has column labels of several levels (pandas).
        """
        import narwhals as nw

        if getattr(getattr(frame, "columns", None), "nlevels", 1) > 1:
            raise InputError(
                f"The frame's column labels have {frame.columns.nlevels} levels; join the levels of each into one name."
            )
        wrapped = nw.from_native(frame, eager_only=True)
        library, pandas = wrapped.implementation.value, wrapped.implementation.is_pandas()
        labels = tuple(label if isinstance(label, int) else str(label) for label in wrapped.columns)
        if dtypes is not None:
            own = tuple(str(dtype) for dtype in frame.dtypes) if pandas else None
            return cls(library=library, columns=labels, dtypes=tuple(dtypes), own=own)
        arrow = pa.Table.from_pandas(frame, preserve_index=False) if pandas else wrapped.to_arrow()
        return cls(library=library, columns=labels, arrow=arrow.slice(0, 0).combine_chunks())

    def restore(self, rows: Any) -> Any:
        """Return decoded rows as a frame of the original library, each column in its dtype.

        rows: plain numbers (n, d), or a frame of Arrow-backed columns.
        """
        if self.arrow is not None:
            cells = (pa.array(rows[name]) for name in rows.columns)
            fields = zip(cells, self.arrow.schema, strict=True)
            arrays = [each if each.type == field.type else each.cast(field.type) for each, field in fields]
            table = pa.Table.from_arrays(arrays, schema=self.arrow.schema)
            return table.to_pandas() if self.library == "pandas" else _native(table, self.library)
        columns = [rows[:, at].astype(dtype) for at, dtype in enumerate(self.dtypes)]
        if self.library != "pandas":
            return _native(dict(zip(map(str, self.columns), columns, strict=True)), self.library)
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
        if self.arrow is not None:
            return {"library": self.library, "arrow": packed_table(self.arrow)}
        return {"library": self.library, "columns": self.columns, "dtypes": self.dtypes, "own": self.own}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> FrameForm:
        """Restore what `to_dict` returned; StoredFileError if it is damaged."""
        try:
            library = str(stored["library"])
            if "arrow" in stored:
                arrow = unpacked_table(stored["arrow"])
                return cls(library=library, columns=tuple(arrow.column_names), arrow=arrow)
            own = stored["own"]
            return cls(
                library=library,
                columns=tuple(stored["columns"]),
                dtypes=tuple(np.dtype(name).name for name in stored["dtypes"]),
                own=None if own is None else tuple(map(str, own)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoredFileError(f"The stored form of a frame is damaged ({error}).") from None


def _native(columns: Any, library: Any) -> Any:
    """Return an Arrow table, or a mapping from names to numpy columns, as a frame of a library."""
    import narwhals as nw

    if isinstance(columns, Mapping):
        return nw.from_dict(columns, backend=library).to_native()
    return columns if library == "pyarrow" else nw.from_arrow(columns, backend=library).to_native()
