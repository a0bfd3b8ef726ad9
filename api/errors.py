"""Everything that is refused or fails answers alike: RFC 9457 problem details with every fault in `errors`.

{"type": "urn:carbonmeter:error:invalid-request", "title": "Unprocessable request", "status": 422,
 "detail": "to (2024-01-01T00:00:00Z) must lie after from", "instance": "/v1/enterprises/…/emissions",
 "errors": [{"place": "to", "message": "…"}]}
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import psycopg_pool
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from domain.errors import CarbonmeterError, Fault, FaultyDocument, Refused, Unavailable

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:carbonmeter:error:"

# status -> (last part of the type, title); the closed list of what this API answers with
KINDS: dict[int, tuple[str, str]] = {
    400: ("bad-request", "Bad request"),
    401: ("unauthorized", "A key is needed"),
    403: ("forbidden", "The key does not allow this"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    409: ("conflict", "Conflict"),
    413: ("too-large", "Content too large"),
    415: ("unsupported-media-type", "Unsupported media type"),
    422: ("invalid-request", "Unprocessable request"),
    429: ("too-many-requests", "Too many requests"),
    500: ("internal", "Internal error"),
    503: ("unavailable", "Unavailable"),
}

# FastAPI answers 400 with these words to a body that isn't UTF-8, and 422 to any other that isn't JSON.
_UNREADABLE_BODY = "There was an error parsing the body"

_log = logging.getLogger("carbonmeter.api")


class Problem(CarbonmeterError):  # noqa: N818 - as RFC 9457 calls it
    """A request that is refused: its status and every fault."""

    def __init__(
        self, status: int, faults: Sequence[Fault] | str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.faults = [Fault("", faults)] if isinstance(faults, str) else list(faults)
        self.headers = headers
        super().__init__("; ".join(str(fault) for fault in self.faults))


def not_found(place: str, what: str) -> Problem:
    return Problem(404, [Fault(place, what)])


def problem_response(
    path: str, status: int, faults: Sequence[Fault], headers: Mapping[str, str] | None = None
) -> JSONResponse:
    kind, title = KINDS.get(status) or (f"http-{status}", "Refused")
    body = {
        "type": TYPE_PREFIX + kind,
        "title": title,
        "status": status,
        "detail": "; ".join(str(fault) for fault in faults),
        "instance": path,
        "errors": [fault.as_dict() for fault in faults],
    }
    return JSONResponse(body, status, headers=dict(headers) if headers else None, media_type=MEDIA_TYPE)


def place_of(location: Sequence[Any]) -> str:
    """Where a fault is: "from" of the query, "body.ids[2]" of a body."""
    text = ""
    for part in location[0 if location[:1] == ("body",) else 1 :]:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def faults_of(error: RequestValidationError) -> list[Fault]:
    faults = []
    for item in error.errors():
        message = str(item["msg"]).removeprefix("Value error, ")
        given = item.get("input")
        if item["type"] == "missing":
            message = "is required"
        elif item["type"] == "json_invalid":
            faults.append(Fault("body", f"is no JSON: {item.get('ctx', {}).get('error', message)}"))
            continue
        elif item["type"] != "value_error" and isinstance(given, str | int | float):
            message = f"{str(given)[:80]!r}: {message}"
        faults.append(Fault(place_of(tuple(item["loc"])), message))
    return faults


def _allow(app: FastAPI, path: str) -> dict[str, str]:
    """The header Allow of a path of the document; Starlette names the methods of its first route alone."""
    for template, operations in app.openapi()["paths"].items():
        if compile_path(template)[0].match(path):
            return {"Allow": ", ".join(sorted(method.upper() for method in operations))}
    return {}


def install(app: FastAPI) -> None:
    """Give an application this one shape of errors."""

    def on_problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return problem_response(request.url.path, error.status, error.faults, error.headers)

    def on_http_exception(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        headers = error.headers
        if error.status_code == 404 and error.detail == "Not Found":
            faults = [Fault("", f"there is nothing at {request.url.path!r}; /docs lists what there is")]
        elif error.status_code == 405 and error.detail == "Method Not Allowed":
            faults = [Fault("", f"{request.method} is not taken at {request.url.path!r}")]
            headers = {**(headers or {}), **_allow(app, request.url.path)}
        elif error.status_code == 400 and error.detail == _UNREADABLE_BODY:
            return problem_response(request.url.path, 422, [Fault("body", "is no JSON: it isn't UTF-8")])
        else:
            faults = [Fault("", str(error.detail))]
        return problem_response(request.url.path, error.status_code, faults, headers)

    def on_invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return problem_response(request.url.path, 422, faults_of(error))

    def on_faulty_document(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, FaultyDocument)
        return problem_response(request.url.path, 422, error.faults)

    def on_refused(request: Request, error: Exception) -> JSONResponse:
        return problem_response(request.url.path, 422, [Fault("", str(error))])

    def on_unavailable(request: Request, error: Exception) -> JSONResponse:
        _log.warning("%s %s: %s", request.method, request.url.path, error)
        fault = Fault("", "something this server depends on is away; try again")
        return problem_response(request.url.path, 503, [fault], {"Retry-After": "1"})

    def on_failure(request: Request, _error: Exception) -> JSONResponse:
        # Starlette logs the traceback: it raises the error again after this answer has gone out.
        return problem_response(
            request.url.path, 500, [Fault("", "an error of this server; its log has the cause")]
        )

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(FaultyDocument, on_faulty_document)
    app.add_exception_handler(Refused, on_refused)
    app.add_exception_handler(Unavailable, on_unavailable)
    app.add_exception_handler(psycopg.OperationalError, on_unavailable)
    app.add_exception_handler(psycopg_pool.PoolTimeout, on_unavailable)
    app.add_exception_handler(Exception, on_failure)
