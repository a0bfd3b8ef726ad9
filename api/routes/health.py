"""Whether the server lives, whether it is ready, and what it is made of. No key needed."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api import schemas
from api.answer import json_answer
from api.context import TheContext
from api.errors import Problem
from api.schemas import problems
from domain.errors import Fault
from domain.interval import to_us
from storage import database, emissions
from storage import services as services_storage

router = APIRouter(tags=["server"])
API_VERSION = 1


@router.get("/v1/health/live", response_model=schemas.Live, responses=problems(), summary="Is it alive?")
async def live(context: TheContext) -> Response:
    """Answers as long as this process does; asks nothing of the database."""
    return json_answer({"state": "live", "version": context.version, "mode": context.mode})


@router.get("/v1/health/ready", response_model=schemas.Ready, responses=problems(), summary="Is it ready?")
def ready(context: TheContext) -> Response:
    """200 when the database answers and every service that this server needs has beaten lately and says that it is
    ready; 503 with the reasons otherwise.
    """
    with context.session(None) as session:
        every = services_storage.services(session.conn)
        faults = []
        for name in context.settings.needed_services:
            own = [service for service in every if service.name == name and service.fresh]
            if not own:
                faults.append(Fault(name, "has not been heard of lately: is it running?"))
            elif not any(service.ready for service in own):
                faults.append(Fault(name, "is starting, or waits for something"))
        if faults:
            raise Problem(503, faults, headers={"Retry-After": "1"})
        return json_answer(
            {
                "state": "ready",
                "mode": context.mode_of(session.conn),
                "version": context.version,
                "versions": database.versions(session.conn),
                "services": [
                    {
                        "name": service.name,
                        "pid": service.pid,
                        "started_at": session.text(to_us(service.started_at)),
                        "beat_at": session.text(to_us(service.beat_at)),
                        "fresh": service.fresh,
                        "ready": service.ready,
                        "detail": service.detail,
                    }
                    for service in every
                    if service.fresh
                ],
            }
        )


@router.get("/v1/version", response_model=schemas.Version, responses=problems(), summary="Versions")
def version(context: TheContext) -> Response:
    """Versions of the server, its database, rules and factors; `ledger_…`: those that the ledger stands on now."""
    with context.session(None) as session:
        ledger = emissions.latest_rules_and_factor_set(session.conn)
        return json_answer(
            {
                "version": context.version,
                "api": API_VERSION,
                "mode": context.mode_of(session.conn),
                "versions": database.versions(session.conn),
                "registry_version": session.registry.version,
                "rules_version": context.rules.version,
                "factor_set": context.library.set_hash,
                "ledger_rules_version": ledger[0] if ledger else None,
                "ledger_factor_set": ledger[1] if ledger else None,
                "zone": session.text(0)[len("1970-01-01T00:00:00") :],
            }
        )
