"""Reads delimited text (CSV, TSV) into an Arrow table, converting to numbers only where nothing is lost.

Every cell is read as text first. A column becomes integers or floats only if *all* its non-null cells are written
as such; one "?" keeps the whole column text. A null is a cell that is empty, NA, NaN or nan, and nothing else.
Numbers with leading zeros ("00501") and integers beyond 64 bits stay text, because as numbers they would lose
their form. Dates and truth values stay text: the schema decides what they are, and keeps their spelling.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from saddlepoint.data.untrusted import decode_errors_as_input_error, refuse_bomb
from saddlepoint.errors import InputError

NULL_CELLS = ("", "NA", "NaN", "nan")
DELIMITERS = (",", ";", "\t", "|")
_INTEGER = r"^\s*[+-]?[0-9]+\s*$"
_LEADING_ZERO = r"^\s*[+-]?0[0-9]"
NUMBER = (
    r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$|^\s*[+-]?(inf|Inf|INF|infinity|Infinity)\s*$"
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_text(path: Path) -> tuple[str, str, bytes]:
    """Return a file's text, its codec and its byte order mark: raw == mark + text.encode(codec).

    The codec is that of the mark, else UTF-8.

    Raises:
        InputError: the file is empty, is not a valid gzip file, or is not text in that encoding.
    """
    packed = path.suffix.lower() == ".gz"
    with decode_errors_as_input_error(str(path), "a gzip file" if packed else "a text file"):
        raw = _unpacked(path) if packed else path.read_bytes()
    if not raw.strip():
        raise InputError(f"{path} is empty; a table needs a header line and at least one row.")
    mark, codec = next(((mark, codec) for mark, codec in _BOMS if raw.startswith(mark)), (b"", "utf-8"))
    try:
        text = raw[len(mark) :].decode(codec)
    except UnicodeDecodeError as error:
        start = len(mark) + error.start
        line = raw.count(b"\n", 0, start) + 1
        raise InputError(
            f"{path} is not {codec} text: line {line} holds the byte 0x{raw[start]:02x}; "
            "save it as UTF-8, or read it with pandas.read_csv(..., encoding='latin-1') and give the frame to GAN().fit."
        ) from None
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise InputError(
            f"{path} holds NUL characters (line {line}), so it is not a "
            "text table; if it is UTF-16 without a byte order mark, save it as UTF-8."
        )
    return text, codec, mark


def _unpacked(path: Path) -> bytes:
    """Unpack a gzip file in parts, so that a decompression bomb is refused before it fills the memory."""
    parts, size = [], 0
    with gzip.open(path) as stream:
        while part := stream.read(2**20):
            size += len(part)
            refuse_bomb(str(path), size, path.stat().st_size)
            parts.append(part)
    return b"".join(parts)


def delimiter_of(path: Path, text: str) -> str:
    """Return a tab for .tsv, else the one of , ; tab | that occurs most often in the header line, outside quotes."""
    if ".tsv" in [suffix.lower() for suffix in path.suffixes[-2:]]:
        return "\t"
    header = text.lstrip("\r\n").splitlines()[0]
    outside_quotes = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside_quotes.count)


def parse(text: str, *, name: str, delimiter: str, header: bool | None = None) -> tuple[pa.Table, bool]:
    """Return a delimited text as an Arrow table, and whether its first line holds names.

    The columns are int64, uint64, double or string, with nulls.

    text: the text.
    name: what messages call the file.
    delimiter: a single character.
    header: whether the first line holds names; None: yes, unless it holds numbers only that are not 0, 1, 2, ..., the names
        that pandas writes for a frame without names. Without a header the columns are column_1, ...

    Raises:
        InputError: a line with too many or too few cells (its number), an unclosed quote, a duplicate name, no rows.
    """
    text = text.lstrip("\r\n") + "\n"
    first = next(_records(text, name=name, delimiter=delimiter))[1]
    if header is None:
        numbers = [float(cell) for cell in first if is_number(cell)]
        counted = len(first) > 1 and numbers == list(range(len(first)))
        header = counted or len(numbers) < len(first)
    names = [cell if cell and header else f"column_{i + 1}" for i, cell in enumerate(first)]
    refuse_repeated(names, name=name)
    if text.count('"') % 2:
        # Arrow reads an unclosed quote as a cell that reaches to the end; the csv module finds where it opens.
        for _ in _records(text, name=name, delimiter=delimiter):
            pass
    # An empty line is a null in a table of one column, and is skipped in any other.
    single = len(names) == 1
    if single:
        text = text.rstrip("\r\n") + "\n"
    encoded = text.encode()
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(encoded),
            read_options=arrow_csv.ReadOptions(
                column_names=names,
                skip_rows_after_names=int(header),
                block_size=max(1 << 20, min(len(encoded), 1 << 26)),
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values='"' in text, ignore_empty_lines=not single
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={column: pa.large_string() for column in names},
                null_values=list(NULL_CELLS),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        _explain_ragged(text, name=name, delimiter=delimiter, width=len(names))
        raise InputError(f"{name} cannot be read as delimited text: {str(error).splitlines()[0]}.") from None
    if table.num_rows == 0:
        raise InputError(f"{name} holds a header line but no rows; a table needs at least one row.")
    return pa.table({column: narrow(table[column]) for column in names}), header


def narrow(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return text cells as int64, uint64 or double if all non-null ones are written so, else unchanged."""
    if cells.null_count == len(cells):
        return pa.chunked_array([pa.nulls(len(cells))])
    leading_zero = pc.any(pc.match_substring_regex(cells, _LEADING_ZERO), skip_nulls=True).as_py()
    if leading_zero or not _all_match(cells, NUMBER):
        return cells
    plain = pc.utf8_trim_whitespace(cells)
    if not _all_match(plain, _INTEGER):
        return pc.utf8_ltrim(pc.utf8_lower(plain), "+").cast(pa.float64())
    for whole in (pa.int64(), pa.uint64()):
        try:
            return pc.utf8_ltrim(plain, "+").cast(whole)
        except pa.ArrowInvalid:
            continue
    return cells


def _all_match(cells: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(cells, pattern), skip_nulls=True).as_py())


def refuse_repeated(names: list[str], *, name: str) -> None:
    """Raise InputError if two columns of a table have one name."""
    repeated = sorted({column for column in names if names.count(column) > 1})
    if repeated:
        raise InputError(
            f"{name} has the column name {repeated[0]!r} {names.count(repeated[0])} times; rename all except one."
        )


def is_number(cell: str) -> bool:
    """Return whether a cell is written as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _records(text: str, *, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of its first line, cells) for each record: for the header, and to explain Arrow's errors."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{name}, line {line}: {error}; check the quotes there.") from None


def whole_records(text: str, *, name: str, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (the record unchanged, with its line ends; its cells) for every record of the text."""
    lines = list(io.StringIO(text, newline=""))
    starts = list(_records(text, name=name, delimiter=delimiter))
    ends = [line - 1 for line, _ in starts[1:]] + [len(lines)]
    for (line, cells), end in zip(starts, ends, strict=True):
        yield "".join(lines[line - 1 : end]), cells


def _explain_ragged(text: str, *, name: str, delimiter: str, width: int) -> None:
    for line, cells in _records(text, name=name, delimiter=delimiter):
        if cells and len(cells) != width:
            raise InputError(
                f"{name}, line {line}: {len(cells)} cells where the header has {width}, separated by {delimiter!r}; "
                "correct that line, or the header."
            )
