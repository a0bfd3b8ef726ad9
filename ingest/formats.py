"""Formats beside carbon/v1: which topics they come by, whose they are, and how their names become ours.

A rule of the settings names a topic filter with placeholders, a format, and what the names of the format become. The
first rule whose filter matches a topic has it. carbon/v1 itself needs no rule, and no rule can take its topics.

Names: the format says (device, metric), a format without devices only (metric). They are looked up in `names` as
`device/metric`; what isn't there and isn't to be ignored becomes METER/CHANNEL by the templates `meter` and
`channel`. A format without devices has its metric cut at the last of `separators`, and where there is none, the
device is the gateway. Ids take letters, digits, `.`, `_`, `-`: another ASCII character becomes `_`, any other `_` and
its hexadecimal code; a name of more than 64 characters is rejected, and needs a place in `names`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from domain.errors import Fault, FaultyDocument, RejectReason
from domain.identity import is_identifier
from ingest.decode import (
    alibaba_v1,
    hj212_v2017,
    huawei_v1,
    influx_line_v1,
    json_v1,
    neuron_v2,
    senml_v10,
    thingsboard_v1,
)
from ingest.decode.decoder import Decoder, Naming
from ingest.decode.wire import Flaw
from ingest.sparkplug import decoder as sparkplug
from ingest.topic_filter import is_filter

# Names come from outside: so many are remembered over all topics, and no long ones; beyond it they start afresh.
NAMES_MAX = 100_000
NAME_LENGTH_MAX = 256
PLACEHOLDER = re.compile(r"\{([^{}/]*)\}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_REFUSED = re.compile(r"[^A-Za-z0-9._-]")
_OURS = ("carbon", "v1")

# Faults of a rule's own options: (place within the rule, what is wrong)
Report: TypeAlias = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Format:
    """A format that a rule may name.

    make        its decoder, from the rule's options; reports their faults, and then returns None
    options     keys of a rule that are this format's own
    separators  where its metrics are cut into device and metric, unless the rule says otherwise
    is_hosted   it subscribes over a connection of its own
    """

    make: Callable[[Mapping[str, Any], frozenset[str], Report], Decoder | None]
    options: frozenset[str] = frozenset()
    separators: str = ""
    is_hosted: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, checked. `decoder` None: what comes by it is acknowledged and dropped."""

    topic: str
    format: str
    uscc: str | None = None
    gateway: str | None = None
    meter: str = "{device}"
    channel: str = "{metric}"
    separators: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def filter(self) -> str:
        """As a broker is asked for it."""
        return PLACEHOLDER.sub("+", self.topic)

    @property
    def placeholders(self) -> frozenset[str]:
        return frozenset(PLACEHOLDER.findall(self.topic))


def identifier(text: str) -> str:
    """A name from outside in the characters of an id; of any length.

    >>> identifier("Main feeder/kWh"), identifier("电量")
    ('Main_feeder_kWh', '_7535_91cf')
    """
    return _REFUSED.sub(lambda match: "_" if match[0].isascii() else f"_{ord(match[0]):x}", text)


_Memory: TypeAlias = "dict[tuple[_Names, str | None, str], tuple[str, str] | Flaw | None]"


class _Unknown:
    """What isn't remembered."""


_UNKNOWN = _Unknown()


