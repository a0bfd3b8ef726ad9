"""Fuzzes the endpoint's reading of MQTT with atheris: `python -m tests.fuzz.mqtt_packet --seconds 30 [FOLDER]`.

Bytes go through a whole connection, cut in two ways that must give the same answers, and through the header of PROXY
protocol. Whatever the bytes, there is no exception and no byte of an unfinished packet is forgotten in the accounts.
FOLDER keeps what was found worth keeping between runs. Ends with the number of executions; exit code 0 where nothing
was found.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ingest.connection", "ingest.mqtt_packet", "ingest.proxy_protocol"]):
    from ingest.proxy_protocol import SIGNATURE, ProxyHeaderError, read_header
    from tests.ingest.test_fragmentation import fed

from tests.ingest.beds import connect_packet, publish_packet, subscribe_packet

BEGINNINGS = (b"", connect_packet(version=4), connect_packet(version=5))
SEEDS = (
    b"\x00" + connect_packet(password="key", will=("a/b", b"gone"), properties=b"\x11\x00\x00\x00\x3c"),
    b"\x01" + publish_packet(b"1", version=4) + b"\x62\x02\x00\x01\xc0\x00",
    b"\x02" + publish_packet(b"1", qos=2, properties=b"\x26\x00\x01a\x00\x01b") + b"\x62\x02\x00\x01",
    b"\x02" + subscribe_packet("#") + b"\xa2\x08\x00\x02\x00\x00\x03a/b" + b"\xe0\x02\x00\x00",
    b"\x03" + SIGNATURE + b"\x21\x11\x00\x0c" + bytes(12),
)


def one_input(data: bytes) -> None:
    if not data:
        return
    kind, rest = data[0] % 4, data[1:]
    if kind == 3:
        with contextlib.suppress(ProxyHeaderError):
            found = read_header(rest)
            assert found is None or 16 <= found[0] <= len(rest)
        return
    stream = BEGINNINGS[kind] + rest
    middle = data[0] * len(stream) // 256
    assert fed([stream]) == fed([stream[:middle], stream[middle:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30, help="how long (30)")
    parser.add_argument("folder", nargs="?", help="inputs of earlier runs, and where new ones go")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    folder = Path(given.folder or tempfile.mkdtemp(prefix="mqtt-packet-"))
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (folder / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={given.seconds}", "-max_len=512", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, str(folder)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
