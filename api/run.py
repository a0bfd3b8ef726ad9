"""The process of the API: the only file of this room that reads settings and listens."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence

import psycopg
import uvicorn
from fastapi import APIRouter

from accounting.factors import load as factor_files
from api.app import Lifespan, create_app
from api.operations import Operations
from api.settings import ApiSettings, RowSecurity
from domain.clock import SystemClock
from domain.errors import Refused, Unavailable
from storage import row_security, services
from storage.database import connect

log = logging.getLogger(__name__)

_BEAT_S = 1.0


def main(
    settings: ApiSettings,
    *,
    operations: Operations | None = None,
    routers: Sequence[APIRouter] = (),
    lifespans: Sequence[Lifespan] = (),
) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first.

    Raises Refused where the address can't be listened on: starting again wouldn't help.
    """
    _look_at_row_security(settings)
    app = create_app(
        settings,
        SystemClock(),
        factor_files.load(),
        operations=operations,
        routers=routers,
        lifespans=lifespans,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http="httptools",
            loop="uvloop",
            log_config=None,  # the front door has set logging up
            access_log=False,
            timeout_graceful_shutdown=10,
        )
    )
    app.state.is_stopping = lambda: server.should_exit  # streams end then
    sockets = _listen(settings.host, settings.port)
    stop = threading.Event()
    beats = threading.Thread(target=_beat, args=(settings, server, stop), name="beats", daemon=True)
    beats.start()
    try:
        server.run(sockets)
    finally:
        stop.set()
        beats.join(5)


def _look_at_row_security(settings: ApiSettings) -> None:
    """Refuse or warn where sessions can't go on as the role of row-level security, as the settings say."""
    if settings.row_security is RowSecurity.OFF:
        log.warning("row-level security is off: sessions read as the server's own account")
        return
    with connect(settings.database, "carbonmeter api", autocommit=True) as conn:
        if settings.row_security is RowSecurity.REQUIRED:
            row_security.require(conn)
        elif not row_security.is_in_force(conn):
            log.warning("%s", row_security.explanation())


def _listen(host: str, port: int) -> list[socket.socket]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listeners = [socket.create_server(address[:2], family=family) for family, *_, address in found]
        for listener in listeners:
            # What it accepts inherits this. asyncio does it only for sockets that were made with their protocol's
            # number; without it an answer's second segment waits 40 ms for the client's delayed acknowledgement.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listeners
    except OSError as error:
        raise Refused(
            f"the API can't listen on {host}:{port}: {error}; CARBONMETER_HTTP sets another address"
        ) from None


def _beat(settings: ApiSettings, server: uvicorn.Server, stop: threading.Event) -> None:
    """Say once a second that we are there; a lost database is waited for."""
    while not stop.is_set():
        try:
            with connect(settings.database, "carbonmeter api beats", autocommit=True) as conn:
                while not stop.is_set():
                    services.beat(conn, "api", ready=server.started)
                    stop.wait(_BEAT_S)
                services.leave(conn, "api")
        except (Unavailable, psycopg.OperationalError) as error:
            log.warning("beats wait for the database: %s", str(error).strip())
            stop.wait(_BEAT_S)