class _Names:
    """The names of one rule under one topic and gateway, remembered."""

    def __init__(self, rule: Rule, levels: Mapping[str, str], gateway: str, memory: _Memory) -> None:
        self._rule = rule
        self._levels = levels
        self._gateway = gateway
        self._memory = memory

    def __call__(self, device: str | None, metric: str) -> tuple[str, str] | Flaw | None:
        key = (self, device, metric)
        memory = self._memory
        known = memory.get(key, _UNKNOWN)  # one look: another thread may clear it
        if not isinstance(known, _Unknown):
            return known
        found = self._find(device, metric)
        if len(metric) + len(device or "") <= NAME_LENGTH_MAX:
            if len(memory) >= NAMES_MAX:
                memory.clear()
            memory[key] = found
        return found

    def _find(self, device: str | None, metric: str) -> tuple[str, str] | Flaw | None:
        rule = self._rule
        full = metric if device is None else f"{device}/{metric}"
        given = rule.names.get(full)
        if given is not None:
            meter, _, channel = given.partition("/")
            return meter, channel
        if any(fnmatchcase(full, pattern) for pattern in rule.ignore):
            return None
        if device is None:
            place = max((metric.rfind(separator) for separator in rule.separators), default=-1)
            device, metric = (metric[:place], metric[place + 1 :]) if place > 0 else (self._gateway, metric)
        levels = {**self._levels, "device": device, "metric": metric}
        names = identifier(_filled(rule.meter, levels)), identifier(_filled(rule.channel, levels))
        if not all(map(is_identifier, names)):
            return Flaw(RejectReason.BAD_ID, "{} makes no METER/CHANNEL; give it a place in names", full)
        return names


def _filled(template: str, levels: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda match: levels[match[1]], template)


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule says of a topic.

    address  (uscc, gateway); None: the gateway of whoever signed in
    decoder  None: acknowledge and drop
    """

    rule: Rule
    levels: Mapping[str, str]
    address: tuple[str, str] | None
    decoder: Decoder | None
    memory: _Memory

    def names(self, gateway: str) -> Naming:
        return _Names(self.rule, self.levels, gateway, self.memory)


class Formats:
    """The rules in force, with their decoders. One for each pipeline: a stateful decoder belongs to it."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._memory: _Memory = {}
        self._rules = [(rule, rule.topic.split("/"), _decoder(rule)) for rule in (*rules, *BUILT_IN)]

    @property
    def filters(self) -> list[str]:
        """What a broker is asked for, beside carbon/v1."""
        return list(
            dict.fromkeys(
                rule.filter
                for rule, _, _ in self._rules
                if rule not in BUILT_IN and not FORMATS[rule.format].is_hosted
            )
        )

    @property
    def hosted(self) -> list[tuple[str, Decoder]]:
        """Filters, with their decoders, of formats that subscribe over a connection of their own."""
        return [
            (rule.filter, decoder)
            for rule, _, decoder in self._rules
            if decoder is not None and FORMATS[rule.format].is_hosted
        ]

    @property
    def decoders(self) -> list[Decoder]:
        return [decoder for _, _, decoder in self._rules if decoder is not None]

    def may_hear(self, pattern: str, allowed: frozenset[str] | None) -> bool:
        """Whether a filter is for the commands of a gateway that a client may publish for, and for nothing else.

        allowed   "USCC/ID" of these gateways; None: all
        """
        topic = pattern.removesuffix("/#")
        if "+" in topic or "#" in topic:
            return False
        found = self.find(topic.encode())
        return (
            found is not None
            and isinstance(found.decoder, sparkplug.SparkplugDecoder)
            and found.decoder.commands(topic)
            and found.address is not None
            and (allowed is None or "/".join(found.address) in allowed)
        )

    def is_hosted(self, topic: bytes) -> bool:
        """Whether a topic is of a format in which a will says something."""
        found = self.find(topic)
        return found is not None and FORMATS[found.rule.format].is_hosted

    def find(self, topic: bytes) -> Found | None:
        """What the first rule that matches says of a topic; None where none does."""
        try:
            text = topic.decode("utf-8")
        except UnicodeDecodeError:
            return None
        levels = text.split("/")
        if "\0" in text or levels[:2] == [*_OURS]:
            return None
        for rule, pattern, decoder in self._rules:
            values = _matched(pattern, levels)
            if values is None:
                continue
            address = None
            if rule.uscc is not None and rule.gateway is not None:
                address = identifier(_filled(rule.uscc, values)), identifier(_filled(rule.gateway, values))
                if not all(map(is_identifier, address)):
                    return None
            return Found(rule, values, address, decoder, self._memory)
        return None


