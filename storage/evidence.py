"""The evidence log: leaves appended in the order of commits, the hashes that proofs are made of, signed checkpoints.

One transaction appends (`append`, under an advisory lock), so that leaves are numbered without a gap. Batches become
visible in the order of their commit_no; what is submitted by others (`submit`) gets its leaf after every batch that it
could have seen. Nothing here is in the way of ingest: it reads what is committed.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from domain import merkle
from domain.evidence import (
    PROOF_FORMAT,
    BatchRow,
    Checkpoint,
    batch_content,
    readings_digest,
    sign_checkpoint,
)
from domain.interval import from_us, to_us
from domain.ledger import LOGGED_READING
from domain.signing import Signer
from storage import signing_keys
from storage.binary_copy import copy_out
from storage.database import EVIDENCE_LOCK, Connection

TILE = 8  # levels of the tree between two that are kept
PAGE_ROWS = 200_000  # log rows read at once: some 15 MB
PAGE_BATCHES = 500


class Appended(NamedTuple):
    """What a call of `append` did. `is_more`: batches were left for the next."""

    leaves: int
    readings: int
    is_more: bool


class Leaf(NamedTuple):
    """A leaf with what it is the hash of; that is None to those who may not read it.

    uscc  whose record it is; None: no enterprise's
    """

    number: int
    hash: bytes
    kind: str | None
    reference: str | None
    content: bytes | None
    uscc: str | None


class Signed(NamedTuple):
    """A checkpoint as it was published."""

    size: int
    root: bytes
    signed_at: datetime
    key_id: str
    note: str


class Pending(NamedTuple):
    """What waits for its leaf."""

    id: int
    kind: str
    reference: str
    enterprise_id: int | None
    content: bytes
    after_commit_no: int


def submit(
    conn: Connection, kind: str, reference: str, content: bytes, enterprise_id: int | None = None
) -> None:
    """Have a record be a leaf, once the caller's transaction is committed: each submission becomes one leaf.

    content        canonical bytes (`domain.evidence.canonical`), which only tenants of the enterprise may read
    enterprise_id  None: the content names none, and everybody may
    """
    conn.execute(
        """INSERT INTO evidence_pending (kind, reference, enterprise_id, content, after_commit_no)
           SELECT %s, %s, %s, %s, coalesce(max(commit_no), 0) FROM batches""",
        [kind, reference, enterprise_id, content],
    )


# -- appending ----------------------------------------------------------------------------------------


def append(conn: Connection, rows_max: int = PAGE_ROWS, batches_max: int = PAGE_BATCHES) -> Appended:
    """Give the next batches, and what waits, their leaves, in one transaction; nothing where another process does."""
    with conn.transaction():
        if conn.execute("SELECT pg_try_advisory_xact_lock(%s)", [EVIDENCE_LOCK]).fetchone() != (True,):
            return Appended(0, 0, False)
        row = conn.execute("SELECT size, commit_no FROM evidence_log").fetchone()
        assert row is not None
        size, commit_no = row
        # What waits is looked at first: every batch that it could have seen is visible to what is read next.
        waiting = _waiting(conn)
        batches, is_more = _next_batches(conn, commit_no, rows_max, batches_max)
        reached = batches[-1].commit_no if batches else commit_no
        due = [each for each in waiting if each.after_commit_no <= reached]
        leaves = _leaves(batches, _digests(conn, batches), due)
        if leaves:
            _write(conn, size, leaves)
            conn.execute("DELETE FROM evidence_pending WHERE id = ANY(%s)", [[each.id for each in due]])
            conn.execute("UPDATE evidence_log SET size = %s, commit_no = %s", [size + len(leaves), reached])
        return Appended(len(leaves), sum(batch.rows for batch in batches), is_more)


class _NewLeaf(NamedTuple):
    kind: str
    reference: str
    enterprise_id: int | None
    content: bytes


def _leaves(batches: Sequence[BatchRow], digests: dict[int, bytes], due: Sequence[Pending]) -> list[_NewLeaf]:
    """In the order of commits: what waits comes after the last batch that it could have seen."""
    found = [
        (batch.commit_no, 0, _NewLeaf("batch", str(batch.id), None, batch_content(batch, digests[batch.id])))
        for batch in batches
    ]
    found += [
        (each.after_commit_no, each.id, _NewLeaf(each.kind, each.reference, each.enterprise_id, each.content))
        for each in due
    ]
    return [leaf for _, _, leaf in sorted(found, key=lambda each: each[:2])]


def _write(conn: Connection, size: int, leaves: Sequence[_NewLeaf]) -> None:
    with conn.cursor() as cursor:
        with cursor.copy("COPY evidence_leaves (leaf_index, hash) FROM STDIN") as copy:
            for index, leaf in enumerate(leaves, size):
                copy.write_row((index, merkle.leaf_hash(leaf.content)))
        with cursor.copy(
            "COPY evidence_records (leaf_index, kind, reference, enterprise_id, content) FROM STDIN"
        ) as copy:
            for index, leaf in enumerate(leaves, size):
                copy.write_row((index, *leaf))
    end = size + len(leaves)
    level = TILE
    while end >> level:
        for index in range(size >> level, end >> level):
            hash_ = merkle.fold(_children(conn, level, index, TILE))
            conn.execute(
                "INSERT INTO evidence_nodes (level, node_index, hash) VALUES (%s, %s, %s)",
                [level, index, hash_],
            )
        level += TILE


def _waiting(conn: Connection) -> list[Pending]:
    rows = conn.execute(
        """SELECT id, kind, reference, enterprise_id, content, after_commit_no FROM evidence_pending
           ORDER BY after_commit_no, id LIMIT 1000"""
    )
    return [Pending(*row) for row in rows]


_BATCH = """
    SELECT id, commit_no, committed_at, cause, by_whom, registry_version, rows, min_measured_us, max_measured_us,
           (SELECT coalesce(array_agg(uscc || '/' || gateway ORDER BY place), '{}')
            FROM unnest(gateway_ids) WITH ORDINALITY AS listed (id, place)
            LEFT JOIN gateways ON gateways.id = listed.id),
           received, stored, held, rejected
    FROM batches
