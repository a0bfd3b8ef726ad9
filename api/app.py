"""The application: routes, one shape of errors, the OpenAPI document, the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from accounting.factors.load import FactorLibrary
from api import errors, limits, metrics, pages, read_log
from api.context import Context, Pool, open_pool
from api.operations import Operations
from api.routes import (
    access,
    changes,
    consumption,
    derivation,
    emissions,
    evidence,
    finance,
    findings,
    grades,
    health,
    history,
    intensity,
    inventories,
    oauth,
    quotas,
    readings,
    registry,
    reports,
    restatements,
    set_aside,
    windows,
)
from api.settings import ApiSettings
from domain.clock import Clock

_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}  # not what RFC 6749 has OAuth answer

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

DESCRIPTION = """The carbon accounts of enterprises, from their meters: readings, consumption, emissions, rolling
windows, intensity, and the derivation of any figure down to readings and factor.

- `Authorization: Bearer KEY`; `carbonmeter keys create` makes keys. Scopes: readings:write, emissions:read,
  registry:write, consents:write, admin for all. Or a token for a key: `POST /v1/oauth/token`.
- A key with a role (enterprise, park, bank, regulator, platform, auditor) reads what its tenant may; to it everything
  else isn't there. What is read of an enterprise is logged, and the enterprise sees the log.
- Times are RFC 3339 with an offset. `from` and `to` are half-open and lie on quarter-hours; `to` isn't in the range.
- Emissions are exact decimal strings in kilograms of CO2e, amounts exact decimal strings in their unit; what is
  missing is null, never 0.
- Lists answer `{"items": […], "next": cursor or null}`, ascending by time then id, and take `cursor` and `limit`.
- Refusals are RFC 9457 problem details with every fault in `errors`.
"""


def create_app(
    settings: ApiSettings,
    clock: Clock,
    library: FactorLibrary,
    *,
    operations: Operations | None = None,
    routers: Sequence[APIRouter] = (),
    lifespans: Sequence[Lifespan] = (),
) -> FastAPI:
    """The API on a database; its pool of connections opens and closes with the application.

    operations  what was set aside is taken up again by these; without them such requests are answered 503
    routers     further routes (of ingest), with their own
    lifespans   what runs as long as the application
    """
    pool: Pool = open_pool(settings)
    context = Context(settings, pool, clock, library, operations)

    reads = read_log.Writer(settings.database)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool.open()
        reads.start()
        try:
            async with AsyncExitStack() as stack:
                for each in lifespans:
                    await stack.enter_async_context(each(app))
                yield
        finally:
            reads.close()
            pool.close()

    app = FastAPI(
        title="carbonmeter",
        version=context.version,
        summary="Automated carbon accounting from telemetry (碳表)",
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,  # pages.py serves it without a content network
        redoc_url=None,
        redirect_slashes=False,  # a redirect would be an answer of another shape
        generate_unique_id_function=lambda route: route.name,  # what clients call an operation by
    )
    app.state.context = context
    app.state.reads = reads
    app.state.is_stopping = lambda: False
    app.add_middleware(limits.LimitBody, bytes_max=settings.limits.body_bytes)
    app.add_middleware(read_log.LogReads, writer=reads, clock=clock)
    app.add_middleware(metrics.MeasureRequests)
    errors.install(app)
    for module in (
        health,
        registry,
        readings,
        consumption,
        emissions,
        windows,
        intensity,
        derivation,
        findings,
        inventories,
        history,
        quotas,
        finance,
        grades,
        reports,
        restatements,
        evidence,
        changes,
        set_aside,
        access,
        oauth,
    ):
        app.include_router(module.router)
    for router in routers:
        app.include_router(router)
    app.include_router(metrics.router)
    pages.mount(app)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Refusals are of their own media type, which FastAPI knows no way to say."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                license_info=app.license_info,
                routes=app.routes,
            )
            for path in document["paths"].values():
                for operation in path.values():
                    for status, response in operation["responses"].items():
                        content = response.get("content", {})
                        if int(status) >= 400 and content.get("application/json") == _PROBLEM:
                            content[errors.MEDIA_TYPE] = content.pop("application/json")
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
