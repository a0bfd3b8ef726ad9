"""SenML (RFC 8428) in JSON and CBOR: base values are resolved, sums and relative times too.

- A pack is an array of records. The first byte tells JSON from CBOR.
- A name is `bn` followed by `n`; where it is cut into device and metric the rule's `separators` say, `/` and `:`
  unless it says otherwise.
- A value is `v`, or `vs` where it is a decimal: a text keeps all its digits. `bv` is added exactly. A sum (`s`, to
  which `bs` is added) is a reading of its own under the name with `.sum`. `vb` and `vd` are no readings: rejected.
- A time is `bt` + `t`; below 2²⁸ in magnitude it is relative to the time of receipt, and the reading is then one
  without a time of its own. `ut` is passed over.
- Units are passed over, since the registry says the channel's, unless the rule lists `units`: then a reading in
  another unit, or in none, is rejected.
- A pack of a version above 10, or with an unknown field that ends in `_`, must not be used: one dead letter. Other
  unknown fields are passed over. A record with neither name nor value only sets base values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from domain.errors import RejectReason
from domain.interval import TIME_MAX_US, TIME_MIN_US
from domain.reading import EXPONENT_MAX, EXPONENT_MIN, MANTISSA_MAX
from ingest.decode.cbor import parse_cbor
from ingest.decode.decoder import Message, Plain, found, refused
from ingest.decode.wire import Flaw, Pairs, WireObject, WireReading, parse_json, value_of

VERSION = 10
RELATIVE_S_MAX = 1 << 28
RECORDS_MAX = 100_000
_LABELS: dict[Any, str] = {
    -1: "bver",
    -2: "bn",
    -3: "bt",
    -4: "bu",
    -5: "bv",
    -6: "bs",
    0: "n",
    1: "u",
    2: "v",
    3: "vs",
    4: "vb",
    5: "s",
    6: "t",
    7: "ut",
    8: "vd",
}
_VALUES = ("v", "vs", "vb", "vd")

Number = tuple[int, int]


def decoder(units: frozenset[str] | None) -> Plain:
    """Of packs whose readings may be in these units; None: in any."""
    return Plain("senml_v10/1", lambda message: _read(message, units))


def _read(message: Message, units: frozenset[str] | None) -> Iterable[WireObject]:
    payload = message.payload
    is_cbor = payload[:1] >= b"\x80" and not payload.startswith(
        b"\xef\xbb\xbf"
    )  # a byte order mark is JSON's
    pack = parse_cbor(payload) if is_cbor else parse_json(payload)
    if not isinstance(pack, list) or isinstance(pack, Pairs):
        raise refused("a SenML pack is an array, this is {}", pack)
    if not pack:
        raise refused("an empty pack", None)
    if len(pack) > RECORDS_MAX:
        raise refused(f"a pack of {{}} records, the maximum is {RECORDS_MAX}", len(pack))
    records: list[dict[Any, Any]] = []
    for place, item in enumerate(pack):
        if not isinstance(item, Pairs):
            records.append({})
            continue
        record: dict[Any, Any] = {_LABELS.get(key, key) if is_cbor else key: value for key, value in item}
        version = record.get("bver", VERSION)
        if isinstance(version, bool) or not isinstance(version, int) or version > VERSION:
            raise refused(f"record {place} is of SenML version {{}}, this reads up to {VERSION}", version)
        for key in record:
            if isinstance(key, str) and key.endswith("_"):
                raise refused(f"record {place} has a field that must be understood, and isn't: {{}}", key)
        records.append(record)
    return found(_resolved(pack, records, message, units))


def _resolved(
    pack: list[Any], records: list[dict[Any, Any]], message: Message, units: frozenset[str] | None
) -> Iterator[WireReading | Flaw | None]:
    base: dict[str, Any] = {}
    for item, record in zip(pack, records, strict=True):
        if not isinstance(item, Pairs):
            yield Flaw(RejectReason.BAD_READING, "expected a record, found {}", item)
            continue
        base.update((key, record[key]) for key in ("bn", "bt", "bu", "bv", "bs") if key in record)
        values = [key for key in _VALUES if key in record]
        has_sum = "s" in record
        if not values and not has_sum and "n" not in record:
            continue
        parts = base.get("bn", ""), record.get("n", "")
        name = "".join(parts) if all(isinstance(part, str) for part in parts) else None
        if not name:
            yield Flaw(RejectReason.BAD_ID, "a record's name is {}", list(parts) if name is None else name)
            continue
        if len(values) > 1 or not (values or has_sum):
            text = "a record has several values at once: {}" if values else "a record has no value: {}"
            yield Flaw(RejectReason.BAD_READING, text, name)
            continue
        at = _time(base, record, message)
        unit = record.get("u", base.get("bu"))
        is_fit = units is None or (isinstance(unit, str) and unit in units)
        for key, label, offset in ((values[0] if values else "", name, "bv"), ("s", f"{name}.sum", "bs")):
            if key not in record:
                continue
            if not is_fit:
                yield message.flaw(
                    None, label, RejectReason.BAD_READING, "its unit is {}, none of the rule's", unit
                )
            else:
                yield _reading(label, key, base.get(offset), record[key], at, message)


def _reading(
    name: str, key: str, base: Any, value: Any, at: tuple[int, bool] | Flaw, message: Message
) -> WireReading | Flaw | None:
    names = message.names(None, name)
    if names is None or isinstance(names, Flaw):
        return names
    if isinstance(at, Flaw):
        return at
    if key in ("vb", "vd"):
        return Flaw(RejectReason.BAD_VALUE, f'"{key}" is {{}}, which is no number', value)
    number = value_of(value)
    if not isinstance(number, Flaw) and base is not None and key != "vs":
        other = value_of(base)
        number = other if isinstance(other, Flaw) else _sum(number, other)
    if isinstance(number, Flaw):
        return number
    return WireReading(*names, at[0], *number, is_receipt_time=at[1])


def _sum(one: Number, other: Number) -> Number | Flaw:
    """Exactly; the least exponent of the two stays."""
    exponent = min(one[1], other[1])
    mantissa: int = one[0] * 10 ** (one[1] - exponent) + other[0] * 10 ** (other[1] - exponent)
    while mantissa and abs(mantissa) > MANTISSA_MAX and not mantissa % 10:
        mantissa, exponent = mantissa // 10, exponent + 1
    if abs(mantissa) > MANTISSA_MAX or not EXPONENT_MIN <= exponent <= EXPONENT_MAX:
        return Flaw(RejectReason.OUT_OF_RANGE, "value and base value add up to more than fits 63 bits")
    return mantissa, exponent


def _time(base: Mapping[str, Any], record: Mapping[Any, Any], message: Message) -> tuple[int, bool] | Flaw:
    """(microseconds, whether they rest on the time of receipt)."""
    total = Fraction(0)
    for key, value in (("bt", base.get("bt", 0)), ("t", record.get("t", 0))):
        number = value_of(value)
        if isinstance(number, Flaw) or abs(number[1]) > 40:
            return Flaw(RejectReason.BAD_TIME, f'"{key}" is {{}}, expected seconds', value)
        total += number[0] * Fraction(10) ** number[1]
    is_relative = abs(total) < RELATIVE_S_MAX
    micro = total * 1_000_000
    us = abs(micro.numerator) // micro.denominator * (-1 if micro < 0 else 1)
    if is_relative:
        us += message.received_us
    if not TIME_MIN_US <= us < TIME_MAX_US:
        return Flaw(RejectReason.BAD_TIME, "bt + t is {} s, which is no time", int(total))
    return us, is_relative
