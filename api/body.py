"""The body of a request, whole, of a bounded size."""

from __future__ import annotations

from fastapi import Request
from starlette.requests import ClientDisconnect

from api import asked
from api.errors import Problem
from domain.errors import Fault


async def body_of(request: Request, bytes_max: int) -> bytes:
    """Reading ends with 413 as soon as there is more than that."""
    its = asked.current()
    if its is not None and its.limits is not None:
        bytes_max = min(bytes_max, its.limits.body_bytes)
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > bytes_max:
                raise Problem(413, [Fault("body", f"is larger than {bytes_max:,} bytes")])
    except ClientDisconnect:
        raise Problem(400, [Fault("body", "the request ended within its body")]) from None
    return bytes(body)
