"""The fields of the registry document: which each thing has, and how the text of each is read.

A reader takes a tree and gives the value in the one form that is stored, plain JSON: exact decimals, periods
and dates as texts, times as RFC 3339 in the local calendar. What can't be read is reported with its place and
becomes `FAULTY`, so that later checks leave it alone and the other faults still come to light.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias

from domain.derived_function import FUNCTIONS, PRODUCT
from domain.document_text import Scalar, Tree, joined
from domain.errors import Fault
from domain.expression import expression_text, parse_expression, point_name_fault
from domain.identity import is_identifier, uscc_fault
from domain.industry import EDITIONS, INDUSTRIES
from domain.interval import INTERVAL_US, Calendar, parse_offset, parse_period, parse_time
from domain.registry import Kind
from domain.registry_items import fraction
from domain.unit import QUANTITIES, UNITS
from domain.validation import BAND_PERIODS, SHORTEST_MAX_US, CheckRule

TEXT_SIZE_MAX = 400
FLAGS = ("key", "two_high", "ets")
SUBSTITUTIONS = (
    "gap_mean_7d",
    "coal_ncv_default",
    "coal_carbon_default",
    "fuel_table_default",
    "electricity_highest_month",
)


class _Faulty(Enum):
    FAULTY = "faulty"


FAULTY: Final = _Faulty.FAULTY
Value: TypeAlias = Any  # plain JSON, or FAULTY
Reader: TypeAlias = Callable[["Reading", Tree, str], Value]


@dataclass(slots=True)
class Reading:
    """What the readers share: the local calendar, the faults found, and where dated codes were found."""

    calendar: Calendar
    faults: list[Fault] = field(default_factory=list)
    code_places: dict[tuple[str, str], str] = field(default_factory=dict)

    def fault(self, place: str, message: str) -> Value:
        self.faults.append(Fault(place, message))
        return FAULTY


def suggestion(given: str, known: Collection[str]) -> str:
    """`; did you mean 'kWh'?`, or the list where it is short, or nothing.

    >>> suggestion("kwh", ["kWh", "MWh"])
    "; did you mean 'kWh'?"
    """
    lowered = {each.lower(): each for each in known}
    close = difflib.get_close_matches(given.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {lowered[close[0]]!r}?"
    return f"; known are {', '.join(known)}" if 0 < len(known) <= 30 else ""


def raw_text(tree: Tree) -> str | None:
    """The source text of a scalar that is neither null nor a truth value."""
    return tree.text if isinstance(tree, Scalar) and tree.form in ("text", "plain") else None


def is_null(tree: Tree) -> bool:
    return isinstance(tree, Scalar) and tree.form == "null"


def described(tree: Tree) -> str:
    """What a tree is, for a message."""
    if isinstance(tree, dict):
        return "a mapping" if tree else "an empty mapping"
    if isinstance(tree, list):
        return "a list"
    special = {
        "truth": f"the truth value {tree.text} (quote it if it is a text)",
        "null": "null",
        "constant": f"{tree.text}, which is no value of JSON",
    }
    return special.get(tree.form, repr(tree.text[:70]))


def text(reading: Reading, tree: Tree, place: str) -> Value:
    given = raw_text(tree)
    if given is None:
        return reading.fault(place, f"a text is expected, this is {described(tree)}")
    if not given.strip():
        return reading.fault(place, "is empty")
    if len(given) > TEXT_SIZE_MAX:
        return reading.fault(place, f"has {len(given)} characters, at most {TEXT_SIZE_MAX} are allowed")
    if any(ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0 or 0xD800 <= ord(each) < 0xE000 for each in given):
        return reading.fault(place, f"{given[:70]!r} has control characters")
    return given


def identifier(reading: Reading, tree: Tree, place: str) -> Value:
    given = raw_text(tree)
    if given is None:
        return reading.fault(place, f"an id is expected, this is {described(tree)}")
    if not is_identifier(given):
        return reading.fault(place, f"{given[:70]!r} is no id of 1 to 64 letters, digits, '.', '_' or '-'")
    return given


def material(reading: Reading, tree: Tree, place: str) -> Value:
    """An id, or two as feed>by-product: "NF3>CF4"."""
    given = raw_text(tree)
    if given is None:
        return reading.fault(place, f"a material is expected, this is {described(tree)}")
    parts = given.split(">")
    if len(parts) > 2 or not all(is_identifier(part) for part in parts):
        return reading.fault(
            place,
            f"{given[:140]!r} is no id of 1 to 64 letters, digits, '.', '_' or '-', nor feed>by-product of two",
        )
    return given


def point_name(reading: Reading, tree: Tree, place: str) -> Value:
    given = raw_text(tree)
    if given is None:
        return reading.fault(place, f"a METER/CHANNEL is expected, this is {described(tree)}")
    fault = point_name_fault(given)
    return given if fault is None else reading.fault(place, fault)


def uscc(reading: Reading, tree: Tree, place: str) -> Value:
    given = raw_text(tree)
    if given is None:
        return reading.fault(place, f"a unified social credit code is expected, this is {described(tree)}")
    fault = uscc_fault(given[:70].upper())
    return given.upper() if fault is None else reading.fault(place, fault)


def one_of(known: Collection[str], what: str) -> Reader:
    """A reader of one of a closed list."""

    def choice(reading: Reading, tree: Tree, place: str) -> Value:
        given = raw_text(tree)
        if given is None:
            return reading.fault(place, f"{what} is expected, this is {described(tree)}")
        if given not in known:
            return reading.fault(place, f"{given[:70]!r} is no {what}{suggestion(given[:70], known)}")
        return given

    return choice


def matching(pattern: str, what: str) -> Reader:
    """A reader of a text of a fixed form."""
    compiled = re.compile(pattern, re.ASCII)

    def formed(reading: Reading, tree: Tree, place: str) -> Value:
        given = raw_text(tree)
        if given is None or not compiled.fullmatch(given):
            shown = repr(given[:70]) if given is not None else described(tree)
            return reading.fault(place, f"{shown} is no {what}")
        return given

    return formed


_DECIMAL = re.compile(r"-?(?:\d{1,40})(?:\.\d{1,40})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
DIGITS_MAX = 36


def decimal(*, positive: bool = False, negative: bool = False) -> Reader:
    """A reader of an exact decimal: above zero, at least zero, or of any sign."""

    def number(reading: Reading, tree: Tree, place: str) -> Value:
        given = raw_text(tree)
        if given is None or not _DECIMAL.fullmatch(given):
            shown = repr(given[:70]) if given is not None else described(tree)
            return reading.fault(place, f'a decimal such as "0.01" is expected, this is {shown}')
        _, digits, exponent = Decimal(given).as_tuple()
        assert isinstance(exponent, int)
        if len(digits) + max(exponent, 0) > DIGITS_MAX or -exponent > DIGITS_MAX:
            return reading.fault(place, f"{given} has more than {DIGITS_MAX} digits")
        value = fraction(given)
        if positive and value <= 0:
            return reading.fault(place, f"{given} must be above 0")
        if not negative and value < 0:
            return reading.fault(place, f"{given} must not be negative")
        return given

    return number


def truth(reading: Reading, tree: Tree, place: str) -> Value:
    if isinstance(tree, Scalar) and tree.form == "truth":
        return tree.text.lower() == "true"
    return reading.fault(place, f"true or false is expected, this is {described(tree)}")


def time(reading: Reading, tree: Tree, place: str) -> Value:
    """A time with an offset; stored in the local calendar, so that equal moments are equal texts."""
    given = raw_text(tree)
    if given is None:
        return reading.fault(place, f"a time is expected, this is {described(tree)}")
    us = parse_time(given)
    if us is None:
        if parse_time(given, 0) is not None:
            return reading.fault(place, f"{given!r} has no offset; write for instance {given + '+08:00'!r}")
        return reading.fault(
            place, f"{given[:70]!r} is no time such as 2023-01-01T00:00:00+08:00 between 1900 and 2200"
        )
    return reading.calendar.text(us)


def day(reading: Reading, tree: Tree, place: str) -> Value:
    given = raw_text(tree)
    if given is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", given, re.ASCII):
        try:
            if 1900 <= date.fromisoformat(given).year < 2200:
                return given
        except ValueError:
            pass  # such as 2023-02-30: reported below
    shown = repr(given[:70]) if given is not None else described(tree)
    return reading.fault(place, f"a local day such as 2023-01-01 is expected, this is {shown}")


def duration(*, months: bool) -> Reader:
    """A reader of an ISO 8601 duration, of a fixed time only where months make no sense."""

    def period(reading: Reading, tree: Tree, place: str) -> Value:
        given = raw_text(tree)
        parsed = parse_period(given) if given is not None and len(given) <= 32 else None
        if parsed is None:
            shown = repr(given[:70]) if given is not None else described(tree)
            return reading.fault(place, f"an ISO 8601 duration such as PT15M is expected, this is {shown}")
        if parsed.months and not months:
            return reading.fault(place, f"{given} has no fixed length; give days, hours or minutes")
        if parsed.months > 12 or parsed.us > 366 * 86_400_000_000:
            return reading.fault(place, f"{given} is longer than a year")
        return given

    return period


def zone(reading: Reading, tree: Tree, place: str) -> Value:
    given = raw_text(tree)
    if given is None or parse_offset(given) is None:
        shown = repr(given[:70]) if given is not None else described(tree)
        return reading.fault(place, f'an offset such as "+08:00" is expected, this is {shown}')
    return given.upper()


def expression(reading: Reading, tree: Tree, place: str) -> Value:
    given = raw_text(tree)
    if given is None:
        return reading.fault(place, f"a sum such as 'A/x - B/y' is expected, this is {described(tree)}")
    terms, faults = parse_expression(given)
    for fault in faults:
        reading.fault(place, fault)
    return FAULTY if faults else expression_text(terms)


def inputs(reading: Reading, tree: Tree, place: str) -> Value:
    """The inputs of a derived channel: name → METER/CHANNEL."""
    if not isinstance(tree, dict) or not tree:
        return reading.fault(
            place, f"a mapping of input names to channels is expected, this is {described(tree)}"
        )
    read = {
        str(identifier(reading, Scalar(name, "text"), joined(place, name))): point_name(
            reading, each, joined(place, name)
        )
        for name, each in tree.items()
    }
    return FAULTY if any(value is FAULTY for value in read.values()) else read


def _unknown_keys(reading: Reading, tree: Mapping[str, Tree], place: str, known: Collection[str]) -> None:
    for key in tree:
        if key not in known:
            reading.fault(joined(place, key), f"is not a field here{suggestion(key[:70], known)}")


def dated(name: str, read: Reader, *, always: bool = False) -> Reader:
    """A reader of a value that may change: VALUE, {code: VALUE, from: DAY}, or a list of these.

    Stored as a list of {"code", "from"} in the order of their days; "from" is left out where it holds for all
    time before. A null code says that from then on there is none, unless there is always one.
    """

    def history(reading: Reading, tree: Tree, place: str) -> Value:
        entries: dict[str, Value] = {}
        names = ("code", name, "value")
        for each, here in listed(tree, place):
            given: Tree = each
            begins: Value = ""
            if isinstance(each, dict):
                _unknown_keys(reading, each, here, (*names, "from"))
                found = [key for key in names if key in each]
                if len(found) != 1:
                    reading.fault(
                        joined(here, "code"),
                        f"is missing: a {name} is expected"
                        if not found
                        else f"{found[0]} and {found[1]} mean the same; give one",
                    )
                    continue
                if not is_null(each.get("from", Scalar("", "null"))):
                    begins = day(reading, each["from"], joined(here, "from"))
                given, here = each[found[0]], joined(here, found[0])
            value = None if is_null(given) and not always else read(reading, given, here)
            if isinstance(value, str):
                reading.code_places[place, value] = here
            if begins in entries:
                reading.fault(here, f"is given twice for {begins or 'all time'}")
            elif begins is not FAULTY:
                entries[begins] = value
        return [{"code": entries[key], **({"from": key} if key else {})} for key in sorted(entries)]

    return history


def listed(tree: Tree, place: str) -> list[tuple[Tree, str]]:
    """The entries of a list with their places; a single value is a list of one."""
    if isinstance(tree, list):
        return [(each, f"{place}[{index}]") for index, each in enumerate(tree)]
    return [(tree, place)]


def flags(reading: Reading, tree: Tree, place: str) -> Value:
    """Flags, each FLAG or {flag: FLAG, from: DAY, to: DAY}; `to` is the first day without it."""
    read = one_of(FLAGS, "flag")
    entries: dict[tuple[str, str], Value] = {}
    for each, here in listed(tree, place):
        given: Tree = each
        begins: Value = ""
        ends: Value = ""
        if isinstance(each, dict):
            _unknown_keys(reading, each, here, ("flag", "from", "to"))
            if not is_null(each.get("from", Scalar("", "null"))):
                begins = day(reading, each["from"], joined(here, "from"))
            if not is_null(each.get("to", Scalar("", "null"))):
                ends = day(reading, each["to"], joined(here, "to"))
            if "flag" not in each:
                reading.fault(joined(here, "flag"), f"is missing: one of {', '.join(FLAGS)}")
                continue
            given, here = each["flag"], joined(here, "flag")
        flag = read(reading, given, here)
        if FAULTY in (flag, begins, ends):
            continue
        if begins and ends and ends <= begins:
            reading.fault(here, f"{flag} ends on {ends}, which is not after it begins on {begins}")
        elif (flag, begins) in entries:
            reading.fault(here, f"{flag} is given twice{' from ' + begins if begins else ''}")
        else:
            entries[flag, begins] = {
                "flag": flag,
                **({"from": begins} if begins else {}),
                **({"to": ends} if ends else {}),
            }
    return [entries[key] for key in sorted(entries)]


def calibrations(reading: Reading, tree: Tree, place: str) -> Value:
    """A meter's calibrations, each {from: DAY, until: DAY, reference: TEXT}; `until` is the last day that it covers."""
    entries: dict[str, Value] = {}
    for each, here in listed(tree, place):
        if not isinstance(each, dict):
            reading.fault(here, f"a mapping with from and until is expected, this is {described(each)}")
            continue
        _unknown_keys(reading, each, here, ("from", "until", "reference"))
        if is_null(each.get("from", Scalar("", "null"))):
            reading.fault(joined(here, "from"), "is missing: the day of the calibration")
            continue
        entry = {
            name: read(reading, each[name], joined(here, name))
            for name, read in (("from", day), ("until", day), ("reference", text))
            if name in each and not is_null(each[name])
        }
        if FAULTY in entry.values():
            continue
        if entry.get("until", entry["from"]) < entry["from"]:
            reading.fault(
                joined(here, "until"), f"{entry['until']} is before the calibration on {entry['from']}"
            )
        elif entry["from"] in entries:
            reading.fault(here, f"is given twice for {entry['from']}")
        else:
            entries[entry["from"]] = entry
    return [entries[key] for key in sorted(entries)]


