"""What the leaves of the evidence log say, and its checkpoints and proofs as text: values to bytes and back.

A leaf's content is canonical JSON (UTF-8, keys in order, no spaces), so that whoever has the values makes the same
bytes. docs/evidence.md describes each kind. A checkpoint is a signed note (C2SP signed-note, tlog-checkpoint):

    ORIGIN
    SIZE
    ROOT in base64

    — ORIGIN base64(first 4 bytes of the key's hash ‖ signature)
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.errors import Refused
from domain.merkle import HASH_BYTES, BadProof, check_consistency, check_inclusion, leaf_hash
from domain.signing import ED25519, BadSignature, PublicKey, Signature, Signer, digest, public_key

BATCH_FORMAT = "carbonmeter/batch/1"
PROOF_FORMAT = "carbonmeter/evidence/1"
_NOTE_ED25519 = b"\x01"  # signature type of C2SP signed-note
_DASH = "\u2014 "

# A reading as the digest of a batch reads it: 32 bytes, big-endian, in the order in which rows are sorted.
_RECORD = np.dtype(
    [
        ("channel", ">i4"),
        ("at", ">i8"),
        ("gateway", ">i4"),
        ("mantissa", ">i8"),
        ("exponent", ">i2"),
        ("revision", ">i2"),
        ("quality", ">i2"),
        ("flags", ">i2"),
    ]
)


def canonical(value: Any) -> bytes:
    """JSON in one way: keys in order, no spaces, UTF-8. For texts, integers, booleans, null, lists and objects.

    >>> canonical({"b": [1, None], "a": "碳"}).decode()
    '{"a":"碳","b":[1,null]}'
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


# -- batches ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as its row says it. `gateways`: (USCC/ID, received, stored, held, rejected) in the row's order."""

    id: int
    commit_no: int
    committed_us: int
    cause: str
    by_whom: str | None
    registry_version: int
    rows: int
    first_us: int | None
    last_us: int | None
    gateways: Sequence[tuple[str, int, int, int, int]]


def readings_digest(rows: npt.NDArray[Any]) -> bytes:
    """SHA-256 of a batch's rows in the log (domain.ledger.LOGGED_READING), whatever order they are read in."""
    order = np.lexsort((rows["at"], rows["channel"]))
    records = np.empty(len(rows), _RECORD)
    for name in _RECORD.names or ():
        records[name] = rows[name][order]
    same = (records["channel"][1:] == records["channel"][:-1]) & (records["at"][1:] == records["at"][:-1])
    if same.any():  # several at one stamp: the rest decides
        records = records[np.lexsort([records[name] for name in reversed(_RECORD.names or ())])]
    return hashlib.sha256(records.tobytes()).digest()


def batch_content(batch: BatchRow, readings: bytes) -> bytes:
    """The leaf of a batch. It names no enterprise: who signed it and whose gateways it holds are in `account` alone."""
    account = canonical({"by": batch.by_whom, "gateways": [list(each) for each in batch.gateways]})
    return canonical(
        {
            "account": digest(account),
            "batch": batch.id,
            "cause": batch.cause,
            "commit_no": batch.commit_no,
            "committed_us": batch.committed_us,
            "format": BATCH_FORMAT,
            "readings": {
                "alg": "sha256",
                "count": batch.rows,
                "digest": readings.hex(),
                "first_us": batch.first_us,
                "last_us": batch.last_us,
            },
            "registry_version": batch.registry_version,
        }
    )


# -- checkpoints --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed of a log: its name, its number of leaves, its root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def note_hash(name: str, key: PublicKey) -> bytes:
    """The 4 bytes that name a key in a note. Refused for an algorithm that notes have no type for here."""
    if key.alg != ED25519:
        raise Refused(f"notes are signed by {ED25519}, not by {key.alg}")
    return hashlib.sha256(name.encode() + b"\n" + _NOTE_ED25519 + key.raw).digest()[:4]


def verifier_key(name: str, key: PublicKey) -> str:
    """NAME+HASH+KEY, as other verifiers of signed notes take it."""
    return f"{name}+{note_hash(name, key).hex()}+{base64.b64encode(_NOTE_ED25519 + key.raw).decode()}"


def parse_verifier_key(text: str) -> tuple[str, PublicKey]:
    """(name, key); Refused where it is none or its hash isn't its own."""
    name, _, rest = text.strip().partition("+")
    stated, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except ValueError:
        raw = b""
    if not name or len(raw) != 33 or raw[:1] != _NOTE_ED25519:
        raise Refused(f"{text[:80]!r} is no verifier key: NAME+HASH+KEY, the key one of Ed25519")
    key = PublicKey(ED25519, raw[1:])
    if note_hash(name, key).hex() != stated.lower():
        raise Refused(f"verifier key {name[:80]!r}: {stated[:20]!r} isn't the hash of its key")
    return name, key


