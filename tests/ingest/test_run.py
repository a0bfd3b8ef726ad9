"""The process: waits for its database, says why it can't start, stops by itself when the fault is ours."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from carbonmeter import postgres
from domain.clock import SystemClock
from domain.errors import Refused
from ingest.pipeline import DeadLetterLimit
from ingest.run import Ingest, serve
from ingest.settings import BrokerSettings, EndpointSettings, IngestSettings
from tests import servers
from tests.ingest.beds import (
    Client,
    Process,
    account_of,
    form_a,
    import_document,
    publish_packet,
    reading,
    recent,
)
from tests.servers import Database, DatabaseServer, free_port, wait_for


def test_it_stops_with_a_failure_when_most_is_refused(registered: Database):
    settings = IngestSettings(
        registered.url, EndpointSettings(port=free_port()), dead_letters=DeadLetterLimit(0.9, 1000)
    )

    async def run() -> int:
        loop = asyncio.get_running_loop()
        tasks: list[Any] = []

        def flood(ingest: Ingest) -> None:
            assert ingest.endpoint is not None
            tasks.append(loop.run_in_executor(None, send, ingest.endpoint.port))

        def send(port: int) -> None:
            with Client(port) as client:
                client.connect()
                client.send(b"".join(publish_packet(b"?", packet_id=number) for number in range(1, 2_001)))
                client.end()

        return await serve(settings, SystemClock(), flood)

    assert asyncio.run(run()) == 1
    assert account_of(registered).rejected >= 1000


def test_an_address_in_use_is_told(registered: Database):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = IngestSettings(registered.url, EndpointSettings(port=taken.getsockname()[1]))
        with pytest.raises(Refused, match=r"can't listen on 127\.0\.0\.1.*CARBONMETER_MQTT"):
            asyncio.run(serve(settings, SystemClock()))


def test_it_waits_for_a_database_that_is_away(tmp_path: Path):
    with servers.running_plain() as (server, process), DatabaseServer(server, "plain").database() as database:
        with database.connect(autocommit=True) as conn:
            import_document(conn)
        postgres.stop(process)
        ingest = Process(database, tmp_path)
        with pytest.raises(AssertionError, match="ingest didn't start"):
            ingest.start(wait_s=3)
        process = server.launch()
        server.wait_until_ready(process)
        wait_for(ingest.answers, 30)
        with Client(ingest.port) as client:
            client.connect()
            client.publish(form_a(reading(1, recent())))
            assert client.acknowledged() == [(1, 0)]
        assert ingest.stop() == 0
        with database.connect(autocommit=True) as conn:
            assert conn.execute("SELECT count(*) FROM services WHERE name = 'ingest'").fetchone() == (0,)
    postgres.stop(process)


def test_stopped_while_the_database_is_away_it_leaves_without_acknowledging(tmp_path: Path):
    with servers.running_plain() as (server, process), DatabaseServer(server, "plain").database() as database:
        with database.connect(autocommit=True) as conn:
            import_document(conn)
        ingest = Process(database, tmp_path)
        ingest.start()
        postgres.stop(process)
        with Client(ingest.port) as client:
            client.connect()
            client.publish(form_a(reading(1, recent())))
            client.socket.settimeout(1)
            with pytest.raises(TimeoutError):
                client.acknowledged()
            assert ingest.stop() == 0
            client.socket.settimeout(10)
            with pytest.raises(ConnectionError):
                client.acknowledged()
        process = server.launch()
        server.wait_until_ready(process)
        assert account_of(database).received == 0
    postgres.stop(process)


def test_no_secret_is_shown():
    settings = IngestSettings("postgresql://u:secret@h/d", broker=BrokerSettings("mqtt://u:secret@h"))
    assert "secret" not in repr(settings)
