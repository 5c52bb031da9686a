"""Which library's frame came in, so that samples leave as the same library's frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from saddlepoint.errors import InputError, StoredFileError


@dataclass(frozen=True, kw_only=True)
class FrameForm:
    """A frame without its rows: the library (as narwhals names it), column labels, and dtypes as numpy names them.

    `own` holds pandas' own names of the dtypes, among them those numpy does not know ("Int64", "double[pyarrow]").
    Decimals and categories of numbers have no numpy dtype: outside pandas they come back as plain numbers.
    """

    library: str
    columns: tuple[str | int, ...]
    dtypes: tuple[str, ...]
    own: tuple[str, ...] | None = None

    @classmethod
    def of(cls, frame: Any, *, dtypes: Sequence[str]) -> FrameForm:
        """Return the form of a pandas, polars or pyarrow frame; dtypes are the numpy names of its columns.

        Raises:
            InputError: pandas' column labels have several levels.
        """
        import narwhals as nw

        if getattr(getattr(frame, "columns", None), "nlevels", 1) > 1:
            raise InputError(
                f"The frame's column labels have {frame.columns.nlevels} levels; join them into one name each."
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
        """Return decoded rows (n, d) as a frame of the library that came in, each column in its dtype."""
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
            pd.Series(column) if str(np.dtype(plain)) == wanted else pd.Series(column).astype(wanted)
            for column, plain, wanted in zip(columns, self.dtypes, own, strict=True)
        ]
        frame = pd.concat(series, axis=1)
        frame.columns = pd.Index(self.columns)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the form as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> FrameForm:
        """Restore what `to_dict` returned; StoredFileError if it is not one of ours."""
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
