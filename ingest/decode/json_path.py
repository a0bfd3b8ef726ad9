"""A small path language for values within JSON, compiled once: `data.meters[*].values.*`.

A path is keys with dots between them, from the root. `["a.b"]` is a key with whatever characters, `[2]` an element,
`[*]` each element of an array, `.*` each value of an object. `~` at the end of a path means the key of the last `.*`
instead of its value. A path that follows another's `[*]` and `.*` moves with it: beside the value at
`meters[*].v`, `meters[*].id` is the id of the same meter, and `at` the one stamp of them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

STEPS_MAX = 32
_STEP = re.compile(
    r"""(?P<dot>\.)?(?: (?P<each>\*) | (?P<key>[^.\[\]*~"\s]+) )
      | \[ (?: (?P<all>\*) | (?P<index>\d{1,6}) | (?P<quoted>"(?:[^"\\]|\\.)*") ) \]""",
    re.VERBOSE,
)


class Each:
    """All elements of an array (`is_array`) or all values of an object."""

    def __init__(self, *, is_array: bool) -> None:
        self.is_array = is_array


ELEMENTS, ENTRIES = Each(is_array=True), Each(is_array=False)
MISSING = object()
Step: TypeAlias = "str | int | Each"


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. `is_key`: the key of the last `.*`, not its value."""

    text: str
    steps: tuple[Step, ...]
    is_key: bool = False

    @property
    def iterations(self) -> int:
        """How many steps the path shares at least with one that moves with it: up to its last `[*]` or `.*`."""
        return max((place + 1 for place, step in enumerate(self.steps) if isinstance(step, Each)), default=0)

    def moves_with(self, other: Path) -> bool:
        return self.steps[: self.iterations] == other.steps[: self.iterations]


def compile_path(text: str) -> Path:
    """Raises ValueError, with the place of what can't be read.

    >>> compile_path('data.meters[*]["a.b"]').steps[:2]
    ('data', 'meters')
    """
    steps: list[Step] = []
    is_key = text.endswith("~")
    body = text[:-1] if is_key else text
    at = 0
    while at < len(body):
        match = _STEP.match(body, at)
        # a dot stands between keys, and not before the first
        if match is None or (not body[at:].startswith("[") and bool(match["dot"]) != bool(at)):
            raise ValueError(f"can't be read from {body[at:]!r} on")
        at = match.end()
        if match["each"]:
            steps.append(ENTRIES)
        elif match["all"]:
            steps.append(ELEMENTS)
        elif match["index"]:
            steps.append(int(match["index"]))
        else:
            steps.append(json.loads(match["quoted"]) if match["quoted"] else match["key"])
    if is_key and (not steps or steps[-1] is not ENTRIES):
        raise ValueError("ends in ~, which needs .* before it")
    if not steps or len(steps) > STEPS_MAX:
        raise ValueError(f"has {len(steps)} steps, expected 1 to {STEPS_MAX}")
    return Path(text, tuple(steps), is_key)


# The values on the way to one: each step's own, and the key by which it was reached
Trail: TypeAlias = "list[tuple[Any, str | None]]"


def trails(path: Path, root: Any) -> Iterator[Trail]:
    """The ways to all values of a path, in their order; each is only good until the next is asked for.

    One that ends too early, since a key or an element isn't there, ends with MISSING.
    """
    trail: Trail = [(root, None)]

    def follow(depth: int) -> Iterator[Trail]:
        if depth == len(path.steps) or trail[-1][0] is MISSING:
            yield trail
            return
        for value in _next(trail[-1][0], path.steps[depth]):
            trail.append(value)
            yield from follow(depth + 1)
            trail.pop()

    return follow(0)


def at(path: Path, trail: Trail) -> Any:
    """The value of a path that moves with the one whose trail this is; MISSING where there is none."""
    depth = min(path.iterations, len(trail) - 1)
    value, key = trail[depth]
    if path.is_key:
        return MISSING if key is None else key
    for step in path.steps[depth:]:
        value = next(_next(value, step))[0]
        if value is MISSING:
            break
    return value


def _next(value: Any, step: Step) -> Iterator[tuple[Any, str | None]]:
    if isinstance(step, Each):
        if step.is_array and isinstance(value, list):
            yield from ((item, None) for item in value)
        elif not step.is_array and isinstance(value, dict):
            yield from ((item, key) for key, item in value.items())
        else:
            yield MISSING, None
    elif isinstance(step, int):
        yield (value[step] if isinstance(value, list) and step < len(value) else MISSING), None
    else:
        yield (value.get(step, MISSING) if isinstance(value, dict) else MISSING), None
