"""OAuth 2.0 client credentials (RFC 6749, section 4.4): a key for a while, with fewer scopes if wished.

The client's id is the key's prefix, its secret the key's text (or what stands in it after the prefix). A token is 256
random bits of which a hash is kept; it ends when its time does, and at once when its key is revoked.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.body import body_of
from api.context import Context, TheContext
from api.schemas import problems
from storage import keys
from storage.keys import Scope

router = APIRouter(tags=["access"])

BODY_BYTES_MAX = 16 << 10
TRIES_PER_S = 5  # of one client id
_NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class Token(BaseModel):
    """RFC 6749, section 5.1."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds.")
    scope: str = Field(description="Separated by spaces.")


class OAuthError(BaseModel):
    """RFC 6749, section 5.2."""

    error: Literal[
        "invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
        "temporarily_unavailable",
    ]  # fmt: skip
    error_description: str


_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "enum": ["client_credentials"]},
        "client_id": {"type": "string", "description": "Prefix of the key; or by basic authorization."},
        "client_secret": {"type": "string", "format": "password", "description": "The key."},
        "scope": {"type": "string", "description": "Left out: all of the key's."},
    },
}


class _Refused(Exception):  # noqa: N818 - answered as RFC 6749 wants it
    def __init__(self, error: str, description: str, status: int = 400, **headers: str) -> None:
        super().__init__(description)
        self.error, self.description, self.status, self.headers = error, description, status, headers


@router.post(
    "/v1/oauth/token",
    response_model=Token,
    responses={
        400: {"model": OAuthError, "description": "What is wrong, as RFC 6749 says it."},
        401: {"model": OAuthError, "description": "The client isn't known, or its secret is wrong."},
        429: {"model": OAuthError, "description": "Too many tries of this client."},
        **problems(413),
    },
    summary="A token for a key",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": _FORM}},
        },
        "security": [],
    },
)
async def post_token(request: Request, context: TheContext) -> Response:
    """Client credentials (RFC 6749, section 4.4): the prefix and the text of a key, by basic authorization or in the
    form, for a token that is sent as keys are: `Authorization: Bearer TOKEN`.
    """
    content = await body_of(request, BODY_BYTES_MAX)
    try:
        form = _form(request.headers.get("content-type", ""), content)
        client_id, secret, is_basic = _client(request.headers.get("authorization"), form)
        if form.get("grant_type") != "client_credentials":
            if "grant_type" not in form:
                raise _Refused("invalid_request", "grant_type is required")
            raise _Refused("unsupported_grant_type", "grant_type must be client_credentials")
        answer = await run_in_threadpool(_issued, context, client_id, secret, form.get("scope"), is_basic)
    except _Refused as refused:
        body = {"error": refused.error, "error_description": refused.description}
        return JSONResponse(body, refused.status, headers={**_NOT_STORED, **refused.headers})
    return JSONResponse(answer, headers=_NOT_STORED)


def _form(media: str, content: bytes) -> dict[str, str]:
    if media.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise _Refused("invalid_request", "send a form: application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(content.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except (UnicodeError, ValueError):
        raise _Refused("invalid_request", "the form can't be read") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise _Refused("invalid_request", "a parameter stands twice")
    return {name: value for name, value in form.items() if value}


def _client(header: str | None, form: dict[str, str]) -> tuple[str, str, bool]:
    """(id, secret, whether by basic authorization)."""
    if header is not None:
        if "client_secret" in form:
            raise _Refused("invalid_request", "the client signs in in one way, not in two")
        kind, _, value = header.strip().partition(" ")
        try:
            text = base64.b64decode(value.strip(), validate=True).decode() if kind.lower() == "basic" else ""
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        id_, colon, secret = text.partition(":")
        if not colon:
            raise _unknown(is_basic=True)
        return unquote_plus(id_), unquote_plus(secret), True
    if "client_id" not in form or "client_secret" not in form:
        raise _Refused("invalid_client", "client_id and client_secret are required", 401)
    return form["client_id"], form["client_secret"], False


def _unknown(*, is_basic: bool) -> _Refused:
    headers = {"WWW-Authenticate": 'Basic realm="carbonmeter"'} if is_basic else {}
    return _Refused("invalid_client", "no key is of this id and secret", 401, **headers)


def _issued(
    context: Context, client_id: str, secret: str, scope: str | None, is_basic: bool
) -> dict[str, object]:
    wait_s = context.rates.wait_s(("token", client_id[:64]), TRIES_PER_S)
    if wait_s:
        raise _Refused(
            "temporarily_unavailable",
            "too many tries of this client",
            429,
            **{"Retry-After": str(math.ceil(wait_s))},
        )
    prefix = client_id.removeprefix("cm_")
    text = secret if secret.startswith("cm_") else f"cm_{prefix}_{secret}"
    with context.pool.connection() as conn:
        key = keys.verify(conn, text)
        if key is None or key.prefix != prefix:
            raise _unknown(is_basic=is_basic)
        wanted = sorted(key.scopes) if scope is None else sorted(set(scope.split()))
        if not wanted or any(each not in list(Scope) or not key.allows(Scope(each)) for each in wanted):
            raise _Refused("invalid_scope", f"this client has {' '.join(sorted(key.scopes))}")
        valid_s = context.settings.token_valid_s
        token = keys.issue(conn, key, wanted, valid_s)
    return {"access_token": token, "token_type": "Bearer", "expires_in": valid_s, "scope": " ".join(wanted)}
