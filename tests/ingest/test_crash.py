"""kill -9 between commit and acknowledgement, again and again: nothing lost, receipts true, accounts in balance."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from tests.ingest.beds import TOPIC, USCC, Client, Process, account_of, publish_packet, subscribe_packet
from tests.servers import Database, wait_for

ROUNDS = 6


def stamped(number: int) -> bytes:
    """A reading that no other one equals: its value is its number."""
    at = int((time.time() - 3600) * 1000) + number
    return json.dumps({"seq": number, "at": at, "values": {"E-01/kwh": number}}).encode()


def values(database: Database) -> list[int]:
    with database.connect() as conn:
        return [value for (value,) in conn.execute("SELECT DISTINCT mantissa FROM readings ORDER BY 1")]


def test_what_was_committed_but_not_acknowledged_is_sent_again_and_kept_once_more(
    registered: Database, tmp_path: Path
):
    process = Process(registered, tmp_path)
    process.start()
    with Client(process.port) as client:
        client.connect()
        client.publish(stamped(1))
        wait_for(lambda: account_of(registered).stored == 1)
        process.kill()  # the acknowledgement is never read
    process.start()
    with Client(process.port) as client:
        client.connect()
        client.publish(stamped(1))
        assert client.acknowledged() == [(1, 0)]
    assert process.stop() == 0
    found = account_of(registered)
    assert (found.received, found.stored) == (2, 2)
    assert values(registered) == [1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_again_and_again(registered: Database, tmp_path: Path, seed: int):
    """A gateway that sends what has no acknowledgement again, against a server that dies at any moment."""
    chance = random.Random(seed)
    process = Process(registered, tmp_path)
    waiting: dict[int, bytes] = {}
    number = sent = 0
    for round_ in range(ROUNDS):
        process.start()
        client = Client(process.port, 4)
        client.connect("gateway", clean=False)
        for _ in range(chance.randrange(200, 2_000)):
            number += 1
            waiting[number] = stamped(number)
        client.send(
            b"".join(
                publish_packet(payload, packet_id=name, version=4)
                for name, payload in sorted(waiting.items())
            )
        )
        sent += len(waiting)
        client.socket.settimeout(0.05)
        until = time.monotonic() + chance.uniform(0.0, 0.25)
        while waiting and time.monotonic() < until:
            try:
                for name, code in client.acknowledged():
                    assert code == 0
                    del waiting[name]
            except TimeoutError:
                continue
        if round_ < ROUNDS - 1:
            process.kill()
            # What was acknowledged is committed, and stays so.
            assert set(range(1, number + 1)) - set(waiting) <= set(values(registered))
        else:
            client.socket.settimeout(30)
            for name, _ in client.acknowledged(len(waiting)):
                del waiting[name]
        client.socket.close()
    assert process.stop() == 0
    assert not waiting
    assert values(registered) == list(range(1, number + 1))
    found = account_of(registered)
    with registered.connect() as conn:
        assert conn.execute("SELECT count(*) FROM readings").fetchone() == (found.stored,)
    assert number <= found.stored <= sent, "repeats are stored; the ledger counts them once"


def test_receipts_are_true_when_the_server_dies(registered: Database, tmp_path: Path):
    process = Process(registered, tmp_path)
    process.start()
    receipts: set[int] = set()
    with Client(process.port) as client:
        client.connect()
        client.send(subscribe_packet(f"carbon/v1/{USCC}/+/receipts"))
        client.receive()
        client.send(b"".join(publish_packet(stamped(n), TOPIC, packet_id=n) for n in range(1, 1_001)))
        receipts.update(receipt["seq"] for receipt in client.receipts(50))
        process.kill()
        try:
            while True:
                receipts.update(receipt["seq"] for receipt in client.receipts())
        except ConnectionError:
            pass
    assert len(receipts) >= 50
    assert receipts <= set(values(registered))
