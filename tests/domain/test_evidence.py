"""Checkpoints, leaves and proofs as text: another library's note, digests in any order, and whatever is changed."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import evidence, merkle
from domain.errors import Refused
from domain.evidence import BatchRow, Checkpoint, batch_content, open_note, readings_digest, verify_proof
from domain.ledger import LOGGED_READING
from domain.signing import BadSignature, Ed25519Signer

# The key and the note that the specification of signed notes gives as its example (C2SP signed-note, CC BY 4.0).
SPECIFIED_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def test_the_verifier_key_of_the_specification() -> None:
    name, key = evidence.parse_verifier_key(SPECIFIED_KEY)
    assert name == "example.com/foo"
    assert evidence.verifier_key(name, key) == SPECIFIED_KEY
    for wrong in ("", "x", SPECIFIED_KEY.replace("530d903a", "530d903b"), SPECIFIED_KEY[:-8], "a+b+c"):
        with pytest.raises(Refused):
            evidence.parse_verifier_key(wrong)


SIGNER = Ed25519Signer.new()
ROOT = hashlib.sha256(b"root").digest()


def note(size: int = 12, root: bytes = ROOT, signer: Ed25519Signer = SIGNER) -> str:
    text, key = evidence.sign_checkpoint(Checkpoint("example.com/log", size, root), signer)
    assert key == signer.key
    return text


def test_a_checkpoint_reads_as_it_was_signed() -> None:
    text = note()
    lines = text.split("\n")
    assert lines[:4] == ["example.com/log", "12", base64.b64encode(ROOT).decode(), ""]
    assert lines[4].startswith("\u2014 example.com/log ")
    assert open_note(text, [SIGNER.key]) == (Checkpoint("example.com/log", 12, ROOT), SIGNER.key)
    witness = "\u2014 witness.example " + base64.b64encode(b"whoever" * 10).decode() + "\n"
    assert open_note(text + witness, [Ed25519Signer.new().key, SIGNER.key])[0].size == 12


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text.replace("\n12\n", "\n13\n"),
        lambda text: text.replace("\n12\n", "\n012\n"),
        lambda text: text.replace("\n12\n", "\n-1\n"),
        lambda text: text.replace("example.com/log\n", "example.com/other\n", 1),
        lambda text: text.replace(base64.b64encode(ROOT).decode(), base64.b64encode(ROOT[::-1]).decode()),
        lambda text: text.replace(base64.b64encode(ROOT).decode(), "c2hvcnQ="),
        lambda text: text.partition("\n\n")[0],
        lambda text: text.partition("\n\n")[0] + "\n\n",
        lambda text: text[:-20] + "\n",
        lambda text: text.replace("\u2014 ", "- "),
        lambda text: text[:0],
    ],
)
def test_a_changed_checkpoint_is_refused(changed: Any) -> None:
    with pytest.raises(Refused):
        open_note(changed(note()), [SIGNER.key])


def test_a_checkpoint_by_another_key_or_of_another_log_is_refused() -> None:
    with pytest.raises(BadSignature):
        open_note(note(), [Ed25519Signer.new().key])
    with pytest.raises(Refused, match=r"another\.example"):
        open_note(note(), [SIGNER.key], "another.example")


# -- the digest of a batch's readings -----------------------------------------------------------------

READINGS = st.lists(
    st.tuples(
        st.integers(-(2**40), 2**40),
        st.integers(1, 3),
        st.integers(1, 2),
        st.just(7),
        st.integers(-(2**62), 2**62),
        st.integers(-6, 2),
        st.integers(0, 1),
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    max_size=12,
)


@given(READINGS, st.randoms())
def test_the_digest_is_of_the_readings_whatever_their_order(readings: list[Any], chance: Any) -> None:
    rows = [*readings, *readings[:2]]  # repeats count
    shuffled = list(rows)
    chance.shuffle(shuffled)
    made = readings_digest(np.array(rows, LOGGED_READING))
    assert readings_digest(np.array(shuffled, LOGGED_READING)) == made
    # the same, from the description in docs/evidence.md
    records = sorted((channel, at, gateway, *rest) for at, channel, gateway, _, *rest in rows)
    twin = hashlib.sha256(b"".join(struct.pack(">iqiqhhhh", *record) for record in records)).digest()
    assert made == twin
    if rows:
        at, *rest = rows[0]
        assert readings_digest(np.array([(at + 1, *rest), *rows[1:]], LOGGED_READING)) != made
        assert readings_digest(np.array(rows[1:], LOGGED_READING)) != made


BATCH = BatchRow(
    5, 9, 1_704_038_400_000_000, "arrival", None, 3, 2, 1, 2, [("91430300MA4L0DEM8M/gw1", 2, 2, 0, 0)]
)


def test_the_leaf_of_a_batch_names_no_enterprise_and_fixes_everything() -> None:
    content = batch_content(BATCH, bytes(32))
    document = json.loads(content)
    assert b"91430300" not in content
    assert evidence.canonical(document) == content
    account = b'{"by":null,"gateways":[["91430300MA4L0DEM8M/gw1",2,2,0,0]]}'
    assert document["account"] == {"alg": "sha256", "digest": hashlib.sha256(account).hexdigest()}
    assert document["readings"] == {
        "alg": "sha256",
        "count": 2,
        "digest": "00" * 32,
        "first_us": 1,
        "last_us": 2,
    }


# -- proofs -------------------------------------------------------------------------------------------

LEAVES = [b'{"leaf":%d}' % place for place in range(11)]


def _node(level: int, index: int) -> bytes:
    begin = index << level
    return merkle.fold(merkle.leaf_hash(each) for each in LEAVES[begin : begin + (1 << level)])


def _texts(hashes: list[bytes]) -> list[str]:
    return [base64.b64encode(each).decode() for each in hashes]


def inclusion() -> dict[str, Any]:
    return {
        "format": evidence.PROOF_FORMAT,
        "leaf": {"index": 4, "kind": "grade", "reference": "17", "content": LEAVES[4].decode()},
        "proof": _texts(merkle.inclusion_proof(4, 11, _node)),
        "checkpoint": note(11, merkle.root(11, _node)),
        "keys": [SIGNER.key.as_dict()],
    }


def consistency() -> dict[str, Any]:
    first = merkle.root(6, _node)
    return {
        "format": evidence.PROOF_FORMAT,
        "first": {"size": 6, "root": base64.b64encode(first).decode(), "checkpoint": note(6, first)},
        "proof": _texts(merkle.consistency_proof(6, 11, _node)),
        "checkpoint": note(11, merkle.root(11, _node)),
        "keys": [SIGNER.key.as_dict()],
    }


def test_proofs_hold_with_nothing_but_themselves() -> None:
    found = verify_proof(inclusion())
    assert (found.content, found.is_trusted) == (LEAVES[4], False)
    assert "grade 17" in found.says
    trusted = [("example.com/log", SIGNER.key)]
    assert verify_proof(inclusion(), trusted, LEAVES[4]).is_trusted
    assert verify_proof(consistency(), trusted).checkpoint.size == 11
    assert verify_proof(json.loads(json.dumps(consistency()))).content is None


def _changes(document: Any, place: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """Every value of a document, each with another one."""
    if isinstance(document, dict):
        return [each for key, value in document.items() for each in _changes(value, (*place, key))]
    if isinstance(document, list):
        return [each for key, value in enumerate(document) for each in _changes(value, (*place, key))]
    if isinstance(document, int):
        return [(place, document + 1), (place, None), (place, -1)]
    swapped = ("B" if document[0] == "A" else "A") + document[1:]
    return [(place, swapped), (place, document[1:]), (place, None), (place, 7)]


@pytest.mark.parametrize("make", [inclusion, consistency])
def test_any_change_of_a_proof_shows(make: Any) -> None:
    whole = make()
    names = {("leaf", "kind"), ("leaf", "reference")}  # told for people, and in the content where it matters
    tried = 0
    for place, value in _changes(whole):
        if place in names or (place == ("first", "checkpoint") and value is None):
            continue
        changed = copy.deepcopy(whole)
        at = changed
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = value
        with pytest.raises(Refused):
            verify_proof(changed)
        tried += 1
    assert tried > 20
    for key in whole:
        with pytest.raises(Refused):
            verify_proof({name: value for name, value in whole.items() if name != key})


def test_a_proof_by_another_key_or_of_another_record_is_refused() -> None:
    with pytest.raises(BadSignature):
        verify_proof(inclusion(), [("example.com/log", Ed25519Signer.new().key)])
    with pytest.raises(Refused, match=r"other\.example"):
        verify_proof(inclusion(), [("other.example", SIGNER.key)])
    with pytest.raises(merkle.BadProof):
        verify_proof(inclusion(), content=b"another record")
    with pytest.raises(Refused):
        verify_proof(consistency(), content=b"a record")
