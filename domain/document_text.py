"""The text of a document ⇄ a tree of mappings, lists and scalars that keep their source text.

YAML, or JSON of the same shape. The loader constructs nothing: a scalar stays the text it was written as, so
that `0.10`, `012` and `2023-01-01T00:00:00+08:00` mean the same with and without quotes and no number passes
through a float. It refuses duplicate keys, tags, merge keys, deep nesting, and aliases that multiply beyond
a bound; it never recurses, so that no text can exhaust a stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import yaml

from domain.errors import Fault, FaultyDocument

TEXT_SIZE_MAX_BYTES = 256 * 1024 * 1024
DEPTH_MAX = 24
NODES_MAX = 8_000_000  # with every alias counted as often as it is used

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's scanner is ten times as fast
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTHS = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value as it was written. `plain` is unquoted and neither null nor a truth value; `constant` is NaN or
    Infinity in a text that would be JSON but for it, so that whoever reads the field refuses it at its place."""

    text: str
    form: Literal["text", "plain", "truth", "null", "constant"]


Tree: TypeAlias = "Scalar | list[Any] | dict[str, Any]"  # of trees


def load(text: str | bytes, faults: list[Fault]) -> Tree:
    """The tree of a YAML or JSON text; raises FaultyDocument with the line of what can't be read.

    Keys given twice are added to `faults`; the last value stands, so that what else is wrong can be found.
    """
    text = _decoded(text, TEXT_SIZE_MAX_BYTES)
    if not text.lstrip().startswith(("{", "[")):
        return _load_yaml(text, faults)
    try:
        return _load_json(text, faults)
    except json.JSONDecodeError as error:
        try:
            return _load_yaml(text, faults)  # a flow mapping of YAML looks like JSON until it doesn't
        except FaultyDocument:
            raise _unreadable(error) from None


def load_json(text: str | bytes, faults: list[Fault], *, size_max_bytes: int = TEXT_SIZE_MAX_BYTES) -> Tree:
    """As `load`, of a text that is JSON and nothing else."""
    try:
        return _load_json(_decoded(text, size_max_bytes), faults)
    except json.JSONDecodeError as error:
        raise _unreadable(error) from None


def _decoded(text: str | bytes, size_max_bytes: int) -> str:
    if len(text) > size_max_bytes:
        raise FaultyDocument([Fault("", f"has {len(text)} bytes, at most {size_max_bytes} are read")])
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise FaultyDocument([Fault(f"line {line}", f"is not UTF-8: {error.reason}")]) from None
    return text.removeprefix("\ufeff")


