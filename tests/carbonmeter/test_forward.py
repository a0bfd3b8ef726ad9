"""The gateway client: whatever the server and the network do, a message leaves the disk only on its PUBACK."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from carbonmeter.forward import Address, Forwarder, Spool, SpoolFullError
from domain.errors import Refused, SettingsError
from tests.carbonmeter.answering_server import CUT, SILENT, AnsweringServer
from tests.servers import Mosquitto

TOPIC = "carbon/v1/91430304XT0000022B/gw1/readings"


def forwarder(spool: Spool, server: AnsweringServer, **options: object) -> Forwarder:
    return Forwarder(
        spool,
        server.url,
        client_id="gw1",
        **{"backoff_s": (0.01, 0.05), **options},  # type: ignore[arg-type]
    )


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool.sqlite")
    yield spool
    spool.close()


def wait_until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


def payloads(count: int, start: int = 0) -> list[tuple[str, bytes]]:
    return [(TOPIC, b"%d" % number) for number in range(start, start + count)]


@pytest.mark.parametrize("protocol", [4, 5])
def test_messages_arrive_in_order_and_leave_the_spool(spool: Spool, protocol: int) -> None:
    with (
        AnsweringServer() as server,
        forwarder(spool, server, protocol=protocol, password="cm_key") as sender,
    ):
        sender.put_many(payloads(500))
        sender.put(TOPIC, b"last")
        assert sender.drain(10)
    assert [payload for _, payload in server.received] == [payload for _, payload in payloads(500)] + [
        b"last"
    ]
    assert spool.pending == 0
    assert sender.counts.acknowledged == sender.counts.sent == 501
    assert server.passwords == [b"cm_key"]


def test_what_has_no_puback_stays_and_is_sent_again_after_the_cut(spool: Spool) -> None:
    with AnsweringServer(lambda n, _topic, _payload: CUT if n % 7 == 3 else 0) as server:
        with forwarder(spool, server) as sender:
            sender.put_many(payloads(60))
            assert sender.drain(20)
        assert {int(payload) for payload in server.acknowledged} == set(range(60))
        assert server.connections > 1


def test_nothing_is_deleted_without_a_puback(spool: Spool) -> None:
    with AnsweringServer(lambda _n, _topic, _payload: SILENT) as server, forwarder(spool, server) as sender:
        sender.put_many(payloads(10))
        wait_until(lambda: len(server.received) == 10)
        assert not sender.drain(0.2)
    assert spool.pending == 10


def test_the_window_is_bounded_by_both_sides(spool: Spool) -> None:
    with (
        AnsweringServer(lambda _n, _t, _p: SILENT, receive_maximum=5) as server,
        forwarder(spool, server) as sender,
    ):
        sender.put_many(payloads(50))
        wait_until(lambda: len(server.received) == 5)
        time.sleep(0.1)
    assert server.unanswered_max == 5
    with (
        AnsweringServer(lambda _n, _t, _p: SILENT) as server,
        forwarder(spool, server, window_bytes=300) as sender,
    ):
        wait_until(lambda: sender.counts.sent >= 5)
        time.sleep(0.1)
        assert sender.counts.sent <= 6  # about 55 bytes each


@pytest.mark.parametrize("code", [0x10, 0x80, 0x83, 0x97])
def test_a_server_that_says_later_gets_it_later(spool: Spool, code: int) -> None:
    def answer(n: int, _topic: str, payload: bytes) -> int:
        return code if payload == b"3" and n < 20 else 0

    with AnsweringServer(answer) as server, forwarder(spool, server) as sender:
        sender.put_many(payloads(20))
        assert sender.drain(10)
    assert sorted(map(int, server.acknowledged)) == list(range(20))
    assert sender.counts.postponed == 1
    assert sender.counts.set_aside == 0


@pytest.mark.parametrize("code", [0x87, 0x90, 0x99])
def test_what_the_server_will_never_take_is_set_aside_with_its_reason(spool: Spool, code: int) -> None:
    with AnsweringServer(lambda _n, _t, payload: code if payload == b"3" else 0) as server:
        with forwarder(spool, server) as sender:
            sender.put_many(payloads(6))
            assert sender.drain(10)
        [(_, topic, payload, reason)] = spool.refused()
        assert (topic, payload) == (TOPIC, b"3")
        assert reason
        assert spool.pending == 0


def test_a_packet_over_the_servers_maximum_does_not_block_the_rest(spool: Spool) -> None:
    with AnsweringServer(packet_bytes_max=200) as server, forwarder(spool, server) as sender:
        sender.put(TOPIC, b"x" * 300)
        sender.put(TOPIC, b"small")
        assert sender.drain(10)
    assert server.acknowledged == [b"small"]
    assert "the server takes 200" in spool.refused()[0][3]


def test_a_topic_that_can_be_none_is_set_aside(spool: Spool) -> None:
    with AnsweringServer() as server, forwarder(spool, server) as sender:
        sender.put("carbon/+/x", b"1")
        sender.put(TOPIC, b"2")
        assert sender.drain(10)
    assert server.acknowledged == [b"2"]
    assert len(spool.refused()) == 1


def test_a_refused_sign_in_keeps_everything_and_tries_again(spool: Spool) -> None:
    with AnsweringServer(connack_code=0x87) as server, forwarder(spool, server) as sender:
        sender.put(TOPIC, b"1")
        wait_until(lambda: server.connections >= 3)
        assert "sign-in refused" in (sender.counts.last_error or "")
    assert spool.pending == 1


def test_an_absent_server_is_waited_for(spool: Spool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    sender = Forwarder(spool, f"mqtt://127.0.0.1:{port}", client_id="gw1", backoff_s=(0.01, 0.05))
    with sender:
        sender.put(TOPIC, b"1")
        wait_until(lambda: sender.counts.last_error)
        assert spool.pending == 1


def test_an_outage_collects_and_then_backfills(spool: Spool) -> None:
    with AnsweringServer() as server, forwarder(spool, server) as sender:
        sender.put_many(payloads(5))
        assert sender.drain(10)
        sender.pause()
        sender.put_many(payloads(5, start=5))
        time.sleep(0.1)
        assert len(server.received) == 5
        sender.pause(False)
        assert sender.drain(10)
    assert [int(payload) for _, payload in server.received] == list(range(10))
    assert sender.counts.connections == 2


def test_messages_put_by_many_threads_all_arrive(spool: Spool) -> None:
    with AnsweringServer() as server, forwarder(spool, server) as sender:
        threads = [
            threading.Thread(target=lambda start=start: [sender.put(*p) for p in payloads(25, start)])  # type: ignore[misc]
            for start in range(0, 200, 25)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sender.drain(10)
    assert sorted(map(int, server.acknowledged)) == list(range(200))


def test_acknowledged_ids_and_subscribed_messages_are_handed_over(spool: Spool) -> None:
    acknowledged: list[int] = []
    heard: list[tuple[str, bytes]] = []
    with (
        AnsweringServer() as server,
        forwarder(
            spool,
            server,
            on_acknowledged=acknowledged.extend,
            subscriptions=["carbon/v1/91430304XT0000022B/gw1/receipts"],
            on_message=lambda topic, payload: heard.append((topic, payload)),
        ) as sender,
    ):
        first, second = sender.put(TOPIC, b"1"), sender.put(TOPIC, b'{"seq": 7}')
        assert sender.drain(10)
        wait_until(lambda: heard)
    assert acknowledged == [first, second]
    [(topic, payload)] = heard
    assert topic.endswith("/receipts")
    assert b'"seq": 7' in payload


def test_a_full_spool_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite", messages_max=3)
    spool.put_many(payloads(2))
    with pytest.raises(SpoolFullError, match="holds 2 of 3"):
        spool.put_many(payloads(2), notes={"until": "5"})
    assert spool.pending == 2
    assert spool.note("until") is None
    spool.close()


def test_the_spool_survives_and_takes_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "spool.sqlite"
    spool = Spool(path)
    last = spool.put_many(payloads(3), notes={"until": "42"})
    with pytest.raises(Refused, match="in use by another process"):
        Spool(path)
    spool.delete([last])
    spool.close()
    spool = Spool(path)
    assert spool.pending == 2
    assert spool.note("until") == "42"
    assert spool.put(*payloads(1)[0]) > last, "an id must never be given twice"
    spool.close()


def test_a_bounded_spool_drops_the_oldest_where_that_is_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="when_full"):
        Spool(tmp_path / "other.sqlite", when_full="shrug")  # type: ignore[arg-type]
    path = tmp_path / "spool.sqlite"
    spool = Spool(path, bytes_max=1_000_000, when_full="drop_oldest")
    for number in range(40):
        spool.put_many([(TOPIC, b"%05d" % (100 * number + each) + bytes(495)) for each in range(100)])
    assert spool.size_bytes <= 1_000_000
    assert spool.dropped + spool.pending == 4_000
    newest = spool.before(1 << 40, 1)[0]
    assert newest.payload.startswith(b"03999")
    sizes = spool.size_bytes
    spool.close()
    spool = Spool(path, bytes_max=sizes)
    assert spool.size_bytes == sizes, "counted anew from the disk"
    with pytest.raises(SpoolFullError, match="bytes: 1 of"):
        spool.put(TOPIC, b"one more")
    spool.set_aside(newest.id, "a person looks")
    spool.delete([message.id for message in spool.after(0, 10_000)])
    assert (spool.pending, spool.size_bytes) == (0, 0)
    spool.put(TOPIC, b"one more")
    spool.close()


ON_A_SMALL_DISK = """
import sys
from carbonmeter.forward import Forwarder, Spool, SpoolFullError
spool = Spool(sys.argv[1])
put = 0
try:
    while True:
        spool.put_many([(sys.argv[3], b"%d" % (put + each) + bytes(500)) for each in range(100)])
        put += 100
