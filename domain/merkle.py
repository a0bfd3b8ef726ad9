"""The Merkle tree of RFC 9162, section 2.1, with SHA-256: roots, inclusion and consistency proofs, and their checks.

A tree of n leaves is made of its largest complete subtrees; `node(level, index)` gives the hash of the complete subtree
over leaves [index × 2^level, (index + 1) × 2^level). Who makes proofs hands in such a function and needs no more than
these nodes; who checks them needs nothing but the proof.

    leaf      SHA-256(0x00 ‖ content)
    node      SHA-256(0x01 ‖ left ‖ right)
    empty     SHA-256()
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from domain.errors import Refused

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()
SIZE_MAX = 1 << 63

Node = Callable[[int, int], bytes]


class BadProof(Refused):
    """The proof doesn't lead to the root; the text says how it fails."""


def leaf_hash(content: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def complete_subtrees(begin: int, end: int) -> list[tuple[int, int]]:
    """(level, index) of the complete subtrees that leaves [begin, end) are made of, from the left; `begin` must be
    a multiple of the largest power of two below `end` − `begin`, as it is for every subtree of the RFC's recursion.
    """
    result = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        result.append((level, begin >> level))
        begin += 1 << level
    return result


def root(size: int, node: Node) -> bytes:
    """The root of the first `size` leaves (MTH, section 2.1.1)."""
    return _range_hash(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """PATH(index, D[size]) of section 2.1.3.1, from the leaf upwards. Refused outside 0 <= index < size."""
    if not 0 <= index < size:
        raise Refused(f"leaf {index} isn't among the first {size}")
    return [_range_hash(begin, end, node) for begin, end in _path(index, size)]


def consistency_proof(first: int, second: int, node: Node) -> list[bytes]:
    """PROOF(first, D[second]) of section 2.1.4.1; empty from a tree to itself. Refused unless 1 <= first <= second."""
    if not 1 <= first <= second:
        raise Refused(f"there is no proof from a tree of {first} leaves to one of {second}")
    if first == second:
        return []
    hashes: list[bytes] = []
    begin, end, is_known = 0, second, True
    while end - begin != first - begin:
        split = begin + _largest_power_below(end - begin)
        if first <= split:
            hashes.append(_range_hash(split, end, node))
            end = split
        else:
            hashes.append(_range_hash(begin, split, node))
            begin, is_known = split, False
    if not is_known:
        hashes.append(_range_hash(begin, end, node))
    return hashes[::-1]


def check_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], expected: bytes) -> None:
    """BadProof unless the proof leads from a leaf's hash to the root of a tree (section 2.1.3.2)."""
    if not 0 <= index < size < SIZE_MAX:
        raise BadProof(f"leaf {index} can't be in a tree of {size}")
    _check_hashes([leaf, expected, *proof])
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise BadProof(f"the proof has {len(proof)} hashes, more than a tree of {size} asks for")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise BadProof(f"the proof has {len(proof)} hashes, fewer than a tree of {size} asks for")
    if found != expected:
        raise BadProof(f"the proof of leaf {index} leads to another root than that of the tree of {size}")


def check_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """BadProof unless the tree of `second` leaves begins with that of `first` (section 2.1.4.2)."""
    if not 0 <= first <= second < SIZE_MAX:
        raise BadProof(f"a tree of {first} leaves can't come before one of {second}")
    if first == 0:
        raise BadProof("every tree begins with the empty one: there is nothing to prove")
    if first == second:
        if proof or first_root != second_root:
            raise BadProof(f"two trees of {first} leaves have one root and need no proof")
        return
    _check_hashes([first_root, second_root, *proof])
    hashes = list(proof)
    if first & (first - 1) == 0:
        hashes.insert(0, first_root)
    if not hashes:
        raise BadProof("the proof has no hashes")
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for each in hashes[1:]:
        if last == 0:
            raise BadProof(f"the proof has {len(proof)} hashes, more than {first} to {second} leaves ask for")
        if place & 1 or place == last:
            old, new = node_hash(each, old), node_hash(each, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, each)
        place, last = place >> 1, last >> 1
    if last:
        raise BadProof(f"the proof has {len(proof)} hashes, fewer than {first} to {second} leaves ask for")
    if old != first_root:
        raise BadProof(f"the proof leads to another root than that of the tree of {first}")
    if new != second_root:
        raise BadProof(f"the proof leads to another root than that of the tree of {second}")


def fold(hashes: Iterable[bytes]) -> bytes:
    """The hash of a complete subtree from those of its 2^k equal parts, from the left."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def _range_hash(begin: int, end: int, node: Node) -> bytes:
    parts = [node(level, index) for level, index in complete_subtrees(begin, end)]
    found = parts.pop()
    while parts:
        found = node_hash(parts.pop(), found)
    return found


def _path(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves beside the way from a leaf to the root, from the leaf upwards."""
    beside = []
    begin, end = 0, size
    while end - begin > 1:
        split = begin + _largest_power_below(end - begin)
        if index < split:
            beside.append((split, end))
            end = split
        else:
            beside.append((begin, split))
            begin = split
    return beside[::-1]


def _largest_power_below(number: int) -> int:
    """The largest power of two smaller than a number above 1."""
    return 1 << ((number - 1).bit_length() - 1)


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise BadProof(f"a hash of the proof isn't {HASH_BYTES} bytes long")
