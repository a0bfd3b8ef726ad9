"""A mapping for any JSON: paths to device, metric, time, value and quality, in the rule.

- `value` is a path, or a table of paths by metric. Where it is a path, `metric` is the path to the metric's name, or,
  without it, the last key of `value`. `device`, `time` and `quality` are paths beside it; all of them move with
  `value` through its `[*]` and `.*` (`json_path`), and so have none that it hasn't.
- `time` is RFC 3339 or a number in `time_unit`: `ms` (the default), `s` or `us`. Without it the time of receipt stands.
- `quality` is 0, 1 or 2, or what the table `qualities` makes of its text.
- Of a key that stands twice in an object the last counts.
- With a table, a metric that a payload doesn't have is no reading; with a path, it is a rejected one. A payload in
  which none of the paths leads anywhere is one dead letter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import RejectReason
from ingest.decode.decoder import Decoder, Message, Plain, refused
from ingest.decode.json_path import MISSING, Path, Trail, at, compile_path, trails
from ingest.decode.wire import Flaw, WireObject, WireReading, parse_json, stamp_of

OPTIONS = frozenset({"value", "metric", "device", "time", "time_unit", "quality", "qualities"})
_DIGITS = {"s": 0, "ms": 3, "us": 6}


@dataclass(frozen=True, slots=True)
class Plan:
    """The options, compiled. `values`: (metric, path); the metric is None where `metric` leads to it."""

    values: tuple[tuple[str | None, Path], ...]
    is_table: bool
    paths: Mapping[str, Path]  # of metric, device, time, quality
    digits: int
    qualities: Mapping[str, int]


def decoder(
    options: Mapping[str, Any], _placeholders: frozenset[str], report: Callable[[str, str], None]
) -> Decoder | None:
    """The decoder of a rule's options; their faults are reported, and then there is none."""
    faults = 0

    def fault(place: str, message: str) -> None:
        nonlocal faults
        faults += 1
        report(place, message)

    def path_of(place: str, text: Any) -> Path | None:
        if not isinstance(text, str):
            fault(place, f"is {text!r}, expected a path")
            return None
        try:
            return compile_path(text)
        except ValueError as error:
            fault(place, f"{text!r} {error}")
            return None

    value = options.get("value")
    is_table = isinstance(value, dict)
    found: list[tuple[str | None, Path | None]]
    if isinstance(value, dict):
        found = [(metric, path_of(f"value[{metric!r}]", text)) for metric, text in value.items()]
        if not found:
            fault("value", "is empty")
    elif "value" in options:
        found = [(None, path_of("value", value))]
    else:
        found = []
        fault("value", "is missing: the path to the value, or a table of paths by metric")
    values = tuple((metric, path) for metric, path in found if path is not None)
    paths = {
        key: path
        for key in ("metric", "device", "time", "quality")
        if key in options and (path := path_of(key, options[key])) is not None
    }
    if is_table and "metric" in options:
        fault("metric", "stands beside a table of values, whose keys are the metrics")
    elif not is_table and values and "metric" not in paths and not isinstance(values[0][1].steps[-1], str):
        fault("metric", "is missing, and the path to the value ends in no key")
    for key, path in paths.items():
        for _, other in values:
            if not path.moves_with(other):
                fault(key, f"{path.text!r} goes through other elements than {other.text!r} does")
                break
    unit = options.get("time_unit", "ms")
    if unit not in _DIGITS:
        fault("time_unit", f"is {unit!r}, there are {', '.join(_DIGITS)}")
    qualities = options.get("qualities", {})
    if not isinstance(qualities, dict) or not all(_is_quality(each) for each in qualities.values()):
        fault("qualities", f"is {qualities!r}, expected a table of 0, 1 or 2 by text")
    if faults:
        return None
    plan = Plan(values, is_table, paths, _DIGITS[unit], qualities)
    # A mapping's places are its own: its dead letters must not be taken for another's.
    mark = hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:8]
    return Plain(f"json_v1/1-{mark}", lambda message: _read(message, plan))


def _read(message: Message, plan: Plan) -> Iterable[WireObject]:
    root = parse_json(message.payload, dict)
    if not any(trail[-1][0] is not MISSING for _, path in plan.values for trail in trails(path, root)):
        raise refused(f"nothing is where a value should be: {plan.values[0][1].text}", None)
    return (WireObject(None, _items(message, plan, root)),)


def _items(message: Message, plan: Plan, root: Any) -> Iterator[WireReading | Flaw | None]:
    for metric, path in plan.values:
        for trail in trails(path, root):
            if trail[-1][0] is not MISSING or not plan.is_table:
                yield _item(message, plan, metric or _last_key(path), trail)


def _is_quality(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 2


def _last_key(path: Path) -> str:
    step = path.steps[-1]
    return step if isinstance(step, str) else ""


def _item(message: Message, plan: Plan, metric: str, trail: Trail) -> WireReading | Flaw | None:
    names: dict[str, Any] = {"metric": metric, "device": None}
    for key in ("metric", "device"):
        if key in plan.paths:
            name = at(plan.paths[key], trail)
            if isinstance(name, bool) or not isinstance(name, str | int):
                return Flaw(RejectReason.BAD_ID, f"its {key} is {{}}", None if name is MISSING else name)
            names[key] = str(name)
    value = trail[-1][0]
    if value is MISSING:
        return message.flaw(
            names["device"], names["metric"], RejectReason.BAD_READING, "{} has no value", metric
        )
    stamp: int | Flaw | None = None
    if "time" in plan.paths:
        found = at(plan.paths["time"], trail)
        stamp = (
            Flaw(RejectReason.BAD_TIME, "its time is missing")
            if found is MISSING
            else stamp_of(found, message.zone_offset_us, "time", digits=plan.digits)
        )
    quality = 0
    if "quality" in plan.paths:
        sent = at(plan.paths["quality"], trail)
        sent = plan.qualities.get(str(sent), sent) if isinstance(sent, str | int) else sent
        if not _is_quality(sent):
            shown = None if sent is MISSING else sent
            return message.flaw(
                names["device"], names["metric"], RejectReason.BAD_READING, "its quality is {}", shown
            )
        quality = sent
    return message.reading(names["device"], names["metric"], stamp, value, quality)
