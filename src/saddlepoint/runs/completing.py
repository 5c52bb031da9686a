"""From a run and a table with missing cells to a file of the table completed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from saddlepoint import compute
from saddlepoint.data.table_encoder import TableEncoder
from saddlepoint.data.table_partial import beyond
from saddlepoint.data.tables import read_as_written
from saddlepoint.data.writing import check_target, write_samples
from saddlepoint.errors import InputError
from saddlepoint.runs.sampling import load_model


def complete_to_file(
    run: Path,
    table: Path,
    out: Path,
    *,
    columns: Sequence[str] | None = None,
    seed: int | None = None,
    escape_formulas: bool = False,
) -> str:
    """Fill in the missing cells of a table file and write it; return in one sentence what was written.

    columns: those to fill in, all but identifiers if left out; escape_formulas: as for `write_samples`.

    Raises:
        InputError: the run is of no table, the file cannot be read, has columns or values that were not learnt, or nothing to
            fill in.
        StoredFileError: the model is damaged, or the file cannot be written.
    """
    if seed is not None and seed < 0:
        raise InputError(f"seed is {seed}; give a whole number, 0 or more.")
    model = load_model(run)
    check_target(out, "tables")
    if model.like.kind != "tables":
        raise InputError(
            f"{run} learnt {model.like.kind}, and only the cells of a table can be filled in; give a run of a table."
        )
    frame = read_as_written(table)[0]
    used = compute.fresh_seed() if seed is None else seed
    rows = model.complete(frame, columns=columns, random_state=used)
    here = [name for name in rows.columns if name in frame.columns]
    before, after = int(frame[here].isna().sum().sum()), int(rows[here].isna().sum().sum())
    absent = [str(name) for name in rows.columns if name not in frame.columns]
    filled = before - after + len(rows) * len(absent)
    if filled == 0:
        raise InputError(f"{table} has no missing cell to fill in; there is nothing to write.")
    written = write_samples(out, rows, model.like, escape_formulas=escape_formulas)
    said = f"{filled:,} cell{'s' * (filled > 1)} filled in" + (
        f", {', '.join(absent)} wholly" if absent else ""
    )
    empty = [str(name) for name in here if rows[name].isna().any()]
    wide = beyond(model.encoder, frame) if isinstance(model.encoder, TableEncoder) else ()
    outside = f"; outside what training saw, so taken for the nearest seen: {', '.join(wide)}" if wide else ""
    left = f"; {after:,} left empty in {', '.join(empty)}" if empty else ""
    return f"{said}{left}{outside}; {written}, written to {out} (again: --seed {used})"
