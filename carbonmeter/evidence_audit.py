"""What `verify` asks of the evidence log: each leaf is what its record says now, and nothing signed was rewritten."""

from __future__ import annotations

from collections.abc import Iterator

from carbonmeter.check import Check
from domain import merkle
from domain.errors import Refused
from domain.evidence import open_note
from storage import evidence, signing_keys
from storage.database import Connection


def run(conn: Connection) -> Iterator[Check]:
    """Walks the whole log and, of its batches, the readings; within the caller's moment."""
    leaves = Check(4, "each leaf of the evidence log is what its record says")
    hashes: list[bytes] = []
    for page in evidence.pages(conn):
        for leaf in page.leaves:
            leaves.compared += 1
            name = f"leaf {leaf.number}, {leaf.kind} {leaf.reference}"
            if leaf.number != len(hashes):
                leaves.fault(f"leaf {len(hashes)} is missing")
                return (yield leaves)
            hashes.append(bytes(leaf.hash))
            if leaf.content is None or merkle.leaf_hash(leaf.content) != leaf.hash:
                leaves.fault(f"{name}: its content isn't what was hashed")
            elif leaf.kind == "batch" and page.rebuilt[leaf.number] != leaf.content:
                rebuilt = page.rebuilt[leaf.number]
                what = "is no more" if rebuilt is None else "or its readings say something else now"
                leaves.fault(f"{name}: the batch {what}")
    if len(hashes) != evidence.size(conn):
        leaves.fault(f"the log says {evidence.size(conn)} leaves, there are {len(hashes)}")
    for id_ in evidence.batches_without_leaf(conn):
        leaves.fault(f"batch {id_} has no leaf")
    yield leaves
    yield _checkpoints(conn, hashes)
    return None


def _checkpoints(conn: Connection, hashes: list[bytes]) -> Check:
    """Every checkpoint against the leaves, not against the hashes between that are kept."""
    check = Check(4, "signed checkpoints of the evidence log hold")
    levels = [hashes]
    while len(levels[-1]) > 1:
        row = levels[-1]
        levels.append([merkle.node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)])
    keys = [known.key for known in signing_keys.every(conn)]
    for signed in evidence.checkpoints(conn):
        check.compared += 1
        try:
            note, _ = open_note(signed.note, keys)
        except Refused as error:
            check.fault(f"checkpoint of {signed.size} leaves: {error}")
            continue
        if (note.size, note.root) != (signed.size, bytes(signed.root)):
            check.fault(f"checkpoint of {signed.size} leaves: its row isn't what was signed")
        elif signed.size > len(hashes):
            check.fault(f"checkpoint of {signed.size} leaves: the log has {len(hashes)}")
        elif merkle.root(signed.size, lambda level, index: levels[level][index]) != note.root:
            check.fault(f"checkpoint of {signed.size} leaves: the log's leaves have another root")
    for level, index, hash_ in evidence.nodes(conn):
        check.compared += 1
        if level >= len(levels) or index >= len(levels[level]) or levels[level][index] != hash_:
            check.fault(f"kept hash {index} of level {level} isn't that of its leaves")
    return check
