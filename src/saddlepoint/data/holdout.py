"""Held-out rows in a file of their own (`--holdout FILE`), of the kind and columns of what is learnt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.sources import open_source
from saddlepoint.errors import InputError, nearest


def open_holdout(source: Any, like: Dataset, *, label: Any = None, key: str | None = None) -> Dataset:
    """Open the held-out rows for the rows `like`; columns by name may come in another order.

    Args:
        source: as for `open_source`; the held-out arrays of one file are named FILE.npz:test_images.
        like: the rows to learn from.
        label: column or key of the labels, or the labels, as for `open_source`.
        key: the array of an .npz.

    Raises:
        InputError: another kind, shape, columns or grey levels.
    """
    # A held-out part without missing cells, say, is a table all the same.
    options: dict[str, Any] = {"label": label, "key": key}
    if like.kind == "tables":
        options["columns"] = {}
    if like.resolution is not None:
        options |= {"resolution": like.resolution, "other_sizes": like.other_sizes}
    held = open_source(source, **options)
    if held.kind != like.kind:
        raise InputError(
            f"the held-out {held.name} holds {held.kind}, {like.name} {like.kind}; give the same."
        )
    if held.columns is not None and like.columns is not None:
        held = _in_order(held, like, held.columns, like.columns)
    if held.rows.shape[1:] != like.rows.shape[1:]:
        raise InputError(
            f"a row of the held-out {held.name} has shape {held.rows.shape[1:]}, one of {like.name} "
            f"{like.rows.shape[1:]}; give rows of the same shape."
        )
    if held.fractions and held.levels != like.levels:
        held = open_source(source, **options, levels=like.levels)
    if held.kind == "pictures" and int(held.rows.max()) > like.levels:
        raise InputError(
            f"the held-out {held.name} has grey levels up to {int(held.rows.max())}, {like.name} "
            f"up to {like.levels}; give pictures of the same levels."
        )
    return replace(held, levels=like.levels)


def _in_order(held: Dataset, like: Dataset, columns: tuple[str, ...], wanted: tuple[str, ...]) -> Dataset:
    """Return the held-out points with their columns in the order of `wanted`."""
    extra = [column for column in columns if column not in wanted]
    for column in wanted:
        if column not in columns:
            raise InputError(
                f"the held-out {held.name} has no column {column!r}{nearest(column, extra) or '.'} "
                f"Give the columns of {like.name}: {', '.join(wanted)}."
            )
    if extra:
        raise InputError(
            f"the held-out {held.name} has a column {extra[0]!r} that {like.name} has not; leave it out."
        )
    order = [columns.index(column) for column in wanted]
    dtypes = None if held.dtypes is None else tuple(held.dtypes[index] for index in order)
    if held.kind == "tables":
        return replace(held, rows=held.rows[list(wanted)], columns=wanted, dtypes=dtypes)
    return replace(held, rows=held.rows[:, order], columns=wanted, dtypes=dtypes)
