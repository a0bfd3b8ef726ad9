"""Binary COPY between numpy columns and tables: rows of one size are one array, written and read whole.

A row of COPY's binary format is a count of fields and, for each, its length and its bytes. Where no value is
null and every array of a column has the same length, all rows are equally long: then a numpy record dtype
describes them, `tobytes()` writes a million rows and `frombuffer` reads them, without a loop in Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
_PIECE_BYTES = 1 << 21
POSTGRES_EPOCH_US = 946_684_800_000_000  # 2000-01-01: where PostgreSQL counts its timestamps from

_SCALARS = {"int2": ">i2", "int4": ">i4", "int8": ">i8", "timestamptz": ">i8"}
_SENDS = {"int2": "int2send", "int4": "int4send", "int8": "int8send", "timestamptz": "timestamptz_send"}
_ELEMENTS = {"int2": (21, ">i2"), "int4": (23, ">i4"), "int8": (20, ">i8")}  # oid, dtype


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its type (`int8`, `int2[]`, `text`, …) and its values.

    values   scalars: integer array (n,); arrays: integer array (n, k); text and other opaque types:
             the bytes of one value that all rows share.
    """

    name: str
    type: str
    values: npt.NDArray[Any] | bytes

    def part(self, start: int, end: int) -> Column:
        """Its rows [start, end)."""
        if isinstance(self.values, bytes):
            return self
        return Column(self.name, self.type, self.values[start:end])


def _fields(name: str, type_: str, size: int) -> list[tuple[Any, ...]]:
    if type_ in _SCALARS:
        return [(f"{name}#length", ">i4"), (name, _SCALARS[type_])]
    if type_[:-2] in _ELEMENTS:
        header = [
            (f"{name}#{part}", ">i4") for part in ("length", "dimensions", "nulls", "oid", "size", "first")
        ]
        width = np.dtype(_ELEMENTS[type_[:-2]][1]).itemsize
        return [*header, (name, f"V{size * (4 + width)}")]
    return [(f"{name}#length", ">i4"), (name, f"V{size}")] if size else [(f"{name}#length", ">i4")]


def _elements(values: npt.NDArray[Any], element: str) -> npt.NDArray[np.void]:
    """Elements of arrays (n, k), each behind its length, as one opaque value (n,) for each array.

    Word by word, in words as wide as a length and an element both allow: numpy takes many times as long where the
    words of a record aren't in line.
    """
    width = np.dtype(element).itemsize
    word = np.dtype(f"u{min(width, 4)}")
    prefix = np.array([width], ">i4").view(word)
    swapped = np.ascontiguousarray(values, element).view(word).reshape(*values.shape, -1)
    words = np.empty((*values.shape, len(prefix) + swapped.shape[-1]), word)
    for place, part in enumerate(prefix):
        words[..., place] = part
    for place in range(swapped.shape[-1]):
        words[..., len(prefix) + place] = swapped[..., place]
    return words.reshape(len(values), -1).view(f"V{values.shape[1] * (4 + width)}")[:, 0]


