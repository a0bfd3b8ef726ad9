"""CBOR (RFC 8949) as the values that `parse_json` gives, so that decoders of formats in both see one kind.

Numbers stay exact. A float of half or single precision stands for its own shortest decimal, as a double does: 0.1 sent
in four bytes is 0.1. A decimal fraction (tag 4) and a big number (tags 2 and 3) become decimal texts. Maps become
`Pairs`, whose keys may be integers; other tags are passed over, and so is what they mean.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from domain.errors import DecodeError, RejectReason
from ingest.decode.wire import Constant, Pairs, TooLong

DEPTH_MAX = 64
BIG_BYTES_MAX = 160  # of a big number: more are beyond 400 digits
_BREAK = object()
_FLOATS = {25: (">e", np.float16), 26: (">f", np.float32), 27: (">d", np.float64)}


def parse_cbor(payload: bytes) -> Any:
    """The one value of a payload; DecodeError where it isn't one."""
    reader = _Reader(payload)
    try:
        value = reader.value(0)
    except IndexError as error:
        raise _bad(f"CBOR ends within a value, at byte {len(payload)}") from error
    if reader.at < len(payload):
        raise _bad(f"{len(payload) - reader.at} bytes after the end of the CBOR value")
    return value


def _bad(detail: str) -> DecodeError:
    return DecodeError(RejectReason.BAD_PAYLOAD, detail)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self.at:
            raise IndexError
        self.at += size
        return self._data[self.at - size : self.at]

    def value(self, depth: int, *, may_break: bool = False) -> Any:
        if depth > DEPTH_MAX:
            raise _bad("nested too deeply")
        first = self._take(1)[0]
        major, info = first >> 5, first & 0x1F
        if first == 0xFF and may_break:
            return _BREAK
        if major == 7:
            return self._simple(info)
        if 28 <= info < 31 or (info == 31 and not 2 <= major <= 5):
            raise _bad(f"byte 0x{first:02x} begins no CBOR value")
        size = self._size(info)
        if major == 0:
            return size
        if major == 1:
            assert size is not None
            return -1 - size
        if major == 2:
            return _Bytes(self._string(2, size))
        if major == 3:
            try:
                return self._string(3, size).decode()
            except UnicodeDecodeError as error:
                raise _bad("a CBOR text that isn't UTF-8") from error
        if major == 4:
            return list(self._items(size, depth))
        if major == 5:
            return self._map(size, depth)
        assert size is not None
        return _tagged(size, self.value(depth + 1))

    def _size(self, info: int) -> int | None:
        """The argument of a head; None: of indefinite length."""
        if info < 24:
            return info
        return None if info == 31 else int.from_bytes(self._take(1 << info - 24), "big")

    def _string(self, major: int, size: int | None) -> bytes:
        if size is not None:
            return self._take(size)
        parts = []
        while (first := self._take(1)[0]) != 0xFF:
            length = self._size(first & 0x1F) if first & 0x1F < 28 else None
            if first >> 5 != major or length is None:
                raise _bad("a piece of a CBOR string is of another kind")
            parts.append(self._take(length))
        return b"".join(parts)

    def _items(self, size: int | None, depth: int) -> Any:
        if size is None:
            while (item := self.value(depth + 1, may_break=True)) is not _BREAK:
                yield item
        else:
            if size > len(self._data) - self.at:  # each item takes a byte at least
                raise IndexError
            for _ in range(size):
                yield self.value(depth + 1)

    def _map(self, size: int | None, depth: int) -> Pairs:
        flat = list(self._items(None if size is None else 2 * size, depth))
        if len(flat) % 2:
            raise _bad("a CBOR map with a key alone")
        pairs = Pairs()
        for place in range(0, len(flat), 2):
            key = flat[place]
            if isinstance(key, bool) or not isinstance(key, int | str):
                raise _bad("a CBOR map with a key that is neither integer nor text")
            pairs.append((key, flat[place + 1]))  # type: ignore[arg-type]  # integers stand for the names of a format
        return pairs

    def _simple(self, info: int) -> Any:
        if info in _FLOATS:
            form, kind = _FLOATS[info]
            number = struct.unpack(form, self._take(struct.calcsize(form)))[0]
            if not np.isfinite(number):
                return Constant(str(number))
            return number if info == 27 else float(str(kind(number)))
        if info in (20, 21):
            return info == 21
        if info in (22, 23):
            return None
        raise _bad("a simple CBOR value that means nothing here")


class _Bytes(Constant):
    """A CBOR byte string, which no format here has a use for but as a big number."""

    def __init__(self, data: bytes) -> None:
        super().__init__("bytes")
        self.data = data


def _tagged(tag: int, value: Any) -> Any:
    if tag in (2, 3) and isinstance(value, _Bytes):
        if len(value.data.lstrip(b"\0")) > BIG_BYTES_MAX:
            return TooLong()
        number = int.from_bytes(value.data, "big")
        return number if tag == 2 else -1 - number
    if tag == 4 and isinstance(value, list) and len(value) == 2:
        exponent, mantissa = value
        if isinstance(mantissa, TooLong):
            return mantissa
        if _is_integer(exponent) and _is_integer(mantissa):
            return f"{mantissa}e{exponent}"
    return value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