def signed_note(checkpoint: Checkpoint, key: PublicKey, signature: Signature) -> str:
    """The checkpoint with a signature over its text."""
    blob = note_hash(checkpoint.origin, key) + base64.b64decode(signature["signature"])
    return f"{checkpoint.text()}\n{_DASH}{checkpoint.origin} {base64.b64encode(blob).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> tuple[str, PublicKey]:
    """(the signed note, the key that signed it)."""
    while True:
        key, signature = signer.key, signer.sign(checkpoint.text().encode())
        if key.key_id == signature["key_id"]:  # else rotated between the two
            return signed_note(checkpoint, key, signature), key


def open_note(
    note: str, keys: Iterable[PublicKey], origin: str | None = None
) -> tuple[Checkpoint, PublicKey]:
    """The checkpoint in a note, and the key among `keys` that signed it.

    Signatures of others (witnesses) are passed over; one by a known key that doesn't hold refuses the note, as does a
    checkpoint of another log than `origin`. BadSignature or Refused says what is wrong.
    """
    text, separator, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if not separator or len(lines) < 3 or not all(lines):
        raise Refused("no checkpoint: origin, size and root, an empty line, signatures")
    name, size = lines[0], lines[1]
    if not (size.isascii() and size.isdigit()) or (size != "0" and size.startswith("0")) or len(size) > 19:
        raise Refused(f"checkpoint: {size[:40]!r} is no size")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except ValueError:
        root = b""
    if len(root) != HASH_BYTES:
        raise Refused("checkpoint: the third line must be a root of 32 bytes in base64")
    if origin is not None and name != origin:
        raise Refused(f"the checkpoint is of log {name[:80]!r}, not of {origin!r}")
    signed = (text + "\n").encode()
    known = {note_hash(name, key): key for key in keys if key.alg == ED25519}
    holder = None
    for line in signatures.splitlines():
        its_name, _, encoded = line.removeprefix(_DASH).partition(" ")
        try:
            blob = base64.b64decode(encoded, validate=True)
        except ValueError:
            blob = b""
        if not line.startswith(_DASH) or len(blob) < 5:
            raise Refused("checkpoint: a line of signatures is unreadable")
        key = known.get(blob[:4])
        if its_name != name or key is None:
            continue
        if not key.holds(signed, blob[4:]):
            raise BadSignature(
                f"the checkpoint isn't signed by key {key.key_id}: it was changed, or the key isn't its own"
            )
        holder = key
    if holder is None:
        raise BadSignature("the checkpoint bears no signature by a key that is trusted here")
    return Checkpoint(name, int(size), root), holder


# -- proofs, as they are handed on --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verified:
    """What a proof shows."""

    says: str
    checkpoint: Checkpoint
    key: PublicKey
    is_trusted: bool  # by a key that the reader named; else one that came with the proof
    content: bytes | None  # of the leaf, in a proof of inclusion


def verify_proof(
    document: Mapping[str, Any], trusted: Sequence[tuple[str, PublicKey]] = (), content: bytes | None = None
) -> Verified:
    """Check a proof as `GET /v1/evidence/inclusion` and `/consistency` answer it, with nothing but itself.

    trusted  (log, key) that its checkpoint must be signed by; none: those that the proof itself brings
    content  the leaf that is expected, where it must be this one

    Raises BadProof, BadSignature or Refused, each with what is wrong.
    """
    try:
        if document["format"] != PROOF_FORMAT:
            raise Refused(f"{str(document['format'])[:80]!r} is no format of proofs; {PROOF_FORMAT!r} is")
        keys = [key for _, key in trusted] or [public_key(each) for each in document["keys"]]
        origin = trusted[0][0] if trusted else None
        checkpoint, key = open_note(document["checkpoint"], keys, origin)
        proof = [base64.b64decode(each, validate=True) for each in document["proof"]]
        if "leaf" in document:
            says, found = _check_leaf(document["leaf"], proof, checkpoint, content)
            return Verified(says, checkpoint, key, bool(trusted), found)
        first = document["first"]
        if content is not None:
            raise Refused("a proof of consistency is of no single record")
        first_root = base64.b64decode(first["root"], validate=True)
        if first.get("checkpoint") is not None:
            earlier, _ = open_note(first["checkpoint"], keys, checkpoint.origin)
            if (earlier.size, earlier.root) != (first["size"], first_root):
                raise BadProof("the earlier checkpoint isn't of the size and root that the proof begins with")
        check_consistency(int(first["size"]), checkpoint.size, first_root, checkpoint.root, proof)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"the proof can't be read: {type(error).__name__} {str(error)[:120]}") from None
    says = f"the log of {checkpoint.size} leaves begins with the {first['size']} leaves that it had before"
    return Verified(says, checkpoint, key, bool(trusted), None)


def _check_leaf(
    leaf: Mapping[str, Any], proof: Sequence[bytes], checkpoint: Checkpoint, content: bytes | None
) -> tuple[str, bytes]:
    found = str(leaf["content"]).encode()
    if content is not None and content != found:
        raise BadProof("the record isn't the content of the leaf that the proof is of")
    index = int(leaf["index"])
    check_inclusion(index, checkpoint.size, leaf_hash(found), proof, checkpoint.root)
    return (
        f"leaf {index}, {leaf['kind']} {leaf['reference']}, is in the log of {checkpoint.size} leaves",
        found,
    )
