"""Identifiers: made anew in the pattern of those seen, never one of them.

Whole numbers go on above the largest seen, by the gaps seen. Texts follow the templates seen (digits, small and large
letters, all else as it stands) by their frequency; a place of a template that many texts share takes one of the signs
seen there. A text that occurred in training is made again: the model keeps 64-bit hashes of them for that, not the
texts.
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
"""Texts longer than this on average are prose, not keys."""
_MOST_TEMPLATES = 1000
_ENOUGH = 20
_TRIES = 50
_CLASSES = {
    "9": "0123456789",
    "a": "abcdefghijklmnopqrstuvwxyz",
    "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class IdentifierTransformer:
    """A column of identifiers: no part of what is learnt but whether a cell is missing.

    templates: (a class or a sign for each place, the signs seen there or None, how often); largest and gap: of whole
    numbers, which are of an Arrow `type`.
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
        """Return the codec of a column's cells.

        Raises InputError for prose, which has no pattern to follow, and for what is neither text nor a whole number.
        """
        plain = decoded(cells)
        rows, nulls = len(plain), plain.null_count
        block = None
        if nulls:
            block = FeatureBlock(counts=np.array([rows - nulls]), atoms=np.array([0]), nulls=nulls)
        words = plain.drop_null().to_pylist()
        if pa.types.is_integer(plain.type):
            low, high = min(words), max(words)
            gap = _gap(low, high, len(set(words)))
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
                f"Column {column.name!r} cannot be an identifier: it holds {plain.type}, and only texts and whole "
                "numbers can be made anew; name another kind."
            )
        if sum(map(len, words)) > LONGEST_KEY * len(words):
            raise InputError(
                f"Column {column.name!r} is free text ({len(set(words)):,} different ones of "
                f"{sum(map(len, words)) / len(words):,.0f} letters on average), which is not learnt: leave it out, or take "
                f"its texts as they are with --column {column.name}=categorical."
            )
        seen = np.unique(cls.hashes(words))
        return cls(
            name=column.name, type=str(plain.type), block=block, templates=_templates(words), seen=seen
        )

    @staticmethod
    def hashes(words: Sequence[str]) -> npt.NDArray[np.uint64]:
        """Return the 64-bit hashes by which texts that occurred are known."""
        return np.array([_hash(word) for word in words], dtype=np.uint64)

    def of_counts(
        self, rows: int, nulls: int, *, ends: tuple[int, int], seen: npt.NDArray[np.uint64] | None
    ) -> IdentifierTransformer:
        """Return this codec for so many rows, of which some are missing: smallest and largest number, or sorted hashes."""
        block = (
            FeatureBlock(counts=np.array([rows - nulls]), atoms=np.array([0]), nulls=nulls) if nulls else None
        )
        if seen is not None:
            return replace(self, block=block, seen=seen)
        return replace(self, block=block, largest=ends[1], gap=_gap(*ends, rows - nulls))

    @property
    def feature_blocks(self) -> tuple[FeatureBlock, ...]:
        """Return the span of "there" and "missing", if any cell is missing."""
        return () if self.block is None else (self.block,)

    def codes(self, cells: pa.ChunkedArray) -> list[Codes]:
        """Return 0 where there is an identifier, 1 where it is missing."""
        return [] if self.block is None else [np.asarray(cells.is_null().to_numpy()).astype(np.int32)]

    def cells(self, decoded: Sequence[Decoded], rows: int, stream: np.random.Generator) -> pa.Array:
        """Return identifiers that did not occur in training, each one once."""
        present = decoded[0][0] >= 0 if decoded else np.ones(rows, dtype=bool)
        count, kind = int(present.sum()), pa.type_for_alias(self.type)
        made = np.full(rows, None, dtype=object)
        if pa.types.is_integer(kind):
            made[present] = self._numbers(count, stream, kind)
        else:
            made[present] = self._texts(count, stream)
        return pa.array(made.tolist(), kind)

    def _numbers(self, count: int, stream: np.random.Generator, kind: pa.DataType) -> list[int]:
        gaps = np.ones(count, dtype=np.int64)
        if self.gap > 1:
            gaps = np.maximum(1, np.rint(stream.exponential(self.gap, count))).astype(np.int64)
        bits = kind.bit_width - (0 if str(kind).startswith("u") else 1)
        if self.largest + int(gaps.sum()) >= 2**bits:
            raise InputError(
                f"Column {self.name!r} holds {self.type} identifiers up to {self.largest:,}; there is no room above for "
                f"{count:,} new ones: take it as another kind, or store it as a wider type."
            )
        return [self.largest + int(step) for step in np.cumsum(gaps)]

    def _texts(self, count: int, stream: np.random.Generator) -> list[str]:
        weights = np.array([often for _, _, often in self.templates], dtype=float)
        chosen = stream.choice(len(weights), count, p=weights / weights.sum())
        made, words = set[str](), []
        for template in chosen.tolist():
            word, extra = "", 0
            for attempt in range(10**6):
                extra = attempt // _TRIES  # a template that is used up grows by a digit
                word = _written(self.templates[template], stream) + "".join(
                    str(digit) for digit in stream.integers(0, 10, extra)
                )
                if word not in made and not self._occurred(word):
                    break
            made.add(word)
            words.append(word)
        return words

    def _occurred(self, word: str) -> bool:
        hashed = np.uint64(_hash(word))
        at = int(np.searchsorted(self.seen, hashed))
        return at < len(self.seen) and bool(self.seen[at] == hashed)

    def describe(self) -> str:
        """Return in words what is done."""
        if not self.templates:
            return f"made anew, from {self.largest + 1:,} on"
        return f"made anew in {len(self.templates):,} pattern{'s' * (len(self.templates) > 1)}, never one that was seen"

    def to_dict(self) -> dict[str, Any]:
        """Return the codec as plain JSON values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "type": self.type,
            "block": None if self.block is None else self.block.to_dict(),
            "templates": [[places, list(signs), often] for places, signs, often in self.templates],
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
            templates=tuple((str(p), tuple(signs), int(often)) for p, signs, often in stored["templates"]),
            seen=unpacked(stored["seen"]),
            largest=int(stored["largest"]),
            gap=float(stored["gap"]),
        )


def _gap(low: int, high: int, distinct: int) -> float:
    return max(1.0, (high - low) / max(1, distinct - 1))


def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


def _templates(words: Sequence[str]) -> tuple[tuple[str, tuple[str | None, ...], int], ...]:
    """Return the commonest templates; a place is a class of signs ("9", "a", "A", "h", "H") or "" for a sign itself."""
    signs = set().union(*map(set, words))
    small, large = signs & set("ghijklmnopqrstuvwxyz"), signs & set("GHIJKLMNOPQRSTUVWXYZ")
    hexadecimal = not small and not large and signs & set("abcdefABCDEF") and signs & set("0123456789")
    digit = ("h" if signs & set("abcdef") else "H") if hexadecimal else None
    groups: dict[str, list[str]] = {}
    for word in words:
        groups.setdefault("".join(_class(sign, digit) for sign in word), []).append(word)
    common = Counter({template: len(of_it) for template, of_it in groups.items()}).most_common(
        _MOST_TEMPLATES
    )
    found = []
    for template, often in common:
        places: list[str | None] = []
        for at, sign in enumerate(template):
            taken = sorted({word[at] for word in groups[template]})
            if (
                sign == "\x00"
            ):  # neither digit nor letter of the alphabet: as it stands in the first such text
                places.append("".join(taken) if often >= _ENOUGH else taken[0])
            else:
                places.append("".join(taken) if often >= _ENOUGH else None)
        found.append((template, tuple(places), often))
    return tuple(found)


def _class(sign: str, hexadecimal: str | None) -> str:
    if sign in "0123456789":
        return hexadecimal or "9"
    if "a" <= sign <= "z":
        return hexadecimal or "a"
    if "A" <= sign <= "Z":
        return hexadecimal or "A"
    if sign.isalpha():
        return "a" if sign.islower() else "A"
    return "\x00"


def _written(template: tuple[str, tuple[str | None, ...], int], stream: np.random.Generator) -> str:
    classes, places, _ = template
    draws = stream.integers(0, 2**31, len(classes))
    letters = (signs or _CLASSES[sign] for sign, signs in zip(classes, places, strict=True))
    return "".join(each[draw % len(each)] for each, draw in zip(letters, draws.tolist(), strict=True))
