"""What one key may ask for: requests a second, days in a range, items in a page, bytes in a body.

The server's limits hold for every key (settings), a key's own in their place (`carbonmeter keys create --limit`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.keys import Key, Limit

BURST_S = 2.0  # of its rate a key may use at once what it left unused for so long
KEPT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one request, or of a server."""

    rate: int
    range_days: int
    page: int
    body_bytes: int

    def of(self, key: Key | None) -> Limits:
        """With a key's own in place of these."""
        if key is None or not key.limits:
            return self
        return Limits(
            key.limit(Limit.RATE) or self.rate,
            key.limit(Limit.RANGE_DAYS) or self.range_days,
            key.limit(Limit.PAGE) or self.page,
            key.limit(Limit.BODY_BYTES) or self.body_bytes,
        )


class Rates:
    """How much of its rate each key has left, in this process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._left: dict[Hashable, tuple[float, float]] = {}  # (requests, at)
        self._lock = threading.Lock()

    def wait_s(self, name: Hashable, rate: int) -> float:
        """Take one request; 0, or the seconds until there is one."""
        with self._lock:
            now, most = self._now(), max(1.0, rate * BURST_S)
            left, at = self._left.get(name, (most, now))
            left = min(most, left + (now - at) * rate)
            if left < 1:
                self._left[name] = (left, now)
                return (1 - left) / rate
            if len(self._left) >= KEPT_MAX and name not in self._left:
                self._left.clear()
            self._left[name] = (left - 1, now)
            return 0.0


class LimitBody:
    """Ends a request with 413 whose body is larger than any route takes."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self.app, self._bytes_max = app, bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._bytes_max:
                raise HTTPException(413, f"the body is larger than {self._bytes_max:,} bytes")
            return message

        await self.app(scope, counted, send)
