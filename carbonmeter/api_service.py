"""The API with ingest's part of it: readings over HTTP, and what was set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import Request

from api import auth, run, webhooks
from api.errors import Problem
from api.schemas import problems
from carbonmeter.operations import SetAside
from carbonmeter.settings import Settings
from domain.clock import SystemClock
from domain.errors import Fault
from ingest.http import HttpIngest, HttpSettings
from storage.keys import Key


def main(settings: Settings, database_url: str) -> None:
    """Serve until SIGTERM."""
    readings = http_ingest(
        HttpSettings(
            database_url,
            clock=settings.clock_rules,
            payload_bytes_max=settings.packet_bytes_max,
            dead_letters=settings.dead_letters,
            formats=settings.formats,
        )
    )
    run.main(
        settings.api(database_url),
        operations=SetAside(database_url, settings.clock_rules, settings.formats),
        routers=[readings.router],
        lifespans=[readings.lifespan, webhooks.lifespan],
    )


def http_ingest(settings: HttpSettings) -> HttpIngest:
    """Ingest's routes with the API's keys and shape of refusals."""
    return HttpIngest(settings, SystemClock(), _key_of, _refusal, problems(400, 401, 403, 413, 415, 422, 503))


def _key_of(request: Request, token: str | None) -> Key | None:
    return auth.key_of(request.app.state.context, request, token)


def _refusal(status: int, faults: Sequence[Fault], headers: Mapping[str, str] | None) -> Problem:
    return Problem(status, list(faults), headers=headers)