def band(reading: Reading, tree: Tree, place: str) -> Value:
    """What a product's emission is expected within: {low: DECIMAL, high: DECIMAL, over: day or month}."""
    if not isinstance(tree, dict):
        return reading.fault(place, f"a mapping with low and high is expected, this is {described(tree)}")
    _unknown_keys(reading, tree, place, ("low", "high", "over"))
    number = decimal(negative=True)
    result = {
        name: read(reading, tree[name], joined(place, name))
        for name, read in (
            ("low", number),
            ("high", number),
            ("over", one_of(BAND_PERIODS, "period of a band")),
        )
        if name in tree and not is_null(tree[name])
    }
    if FAULTY in result.values():
        return FAULTY
    if "low" not in result and "high" not in result:
        return reading.fault(place, "is missing low and high: kg CO2e per unit, one of them or both")
    if "low" in result and "high" in result and fraction(result["high"]) < fraction(result["low"]):
        return reading.fault(joined(place, "high"), f"{result['high']} is below low, {result['low']}")
    return result


def shortest(reading: Reading, tree: Tree, place: str) -> Value:
    """How long something must last to be found: within what a check looks at, in whole quarter-hours."""
    given = duration(months=False)(reading, tree, place)
    if given is FAULTY:
        return given
    period = parse_period(given)
    assert period is not None
    if period.us > SHORTEST_MAX_US or period.us % INTERVAL_US:
        return reading.fault(place, f"{given} must be whole quarter-hours, at most two days")
    return given


