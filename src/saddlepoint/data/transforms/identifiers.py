"""Column transformer for identifiers (keys): not learnt; new ones are generated in the format of the training rows.

New whole numbers continue above the largest one seen, with gaps of the mean size seen. New texts follow the templates seen,
by their frequency. A template replaces digits, lower-case and upper-case letters by their character class and keeps all other
characters. In a template that many texts share, each place takes only characters seen there. A text that occurred in training
is drawn again; for this the model stores 64-bit hashes of the training texts, not the texts.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from saddlepoint.data.packed import packed, unpacked
from saddlepoint.data.tables.types import Column, decoded
from saddlepoint.data.transforms.columns import Codes, Decoded
from saddlepoint.data.transforms.features import FeatureBlock
from saddlepoint.errors import InputError

LONGEST_KEY = 100
"""Texts with a longer average length (characters) are free text, not keys."""
_MOST_TEMPLATES = 1000
_ENOUGH = 20  # texts of a template, so that its places take only characters seen there
_TRIES = 50  # draws of a text before one more digit is appended
_CLASSES = {
    "9": "0123456789",
    "a": "abcdefghijklmnopqrstuvwxyz",
    "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class IdentifierTransformer:
    """A column of identifiers; only whether a cell is missing is learnt.

    type: the Arrow type of the cells.
    block: the feature block of "present" and "missing"; None where no cell is missing.
    templates: of texts: (for each place a character class, the characters seen there or None, how often it occurs).
    seen: of texts: sorted 64-bit hashes of those that occurred in training.
    largest, gap: of whole numbers: the largest one seen, and the mean difference of neighbours.
    """

    kind: ClassVar[str] = "identifier"
    name: str
    type: str
    block: FeatureBlock | None
    templates: tuple[tuple[str, tuple[str | None, ...], int], ...] = ()
    seen: npt.NDArray[np.uint64]
    largest: int = 0
    gap: float = 1.0

    @classmethod
    def fit(cls, column: Column, cells: pa.ChunkedArray) -> IdentifierTransformer:
        """Return the transformer of a column's cells.

        Raises InputError for free text, which has no format to follow, and for cells that are neither text nor whole numbers.
        """
        plain = decoded(cells)
        rows, nulls = len(plain), plain.null_count
        block = None
        if nulls:
            block = FeatureBlock(counts=np.array([rows - nulls]), atoms=np.array([0]), nulls=nulls)
        values = plain.drop_null().to_pylist()
        if pa.types.is_integer(plain.type):
            low, high = min(values), max(values)
            gap = _gap(low, high, len(set(values)))
            return cls(
                name=column.name,
                type=str(plain.type),
                block=block,
                seen=np.empty(0, np.uint64),
                largest=high,
                gap=gap,
            )
        if not (pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type)):
            raise InputError(
                f"Column {column.name!r} cannot be an identifier: its cells are of type {plain.type}, and new identifiers "
                "can only be texts or whole numbers; give another kind."
            )
        if sum(map(len, values)) > LONGEST_KEY * len(values):
            raise InputError(
                f"Column {column.name!r} is free text ({len(set(values)):,} different texts of "
                f"{sum(map(len, values)) / len(values):,.0f} characters on average), which is not learnt: leave it out, or "
                f"treat each text as a category with --column {column.name}=categorical."
            )
        seen = np.unique(cls.hashes(values))
        return cls(
            name=column.name, type=str(plain.type), block=block, templates=_templates(values), seen=seen
        )

    @staticmethod
    def hashes(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
        """Return the 64-bit hashes of texts, (n,), by which training texts are recognised."""
        return np.array([_hash(text) for text in texts], dtype=np.uint64)

    def of_counts(
        self, rows: int, nulls: int, *, ends: tuple[int, int], seen: npt.NDArray[np.uint64] | None
    ) -> IdentifierTransformer:
        """Return this transformer fitted to other rows.

        rows, nulls: number of rows, and of missing cells.
        ends: the smallest and largest whole number.
        seen: of texts: sorted hashes of all of them; None for whole numbers.
        """
        block = (
            FeatureBlock(counts=np.array([rows - nulls]), atoms=np.array([0]), nulls=nulls) if nulls else None
        )
        if seen is not None:
            return replace(self, block=block, seen=seen)
        return replace(self, block=block, largest=ends[1], gap=_gap(*ends, rows - nulls))

    @property
    def feature_blocks(self) -> tuple[FeatureBlock, ...]:
        """Return the feature block of "present" and "missing"; none where no cell is missing."""
        return () if self.block is None else (self.block,)

    def codes(self, cells: pa.ChunkedArray) -> list[Codes]:
        """Return the code 0 where there is an identifier, 1 where it is missing."""
        return [] if self.block is None else [np.asarray(cells.is_null().to_numpy()).astype(np.int32)]

    def cells(self, decoded: Sequence[Decoded], rows: int, stream: np.random.Generator) -> pa.Array:
        """Return new identifiers: distinct, and none of them from the training rows."""
        present = decoded[0][0] >= 0 if decoded else np.ones(rows, dtype=bool)
        count, kind = int(present.sum()), pa.type_for_alias(self.type)
        cells = np.full(rows, None, dtype=object)
        if pa.types.is_integer(kind):
            cells[present] = self._numbers(count, stream, kind)
        else:
            cells[present] = self._texts(count, stream)
        return pa.array(cells.tolist(), kind)

    def _numbers(self, count: int, stream: np.random.Generator, kind: pa.DataType) -> list[int]:
        gaps = np.ones(count, dtype=np.int64)
        if self.gap > 1:
            gaps = np.maximum(1, np.rint(stream.exponential(self.gap, count))).astype(np.int64)
        bits = kind.bit_width - (0 if str(kind).startswith("u") else 1)
        if self.largest + int(gaps.sum()) >= 2**bits:
            raise InputError(
                f"Column {self.name!r} holds {self.type} identifiers up to {self.largest:,}, and {count:,} new ones above "
                "that do not fit this type: give the column another kind, or store it as a wider type."
            )
        return [self.largest + int(step) for step in np.cumsum(gaps)]

    def _texts(self, count: int, stream: np.random.Generator) -> list[str]:
        weights = np.array([often for _, _, often in self.templates], dtype=float)
        chosen = stream.choice(len(weights), count, p=weights / weights.sum())
        generated, texts = set[str](), []
        for template in chosen.tolist():
            text, extra = "", 0
            for attempt in range(10**6):
                extra = attempt // _TRIES  # digits are appended where a template has few new texts left
                text = _text(self.templates[template], stream) + "".join(
                    str(digit) for digit in stream.integers(0, 10, extra)
                )
                if text not in generated and not self._occurred(text):
                    break
            generated.add(text)
            texts.append(text)
        return texts

    def _occurred(self, text: str) -> bool:
        hashed = np.uint64(_hash(text))
        at = int(np.searchsorted(self.seen, hashed))
        return at < len(self.seen) and bool(self.seen[at] == hashed)

    def describe(self) -> str:
        """Return a phrase: how new identifiers are generated."""
        if not self.templates:
            return f"new numbers, from {self.largest + 1:,} on"
        return f"new ones in {len(self.templates):,} format{'s' * (len(self.templates) > 1)}, never one of the training rows"

    def to_dict(self) -> dict[str, Any]:
        """Return the transformer as plain JSON values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "type": self.type,
            "block": None if self.block is None else self.block.to_dict(),
            "templates": [[classes, list(seen), often] for classes, seen, often in self.templates],
            "seen": packed(self.seen),
            "largest": self.largest,
            "gap": self.gap,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> IdentifierTransformer:
        """Restore what `to_dict` returned. Raises KeyError, TypeError or ValueError where it is damaged."""
        block = stored["block"]
        pa.type_for_alias(stored["type"])
        return cls(
            name=str(stored["name"]),
            type=str(stored["type"]),
            block=None if block is None else FeatureBlock.from_dict(block),
            templates=tuple(
                (str(classes), tuple(at), int(often)) for classes, at, often in stored["templates"]
            ),
            seen=unpacked(stored["seen"]),
            largest=int(stored["largest"]),
            gap=float(stored["gap"]),
        )


