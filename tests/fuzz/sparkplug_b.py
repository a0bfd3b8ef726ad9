"""Fuzzes the reading of Sparkplug B with atheris: `python -m tests.fuzz.sparkplug_b --seconds 30 [FOLDER]`.

Whatever the bytes, there are metrics or one DecodeError, and what we find is what the protobuf library finds; a payload
that is completed by a birth certificate stays as long as it was, metric by metric. FOLDER keeps what was found worth
keeping between runs. Exit code 0 where nothing was found.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ingest.decode.sparkplug_b_v1"]):
    from ingest.decode.sparkplug_b_v1 import Metric, Table, items, named, read_payload
    from ingest.sparkplug.session import EdgeNode

from google.protobuf.message import DecodeError as ProtobufError

from domain.errors import DecodeError
from tests.ingest.beds import NOW_US
from tests.ingest.sparkplug_bed import Node, Payload
from tests.ingest.test_sparkplug_payload import message

TABLE = Table([Metric("kwh", alias, datatype=datatype) for alias, datatype in ((1, 10), (2, 3), (3, 8))])
KINDS = ("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH")


def one_input(data: bytes) -> None:
    if not data:
        return
    kind, data = KINDS[data[0] % len(KINDS)], data[1:]
    try:
        payload = read_payload(data)
    except DecodeError:
        return
    list(items(payload, message(), None, is_birth=False))
    completed = named(read_payload(data), TABLE)
    assert len(completed.metrics) == len(payload.metrics)
    assert [(each.name, each.datatype) for each in read_payload(completed.data).metrics] == [
        (each.name, each.datatype) for each in completed.metrics
    ]
    list(items(completed, message(), None, is_birth=True))
    session = EdgeNode()
    for each in (kind, "NBIRTH", kind, kind):
        session.take(each, "D" if each[0] == "D" else None, payload, NOW_US)
        session.poll(0.0, 1.0, 1.0)
    theirs = Payload()
    try:
        theirs.ParseFromString(data)
    except ProtobufError:
        return  # it looks into what is nothing to us: templates, data sets
    assert len(theirs.metrics) == len(payload.metrics)
    assert (theirs.seq if theirs.HasField("seq") else None) == payload.seq
    for ours, other in zip(payload.metrics, theirs.metrics, strict=True):
        assert ours.alias == (other.alias if other.HasField("alias") else None)
        assert ours.datatype & 0xFFFF_FFFF == other.datatype
        assert (ours.name is not None or ours.has_bad_name) == other.HasField("name")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30, help="how long (30)")
    parser.add_argument("folder", nargs="?", help="inputs of earlier runs, and where new ones go")
    given = parser.parse_args()
    folder = Path(given.folder or tempfile.mkdtemp(prefix="sparkplug-b-"))
    folder.mkdir(parents=True, exist_ok=True)
    node = Node()
    for number, (_, data) in enumerate(
        (node.birth({"kwh": 1}), node.device_birth("D", {"kwh": 2}), node.data("D", {2: 1.5}), node.death())
    ):
        (folder / f"seed-{number}").write_bytes(bytes((number,)) + data)
    options = [f"-max_total_time={given.seconds}", "-max_len=512", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, str(folder)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
