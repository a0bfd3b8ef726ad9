"""The evidence log: its signed checkpoint, leaves, proofs that need no server to be checked, and the public keys."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api import schemas
from api.answer import json_answer
from api.auth import Reader
from api.context import Session, TheContext
from api.errors import Problem, not_found
from api.schemas import problems
from domain.errors import Fault
from domain.evidence import verifier_key
from domain.interval import to_us
from storage import evidence, signing_keys
from storage.evidence import Leaf, Signed

router = APIRouter(tags=["evidence"])

_MAX = (1 << 63) - 1
LeafIndex = Annotated[
    int | None, Query(ge=0, le=_MAX, description="Its place in the log, from 0; or `kind` and `reference`.")
]
Kind = Annotated[str | None, Query(max_length=32, description="Of the record: batch, close, grade.")]
Reference = Annotated[
    str | None, Query(max_length=256, description="What the kind names it by: of a batch, its number.")
]
Size = Annotated[
    int | None,
    Query(ge=1, le=_MAX, description="Leaves of the checkpoint to prove against. Left out: the newest."),
]


def _signed(session: Session, size: int | None) -> Signed:
    signed = evidence.checkpoint(session.conn, size)
    if signed is None:
        raise not_found(
            "size", "nothing was signed yet" if size is None else f"no checkpoint of {size} leaves was signed"
        )
    return signed


def _leaf(session: Session, index: int | None, kind: str | None, reference: str | None) -> Leaf:
    if (index is None) == (kind is None or reference is None):
        raise Problem(422, [Fault("leaf", "name the leaf by its place, or by kind and reference")])
    if index is not None:
        found = evidence.leaf(session.conn, index)
    else:
        found = evidence.leaf_of(session.conn, str(kind), str(reference).replace("\0", ""))
    if found is not None and found.uscc is not None:
        if session.may_read(found.uscc):
            session.shown([found.uscc], what=f"{found.kind} {found.reference}")
        else:
            found = found._replace(kind=None, reference=None, content=None) if index is not None else None
    if found is None:
        raise not_found("leaf", "the log has no such leaf, or none that this key may read, or not yet")
    return found


@router.get(
    "/v1/evidence/keys",
    response_model=schemas.EvidenceKeys,
    responses=problems(401, 403),
    summary="Public keys of everything signed here",
)
def get_evidence_keys(key: Reader, context: TheContext) -> Response:
    """Each key that ever signed, those that were rotated too. `verifier_key` is for checkpoints (C2SP signed-note)."""
    with context.session(key) as session:
        origin = evidence.origin(session.conn)
        items = [
            {
                **known.key.as_dict(),
                "first_used_at": session.text(to_us(known.first_used_at)),
                "retired_at": None if known.retired_at is None else session.text(to_us(known.retired_at)),
                "verifier_key": verifier_key(origin, known.key),
            }
            for known in signing_keys.every(session.conn)
        ]
    return json_answer({"origin": origin, "items": items})


@router.get(
    "/v1/evidence/checkpoint",
    response_model=schemas.EvidenceCheckpoint,
    responses=problems(401, 403, 404, 422),
    summary="Signed checkpoint of the evidence log",
)
def get_evidence_checkpoint(key: Reader, context: TheContext, size: Size = None) -> Response:
    """What was signed of the log: its name, its number of leaves, its root; `note` as C2SP tlog-checkpoint says."""
    with context.session(key) as session:
        signed = _signed(session, size)
        return json_answer(
            {
                "origin": evidence.origin(session.conn),
                "size": signed.size,
                "root": base64.b64encode(signed.root).decode(),
                "signed_at": session.text(to_us(signed.signed_at)),
                "key_id": signed.key_id,
                "note": signed.note,
            }
        )


@router.get(
    "/v1/evidence/leaf",
    response_model=schemas.EvidenceLeaf,
    responses=problems(401, 403, 404, 422),
    summary="A leaf of the evidence log",
)
def get_evidence_leaf(
    key: Reader,
    context: TheContext,
    index: LeafIndex = None,
    kind: Kind = None,
    reference: Reference = None,
) -> Response:
    """By its place, or by what it is the record of. `content` is what `hash` is of (RFC 9162, behind a zero byte); null
    to those who may not read of its enterprise.
    """
    with context.session(key) as session:
        found = _leaf(session, index, kind, reference)
    return json_answer(
        {
            "index": found.number,
            "hash": found.hash.hex(),
            "kind": found.kind,
            "reference": found.reference,
            "content": None if found.content is None else found.content.decode(),
        }
    )


@router.get(
    "/v1/evidence/inclusion",
    response_model=schemas.EvidenceInclusion,
    responses=problems(401, 403, 404, 422),
    summary="Proof that a record is in the evidence log",
)
def get_evidence_inclusion(
    key: Reader,
    context: TheContext,
    index: LeafIndex = None,
    kind: Kind = None,
    reference: Reference = None,
    size: Size = None,
) -> Response:
    """The leaf, the hashes on its way to the root, the signed checkpoint, the keys: `carbonmeter verify --proof FILE`
    checks it without a server.
    """
    with context.session(key) as session:
        found, signed = _leaf(session, index, kind, reference), _signed(session, size)
        if found.content is None:
            raise not_found("leaf", "the log has no such leaf that this key may read")
        if found.number >= signed.size:
            raise not_found("size", f"leaf {found.number} isn't under the checkpoint of {signed.size} leaves")
        return json_answer(evidence.inclusion(session.conn, found, signed))


@router.get(
    "/v1/evidence/consistency",
    response_model=schemas.EvidenceConsistency,
    responses=problems(401, 403, 404, 422),
    summary="Proof that the evidence log only grew",
)
def get_evidence_consistency(
    key: Reader,
    context: TheContext,
    from_: Annotated[
        int, Query(alias="from", ge=1, le=_MAX, description="Leaves of the checkpoint that is known already.")
    ],
    to: Size = None,
) -> Response:
    """That the log under a checkpoint begins with the leaves that it had before: nothing in them was changed."""
    with context.session(key) as session:
        signed = _signed(session, to)
        if from_ > signed.size:
            raise Problem(
                422, [Fault("from", f"{from_} must be at most {signed.size}, the checkpoint's size")]
            )
        return json_answer(evidence.consistency(session.conn, from_, signed))
