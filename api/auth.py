"""Who asks, and whether they may: API keys as bearer tokens, each with its scopes.

401: no key, or none that this server knows; 403: a key that doesn't allow this. The key is looked up with each
request, so that a revoked one ends at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from api.context import Context, TheContext
from api.errors import Problem
from storage import keys
from storage.keys import Key, Scope

CHALLENGE = 'Bearer realm="carbonmeter"'

# Only for the OpenAPI document: what is wrong with a header is said by `key_of`, in our one shape of errors.
_scheme = HTTPBearer(
    auto_error=False, scheme_name="API key", description="`carbonmeter keys create` makes one."
)
_Declared = Annotated[object, Depends(_scheme)]


def key_of(context: Context, request: Request) -> Key | None:
    """The key that a request carries; None where it carries none. Problem 401 where it is no good."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    kind, _, token = header.strip().partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Problem(
            401, "the Authorization header must read 'Bearer KEY'", headers={"WWW-Authenticate": CHALLENGE}
        )
    with context.pool.connection() as conn:
        key = keys.verify(conn, token.strip())
    if key is None:
        raise Problem(
            401,
            "this key is unknown or revoked",
            headers={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'},
        )
    return key


def no_key() -> Problem:
    return Problem(401, "send a key: 'Authorization: Bearer KEY'", headers={"WWW-Authenticate": CHALLENGE})


def not_allowed(*scopes: Scope) -> Problem:
    wanted = " or ".join(scopes)
    return Problem(
        403,
        f"this needs a key of scope {wanted}",
        headers={"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{" ".join(scopes)}"'},
    )


def needs(*scopes: Scope) -> Callable[..., Key | None]:
    """A dependency: the request's key, which has one of these scopes (or admin); None where reading is open."""

    def check(request: Request, context: TheContext, _declared: _Declared) -> Key | None:
        key = key_of(context, request)
        if key is None:
            if context.settings.open_reads and Scope.EMISSIONS_READ in scopes:
                return None
            raise no_key()
        if not any(key.allows(scope) for scope in scopes):
            raise not_allowed(*scopes)
        return key

    return check


Reader = Annotated[Key | None, Depends(needs(Scope.EMISSIONS_READ))]
RegistryReader = Annotated[Key | None, Depends(needs(Scope.EMISSIONS_READ, Scope.REGISTRY_WRITE))]
AccountReader = Annotated[Key | None, Depends(needs(Scope.EMISSIONS_READ, Scope.READINGS_WRITE))]
Administrator = Annotated[Key | None, Depends(needs(Scope.ADMIN))]