def _matched(pattern: Sequence[str], levels: Sequence[str]) -> dict[str, str] | None:
    """The placeholders' levels where a topic matches."""
    values: dict[str, str] = {}
    for place, level in enumerate(pattern):
        if level == "#":
            return values
        if place >= len(levels):
            return None
        if level[:1] == "{":
            values[level[1:-1]] = levels[place]
        elif level not in ("+", levels[place]):
            return None
    return values if len(pattern) == len(levels) else None


def _decoder(rule: Rule) -> Decoder | None:
    return FORMATS[rule.format].make(rule.options, rule.placeholders, _never)


def _never(place: str, message: str) -> None:
    raise AssertionError(f"a rule that was checked has a fault: {place}: {message}")


def _drop(_options: Mapping[str, Any], _placeholders: frozenset[str], _report: Report) -> None:
    """Acknowledge and drop: for what a device publishes beside its readings."""


def _always(decoder: Decoder) -> Format:
    def make(_options: Mapping[str, Any], _placeholders: frozenset[str], _report: Report) -> Decoder:
        return decoder

    return Format(make)


def _senml(options: Mapping[str, Any], _placeholders: frozenset[str], report: Report) -> Decoder | None:
    units = options.get("units")
    if units is None:
        return senml_v10.decoder(None)
    if not isinstance(units, list) or not units or not all(isinstance(each, str) for each in units):
        report("units", f"is {units!r}, expected an array of units such as kWh")
        return None
    return senml_v10.decoder(frozenset(units))


FORMATS: dict[str, Format] = {
    "alibaba": _always(alibaba_v1.DECODER),
    "hj212": Format(hj212_v2017.make, hj212_v2017.OPTIONS),
    "huawei": _always(huawei_v1.DECODER),
    "ignore": Format(_drop),
    "influx_line": Format(influx_line_v1.make, influx_line_v1.OPTIONS),
    "json": Format(json_v1.decoder, json_v1.OPTIONS),
    "neuron": _always(neuron_v2.DECODER),
    "senml": Format(_senml, frozenset({"units"}), separators="/:"),
    "sparkplug_b": Format(
        sparkplug.make, frozenset({"host_id", "reorder_s", "rebirth_s"}), separators="/", is_hosted=True
    ),
    "thingsboard": _always(thingsboard_v1.DEVICE),
    "thingsboard_gateway": _always(thingsboard_v1.GATEWAY),
}

# What comes by HTTP and from data loggers is addressed so; a rule of the settings for the same topics goes before.
INFLUX_TOPIC = "influx/{uscc}/{gateway}/{precision}"
HJ212_TOPIC = "hj212/{mn}"
BUILT_IN = (Rule(INFLUX_TOPIC, "influx_line", "{uscc}", "{gateway}"),)


# Rules as the settings have them


