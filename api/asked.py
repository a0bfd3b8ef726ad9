"""What is known of a request from its first byte: its id, its route, who asks, and what it has read so far.

A request is its own in every thread that works for it (a context variable), so that a session finds it without being
handed it by each route.
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass, field

from api.limits import Limits
from api.rows import ROWS, Row
from domain.access import Part
from storage.keys import Key

HEADER = "X-Request-Id"
_OBJECTS = ("channel", "source", "product", "id", "year")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Read:
    """What was read, or asked for in vain, of an enterprise's account.

    object  what of it: a channel, a source, a number of a report
    period  half-open [µs]; None: of none
    basis   by what right
    """

    uscc: str
    part: Part | None
    object: str
    period: tuple[int, int] | None
    basis: str


@dataclass(slots=True)
class Asked:
    """A request, while it is answered."""

    id: str
    method: str = ""
    route: str = ""
    key: Key | None = None
    row: Row | None = None
    limits: Limits | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)

    @property
    def object(self) -> str:
        """What of an enterprise it asks for, as its parameters say it."""
        return next((self.parameters[name] for name in _OBJECTS if name in self.parameters), "")

    def is_for(self, method: str, route: str, parameters: dict[str, str]) -> None:
        """Note the route that takes it, with the parameters of its path and query."""
        self.method, self.route, self.parameters = method, route, parameters
        self.row = ROWS.get((method, route))


_ASKED: ContextVar[Asked | None] = ContextVar("asked", default=None)


def id_of(sent: str | None) -> str:
    """The id that a request came with, where it is one, else a new one."""
    return sent if sent is not None and _ID.match(sent) else secrets.token_hex(16)


def begin(asked: Asked) -> None:
    _ASKED.set(asked)


def current() -> Asked | None:
    """The request that is being answered; None: the server reads for itself, or a command does."""
    return _ASKED.get()