"""


def _batch(row: Sequence[Any]) -> BatchRow:
    id_, commit_no, committed_at, cause, by_whom, version, rows, first, last, names, *counts = row
    gateways = list(zip(names, *counts, strict=True))
    return BatchRow(id_, commit_no, to_us(committed_at), cause, by_whom, version, rows, first, last, gateways)


def _next_batches(
    conn: Connection, commit_no: int, rows_max: int, batches_max: int
) -> tuple[list[BatchRow], bool]:
    """The next batches by commit_no, at least one where there is any; and whether there are more."""
    rows = conn.execute(
        f"{_BATCH} WHERE commit_no > %s ORDER BY commit_no LIMIT %s", [commit_no, batches_max + 1]
    ).fetchall()
    batches: list[BatchRow] = []
    total = 0
    for row in rows[:batches_max]:
        batch = _batch(row)
        if batches and total + batch.rows > rows_max:
            break
        total += batch.rows
        batches.append(batch)
    return batches, len(rows) > len(batches)


_LOGGED = [
    *(("at", "timestamptz", 0), ("channel", "int4", 0), ("gateway", "int4", 0), ("batch", "int8", 0)),
    *(("mantissa", "int8", 0), ("exponent", "int2", 0), ("revision", "int2", 0)),
    *(("quality", "int2", 0), ("flags", "int2", 0)),
]


def _logged(conn: Connection, batches: Sequence[BatchRow], *, anywhere: bool) -> npt.NDArray[Any]:
    """The rows of the log that bear the ids of these batches, LOGGED_READING (n,).

    anywhere  also outside the stretch of time that the batches say, which lets partitions be left out: a row that was
              moved is found all the same
    """
    stretches = [(batch.first_us, batch.last_us) for batch in batches]
    first = min((first for first, _ in stretches if first is not None), default=None)
    last = max((last for _, last in stretches if last is not None), default=None)
    if not batches or (first is None and not anywhere):
        return np.empty(0, LOGGED_READING)
    ids = [batch.id for batch in batches]
    bounds = [] if anywhere or first is None or last is None else [from_us(first), from_us(last)]
    rows = copy_out(
        conn.cursor(),
        f"""SELECT measured_at, channel_id, gateway_id, batch_id, mantissa, exponent, revision, quality, flags
            FROM readings WHERE batch_id BETWEEN %s AND %s AND batch_id = ANY(%s)
            {"AND measured_at BETWEEN %s AND %s" if bounds else ""}""",
        _LOGGED,
        [min(ids), max(ids), ids, *bounds],
    )
    return rows.astype(LOGGED_READING, copy=False)


def _digests(conn: Connection, batches: Sequence[BatchRow], *, anywhere: bool = False) -> dict[int, bytes]:
    """The digest of each batch's rows in the log, by its id."""
    rows = _logged(conn, batches, anywhere=anywhere)
    rows = rows[np.argsort(rows["batch"], kind="stable")]
    ids = np.array([batch.id for batch in batches], np.int64)
    starts = np.searchsorted(rows["batch"], ids, "left").tolist()
    ends = np.searchsorted(rows["batch"], ids, "right").tolist()
    return {
        batch.id: readings_digest(rows[start:end])
        for batch, start, end in zip(batches, starts, ends, strict=True)
    }


