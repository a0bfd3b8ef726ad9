"""`carbonmeter evidence`: the signing key and its rotation, checkpoints and proofs of the evidence log as files."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from carbonmeter.commands import Context, Subparsers, print_json, print_table
from carbonmeter.signing_keys import SigningKeys
from domain.errors import Refused
from domain.evidence import verifier_key
from domain.interval import format_time, to_us
from storage import evidence, signing_keys


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "evidence", help="the log that proves what was recorded: keys, checkpoints, proofs"
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    keys = actions.add_parser("keys", help="every public key that signed, the newest last")
    rotate = actions.add_parser(
        "rotate", help="sign with a new key from now on; the old private key is destroyed"
    )
    restart = actions.add_parser(
        "restart", help="give the log another name, after its database was set back to an older state"
    )
    checkpoint = actions.add_parser("checkpoint", help="the newest signed checkpoint, as a signed note")
    proof = actions.add_parser("proof", help="the proof that a record is in the log, for `verify --proof`")
    proof.add_argument("kind", help="batch, close or grade")
    proof.add_argument("reference", help="of a batch its number; else what the kind names it by")
    growth = actions.add_parser("consistency", help="the proof that the log only grew since a checkpoint")
    growth.add_argument("size", type=int, help="leaves of the checkpoint that is known already")
    for each in (proof, growth):
        each.add_argument("--output", type=Path, metavar="FILE", help="where to write it; else it is printed")
    for each in (keys, rotate, restart, checkpoint):
        each.add_argument("--json", action="store_true", help="for machines")
    for each in (keys, rotate, restart, checkpoint, proof, growth):
        each.set_defaults(run=run)


def run(context: Context) -> int:
    arguments = context.arguments
    actions = {
        "keys": _keys,
        "rotate": _rotate,
        "restart": _restart,
        "checkpoint": _checkpoint,
        "proof": _proof,
        "consistency": _consistency,
    }
    return actions[arguments.action](context, arguments)


def _keys(context: Context, arguments: argparse.Namespace) -> int:
    offset_us = context.settings.zone_offset_us
    with context.database() as conn:
        origin = evidence.origin(conn)
        items = [
            {
                **known.key.as_dict(),
                "first_used_at": format_time(to_us(known.first_used_at), offset_us),
                "retired_at": None
                if known.retired_at is None
                else format_time(to_us(known.retired_at), offset_us),
                "verifier_key": verifier_key(origin, known.key),
            }
            for known in signing_keys.every(conn)
        ]
    if arguments.json:
        print_json({"origin": origin, "items": items})
    else:
        columns = ("key_id", "first_used_at", "retired_at", "verifier_key")
        print_table(columns, ([each[column] or "" for column in columns] for each in items))
    return 0


def _rotate(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        old, new = SigningKeys(context.settings.signing_keys_folder).rotate()
        signing_keys.register(conn, old)
        signing_keys.retire(conn, old.key_id)
        signing_keys.register(conn, new)
    if arguments.json:
        print_json({"old": old.as_dict(), "new": new.as_dict()})
    else:
        print(f"key {new.key_id} signs from now on, in the place of {old.key_id}")
    return 0


def _restart(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        origin = evidence.restart(conn)
    if arguments.json:
        print_json({"origin": origin})
    else:
        print(f"the log is {origin} from now on: checkpoints of its earlier name don't bind it")
    return 0


def _checkpoint(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        signed = evidence.checkpoint(conn)
    if signed is None:
        raise Refused("nothing was signed yet; a running server does so within seconds of the first batch")
    if arguments.json:
        signed_at = format_time(to_us(signed.signed_at), context.settings.zone_offset_us)
        print_json(
            {"size": signed.size, "root": signed.root.hex(), "signed_at": signed_at, "note": signed.note}
        )
    else:
        print(signed.note, end="")
    return 0


def _proof(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        leaf = evidence.leaf_of(conn, arguments.kind, arguments.reference)
        signed = None if leaf is None else evidence.first_checkpoint_with(conn, leaf.number)
        if leaf is None or signed is None:
            raise Refused(
                f"no {arguments.kind} {arguments.reference} is under a signed checkpoint; what was recorded within the"
                " last seconds may not be yet"
            )
        document = evidence.inclusion(conn, leaf, signed)
    return _written(document, arguments.output)


def _consistency(context: Context, arguments: argparse.Namespace) -> int:
    with context.database() as conn:
        signed = evidence.checkpoint(conn)
        if signed is None:
            raise Refused("nothing was signed yet")
        document = evidence.consistency(conn, arguments.size, signed)
    return _written(document, arguments.output)


def _written(document: object, output: Path | None) -> int:
    if output is None:
        print_json(document)
    else:
        output.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return 0
