"""Who asks, and whether they may: API keys as bearer tokens, each with its scopes.

401: no key, or none that this server knows; 403: a key that doesn't allow this, or whose role isn't one that may ask
(`api/rows.py`). What of a route a role reads is up to sessions. A key is checked with each request, so
that a revoked one ends at once; one that was looked up before is checked in the statement that begins the answer.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import HTTPBearer, OAuth2
from starlette.concurrency import run_in_threadpool

from api import asked
from api.context import INVALID_TOKEN, Context, TheContext
from api.errors import Problem
from domain.errors import Fault
from storage.keys import DESCRIPTIONS, Key, Scope

CHALLENGE = 'Bearer realm="carbonmeter"'

# Only for the OpenAPI document: what is wrong with a header is said by `key_of`, in our one shape of errors.
_scheme = HTTPBearer(
    auto_error=False, scheme_name="API key", description="`carbonmeter keys create` makes one."
)
_Declared = Annotated[object, Depends(_scheme)]
_oauth = OAuth2(
    auto_error=False,
    scheme_name="OAuth 2.0",
    description="Client credentials: a key's prefix and text for a token that is sent as keys are.",
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(
            tokenUrl="/v1/oauth/token", scopes={str(scope): DESCRIPTIONS[scope] for scope in Scope}
        )
    ),
)
_Tokens = Annotated[object, Depends(_oauth)]


def _token_of(request: Request) -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    kind, _, token = header.strip().partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Problem(
            401, "the Authorization header must read 'Bearer KEY'", headers={"WWW-Authenticate": CHALLENGE}
        )
    return token.strip()


def key_of(context: Context, request: Request, token: str | None = None) -> Key | None:
    """The key that a request carries, looked up now; None where it carries none. Problem 401 where it is no good.

    token  as the request carries it in another way than as a bearer token
    """
    if token is None:
        token = _token_of(request)
    if token is None:
        return None
    key = _looked_up(context, token)
    admit(context, request, key)
    return key


def _looked_up(context: Context, token: str) -> Key:
    key = context.look_up(token)
    if key is None:
        raise Problem(401, "this key is unknown or revoked", headers={"WWW-Authenticate": INVALID_TOKEN})
    return key


def admit(context: Context, request: Request, key: Key | None) -> None:
    """Note who asks for what; Problem 403 where the key has a role that this route isn't for, 429 where it asks too
    often.
    """
    its = asked.current()
    if its is None:
        return
    its.is_for(request.method, request.scope["route"].path, {**request.query_params, **request.path_params})
    its.key = key
    its.limits = context.settings.limits.of(key)
    wait_s = context.rates.wait_s(0 if key is None else key.id, its.limits.rate)
    if wait_s:
        raise Problem(
            429,
            f"this key may ask {its.limits.rate} times a second",
            headers={"Retry-After": str(math.ceil(wait_s))},
        )
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared) > its.limits.body_bytes:
        raise Problem(
            413, [Fault("body", f"is larger than the {its.limits.body_bytes:,} bytes that this key may send")]
        )
    if key is not None and key.role is not None and (its.row is None or key.role not in its.row.roles):
        raise Problem(403, f"this isn't for keys of role {key.role}")


def no_key() -> Problem:
    return Problem(401, "send a key: 'Authorization: Bearer KEY'", headers={"WWW-Authenticate": CHALLENGE})


def not_allowed(*scopes: Scope) -> Problem:
    wanted = " or ".join(scopes)
    return Problem(
        403,
        f"this needs a key of scope {wanted}",
        headers={"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{" ".join(scopes)}"'},
    )


def needs(*scopes: Scope) -> Callable[..., Awaitable[Key | None]]:
    """A dependency: the request's key, which has one of these scopes (or admin); None where reading is open.

    To be handed to `Context.session`: a key that was looked up before is checked there, within the answer's own
    snapshot. Where only admin will do, no session follows, and the key is looked up now.
    """

    async def check(
        request: Request, context: TheContext, _declared: _Declared, _tokens: _Tokens
    ) -> Key | None:
        token = _token_of(request)
        key = None
        if token is not None and scopes != (Scope.ADMIN,):
            key = context.remembered(token)
        if token is not None and key is None:
            key = await run_in_threadpool(_looked_up, context, token)
        if key is None:
            if context.settings.open_reads and Scope.EMISSIONS_READ in scopes:
                admit(context, request, None)
                return None
            raise no_key()
        if not any(key.allows(scope) for scope in scopes):
            raise not_allowed(*scopes)
        admit(context, request, key)
        return key

    return check


Reader = Annotated[Key | None, Depends(needs(Scope.EMISSIONS_READ))]
RegistryReader = Annotated[Key | None, Depends(needs(Scope.EMISSIONS_READ, Scope.REGISTRY_WRITE))]
AccountReader = Annotated[Key | None, Depends(needs(Scope.EMISSIONS_READ, Scope.READINGS_WRITE))]
Administrator = Annotated[Key | None, Depends(needs(Scope.ADMIN))]