except SpoolFullError as error:
    print(put, spool.pending, "takes no more" in str(error), flush=True)
with Forwarder(spool, sys.argv[2], client_id="gw1", backoff_s=(0.01, 0.05)) as sender:
    print(sender.drain(60), spool.pending, flush=True)
    sender.put(sys.argv[3], b"room again")
    print(sender.drain(60), flush=True)
"""


def _on_a_full_disk(path: Path) -> None:
    with AnsweringServer() as server:
        done = subprocess.run(
            [sys.executable, "-c", ON_A_SMALL_DISK, str(path), server.url, TOPIC],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        put, pending, is_said, drained, left, again = done.stdout.split()
        assert int(put) >= 1_000
        assert (pending, is_said) == (put, "True"), "what was taken stays, the rest is refused loudly"
        assert (drained, left, again) == ("True", "0", "True")
        numbers = {int(payload[:-500]) for payload in server.acknowledged if len(payload) > 500}
        assert numbers == set(range(int(put)))


def test_a_full_disk_refuses_loudly_and_is_emptied_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "carbonmeter-test", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        _on_a_full_disk(folder / "spool.sqlite")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def numbers_of(server: AnsweringServer) -> list[int]:
    return [int(payload) for _, payload in server.received]


def test_newest_first_when_that_is_set(spool: Spool) -> None:
    with pytest.raises(SettingsError, match="order"):
        Forwarder(spool, "mqtt://nowhere", client_id="gw1", order="random")  # type: ignore[arg-type]
    spool.put_many(payloads(300))
    with AnsweringServer() as server, forwarder(spool, server, order="newest", window=10) as sender:
        assert sender.drain(20)
        assert numbers_of(server) == list(range(299, -1, -1))


def test_what_comes_meanwhile_goes_before_the_backlog(spool: Spool) -> None:
    spool.put_many(payloads(500))
    gate = threading.Event()

    def answer(n: int, _topic: str, _payload: bytes) -> int:
        if n == 20:
            gate.wait(20)
        return 0

    with AnsweringServer(answer) as server, forwarder(spool, server, order="newest", window=4) as sender:
        wait_until(lambda: len(server.received) >= 20, 20)
        sender.put_many(payloads(3, start=900))
        gate.set()
        assert sender.drain(30)
        numbers = numbers_of(server)
    assert sorted(numbers) == [*range(500), 900, 901, 902]
    assert numbers.index(900) < 100, "before most of the backlog"
    assert numbers.index(902) < numbers.index(900)


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_a_cut_or_a_later_leaves_nothing_behind_in_either_order(spool: Spool, order: str) -> None:
    spool.put_many(payloads(400))

    def answer(n: int, _topic: str, _payload: bytes) -> int | str:
        return CUT if n % 97 == 96 else 0x97 if n % 41 == 40 else 0

    with AnsweringServer(answer) as server, forwarder(spool, server, order=order) as sender:
        assert sender.drain(60)
        assert {int(payload) for payload in server.acknowledged} == set(range(400))
        assert sender.counts.postponed


def test_a_receipt_confirms_and_a_puback_alone_does_not(spool: Spool) -> None:
    """As through a broker: it acknowledges at once, the server's receipt comes or doesn't."""
    lost = {3, 5}

    def receipt(seq: int) -> bool:
        if seq in lost:
            lost.discard(seq)
            return False
        return True

    with (
        AnsweringServer(receipt=receipt) as server,
        forwarder(spool, server, confirm="receipt", receipt_timeout_s=0.3) as sender,
    ):
        for number in range(1, 8):
            own = number == 7
            sender.put(
                TOPIC,
                b'{"seq": "own", "at": 1, "values": {}}' if own else b' {"at": 1, "values": {"a/b": 1.10}}',
            )
        assert sender.drain(30)
        sent = [payload for _, payload in server.received]
        assert sender.counts.postponed == 2
    assert sent.count(b'{"seq": "own", "at": 1, "values": {}}') == 1
    plain = [payload for payload in sent if b"own" not in payload]
    assert sorted(plain) == sorted(
        b'{"seq":%d,"at": 1, "values": {"a/b": 1.10}}' % number for number in (1, 2, 3, 3, 4, 5, 5, 6)
    )


@pytest.mark.parametrize("payload", [b"12.5", b"[]", b"{", b'{"seq": 1.5}', b'{"seq": true}', b"[" * 100_000])
def test_what_can_have_no_receipt_is_set_aside_with_its_reason(spool: Spool, payload: bytes) -> None:
    with AnsweringServer() as server, forwarder(spool, server, confirm="receipt") as sender:
        sender.put(TOPIC, payload)
        sender.put("carbon/v1/91430304XT0000022B/gw1/E-01/kwh", b"12")
        assert sender.drain(20)
    assert server.received == []
    assert len(spool.refused()) == 2


WRITER = """
import sys, threading
from carbonmeter.forward import Forwarder, Spool
spool = Spool(sys.argv[1])
with Forwarder(spool, sys.argv[2], client_id="gw1", backoff_s=(0.01, 0.05)) as sender:
    start = int(spool.note("next") or 0)
    for number in range(start, 100_000):
        last = spool.put_many([("t", b"%d" % number)], notes={"next": str(number + 1)})
        sender.put_many([])
        print(number, flush=True)
