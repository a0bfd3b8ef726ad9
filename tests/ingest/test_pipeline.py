"""Batches and their one transaction: judged by the registry in force, halved at bad rows, kept while the database is
away, committed once though the answer was lost."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from carbonmeter import postgres
from domain.clock import SystemClock
from ingest.delivery import Chunk
from ingest.directory import ClockRules
from ingest.pipeline import Bounds, DeadLetterLimit, Pipeline, TooManyDeadLettersError
from ingest.write import Writer
from storage import accounts, registry
from storage.database import connect
from tests import servers
from tests.ingest.beds import (
    TOPIC,
    USCC,
    Client,
    Collector,
    account_of,
    channel,
    chunk,
    document,
    enterprise,
    form_a,
    import_document,
    publish_packet,
    reading,
    recent,
    running,
)
from tests.ingest.pg_proxy import Proxy, proxied
from tests.servers import Database, DatabaseServer, wait_for


def good(number: int = 1, **more: Any) -> bytes:
    return form_a(reading(number, recent()), **more)


def now_chunk(source: Any, payloads: list[bytes], **more: Any) -> Chunk:
    return chunk(source, payloads, received_us=SystemClock().now_us(), **more)


def with_pipeline(url: str, act: Callable[[Pipeline], Coroutine[Any, Any, None]], **more: Any) -> None:
    """Run `act` with a pipeline of its own."""

    async def run() -> None:
        with connect(url) as conn:
            current = registry.load(conn)
        writer = Writer(lambda: connect(url), SystemClock(), current)
        pipeline = Pipeline(writer, current, SystemClock(), **more)
        try:
            await act(pipeline)
        finally:
            await pipeline.close()

    asyncio.run(run())


def batches(database: Database) -> list[Any]:
    with database.connect() as conn:
        return conn.execute(
            "SELECT commit_no, cause, registry_version, rows, min_measured_us, max_measured_us FROM batches ORDER BY 1"
        ).fetchall()


def test_sources_hear_of_their_chunks_in_order_after_the_commit(registered: Database):
    first, second = Collector(), Collector()

    async def act(pipeline: Pipeline) -> None:
        chunks = [now_chunk(first if number % 2 else second, [good(seq=number)]) for number in range(20)]
        for each in chunks:
            pipeline.submit(each)
            assert not first.chunks
        assert await pipeline.drain(20)
        assert first.chunks == chunks[1::2]
        assert second.chunks == chunks[0::2]
        assert [receipt.seq for receipt in first.receipts] == list(range(1, 20, 2))

    with_pipeline(registered.url, act)
    assert account_of(registered).stored == 20
    assert [batch[1] for batch in batches(registered)] == ["arrival"] * len(batches(registered))


@pytest.mark.parametrize("count", [1, 3_000])
def test_both_modes_of_the_database_take_a_batch(database: Database, count: int):
    with database.connect(autocommit=True) as conn:
        import_document(conn)
    source = Collector()

    async def act(pipeline: Pipeline) -> None:
        pipeline.submit(now_chunk(source, [good(seq=1), form_a(reading(99, recent())), b"?"] * count))
        assert await pipeline.drain(30)

    with_pipeline(database.url, act)
    found = account_of(database)
    assert (found.stored, found.held, found.rejected) == (count, count, count)
    with database.connect() as conn:
        assert conn.execute("SELECT count(*), max(mantissa), min(exponent) FROM readings").fetchone() == (
            count,
            125,
            -1,
        )


def test_a_batch_is_judged_by_the_registry_in_force_when_it_commits(registered: Database):
    source = Collector()

    async def act(pipeline: Pipeline) -> None:
        pipeline.submit(now_chunk(source, [form_a(reading(99, recent()), seq=1)]))
        assert await pipeline.drain(20)
        with registered.connect(autocommit=True) as conn:
            meters = {"E-99": [channel("kwh")]}
            import_document(conn, {"enterprises": [enterprise(USCC, meters)]})
        # What it knows by now is the old registry; the transaction finds the new one.
        for number in (2, 3):
            pipeline.submit(now_chunk(source, [form_a(reading(99, recent()), seq=number)]))
            assert await pipeline.drain(20)

    with_pipeline(registered.url, act)
    assert [(item.seq, item.stored, item.held) for item in source.receipts] == [
        (1, 0, 1),
        (2, 1, 0),
        (3, 1, 0),
    ]
    assert [version for _, _, version, _, _, _ in batches(registered)] == [1, 2, 2]


def test_a_row_that_the_database_refuses_stands_alone(registered: Database):
    """Its partition is gone: nothing that can happen by itself, but the neighbours must not suffer."""
    with registered.connect(autocommit=True) as conn:
        conn.execute("DROP TABLE readings_2023_05")
    lost = [reading(number, "2023-05-05T00:00:00Z") for number in (3, 4)]
    source = Collector()

    async def act(pipeline: Pipeline) -> None:
        payloads = [good(seq=number) for number in range(50)]
        payloads[17] = form_a(reading(1, recent()), lost[0], reading(2, recent()), lost[1], seq="mixed")
        pipeline.submit(now_chunk(source, payloads))
        assert await pipeline.drain(30)

    with_pipeline(registered.url, act)
    found = account_of(registered)
    assert (found.received, found.stored, found.rejected) == (53, 51, 2)
    mixed = next(receipt for receipt in source.receipts if receipt.seq == "mixed")
    assert (mixed.stored, mixed.rejected) == (2, 2)
    with registered.connect() as conn:
        assert conn.execute("SELECT reason, positions, readings FROM dead_letters").fetchall() == [
            ("refused_by_database", [1, 3], 2)
        ]
        assert conn.execute("SELECT count(*) FROM readings").fetchone() == (51,)


@pytest.fixture
def proxy(registered: Database) -> Iterator[Proxy]:
    with tempfile.TemporaryDirectory() as folder, proxied(registered.url, Path(folder)) as proxy:
        yield proxy


@pytest.mark.parametrize("word", [b"COPY readings", b"INSERT INTO batches", b"COMMIT"])
@pytest.mark.parametrize("passed_on", [False, True])
def test_a_batch_is_committed_once_wherever_the_connection_breaks(
    registered: Database, proxy: Proxy, word: bytes, passed_on: bool
):
    source = Collector()

    async def act(pipeline: Pipeline) -> None:
        for number in range(5):
            if number == 2:
                proxy.cut_at(word, passed_on=passed_on)
            pipeline.submit(now_chunk(source, [good(seq=number), b"?"]))
            assert await pipeline.drain(30)

    with_pipeline(proxy.url, act)
    assert proxy.cuts == 1
    found = account_of(registered)
    assert (found.stored, found.rejected) == (5, 5), "received once, though it was tried twice"
    assert [receipt.seq for receipt in source.receipts] == list(range(5))


def test_when_full_it_says_so_until_it_is_handed_over(registered: Database):
    called: list[bool] = []
    source = Collector()

    async def act(pipeline: Pipeline) -> None:
        pipeline.submit(now_chunk(source, [good()] * 99))
        assert not pipeline.is_full
        pipeline.submit(now_chunk(source, [good()]))
        assert pipeline.is_full
        pipeline.when_room(lambda: called.append(pipeline.is_full))
        assert await pipeline.drain(20)

    with_pipeline(registered.url, act, bounds=Bounds(deliveries_max=100))
    assert called == [False]
    assert account_of(registered).stored == 100


def test_too_many_dead_letters_stop_it(registered: Database):
    async def act(pipeline: Pipeline) -> None:
        pipeline.submit(now_chunk(Collector(), [b"?"] * 50 + [good()] * 50))
        assert await pipeline.drain(20)
        assert not pipeline.failure.done(), "half of them is no reason yet"
        pipeline.submit(now_chunk(Collector(), [b"?"] * 95 + [good()] * 5))
        with pytest.raises(TooManyDeadLettersError, match="95 of the last 100 deliveries"):
            await asyncio.wait_for(pipeline.failure, 20)

    with_pipeline(registered.url, act, limit=DeadLetterLimit(0.9, 100))
    assert account_of(registered).rejected == 145, "they are kept all the same"


def test_strangers_and_one_broken_device_among_many_dont_stop_it(registered: Database):
    async def act(pipeline: Pipeline) -> None:
        pipeline.submit(now_chunk(Collector(), [b"?"] * 300, topic="elsewhere"))
        pipeline.submit(now_chunk(Collector(), [good()] * 300, topic=TOPIC.replace("gw1", "gw99")))
        for gateway in ("gw1", "gw2"):
            pipeline.submit(now_chunk(Collector(), [good()] * 2, topic=TOPIC.replace("gw1", gateway)))
        pipeline.submit(now_chunk(Collector(), [b"?"] * 300, topic=TOPIC.replace("gw1", "gw8")))
        assert await pipeline.drain(20)
        assert not pipeline.failure.done()

    with_pipeline(registered.url, act, limit=DeadLetterLimit(0.9, 100))


def test_events_are_recorded_without_a_batch(registered: Database):
    with registered.connect() as conn:
        accounts.gateway_ids(conn, [(USCC, "gw1")])

    async def act(pipeline: Pipeline) -> None:
        pipeline.event("will", (USCC, "gw1"), "gone")
        pipeline.event("sign_in_refused", None, "x" * 10_000)
        assert await pipeline.drain(20)

    with_pipeline(registered.url, act)
    with registered.connect() as conn:
        found = conn.execute(
            "SELECT kind, gateway_id IS NULL, length(detail) FROM gateway_events ORDER BY id"
        ).fetchall()
    assert found == [("will", False, 4), ("sign_in_refused", True, 500)]
    assert not batches(registered)


def test_several_workers_see_batches_in_the_order_of_their_numbers(registered: Database):
    """Whoever has read up to a commit_no has missed nothing before it."""
    seen: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        with registered.connect(autocommit=True) as conn:
            while not stop.is_set():
                last = seen[-1] if seen else 0
                found = conn.execute("SELECT commit_no FROM batches WHERE commit_no > %s ORDER BY 1", [last])
                seen.extend(number for (number,) in found)

    def work() -> None:
        async def act(pipeline: Pipeline) -> None:
            for _ in range(40):
                pipeline.submit(now_chunk(Collector(), [good()]))
                await pipeline.drain(20)

        with_pipeline(registered.url, act)

    watcher = threading.Thread(target=watch)
    watcher.start()
    workers = [threading.Thread(target=work) for _ in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    time.sleep(0.2)
    stop.set()
    watcher.join()
    with registered.connect() as conn:
        everything = [number for (number,) in conn.execute("SELECT commit_no FROM batches ORDER BY 1")]
    assert seen == everything
    assert len(seen) == 120


@pytest.fixture
def own_server() -> Iterator[tuple[Database, Any, list[Any]]]:
    """A database server of this test alone, to be stopped and started."""
    with servers.running_plain() as (server, process):
        processes = [process]
        with DatabaseServer(server, "plain").database() as database:
            with database.connect(autocommit=True) as conn:
                import_document(conn, document())
            yield database, server, processes
        for each in processes[1:]:
            postgres.stop(each)


def test_while_the_database_is_away_nothing_is_acknowledged_and_little_is_kept(own_server: Any):
    database, server, processes = own_server
    bounds = Bounds(deliveries_max=200)
    with running(database, bounds=bounds) as running_server:
        clients = [Client(running_server.port, 4) for _ in range(4)]
        for number, client in enumerate(clients):
            client.connect(f"c{number}")
            client.publish(good())
            client.acknowledged()
        postgres.stop(processes[0])
        sent = 2_000
        for client in clients:
            messages = b"".join(
                publish_packet(good(), packet_id=number, version=4) for number in range(1, sent + 1)
            )
            threading.Thread(target=client.socket.sendall, args=(messages,), daemon=True).start()
        pipeline = running_server.ingest._pipeline
        assert pipeline is not None
        wait_for(lambda: pipeline.is_full)
        time.sleep(1.5)
        kept = pipeline._filling.deliveries
        assert kept < 200 + 4 * 2_000, "one more read of each connection at most"
        for client in clients:
            client.socket.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.acknowledged()
            client.socket.settimeout(60)
        processes.append(server.launch())
        server.wait_until_ready(processes[-1])
        for client in clients:
            assert client.acknowledged(sent) == [(number, 0) for number in range(1, sent + 1)]
            client.socket.close()
    assert account_of(database).stored == 4 * (sent + 1)


@pytest.mark.slow
def test_a_database_restarted_again_and_again_loses_and_doubles_nothing(own_server: Any):
    database, server, processes = own_server
    stop = threading.Event()
    confirmed: list[int] = []
    with running(database) as running_server:

        def publish(client: Client) -> None:
            number = 0
            while not stop.is_set():
                client.send(b"".join(publish_packet(good(), packet_id=n, version=4) for n in range(1, 101)))
                client.acknowledged(100)
                number += 100
            confirmed.append(number)

        clients = [Client(running_server.port, 4) for _ in range(3)]
        threads = []
        for number, client in enumerate(clients):
            client.connect(f"c{number}")
            client.socket.settimeout(60)
            threads.append(threading.Thread(target=publish, args=(client,)))
            threads[-1].start()
        for _ in range(4):
            time.sleep(0.7)
            processes[-1].send_signal(signal.SIGQUIT)  # at once and without a checkpoint, as a crash
            processes[-1].wait()
            processes.append(server.launch())
            server.wait_until_ready(processes[-1])
        time.sleep(0.5)
        stop.set()
        for each in threads:
            each.join(60)
        for client in clients:
            client.socket.close()
    assert len(confirmed) == 3
    assert account_of(database).stored == sum(confirmed), "each once: no connection of a device was lost"
    with database.connect() as conn:
        assert conn.execute("SELECT count(*) FROM readings").fetchone() == (sum(confirmed),)


def test_the_clock_rules_are_settings(registered: Database):
    async def act(pipeline: Pipeline) -> None:
        ahead = form_a(reading(1, recent(-30)))
        pipeline.submit(now_chunk(Collector(), [ahead]))
        assert await pipeline.drain(20)

    with_pipeline(registered.url, act, rules=ClockRules(ahead_us=10_000_000))
    assert account_of(registered).held == 1
