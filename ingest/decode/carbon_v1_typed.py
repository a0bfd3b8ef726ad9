"""Typed decoders of the same forms for well-formed payloads; what they refuse, `carbon_v1` decides.

They read a value as a double (integers beyond ± 2⁵³ and texts go the other way or are looked at one by one) and keep
one of repeated keys, which `keeps_all` finds out by counting bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Single(msgspec.Struct, gc=False):
    """`{"at": T, "v": 12.5}`"""

    at: int | str
    v: float | int | str
    q: int | None = None
    rev: int | None = None
    seq: int | str | None = None


class Reading(msgspec.Struct, gc=False):
    """A reading of form A."""

    m: str
    c: str
    at: int | str
    v: float | int | str
    q: int | None = None
    rev: int | None = None


class Payload(msgspec.Struct, gc=False):
    """An object of form A, B or C: which one, its keys tell."""

    seq: int | str | None = None
    at: int | str | list[int | str] | None = None
    readings: list[Reading] | None = None
    values: dict[str, float] | None = None
    ch: list[str] | None = None
    v: list[float] | None = None
    q: int | list[int] | None = None
    rev: int | list[int] | None = None


class TextPayload(msgspec.Struct, gc=False):
    """The same with decimals as texts, alone or among numbers."""

    seq: int | str | None = None
    at: int | str | list[int | str] | None = None
    readings: list[Reading] | None = None
    values: dict[str, float | int | str] | None = None
    ch: list[str] | None = None
    v: list[float | int | str] | None = None
    q: int | list[int] | None = None
    rev: int | list[int] | None = None


decode_single = msgspec.json.Decoder(Single | float | int).decode
decode_payload = msgspec.json.Decoder(Payload | list[Payload]).decode
decode_text_payload = msgspec.json.Decoder(TextPayload | list[TextPayload]).decode


def keeps_all(payload: bytes, objects: Sequence[Payload | TextPayload]) -> bool:
    """Whether no key that holds readings stands twice: a decoder keeps the last one of them and says nothing.

    Every name in `values` has one `/`, and nothing else here may have one. Where something else has, or where
    anything is written with a backslash, or the objects are of several forms, the answer is a cautious no.
    """
    if b"\\" in payload:
        return False
    count = len(objects)
    if all(item.values is not None for item in objects):
        names = sum(len(item.values) for item in objects if item.values is not None)
        return payload.count(b"/") == names and payload.count(b'"values"') == count == payload.count(b'"at"')
    if all(item.readings is not None for item in objects):
        return payload.count(b'"readings"') == count
    return payload.count(b'"v"') == count == payload.count(b'"ch"') and payload.count(b'"at"') == count
