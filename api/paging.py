"""Pages: a cursor names the last item that was given, opaquely, and belongs to one request's parameters.

Lists ascend by time, then id; a page starts after (time, id) of its cursor, so that nothing is lost or given twice
when items are added meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from api import asked
from api.errors import Problem
from domain.errors import Fault

LIMIT_DEFAULT = 1_000
LIMIT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Position:
    """Where a list goes on: after the item of this time [µs] (0 where items have none) and this id."""

    at_us: int
    id: str


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a list that is asked for."""

    limit: int
    after: Position | None
    fingerprint: str

    def next(self, at_us: int, id_: str | int) -> str:
        """The cursor of the page after this item."""
        text = json.dumps([self.fingerprint, at_us, str(id_)], separators=(",", ":"), ensure_ascii=False)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def fingerprint_of(request: Request) -> str:
    """What tells one list from another: path and parameters, without those of paging."""
    parameters = sorted(
        pair for pair in request.query_params.multi_items() if pair[0] not in ("cursor", "limit")
    )
    return hashlib.sha256(repr((request.url.path, parameters)).encode()).hexdigest()[:12]


def _position(cursor: str, fingerprint: str) -> Position:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parts: Any = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        parts = None
    if (
        not isinstance(parts, list)
        or len(parts) != 3
        or type(parts[1]) is not int
        or abs(parts[1]) >= 1 << 63
        or not isinstance(parts[2], str)
        or "\x00" in parts[2]
    ):
        raise Problem(
            422, [Fault("cursor", "is no cursor of this server; take it from `next` of the page before")]
        )
    if parts[0] != fingerprint:
        raise Problem(
            422, [Fault("cursor", "belongs to a request with other parameters; only `limit` may change")]
        )
    return Position(parts[1], parts[2])


def paged(limit_default: int) -> Callable[..., Awaitable[Page]]:
    """A dependency: the part of a list that a request asks for."""

    async def page(
        request: Request,
        cursor: Annotated[str | None, Query(max_length=512, description="`next` of the page before.")] = None,
        limit: Annotated[
            int, Query(ge=1, le=LIMIT_MAX, description="Items in a page, at most; it may have fewer.")
        ] = limit_default,
    ) -> Page:
        fingerprint, its = fingerprint_of(request), asked.current()
        if its is not None and its.limits is not None:
            limit = min(limit, its.limits.page)
        return Page(limit, _position(cursor, fingerprint) if cursor is not None else None, fingerprint)

    return page


Paged = Annotated[Page, Depends(paged(LIMIT_DEFAULT))]