# -- the tree -----------------------------------------------------------------------------------------


def _children(conn: Connection, level: int, index: int, span: int) -> list[bytes]:
    """The hashes of the 2^span parts of a complete subtree, from the left. `level` − `span` is a multiple of TILE."""
    base, first = level - span, index << span
    query, key = (
        (
            "SELECT hash FROM evidence_leaves WHERE leaf_index >= %s AND leaf_index < %s ORDER BY leaf_index",
            [],
        )
        if base == 0
        else (
            """SELECT hash FROM evidence_nodes WHERE level = %s AND node_index >= %s AND node_index < %s
               ORDER BY node_index""",
            [base],
        )
    )
    hashes = [bytes(hash_) for (hash_,) in conn.execute(query, [*key, first, first + (1 << span)])]
    if len(hashes) != 1 << span:
        raise merkle.BadProof(f"the log lacks hashes of level {base} from {first} on: it was tampered with")
    return hashes


def node_of(conn: Connection) -> merkle.Node:
    """The hash of any complete subtree of the log: at most 128 hashes are read for it."""

    def node(level: int, index: int) -> bytes:
        return merkle.fold(_children(conn, level, index, level % TILE))

    return node


def size(conn: Connection) -> int:
    row = conn.execute("SELECT size FROM evidence_log").fetchone()
    assert row is not None
    return int(row[0])


def root(conn: Connection, of_size: int) -> bytes:
    """The root of the log's first leaves."""
    return merkle.root(of_size, node_of(conn))


def restart(conn: Connection) -> str:
    """Give the log another name, under which it is another log: earlier checkpoints no longer bind it. The new name."""
    row = conn.execute(
        "UPDATE evidence_log SET origin = 'carbonmeter/' || replace(gen_random_uuid()::text, '-', '') RETURNING origin"
    ).fetchone()
    assert row is not None
    return str(row[0])


def origin(conn: Connection) -> str:
    """The log's name in its checkpoints."""
    row = conn.execute("SELECT origin FROM evidence_log").fetchone()
    assert row is not None
    return str(row[0])


# -- checkpoints --------------------------------------------------------------------------------------


def sign(conn: Connection, signer: Signer) -> Signed | None:
    """Sign the log as it is, unless the newest checkpoint is of that size already; the caller commits."""
    newest, leaves = checkpoint(conn), size(conn)
    if leaves == 0 or (newest is not None and newest.size >= leaves):
        return None
    signed = Checkpoint(origin(conn), leaves, merkle.root(leaves, node_of(conn)))
    note, key = sign_checkpoint(signed, signer)
    signing_keys.register(conn, key)
    conn.execute(
        """INSERT INTO evidence_checkpoints (size, root, signed_at, key_id, note)
           VALUES (%s, %s, clock_timestamp(), %s, %s) ON CONFLICT DO NOTHING""",
        [leaves, signed.root, key.key_id, note],
    )
    return checkpoint(conn, leaves)


def checkpoint(conn: Connection, of_size: int | None = None) -> Signed | None:
    """The checkpoint of a size, or the newest; None where there is none."""
    row = conn.execute(
        """SELECT size, root, signed_at, key_id, note FROM evidence_checkpoints
           WHERE %(size)s::bigint IS NULL OR size = %(size)s ORDER BY size DESC LIMIT 1""",
        {"size": of_size},
    ).fetchone()
    return None if row is None else Signed(*row)


def first_checkpoint_with(conn: Connection, leaf_index: int) -> Signed | None:
    """The oldest checkpoint that has a leaf."""
    row = conn.execute(
        """SELECT size, root, signed_at, key_id, note FROM evidence_checkpoints
           WHERE size > %s ORDER BY size LIMIT 1""",
        [leaf_index],
    ).fetchone()
    return None if row is None else Signed(*row)


# -- leaves and proofs --------------------------------------------------------------------------------

_LEAF = """SELECT l.leaf_index, l.hash, r.kind, r.reference, r.content, e.uscc
           FROM evidence_leaves l LEFT JOIN evidence_records r USING (leaf_index)
           LEFT JOIN enterprises e ON e.id = r.enterprise_id"""


def leaf(conn: Connection, index: int) -> Leaf | None:
    row = conn.execute(f"{_LEAF} WHERE l.leaf_index = %s", [index]).fetchone()
    return None if row is None else Leaf(*row)


