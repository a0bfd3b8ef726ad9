"""HJ 212: the published checksum, frames however they are cut, quality letters, and a logger over a real connection."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import DecodeError, FaultyDocument, RejectReason
from domain.interval import HOUR_US, parse_time
from ingest.decode.decoder import Message
from ingest.decode.hj212_v2017 import checksum, read_frame
from ingest.decode.wire import Flaw, WireReading
from ingest.formats import Formats, rules_of
from ingest.hj212 import Frames, answer_to
from ingest.settings import Hj212Settings
from tests.ingest.beds import USCC, Running, account_of, channel, enterprise, import_document, running
from tests.servers import Database, wait_for

PUBLISHED = (
    b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
)
RULE = {"topic": "hj212/{mn}", "format": "hj212", "uscc": USCC, "gateway": "{mn}"}


def frame(data: bytes) -> bytes:
    """Written from the standard, bit by bit, not from our table."""
    register = 0xFFFF
    for byte in data:
        register = register >> 8 ^ byte
        for _ in range(8):
            low = register & 1
            register >>= 1
            if low:
                register ^= 0xA001
    return b"##" + str(len(data)).zfill(4).encode() + data + f"{register:04X}".encode() + b"\r\n"


def report(
    at: str = "20240501080000", cn: int = 2011, mn: str = "CEMS01", flag: int = 5, **items: Any
) -> bytes:
    body = f"DataTime={at};" + ";".join(
        f"{code}-{'Rtd' if cn == 2011 else 'Cou'}={value},{code}-Flag={letter}"
        for code, (value, letter) in items.items()
    )
    return frame(f"QN=20240501080003000;ST=31;CN={cn};PW=123456;MN={mn};Flag={flag};CP=&&{body}&&".encode())


def items_of(
    payload: bytes, zone_offset_us: int | None = None, **rule: Any
) -> list[WireReading | Flaw | None]:
    found = Formats(rules_of(json.dumps([{**RULE, **rule}]))).find(b"hj212/CEMS01")
    assert found is not None
    assert found.decoder is not None
    message = Message(payload, "hj212/CEMS01", found.levels, found.names("CEMS01"), zone_offset_us, 0)
    return [item for wire in found.decoder.read(message) for item in wire.items]


def test_the_published_checksum():
    assert len(PUBLISHED) == 101
    assert f"{checksum(PUBLISHED):04X}" == "1C80"
    assert frame(PUBLISHED).endswith(b"1C80\r\n")


@given(st.binary(max_size=200))
def test_the_table_gives_what_the_bits_give(data: bytes):
    assert frame(data)[-6:-2] == f"{checksum(data):04X}".encode()


def test_values_now_with_their_letters():
    payload = report(a00000=("81250.50", "N"), a05001=("96310", "M"), a01012=("-5.2", "N"))
    at = parse_time("2024-05-01T08:00:00+08:00", None)
    assert at is not None
    assert items_of(payload) == [
        WireReading("CEMS01", "a00000-Rtd", at, 8125050, -2, 0),
        WireReading("CEMS01", "a05001-Rtd", at, 96310, 0, 2),
        WireReading("CEMS01", "a01012-Rtd", at, -52, -1, 0),
    ]
    utc = items_of(payload, zone_offset_us=0)[0]
    assert isinstance(utc, WireReading)
    assert utc.at_us == at + 8 * HOUR_US


@pytest.mark.parametrize(
    ("cn", "suffix", "shift_s"), [(2051, "minute", 600), (2061, "hour", 3_600), (2031, "day", 86_400)]
)
def test_amounts_of_a_period_are_stamped_at_its_end(cn: int, suffix: str, shift_s: int):
    payload = report(cn=cn, a00000=("12.5", "N"))
    begin = parse_time("2024-05-01T08:00:00+08:00", None)
    assert begin is not None
    (reading,) = items_of(payload)
    assert reading == WireReading("CEMS01", f"a00000-Cou.{suffix}", begin + shift_s * 1_000_000, 125, -1, 0)
    (at_end,) = items_of(payload, stamps="end")
    assert isinstance(at_end, WireReading)
    assert at_end.at_us == begin
    (longer,) = items_of(payload, minute_length_s=900)
    assert isinstance(longer, WireReading)
    assert longer.at_us == begin + (900 if cn == 2051 else shift_s) * 1_000_000


def test_items_that_the_rule_names():
    payload = report(a00000=("1", "N"))
    (reading,) = items_of(payload, names={"CEMS01/a00000-Rtd": "STACK/flow"})
    assert isinstance(reading, WireReading)
    assert (reading.meter, reading.channel) == ("STACK", "flow")
    assert items_of(payload, items=["Avg"]) == []
    assert items_of(frame(PUBLISHED)) == []  # a command without readings


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "no frame"),
        (b"##0101" + PUBLISHED + b"1C80", "no frame"),
        (b"##0102" + PUBLISHED + b"1C80\r\n", "tells 102 characters of data, it has 101"),
        (b"##0101" + PUBLISHED + b"1C81\r\n", "checksum is 1C81, that of its data is 1C80"),
        (frame(b"QN=1;CN=2011;CP=&&&&"), "no data segment"),
        (frame(b"QN=1;CN=2011;MN=a;CP=&&a"), "no data segment"),
        (frame(b"CN=123456789;MN=a;CP=&&&&"), "more than 8 digits"),
    ],
)
def test_what_is_no_frame_is_refused_with_the_reason(payload: bytes, why: str):
    with pytest.raises(DecodeError, match=why) as caught:
        items_of(payload)
    assert caught.value.reason is RejectReason.BAD_PAYLOAD


def test_another_password_is_refused():
    payload = report(a00000=("1", "N"))
    assert len(items_of(payload, password="123456")) == 1
    with pytest.raises(DecodeError) as caught:
        items_of(payload, password="654321")
    assert caught.value.reason is RejectReason.NOT_AUTHORIZED
    assert "654321" not in str(caught.value)


def test_a_time_that_is_none():
    (flaw,) = items_of(report("20241301000000", a00000=("1", "N")))
    assert isinstance(flaw, Flaw)
    assert flaw.detail == 'DataTime is "20241301000000", expected YYYYMMDDhhmmss'
    (missing,) = items_of(frame(b"CN=2011;MN=a;CP=&&a00000-Rtd=1&&"))
    assert isinstance(missing, Flaw)
    assert missing.reason is RejectReason.BAD_TIME


def test_faults_of_a_rule_are_told_together():
    with pytest.raises(FaultyDocument) as caught:
        items_of(b"", items=[], stamps="middle", minute_length_s=5, password="")
    places = [fault.place for fault in caught.value.faults]
    assert places == ["[0].items", "[0].stamps", "[0].minute_length_s", "[0].password"]


@given(st.one_of(st.binary(max_size=120), st.binary(max_size=80).map(frame)))
def test_any_bytes_give_readings_or_one_refusal(payload: bytes):
    try:
        items = items_of(payload)
    except DecodeError:
        return
    assert all(item is None or isinstance(item, WireReading | Flaw) for item in items)


@given(st.data())
def test_frames_come_out_however_the_stream_is_cut(data: st.DataObject):
    pieces = data.draw(
        st.lists(
            st.one_of(st.just(frame(PUBLISHED)), st.binary(max_size=30).map(frame), st.just(b"\r\n")),
            max_size=6,
        )
    )
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames = Frames()
    found = [
        each
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for each in frames.feed(stream[start:end])
    ]
    assert found == [piece for piece in pieces if piece != b"\r\n"]


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_garbage_between_frames_is_handed_out_and_never_eats_the_next_frame(pieces: list[bytes]):
    frames = Frames()
    for piece in pieces:
        for garbage in frames.feed(piece.replace(b"#", b"")):
            assert garbage
    assert frames.feed(frame(PUBLISHED))[-1] == frame(PUBLISHED)


def test_an_answer_is_a_frame_itself():
    segment = read_frame(answer_to(read_frame(frame(PUBLISHED))))
    assert segment.command == 9014
    assert segment.fields == {
        "QN": "20160801085857223",
        "ST": "91",
        "CN": "9014",
        "PW": "100000",
        "MN": "010000A8900016F000169DC0",
        "Flag": "4",
    }


# Over a connection


@pytest.fixture
def listening(plain_database: Database) -> Iterator[Running]:
    flow = channel("a00000-Rtd", "rate", quantity="other", unit="nm3/h")
    co2 = channel("a05001-Rtd", "rate", quantity="concentration", unit="mg/m3")
    with plain_database.connect() as conn:
        import_document(
            conn, {"enterprises": [enterprise(USCC, {"CEMS01": [flow, co2]}, [{"id": "CEMS01"}])]}
        )
    with running(plain_database, hj212=Hj212Settings(port=0), formats=rules_of(json.dumps([RULE]))) as server:
        yield server


def recent_report(minutes_ago: int, **more: Any) -> bytes:
    at = datetime.now(UTC) + timedelta(hours=8, minutes=-minutes_ago)
    return report(
        f"{at:%Y%m%d%H%M}00", a00000=(str(80_000 + minutes_ago), "N"), a05001=("96310", "N"), **more
    )


def test_a_logger_is_answered_once_its_report_is_committed(listening: Running):
    assert listening.ingest.hj212 is not None
    with socket.create_connection(("127.0.0.1", listening.ingest.hj212.port), 30) as logger:
        logger.settimeout(30)
        payloads = [recent_report(minutes) for minutes in range(20, 0, -1)]
        stream = b"".join(payloads)
        for start in range(0, len(stream), 97):
            logger.sendall(stream[start : start + 97])
        answers = b""
        while answers.count(b"CN=9014") < 20:
            answers += logger.recv(4096)
        assert account_of(listening.database, "CEMS01").stored == 40
        logger.sendall(recent_report(30, flag=4))  # wants no answer
        wait_for(lambda: account_of(listening.database, "CEMS01").stored == 42)


def test_what_a_logger_garbles_is_a_dead_letter(listening: Running):
    assert listening.ingest.hj212 is not None
    with socket.create_connection(("127.0.0.1", listening.ingest.hj212.port), 30) as logger:
        logger.settimeout(30)
        garbled = recent_report(5).replace(b"a05001-Rtd=9", b"a05001-Rtd=8", 1)
        logger.sendall(garbled + b"what\r\n" + recent_report(4, mn="STRANGER") + recent_report(3))
        # what is committed is answered, whatever became of it; who asked can't be told where it is garbled
        answers = b""
        while answers.count(b"CN=9014") < 2:
            answers += logger.recv(4096)
        assert [b"MN=" + name + b";" in answers for name in (b"STRANGER", b"CEMS01")] == [True, True]
        assert answers.count(b"##") == 2
        wait_for(lambda: account_of(listening.database, "CEMS01").received == 3)
    found = account_of(listening.database, "CEMS01")
    assert (found.stored, found.rejected) == (2, 1)
    with listening.database.connect() as conn:
        letters = conn.execute("SELECT topic, reason FROM dead_letters ORDER BY topic, reason").fetchall()
    assert letters == [
        (b"hj212/CEMS01", "bad_payload"),
        (b"hj212/STRANGER", "unknown_gateway"),
        (b"hj212/unknown", "unknown_gateway"),
    ]