"""


def test_kill_9_of_the_gateway_loses_nothing_it_had_put(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    put: set[int] = set()
    with AnsweringServer(lambda n, _topic, _payload: CUT if n % 50 == 49 else 0) as server:
        for _ in range(4):
            process = subprocess.Popen(
                [sys.executable, "-c", WRITER, str(path), server.url], stdout=subprocess.PIPE, text=True
            )
            assert process.stdout is not None
            for _ in range(60):
                put.add(int(process.stdout.readline()))
            process.send_signal(signal.SIGKILL)
            put |= {int(line) for line in process.stdout.read().split("\n")[:-1]}
            process.stdout.close()
            process.wait()
        spool = Spool(path)
        with forwarder(spool, server) as sender:
            assert sender.drain(20)
        assert put <= {int(payload) for payload in server.acknowledged}
        assert len(put) >= 240
        spool.close()


@pytest.mark.broker
@pytest.mark.parametrize("protocol", [4, 5])
def test_a_killed_broker_gets_everything(tmp_path: Path, mosquitto: Mosquitto, protocol: int) -> None:
    heard: set[int] = set()
    spool, ears = Spool(tmp_path / "spool.sqlite"), Spool(tmp_path / "ears.sqlite")
    listener = Forwarder(
        ears,
        mosquitto.url,
        client_id="listener",
        backoff_s=(0.01, 0.05),
        subscriptions=["t"],
        on_message=lambda _topic, payload: heard.add(int(payload)),
    )
    try:
        options = {"client_id": "gw1", "backoff_s": (0.01, 0.05), "protocol": protocol, "window": 10}
        with listener, Forwarder(spool, mosquitto.url, **options) as sender:  # type: ignore[arg-type]
            wait_until(lambda: listener.counts.connections == 1)
            time.sleep(0.2)
            sender.put_many([("t", b"%d" % number) for number in range(3_000)])
            wait_until(lambda: sender.counts.acknowledged > 100)
            mosquitto.stop(signal.SIGKILL)
            time.sleep(0.1)
            mosquitto.start()
            assert sender.drain(30)
            if (
                protocol == 5
            ):  # 3.1.1 can't tell that nobody listens: then a broker drops what it acknowledges
                wait_until(lambda: len(heard) >= 2_900)
    finally:
        spool.close()
        ears.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://host", Address("host", 1883, False, None, None)),
        ("mqtts://host", Address("host", 8883, True, None, None)),
        ("127.0.0.1:2000", Address("127.0.0.1", 2000, False, None, None)),
        ("mqtt://a:p%40ss@[::1]:9", Address("::1", 9, False, "a", "p@ss")),
    ],
)
def test_addresses(url: str, expected: Address) -> None:
    assert Address.parse(url) == expected


@pytest.mark.parametrize("url", ["http://host", "mqtt://", "mqtt://host:abc", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="MQTT URL"):
        Address.parse(url)