def leaf_of(conn: Connection, kind: str, reference: str) -> Leaf | None:
    """The leaf of a record, by what its kind names it by; the first, where it was submitted again."""
    row = conn.execute(
        f"{_LEAF} WHERE r.kind = %s AND r.reference = %s ORDER BY leaf_index LIMIT 1", [kind, reference]
    ).fetchone()
    return None if row is None else Leaf(*row)


def _proof_document(conn: Connection, proof: Iterable[bytes], signed: Signed) -> dict[str, Any]:
    return {
        "format": PROOF_FORMAT,
        "proof": [base64.b64encode(each).decode() for each in proof],
        "checkpoint": signed.note,
        "keys": [known.key.as_dict() for known in signing_keys.every(conn)],
    }


def inclusion(conn: Connection, leaf: Leaf, signed: Signed) -> dict[str, Any]:
    """The proof that a leaf, whose content is known here, is under a checkpoint: `domain.evidence.verify_proof`."""
    assert leaf.content is not None
    proof = merkle.inclusion_proof(leaf.number, signed.size, node_of(conn))
    return {
        **_proof_document(conn, proof, signed),
        "leaf": {
            "index": leaf.number,
            "kind": leaf.kind,
            "reference": leaf.reference,
            "hash": leaf.hash.hex(),
            "content": leaf.content.decode(),
        },
    }


def consistency(conn: Connection, first: int, signed: Signed) -> dict[str, Any]:
    """The proof that the log under a checkpoint begins with its first `first` leaves."""
    node = node_of(conn)
    earlier = checkpoint(conn, first)
    return {
        **_proof_document(conn, merkle.consistency_proof(first, signed.size, node), signed),
        "first": {
            "size": first,
            "root": base64.b64encode(merkle.root(first, node)).decode(),
            "checkpoint": None if earlier is None else earlier.note,
        },
    }


# -- what `verify` compares ---------------------------------------------------------------------------


class LogPage(NamedTuple):
    """Consecutive leaves: their hashes, and of each its record and, of a batch, the content made from its row now."""

    leaves: list[Leaf]
    rebuilt: dict[int, bytes | None]  # by leaf index; None: the batch is no more


def pages(conn: Connection) -> Iterator[LogPage]:
    """The whole log, a page at a time."""
    after = -1
    while True:
        rows = conn.execute(
            f"{_LEAF} WHERE l.leaf_index > %s ORDER BY l.leaf_index LIMIT {PAGE_BATCHES}", [after]
        ).fetchall()
        if not rows:
            return
        leaves = [Leaf(*row) for row in rows]
        ids = [int(each.reference) for each in leaves if each.kind == "batch" and each.reference is not None]
        batches = {
            batch.id: batch
            for batch in map(_batch, conn.execute(f"{_BATCH} WHERE id = ANY(%s)", [ids]).fetchall())
        }
        digests: dict[int, bytes] = {}
        for group in _groups(list(batches.values())):
            digests |= _digests(conn, group, anywhere=True)
        rebuilt = {
            each.number: batch_content(batches[int(each.reference)], digests[int(each.reference)])
            if int(each.reference) in batches
            else None
            for each in leaves
            if each.kind == "batch" and each.reference is not None
        }
        yield LogPage(leaves, rebuilt)
        after = leaves[-1].number


def _groups(batches: Sequence[BatchRow]) -> Iterator[list[BatchRow]]:
    """Batches of at most PAGE_ROWS log rows together, or one alone."""
    group: list[BatchRow] = []
    for batch in batches:
        if group and sum(each.rows for each in group) + batch.rows > PAGE_ROWS:
            yield group
            group = []
        group.append(batch)
    if group:
        yield group


def nodes(conn: Connection) -> Iterator[tuple[int, int, bytes]]:
    """(level, index, hash) of every kept subtree, lower levels first."""
    for level, index, hash_ in conn.execute(
        "SELECT level, node_index, hash FROM evidence_nodes ORDER BY level, node_index"
    ):
        yield level, index, bytes(hash_)


def checkpoints(conn: Connection) -> list[Signed]:
    """All of them, by size."""
    rows = conn.execute("SELECT size, root, signed_at, key_id, note FROM evidence_checkpoints ORDER BY size")
    return [Signed(*row) for row in rows]


def batches_without_leaf(conn: Connection) -> list[int]:
    """Ids of batches that the log has passed without a leaf."""
    rows = conn.execute(
        """SELECT b.id FROM batches b WHERE b.commit_no <= (SELECT commit_no FROM evidence_log)
             AND NOT EXISTS (SELECT FROM evidence_records r WHERE r.kind = 'batch' AND r.reference = b.id::text)
           ORDER BY b.commit_no LIMIT 1000"""
    )
    return [id_ for (id_,) in rows]
