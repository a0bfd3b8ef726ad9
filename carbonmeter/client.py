"""The HTTP API from Python, with the standard library alone: every operation with its types, and any path by hand.

client = Client("http://127.0.0.1:8080", key)
client.get_windows("91430304XT0000022B")["30d"]["co2e_kg"]
for item in client.every_meters(uscc="91430304XT0000022B"): …
client.download("/v1/reports/1", format="pdf")

`AsyncClient` has the same as coroutines. The operations are made from the OpenAPI document (`typed_clients`).
"""

from __future__ import annotations

import asyncio
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlencode

from carbonmeter.client_operations import AsyncOperations, Operations
from domain.errors import Fault, FaultyDocument, Refused, Unavailable


class Client(Operations):
    """One server's API under one key. Thread-safe: it keeps no connection.

    What fails is Unavailable where to try again helps, else Refused or FaultyDocument, with every fault.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout_s: float = 60.0) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._timeout_s = timeout_s

    def call(self, method: str, path: str, query: Mapping[str, Any], body: Any = None) -> Any:
        """What an operation answers, from JSON; None where it answers nothing. None of the query is left out."""
        content = None if body is None else json.dumps(body).encode()
        answer = self._asked(method, path, query, content, "application/json")
        return json.loads(answer) if answer else None

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """The answer of a GET. A parameter named `from` is given as `from_`; None is left out."""
        answer: dict[str, Any] = self.call(
            "GET", path, {name.rstrip("_"): value for name, value in query.items()}
        )
        return answer

    def items(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """The items of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def download(self, path: str, **query: object) -> bytes:
        """The bytes of a GET: a file in any form."""
        return self._asked("GET", path, {name.rstrip("_"): value for name, value in query.items()}, None, "")

    def send(self, path: str, content: bytes, content_type: str, **query: object) -> bytes:
        """POST a file, such as rows of history as text/csv; what is answered, as it comes."""
        wanted = {name.rstrip("_"): value for name, value in query.items()}
        return self._asked("POST", path, wanted, content, content_type)

    def _asked(
        self, method: str, path: str, query: Mapping[str, Any], content: bytes | None, content_type: str
    ) -> bytes:
        wanted = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in query.items()
            if value is not None
        }
        address = f"{self._url}{path}" + (f"?{urlencode(wanted)}" if wanted else "")
        headers = self._headers if content is None else {**self._headers, "Content-Type": content_type}
        request = urllib.request.Request(address, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as error:
            with error:
                raise _problem(f"{method} {path}", error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unavailable(f"{method} {path}: {error}") from error


class AsyncClient(AsyncOperations):
    """The same as coroutines, each in one of a few threads: as many requests at once as there are.

    async with AsyncClient(url, key) as client:
        await client.get_windows("91430304XT0000022B")
    """

    def __init__(
        self, url: str, key: str | None = None, *, timeout_s: float = 60.0, at_once_max: int = 16
    ) -> None:
        self._client = Client(url, key, timeout_s=timeout_s)
        self._threads = ThreadPoolExecutor(at_once_max, "carbonmeter-client")

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def call(self, method: str, path: str, query: Mapping[str, Any], body: Any = None) -> Any:
        """As `Client.call`."""
        asked = partial(self._client.call, method, path, query, body)
        return await asyncio.get_running_loop().run_in_executor(self._threads, asked)

    async def download(self, path: str, **query: object) -> bytes:
        """As `Client.download`."""
        asked = partial(self._client.download, path, **query)
        return await asyncio.get_running_loop().run_in_executor(self._threads, asked)


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
