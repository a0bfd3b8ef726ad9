"""The Merkle tree: the vectors of others, a twin written from the RFC's recursion, and proofs tampered with."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import merkle
from domain.errors import Refused

VECTORS = Path(__file__).parent.parent / "golden" / "merkle"

# The eight leaves of the original Certificate Transparency test data and the roots of their first n, as
# published with RFC 6962's reference implementations.
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


class Twin:
    """Section 2.1 word for word: whole lists of leaves, no nodes kept."""

    def root(self, leaves: list[bytes]) -> bytes:
        if not leaves:
            return hashlib.sha256(b"").digest()
        if len(leaves) == 1:
            return hashlib.sha256(b"\x00" + leaves[0]).digest()
        k = self.split(len(leaves))
        return hashlib.sha256(b"\x01" + self.root(leaves[:k]) + self.root(leaves[k:])).digest()

    def split(self, n: int) -> int:
        k = 1
        while k * 2 < n:
            k *= 2
        return k

    def path(self, m: int, leaves: list[bytes]) -> list[bytes]:
        if len(leaves) == 1:
            return []
        k = self.split(len(leaves))
        if m < k:
            return [*self.path(m, leaves[:k]), self.root(leaves[k:])]
        return [*self.path(m - k, leaves[k:]), self.root(leaves[:k])]

    def proof(self, m: int, leaves: list[bytes]) -> list[bytes]:
        return self.subproof(m, leaves, True)

    def subproof(self, m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
        if m == len(leaves):
            return [] if whole else [self.root(leaves)]
        k = self.split(len(leaves))
        if m <= k:
            return [*self.subproof(m, leaves[:k], whole), self.root(leaves[k:])]
        return [*self.subproof(m - k, leaves[k:], False), self.root(leaves[:k])]


TWIN = Twin()


def node_of(leaves: list[bytes]) -> merkle.Node:
    def node(level: int, index: int) -> bytes:
        begin, end = index << level, (index + 1) << level
        assert end <= len(leaves), "asked for a subtree that isn't complete"
        return merkle.fold(merkle.leaf_hash(each) for each in leaves[begin:end])

    return node


def vectors(kind: str) -> list[Any]:
    cases = json.loads((VECTORS / f"{kind}.json").read_text("utf-8"))
    assert len(cases) > 90
    return [pytest.param(case, id=case["file"]) for case in cases]


def raw(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("case", vectors("inclusion"))
def test_inclusion_vectors_of_transparency_dev(case: dict[str, Any]) -> None:
    proof = [raw(each) for each in case["proof"] or []]

    def check() -> None:
        merkle.check_inclusion(
            case["leafIdx"], case["treeSize"], raw(case["leafHash"]), proof, raw(case["root"])
        )

    if case["wantErr"]:
        with pytest.raises(merkle.BadProof):
            check()
    else:
        check()


@pytest.mark.parametrize("case", vectors("consistency"))
def test_consistency_vectors_of_transparency_dev(case: dict[str, Any]) -> None:
    proof = [raw(each) for each in case["proof"] or []]

    def check() -> None:
        merkle.check_consistency(case["size1"], case["size2"], raw(case["root1"]), raw(case["root2"]), proof)

    if case["wantErr"]:
        with pytest.raises(merkle.BadProof):
            check()
    else:
        check()


def test_the_known_roots() -> None:
    for size, known in enumerate(ROOTS):
        assert merkle.root(size, node_of(LEAVES)).hex() == known
        assert TWIN.root(LEAVES[:size]).hex() == known


@pytest.mark.parametrize("size", range(1, 35))
def test_every_proof_is_the_twins_and_holds(size: int) -> None:
    leaves = [bytes([place]) * place for place in range(size)]
    node, root = node_of(leaves), TWIN.root(leaves)
    assert merkle.root(size, node) == root
    for index in range(size):
        proof = merkle.inclusion_proof(index, size, node)
        assert proof == TWIN.path(index, leaves)
        merkle.check_inclusion(index, size, merkle.leaf_hash(leaves[index]), proof, root)
    for first in range(1, size + 1):
        proof = merkle.consistency_proof(first, size, node)
        assert proof == TWIN.proof(first, leaves)
        merkle.check_consistency(first, size, TWIN.root(leaves[:first]), root, proof)


@given(st.data())
def test_large_trees_too(data: st.DataObject) -> None:
    leaves = [hashlib.sha256(b"%d" % place).digest() for place in range(data.draw(st.integers(1, 700)))]
    size = len(leaves)
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    node, root = node_of(leaves), TWIN.root(leaves)
    inclusion = merkle.inclusion_proof(index, size, node)
    consistency = merkle.consistency_proof(first, size, node)
    assert (inclusion, consistency) == (TWIN.path(index, leaves), TWIN.proof(first, leaves))
    merkle.check_inclusion(index, size, merkle.leaf_hash(leaves[index]), inclusion, root)
    merkle.check_consistency(first, size, TWIN.root(leaves[:first]), root, consistency)


@given(st.data())
def test_no_change_of_a_proof_goes_unseen(data: st.DataObject) -> None:
    leaves = [b"%d" % place for place in range(data.draw(st.integers(2, 60)))]
    size, index = len(leaves), data.draw(st.integers(0, len(leaves) - 1))
    first = data.draw(st.integers(1, size - 1))
    node, root, leaf = node_of(leaves), TWIN.root(leaves), merkle.leaf_hash(leaves[index])
    proof, steps = TWIN.path(index, leaves), TWIN.proof(first, leaves)
    place, bit = data.draw(st.integers(0, 255)), data.draw(st.integers(0, 255))

    def spoilt(hashes: list[bytes]) -> list[bytes]:
        which = place % len(hashes)
        changed = bytearray(hashes[which])
        changed[bit // 8] ^= 1 << bit % 8
        return [*hashes[:which], bytes(changed), *hashes[which + 1 :]]

    for wrong in (spoilt(proof), proof[:-1], [*proof, root], proof[1:]):
        with pytest.raises(merkle.BadProof):
            merkle.check_inclusion(index, size, leaf, wrong, root)
    if steps:
        for wrong in (spoilt(steps), steps[:-1], [*steps, root]):
            with pytest.raises(merkle.BadProof):
                merkle.check_consistency(first, size, TWIN.root(leaves[:first]), root, wrong)
    with pytest.raises(merkle.BadProof):
        merkle.check_inclusion(index, size, merkle.leaf_hash(b"another"), proof, root)
    assert merkle.root(size, node) == root


def test_what_can_not_be_asked_for_is_refused() -> None:
    node = node_of(LEAVES)
    for index in (-1, 8):
        with pytest.raises(Refused):
            merkle.inclusion_proof(index, 8, node)
    for first in (-1, 0, 9):
        with pytest.raises(Refused):
            merkle.consistency_proof(first, 8, node)
    with pytest.raises(merkle.BadProof):
        merkle.check_inclusion(0, 1, b"short", [], b"short")