_DISTRICT = matching(r"[1-9]\d{5}", 'district code of six digits such as "430304"')

# In the order in which an export writes them. Keys of the thing itself stand first.
FIELDS: dict[str, dict[str, Reader]] = {
    "park": {
        "code": identifier,
        "name_zh": text,
        "name_en": text,
        "district": _DISTRICT,
    },
    "enterprise": {
        "uscc": uscc,
        "name_zh": text,
        "name_en": text,
        "industry": one_of(INDUSTRIES, "industry"),
        "edition": dated("edition", one_of(EDITIONS, "edition")),
        "grid": dated(
            "grid",
            matching(
                r"province|region|national|CN(?:-[A-Z]{2})?|[1-9]\d{5}",
                "grid: province, region, national or an area code such as CN-CC or 430000",
            ),
        ),
        "gb_t_4754": matching(r"[A-T]?\d{2,4}", 'GB/T 4754 code such as "3120"'),
        "district": dated("district", _DISTRICT, always=True),
        "park": dated("park", identifier),
        "flags": flags,
    },
    "gateway": {"id": identifier, "zone": zone},
    "meter": {"id": identifier, "name": text, "calibrations": calibrations},
    "channel": {
        "id": identifier,
        "quantity": one_of(QUANTITIES, "quantity"),
        "kind": one_of([kind.value for kind in Kind], "kind"),
        "unit": one_of(UNITS, "unit"),
        "multiplier": decimal(positive=True),
        "resolution": decimal(positive=True),
        "modulus": decimal(positive=True),
        "max_rate": decimal(positive=True),
        "max_gap": duration(months=False),
        "period": duration(months=True),
        "snap": truth,
        "valid_from": time,
        "valid_to": time,
        "opening": decimal(),
        "closing": decimal(),
    },
    "derived": {
        "id": point_name,
        "function": one_of((*FUNCTIONS, PRODUCT), "function"),
        "inputs": inputs,
        "unit": one_of(UNITS, "unit"),
        "quantity": one_of(QUANTITIES, "quantity"),
        "resolution": decimal(positive=True),
    },
    "source": {
        "id": identifier,
        "from": day,
        "method": identifier,
        "fuel": identifier,
        "material": material,
        "expression": expression,
        "substitution": one_of(SUBSTITUTIONS, "substitution rule"),
    },
    "parameter": {
        "name": identifier,
        "from": day,
        "value": decimal(negative=True),
        "unit": text,
        "origin": text,
        "reference": text,
    },
    "product": {
        "id": identifier,
        "from": day,
        "expression": expression,
        "unit": one_of(UNITS, "unit"),
        "band": band,
    },
    "check": {
        "id": identifier,
        "rule": one_of([rule.value for rule in CheckRule], "rule"),
        "main": expression,
        "subs": expression,
        "product": identifier,
        "consumption": expression,
        "channel": point_name,
        "tolerance": decimal(),
        "shortest": shortest,
        "active": truth,
    },
}

# The lists of things within a thing: field → kind.
CHILDREN: dict[str, dict[str, str]] = {
    "document": {"parks": "park", "enterprises": "enterprise"},
    "enterprise": {
        "gateways": "gateway",
        "meters": "meter",
        "derived": "derived",
        "sources": "source",
        "products": "product",
        "checks": "check",
    },
    "meter": {"channels": "channel"},
    "source": {"parameters": "parameter"},
}

_DECIMALS = frozenset(
    {"multiplier", "resolution", "modulus", "max_rate", "opening", "closing", "value", "tolerance"}
)
_DURATIONS = frozenset({"max_gap", "period", "shortest"})


def same(name: str, left: Value, right: Value) -> bool:
    """Whether two stored values of a field mean the same: 1.0 is 1, PT60M is PT1H."""
    if left == right:
        return True
    if not isinstance(left, str) or not isinstance(right, str):
        return False
    if name in _DECIMALS:
        return fraction(left) == fraction(right)
    return name in _DURATIONS and parse_period(left) == parse_period(right)