def _values(packed: npt.NDArray[np.void], element: str, size: int) -> npt.NDArray[Any]:
    """The other way: (n, size), in the byte order of the wire."""
    width = np.dtype(element).itemsize
    word = np.dtype(f"u{min(width, 4)}")
    words = np.ascontiguousarray(packed).view(word).reshape(len(packed), size, (4 + width) // word.itemsize)
    swapped = np.empty((len(packed), size, width // word.itemsize), word)
    for place in range(swapped.shape[-1]):
        swapped[..., place] = words[..., 4 // word.itemsize + place]
    return swapped.view(element)[..., 0]


def _row_type(columns: Sequence[Column]) -> np.dtype[Any]:
    fields: list[tuple[Any, ...]] = [("#fields", ">i2")]
    for column in columns:
        size = len(column.values) if isinstance(column.values, bytes) else column.values.shape[-1]
        fields += _fields(column.name, column.type, size)
    return np.dtype(fields)


def encode(columns: Sequence[Column]) -> bytes:
    """Rows of COPY's binary format (without its signature and trailer)."""
    count = next(len(column.values) for column in columns if not isinstance(column.values, bytes))
    rows = np.zeros(count, _row_type(columns))
    rows["#fields"] = len(columns)
    for column in columns:
        name, values = column.name, column.values
        if isinstance(values, bytes):
            rows[f"{name}#length"] = len(values)
            if values:
                rows[name] = np.void(values)
        elif values.ndim == 1:
            rows[f"{name}#length"] = rows.dtype[name].itemsize
            rows[name] = values - POSTGRES_EPOCH_US if column.type == "timestamptz" else values
        else:
            oid, element = _ELEMENTS[column.type[:-2]]
            width = np.dtype(element).itemsize
            size = values.shape[1]
            rows[f"{name}#length"] = 20 + size * (4 + width)
            rows[f"{name}#dimensions"] = 1
            rows[f"{name}#oid"] = oid
            rows[f"{name}#size"] = size
            rows[f"{name}#first"] = 1
            if count:
                rows[name] = _elements(values, element)
    return rows.tobytes()


def text_array(values: Sequence[str]) -> bytes:
    """The bytes of one text[] value, for a column whose rows all share it."""
    header = np.array([1, 0, 25, len(values), 1], ">i4").tobytes()
    texts = [value.encode() for value in values]
    return header + b"".join(len(text).to_bytes(4, "big") + text for text in texts)


def copy_in(cursor: psycopg.Cursor[Any], table: str, batches: Sequence[Sequence[Column]]) -> None:
    """COPY several sets of columns (of the same names and types) into a table."""
    if not batches:
        return
    names = ", ".join(column.name for column in batches[0])
    with cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(SIGNATURE)
        for columns in batches:
            # In pieces: the server reads one while the next is made, and one stays in the cache of a core.
            count = next(len(column.values) for column in columns if not isinstance(column.values, bytes))
            piece = max(1, _PIECE_BYTES // _row_type(columns).itemsize)
            for start in range(0, count, piece):
                copy.write(encode([column.part(start, start + piece) for column in columns]))
        copy.write(TRAILER)


def copy_out(
    cursor: psycopg.Cursor[Any],
    query: str,
    columns: Sequence[tuple[str, str, int]],
    parameters: Sequence[Any] | Mapping[str, Any] = (),
) -> npt.NDArray[Any]:
    """Rows of a query as one record array in native byte order.

    columns   (name, type, size): size is an array column's length, 0 for scalars. No value may be null and
              every array must have that length; anything else is our own mistake and fails the assertion.
    """
    fields: list[tuple[Any, ...]] = [("#fields", ">i2")]
    for name, type_, size in columns:
        fields += _fields(name, type_, size)
    row = np.dtype(fields)
    chunks: list[bytes] = []
    with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)", parameters) as copy:
        chunks.extend(bytes(chunk) for chunk in copy)
    data = b"".join(chunks)
    assert data.startswith(SIGNATURE[:11])
    body = len(data) - len(SIGNATURE) - len(TRAILER)
    assert body % row.itemsize == 0, f"rows of {query!r} are not {row.itemsize} bytes each"
    rows = np.frombuffer(data, row, count=body // row.itemsize, offset=len(SIGNATURE))
    native: list[tuple[Any, ...]] = []
    for name, type_, size in columns:
        if size:
            native.append((name, np.dtype(_ELEMENTS[type_[:-2]][1]).newbyteorder("="), (size,)))
        else:
            native.append((name, np.dtype(_SCALARS[type_]).newbyteorder("=")))
    result = np.empty(len(rows), np.dtype(native))
    for name, type_, size in columns:
        if size:
            assert (rows[f"{name}#size"] == size).all()
            assert not rows[f"{name}#nulls"].any()
            result[name] = _values(rows[name], _ELEMENTS[type_[:-2]][1], size)
        else:
            result[name] = rows[name]
            if type_ == "timestamptz":
                result[name] += POSTGRES_EPOCH_US
    return result


def packed_out(
    cursor: psycopg.Cursor[Any],
    columns: Sequence[tuple[str, str, str]],
    source: str,
    parameters: Sequence[Any],
) -> npt.NDArray[Any]:
    """Rows of scalars as one record array in native byte order: one value of the server's, however many rows.

    columns   (name, type, SQL); no value may be null
    source    FROM and what follows

    COPY gives each row to Python by itself, which for 150,000 short ones takes 130 ms of its time; this takes 4.
    """
    row = np.dtype([(name, _SCALARS[type_]) for name, type_, _ in columns])
    sent = " || ".join(f"{_SENDS[type_]}({value})" for _, type_, value in columns)
    found = cursor.execute(f"SELECT string_agg({sent}, ''::bytea) {source}", parameters).fetchone()
    assert found is not None
    rows = np.frombuffer(b"" if found[0] is None else found[0], row)
    result = rows.astype(row.newbyteorder("="))
    for name, type_, _ in columns:
        if type_ == "timestamptz":
            result[name] += POSTGRES_EPOCH_US
    return result