def _gap(low: int, high: int, distinct: int) -> float:
    return max(1.0, (high - low) / max(1, distinct - 1))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _templates(texts: Sequence[str]) -> tuple[tuple[str, tuple[str | None, ...], int], ...]:
    """Return the most frequent templates, as `IdentifierTransformer.templates`.

    The class of a place is "9", "a", "A", "h" or "H" (digits, letters, hexadecimal digits), or NUL for other characters.
    """
    characters = set().union(*map(set, texts))
    lower, upper = characters & set("ghijklmnopqrstuvwxyz"), characters & set("GHIJKLMNOPQRSTUVWXYZ")
    hexadecimal = (
        not lower and not upper and characters & set("abcdefABCDEF") and characters & set("0123456789")
    )
    digit = ("h" if characters & set("abcdef") else "H") if hexadecimal else None
    groups: dict[str, list[str]] = {}
    for text in texts:
        groups.setdefault("".join(_class(character, digit) for character in text), []).append(text)
    common = Counter({template: len(of_it) for template, of_it in groups.items()}).most_common(
        _MOST_TEMPLATES
    )
    found = []
    for template, often in common:
        places: list[str | None] = []
        for at, character_class in enumerate(template):
            taken = sorted({text[at] for text in groups[template]})
            if often >= _ENOUGH:
                places.append("".join(taken))
            else:  # other characters than digits and letters are copied from the texts of this template
                places.append(taken[0] if character_class == "\x00" else None)
        found.append((template, tuple(places), often))
    return tuple(found)


def _class(character: str, hexadecimal: str | None) -> str:
    if character in "0123456789":
        return hexadecimal or "9"
    if "a" <= character <= "z":
        return hexadecimal or "a"
    if "A" <= character <= "Z":
        return hexadecimal or "A"
    if character.isalpha():
        return "a" if character.islower() else "A"
    return "\x00"


def _text(template: tuple[str, tuple[str | None, ...], int], stream: np.random.Generator) -> str:
    classes, places, _ = template
    draws = stream.integers(0, 2**31, len(classes))
    letters = (seen or _CLASSES[one] for one, seen in zip(classes, places, strict=True))
    return "".join(each[draw % len(each)] for each, draw in zip(letters, draws.tolist(), strict=True))