def rules_of(text: str) -> tuple[Rule, ...]:
    """Rules from a JSON array of objects; FaultyDocument with every fault and its place."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FaultyDocument([Fault("", f"not JSON: {error}")]) from error
    if not isinstance(document, list):
        raise FaultyDocument([Fault("", "expected an array of rules")])
    faults: list[Fault] = []
    rules = []
    for number, item in enumerate(document):
        if not isinstance(item, dict):
            faults.append(Fault(f"[{number}]", "expected a table with topic and format"))
        else:
            rules.append(_rule(item, f"[{number}]", faults))
    if faults:
        raise FaultyDocument(faults)
    return tuple(rule for rule in rules if rule is not None)


_TEXTS = ("topic", "format", "uscc", "gateway", "meter", "channel", "separators")
_COMMON = {*_TEXTS, "names", "ignore"}


def _rule(item: dict[str, Any], place: str, faults: list[Fault]) -> Rule | None:
    before = len(faults)

    def report(key: str, message: str) -> None:
        faults.append(Fault(f"{place}.{key}", message))

    texts: dict[str, str | None] = {}
    for key in _TEXTS:
        value = item.get(key)
        texts[key] = value if isinstance(value, str) else None
        if value is not None and (not isinstance(value, str) or (not value and key != "separators")):
            report(key, f"is {value!r}, expected a text")
    form = FORMATS.get(texts["format"] or "")
    if form is None and (texts["format"] or "format" not in item):
        report("format", f"is {item.get('format')!r}, there are {', '.join(sorted(FORMATS))}")
    topic = texts["topic"] or ""
    if "topic" not in item:
        report("topic", "is missing")
    placeholders = _placeholders(topic, report) if topic else frozenset[str]()
    for key in item:
        if key not in _COMMON and (form is None or key not in form.options):
            own = _COMMON | (form.options if form is not None else set())
            report(str(key), f"is unknown; there are {', '.join(sorted(own))}")
    names, ignore = (
        _checked_names(item.get("names", {}), report),
        _checked_ignore(item.get("ignore", []), report),
    )
    defaults = {"meter": "{device}", "channel": "{metric}"}
    for key in ("uscc", "gateway"):
        if key in placeholders:
            defaults[key] = f"{{{key}}}"
    templates = {key: texts[key] or defaults.get(key) for key in ("uscc", "gateway", "meter", "channel")}
    for key, template in templates.items():
        known = placeholders | ({"device", "metric"} if key in ("meter", "channel") else set())
        for name in PLACEHOLDER.findall(template or ""):
            if topic and name not in known:
                there = ", ".join(f"{{{each}}}" for each in sorted(known)) or "none"
                report(key, f"{{{name}}} isn't in the topic; there is {there}")
    if (templates["uscc"] is None) != (templates["gateway"] is None):
        missing = "uscc" if templates["uscc"] is None else "gateway"
        report(missing, "is missing: give both, or neither for the gateway of whoever signs in")
    options = {key: value for key, value in item.items() if form is not None and key in form.options}
    if form is not None:
        form.make(options, placeholders, report)
    if len(faults) > before or form is None:
        return None
    separators = texts["separators"]
    return Rule(
        topic,
        texts["format"] or "",
        templates["uscc"],
        templates["gateway"],
        templates["meter"] or "",
        templates["channel"] or "",
        form.separators if separators is None else separators,
        names,
        ignore,
        options,
    )


def _placeholders(topic: str, report: Report) -> frozenset[str]:
    """The names in a rule's topic."""
    levels = topic.split("/")
    found = []
    for level in levels:
        if "{" in level or "}" in level:
            name = level[1:-1]
            if level[0] != "{" or level[-1] != "}" or not _NAME.match(name):
                report("topic", f"{level!r} is no placeholder: a whole level, {{name}}")
            elif name in found or name in ("device", "metric"):
                report("topic", f"{level!r} stands for something else already")
            else:
                found.append(name)
    plain = PLACEHOLDER.sub("+", topic)
    if not is_filter(plain) or plain.startswith("$share/") or "\0" in plain:
        report("topic", f"{topic!r} is no topic filter")
    elif all(level in ("+", "#", ours) for level, ours in zip(levels_of(plain), _OURS, strict=False)):
        report("topic", f"{topic!r} takes the topics of carbon/v1")
    return frozenset(found)


def levels_of(pattern: str) -> list[str]:
    """The levels of a filter as far as they stand before `#`, which stands for all that follow."""
    levels = pattern.split("/")
    return levels[:1] if levels[0] == "#" else levels


def _checked_names(value: Any, report: Report) -> dict[str, str]:
    if not isinstance(value, dict):
        report("names", f"is {value!r}, expected a table of METER/CHANNEL by name")
        return {}
    for name, target in value.items():
        parts = target.split("/") if isinstance(target, str) else []
        if len(parts) != 2 or not all(map(is_identifier, parts)):
            report(f"names[{name!r}]", f"is {target!r}, expected METER/CHANNEL")
    return value


def _checked_ignore(value: Any, report: Report) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        report("ignore", f"is {value!r}, expected an array of patterns such as */status")
        return ()
    return tuple(value)
