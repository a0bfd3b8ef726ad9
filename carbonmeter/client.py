"""The HTTP API from Python, with the standard library alone.

client = Client("http://127.0.0.1:8080", key)
client.get("/v1/enterprises/91430304XT0000022B/windows")
for item in client.items("/v1/meters", uscc="91430304XT0000022B"): …
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from domain.errors import Fault, FaultyDocument, Refused, Unavailable


class Client:
    """One server's API under one key. Thread-safe: it keeps no connection."""

    def __init__(self, url: str, key: str | None = None, *, timeout_s: float = 60.0) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._timeout_s = timeout_s

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """The answer of a GET; Unavailable where to try again helps, Refused (with every fault) where it doesn't.

        A parameter named `from` is given as `from_`; None is left out.
        """
        wanted = {name.rstrip("_"): value for name, value in query.items() if value is not None}
        address = f"{self._url}{path}" + (f"?{urlencode(wanted)}" if wanted else "")
        request = urllib.request.Request(address, headers=self._headers)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
                body: dict[str, Any] = json.load(answer)
                return body
        except urllib.error.HTTPError as error:
            with error:
                raise _problem(f"GET {path}", error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unavailable(f"GET {path}: {error}") from error

    def items(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """The items of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return


def _problem(what: str, error: urllib.error.HTTPError) -> Exception:
    try:
        body = json.load(error)
        title, detail = str(body.get("title") or error.reason), str(body.get("detail") or "")
        faults = [
            Fault(str(each.get("place", "")), str(each.get("message", each)))
            for each in body.get("errors", [])
        ]
    except (OSError, ValueError, AttributeError):
        title, detail, faults = str(error.reason), "", []
    text = f"{what}: {error.code} {title}" + (f": {detail}" if detail else "")
    if error.code in (429, 502, 503, 504):
        return Unavailable(text)
    return FaultyDocument([Fault("", text), *faults]) if faults else Refused(text)
