"""The evidence log over a database: every batch in the order of commits, without a gap, and proofs of all of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import psycopg
import pytest

from domain import merkle
from domain.errors import Refused
from domain.evidence import verify_proof
from domain.signing import Ed25519Signer
from storage import accounts, evidence, partitions, readings, signing_keys
from storage.database import Connection
from storage.readings import Delta
from tests.servers import Database, DatabaseServer

START_US = 1_704_038_400_000_000
USCC = "91430300MA4L0DEM8M"


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.connect(autocommit=True) as conn:
        with conn.transaction():
            partitions.ensure(conn, START_US, START_US + 86_400_000_000)
        yield conn


def commit_batch(conn: Connection, rows: int, *, value: int = 1) -> int:
    """A batch as ingest writes it; its id."""
    with conn.transaction():
        gateway = accounts.gateway_ids(conn, [(USCC, "gw1")])[USCC, "gw1"]
    with conn.transaction():
        batch_id, version = readings.open_batch(conn)
        log = np.zeros(rows, readings.READING_DTYPE)
        log["measured_at"] = START_US + np.arange(rows)[::-1] * 1_000_000
        log["channel_id"] = np.arange(rows) % 3
        log["gateway_id"], log["batch_id"], log["mantissa"] = gateway, batch_id, value
        if rows:
            readings.copy_rows(conn, log)
        delta = Delta(received=rows + 1, stored=rows, held=1)
        readings.insert_batch(conn, batch_id, "arrival", None, version, log["measured_at"], {gateway: delta})
    return batch_id


def append_all(conn: Connection, **limits: int) -> None:
    while evidence.append(conn, **limits).is_more:
        pass


def leaves(conn: Connection) -> list[evidence.Leaf]:
    return [leaf for page in evidence.pages(conn) for leaf in page.leaves]


def test_leaves_follow_the_commits_and_prove_themselves(conn: Connection) -> None:
    signer = Ed25519Signer.new()
    ids = []
    for place in range(12):
        ids.append(commit_batch(conn, place))
        if place == 4:
            with conn.transaction():
                evidence.submit(conn, "close", "2024-01", b'{"month":"2024-01"}')
    append_all(conn, rows_max=9, batches_max=3)
    found = leaves(conn)
    assert [(leaf.kind, leaf.reference) for leaf in found] == [
        *(("batch", str(id_)) for id_ in ids[:5]),
        ("close", "2024-01"),
        *(("batch", str(id_)) for id_ in ids[5:]),
    ]
    assert [leaf.number for leaf in found] == list(range(13))
    with conn.transaction():
        signed = evidence.sign(conn, signer)
    assert signed is not None
    assert evidence.sign(conn, signer) is None  # nothing new
    assert [known.key for known in signing_keys.every(conn)] == [signer.key]
    trusted = [(evidence.origin(conn), signer.key)]
    for leaf in found:
        assert leaf.hash == merkle.leaf_hash(leaf.content or b"")
        verify_proof(evidence.inclusion(conn, leaf, signed), trusted, leaf.content)
    for first in range(1, 14):
        verify_proof(evidence.consistency(conn, first, signed), trusted)


def test_a_large_log_is_kept_by_its_subtrees(conn: Connection) -> None:
    """More leaves than a tile of the tree has, in pieces of every size."""
    hashes: list[bytes] = []
    for step in (1, 254, 2, 300, 7):
        for place in range(step):
            evidence.submit(conn, "grade", f"{len(hashes)}-{place}", b'{"grade":%d}' % (len(hashes) + place))
        hashes += [merkle.leaf_hash(b'{"grade":%d}' % (len(hashes) + place)) for place in range(step)]
        assert evidence.append(conn).leaves == step

    def node(level: int, index: int) -> bytes:
        return merkle.fold(hashes[index << level : (index + 1) << level])

    assert evidence.size(conn) == len(hashes) == 564
    for size in (1, 255, 256, 257, 511, 512, 513, 564):
        assert evidence.root(conn, size) == merkle.root(size, node)
    assert [(level, index) for level, index, _ in evidence.nodes(conn)] == [(8, 0), (8, 1)]
    with conn.transaction():
        signed = evidence.sign(conn, Ed25519Signer.new())
    assert signed is not None
    for index in (0, 255, 256, 563):
        leaf = evidence.leaf(conn, index)
        assert leaf is not None
        verify_proof(evidence.inclusion(conn, leaf, signed))


def test_two_that_append_at_once_leave_no_gap(conn: Connection, database: Database) -> None:
    stop = threading.Event()

    def append() -> None:
        with database.connect(autocommit=True) as mine:
            while not stop.is_set():
                evidence.append(mine, batches_max=2)

    threads = [threading.Thread(target=append) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        ids = [commit_batch(conn, 2) for _ in range(30)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    append_all(conn)
    assert [leaf.reference for leaf in leaves(conn)] == [str(id_) for id_ in ids]
    assert evidence.batches_without_leaf(conn) == []


def test_a_submission_that_is_rolled_back_has_no_leaf(conn: Connection) -> None:
    with conn.transaction(force_rollback=True):
        evidence.submit(conn, "grade", "1", b"{}")
    assert evidence.append(conn).leaves == 0


def test_leaves_and_checkpoints_stay(conn: Connection) -> None:
    commit_batch(conn, 1)
    append_all(conn)
    evidence.sign(conn, Ed25519Signer.new())
    for table in ("evidence_leaves", "evidence_records", "evidence_checkpoints"):
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            with pytest.raises(psycopg.errors.RaiseException):
                conn.execute(statement.encode())


def test_a_log_that_lost_a_hash_says_so(plain_server: DatabaseServer) -> None:
    with plain_server.database() as database, database.connect(autocommit=True) as conn:
        for place in range(3):
            evidence.submit(conn, "grade", str(place), b"{}")
        evidence.append(conn)
        for table in ("evidence_leaves", "evidence_records"):
            conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
            conn.execute(
                f"DELETE FROM {table} WHERE leaf_index = 1".encode()
            ) if table != "evidence_leaves" else None
        conn.execute("DELETE FROM evidence_leaves WHERE leaf_index = 1")
        with pytest.raises(Refused, match="tampered"):
            evidence.root(conn, 3)
