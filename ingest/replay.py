"""Dead letters once more: read again under today's registry and decoder, in batches of their own (`cause` replay).

A letter that is replayed leaves `rejected`, and what is found in it is received anew. Replaying twice does nothing
more: a replayed letter is closed, and one whose readings would all be rejected for the same reason again is left as
it is. What a person discarded, or came from a client that may not publish there, is replayed only if it is asked for
by its id or by that reason: replaying everything must not let it in by the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from domain.clock import Clock
from domain.errors import RejectReason
from ingest.batch import Batch, Outcome
from ingest.delivery import Chunk, Nobody
from ingest.directory import ClockRules, Directory
from ingest.formats import Formats, Rule
from ingest.routes import Routes
from ingest.write import REFUSED, GatewayIds, write_outcome
from storage import dead_letters, readings, registry
from storage.database import Connection
from storage.dead_letters import Letter, LetterFilter
from storage.readings import Delta

LETTERS_MAX = 500  # of one transaction; each may be 1 MiB, so they are also bounded in bytes
BYTES_MAX = 16 << 20
DECIDED = (RejectReason.DISCARDED, RejectReason.NOT_AUTHORIZED)  # nothing that a mended fault changes


PayloadOf: TypeAlias = Callable[[Letter], bytes | None]


@dataclass(slots=True)
class Replayed:
    """What a replay did. The last four count readings found in the letters that were replayed."""

    letters: int = 0
    unchanged: int = 0  # letters that would be rejected for the same reason again
    received: int = 0
    stored: int = 0
    held: int = 0
    rejected: int = 0

    def __iadd__(self, other: Replayed) -> Replayed:
        self.letters += other.letters
        self.unchanged += other.unchanged
        self.received += other.received
        self.stored += other.stored
        self.held += other.held
        self.rejected += other.rejected
        return self


def replay(
    conn: Connection,
    wanted: LetterFilter,
    clock: Clock,
    rules: ClockRules,
    by_whom: str,
    formats: Sequence[Rule] = (),
    payload_of: PayloadOf | None = None,
) -> Replayed:
    """Replay all open letters that are wanted, a bounded transaction at a time. `conn` is in autocommit.

    formats     today's rules of formats beside carbon/v1
    payload_of  what a letter's payload is known to mean by now; None: leave the letter alone
    """
    if wanted.ids is None and wanted.reason is None:
        wanted = replace(wanted, but_reasons=DECIDED)
    directory = Directory(registry.load(conn))
    foreign = Formats(formats)
    ids = GatewayIds()
    result = Replayed()
    after = 0
    while True:
        letters = _next_letters(conn, wanted, after)
        if not letters:
            return result
        after = letters[-1].id
        names = [letter.id for letter in letters]
        try:
            step, directory = _replay_some(
                conn, names, clock, rules, by_whom, directory, foreign, ids, payload_of, apart=False
            )
        except REFUSED:
            ids = GatewayIds()  # some may have been given in the transaction that failed
            step, directory = _replay_some(
                conn, names, clock, rules, by_whom, directory, foreign, ids, payload_of, apart=True
            )
        result += step


def _next_letters(conn: Connection, wanted: LetterFilter, after: int) -> list[Letter]:
    letters: list[Letter] = []
    size = 0
    for letter in dead_letters.select(conn, wanted, after, LETTERS_MAX):
        size += len(letter.payload)
        if letters and size > BYTES_MAX:
            break
        letters.append(letter)
    return letters


def _replay_some(
    conn: Connection,
    letter_ids: list[int],
    clock: Clock,
    rules: ClockRules,
    by_whom: str,
    directory: Directory,
    formats: Formats,
    ids: GatewayIds,
    payload_of: PayloadOf | None,
    *,
    apart: bool,
) -> tuple[Replayed, Directory]:
    with conn.transaction():
        batch_id, version = readings.open_batch(conn)
        if version != directory.version:
            directory = Directory(registry.refresh(conn, directory.registry))
        letters = dead_letters.select(
            conn, LetterFilter(ids=tuple(letter_ids)), limit=len(letter_ids), for_update=True
        )
        if payload_of is not None:
            letters = [
                replace(letter, payload=payload)
                for letter in letters
                if (payload := payload_of(letter)) is not None
            ]
        now_us = clock.now_us()
        changed = [letter for letter in letters if _is_changed(letter, directory, formats, rules, now_us)]
        result = Replayed(letters=len(changed), unchanged=len(letters) - len(changed))
        if not changed:
            return result, directory
        batch = _batch(changed, directory, formats, rules)
        outcome = batch.finish(now_us)
        also: dict[int, Delta] = {}
        for letter in changed:
            if letter.gateway_id is not None:
                taken = Delta(received=-letter.readings, rejected=-letter.readings)
                also[letter.gateway_id] = also.get(letter.gateway_id, Delta()) + taken
        names = ids.of(conn, outcome.names())
        write_outcome(
            conn, batch, outcome, batch_id, names, apart=apart, cause="replay", by_whom=by_whom, also=also
        )
        dead_letters.mark_replayed(conn, [letter.id for letter in changed], batch_id)
        for delta in outcome.deltas().values():
            result += Replayed(
                received=delta.received, stored=delta.stored, held=delta.held, rejected=delta.rejected
            )
    return result, directory


def _batch(letters: Sequence[Letter], directory: Directory, formats: Formats, rules: ClockRules) -> Batch:
    batch = Batch(Routes(directory, formats), rules)
    for letter in letters:
        # Places are those of the decoder that counted them. Under another all is read: duplicates count once.
        is_same = batch.routes.find(letter.topic).decoder == letter.decoder
        only = None if letter.positions is None or not is_same else frozenset(letter.positions)
        chunk = Chunk(
            Nobody(),
            letter.via,
            letter.received_us,
            [letter.topic],
            [letter.payload],
            [0],
            frozenset({0}) if letter.retained else frozenset(),
            addressed=None if letter.uscc is None else f"{letter.uscc}/{letter.gateway}",
            is_replay=True,
        )
        batch.add(chunk, [only])
    return batch


def _is_changed(
    letter: Letter, directory: Directory, formats: Formats, rules: ClockRules, now_us: int
) -> bool:
    """Whether a replay would find anything else than what the letter says.

    A letter on an account whose topic no rule takes today stays as it is: it would lose its account.
    """
    route = Routes(directory, formats).find(letter.topic)
    if letter.gateway_id is not None and route.gateway is None and route.foreign is None:
        return False
    outcome: Outcome = _batch([letter], directory, formats, rules).finish(now_us)
    if len(outcome.rows) or outcome.holds:
        return True
    found = [(rejection.reason, rejection.readings) for rejection in outcome.rejections]
    return found != [(letter.reason, letter.readings)]