def _unreadable(error: json.JSONDecodeError) -> FaultyDocument:
    place = f"line {error.lineno}, column {error.colno}"
    return FaultyDocument([Fault(place, f"can't be read: {error.msg}")])


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON with its keys as they came, repeated ones too."""


class _Number(str):
    """A number of JSON as it was written."""


class _Constant(str):
    """NaN or Infinity, which are no JSON, and which careless senders put in place of a value."""


def _load_json(text: str, faults: list[Fault]) -> Tree:
    try:
        value = json.loads(
            text,
            object_pairs_hook=_Pairs,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Constant,
        )
    except RecursionError:
        raise FaultyDocument([_too_deep("")]) from None
    return tree(value, faults)


def _too_deep(place: str) -> Fault:
    return Fault(place, f"is nested deeper than {DEPTH_MAX} levels")


def tree(value: Any, faults: list[Fault]) -> Tree:
    """The tree of plain Python values: dicts, lists, texts, whole numbers, decimals, dates, times, None."""
    return _tree(value, "", 0, faults)


def _tree(value: Any, place: str, depth: int, faults: list[Fault]) -> Tree:
    if depth > DEPTH_MAX:
        raise FaultyDocument([_too_deep(place)])
    match value:
        case _Number():
            return Scalar(str(value), "plain")
        case _Constant():
            return Scalar(str(value), "constant")
        case str():
            return Scalar(value, "text")
        case None:
            return Scalar("null", "null")
        case bool():
            return Scalar(str(value).lower(), "truth")
        case int() | float() | Decimal():
            return Scalar(str(value), "plain")
        case datetime() | date():
            return Scalar(value.isoformat(), "plain")
        case Mapping() | _Pairs():
            result: dict[str, Any] = {}
            for key, each in value.items() if isinstance(value, Mapping) else value:
                if key in result:
                    faults.append(Fault(joined(place, str(key)), "is given twice"))
                result[str(key)] = _tree(each, joined(place, str(key)), depth + 1, faults)
            return result
        case Sequence():
            return [_tree(each, f"{place}[{index}]", depth + 1, faults) for index, each in enumerate(value)]
    raise FaultyDocument([Fault(place, f"is a {type(value).__name__}, which a document has no form for")])


_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")


def joined(place: str, key: str) -> str:
    """The place of a key within a place: `enterprises[0]` and `uscc` make `enterprises[0].uscc`."""
    name = key if _KEY.match(key) else repr(key[:64])
    return f"{place}.{name}" if place else name


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is being read."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    nodes: int = 1
    key: str | None = None
    awaits_key: bool = field(init=False)

    def __post_init__(self) -> None:
        self.awaits_key = isinstance(self.value, dict)


class _Builder:
    """Builds the tree from YAML's events, without recursion."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        self.frames: list[_Frame] = []
        self.anchors: dict[str, tuple[Tree, int]] = {}
        self.root: Tree | None = None

    def place(self) -> str:
        place = ""
        for frame in self.frames:
            if isinstance(frame.value, list):
                place = f"{place}[{len(frame.value)}]"
            elif frame.key is not None:
                place = joined(place, frame.key)
        return place

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise self.stop(event, "a second document begins; a file holds one")
        if isinstance(event, yaml.AliasEvent):
            found = self.anchors.get(str(event.anchor))
            if found is None:
                raise self.stop(event, f"the alias *{event.anchor} stands before its anchor, or within it")
            self.add(event, *found)
        elif isinstance(event, yaml.ScalarEvent):
            self.check_tag(event)
            text = event.value
            form: Literal["text", "plain", "truth", "null"] = "text"
            if not event.style:  # libyaml says '' where the other scanner says None
                form = "null" if text in _NULLS else "truth" if text in _TRUTHS else "plain"
            scalar = Scalar(text, form)
            if event.anchor is not None:
                self.anchors[event.anchor] = (scalar, 1)
            self.add(event, scalar, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            self.check_tag(event)
            if len(self.frames) >= DEPTH_MAX:
                raise FaultyDocument([_too_deep(self.place())])
            if self.frames and self.frames[-1].awaits_key:
                raise self.stop(event, "a key must be a text")
            self.frames.append(_Frame({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            frame = self.frames.pop()
            if frame.anchor is not None:
                self.anchors[frame.anchor] = (frame.value, frame.nodes)
            self.add(event, frame.value, frame.nodes)

    def add(self, event: Any, value: Tree, nodes: int) -> None:
        if not self.frames:
            self.root = value
            return
        frame = self.frames[-1]
        frame.nodes += nodes
        if frame.nodes > NODES_MAX:
            raise self.stop(
                event, f"there are more than {NODES_MAX} values, aliases counted as often as used"
            )
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.awaits_key:
            if not isinstance(value, Scalar):
                raise self.stop(event, "a key must be a text")
            frame.key, frame.awaits_key = value.text, False
            if value.text == "<<" and value.form == "plain":
                raise self.stop(event, "merge keys (<<) are not read; write the fields out")
        else:
            assert frame.key is not None
            if frame.key in frame.value:
                self.faults.append(Fault(self.place(), f"is given twice (again in line {_line(event)})"))
            key, frame.key = frame.key, None
            frame.value[key], frame.awaits_key = value, True

    def check_tag(self, event: Any) -> None:
        if event.tag not in (None, "!") and event.tag != "tag:yaml.org,2002:str":
            raise self.stop(event, f"the tag {event.tag!r} is not read; write the value alone")

    def stop(self, event: Any, message: str) -> FaultyDocument:
        return FaultyDocument([*self.faults, Fault(f"line {_line(event)}", message)])


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _load_yaml(text: str, faults: list[Fault]) -> Tree:
    builder = _Builder(faults)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        words = [part for part in (error.context, error.problem) if part]
        raise FaultyDocument([Fault(place, f"can't be read: {', '.join(words)}")]) from None
    except yaml.YAMLError as error:
        raise FaultyDocument([Fault("", f"can't be read: {' '.join(str(error).split())}")]) from None
    return builder.root if builder.root is not None else Scalar("", "null")


def yaml_text(document: Mapping[str, Any]) -> str:
    """A document of plain values as YAML; texts that look like numbers or dates are quoted."""
    dumped = yaml.dump(
        document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, default_flow_style=None, width=110
    )
    return str(dumped)


def json_text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
