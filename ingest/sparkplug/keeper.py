"""What Sparkplug asks for beside readings: events, rebirth requests, and orphans replayed once they mean something."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg

from domain.clock import Clock
from domain.errors import RejectReason, Unavailable
from ingest.decode.sparkplug_b_v1 import Table, rebirth_request
from ingest.delivery import Publisher
from ingest.directory import ClockRules
from ingest.formats import Rule
from ingest.metrics import SPARKPLUG_DROPPED, SPARKPLUG_REBIRTHS
from ingest.pipeline import Pipeline
from ingest.replay import Replayed, replay
from ingest.sparkplug.decoder import Known, SparkplugDecoder, completed, parse_topic
from ingest.sparkplug.session import Happened, Resolved
from storage.database import Connection
from storage.dead_letters import Letter, LetterFilter

log = logging.getLogger("carbonmeter.sparkplug")

TICK_S = 0.1
RETRY_S = 1.0
REPLAYS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Replay:
    """Orphans of a scope, received from `since_us` to `until_us`, mean what `table` says.

    mark  of the pipeline: once so much is settled, all of them are committed
    """

    mark: int
    scope: tuple[str, str, str | None]  # group, node, device
    since_us: int
    until_us: int
    table: Table


class Keeper:
    """Runs until cancelled, on the loop's thread; replays on a thread of its own."""

    def __init__(
        self,
        decoders: Sequence[SparkplugDecoder],
        pipeline: Pipeline,
        connect: Callable[[], Connection],
        clock: Clock,
        rules: ClockRules,
        formats: Sequence[Rule],
    ) -> None:
        self._decoders = decoders
        self._pipeline = pipeline
        self._connect = connect
        self._clock = clock
        self._rules = rules
        self._formats = formats
        self._replays: deque[Replay] = deque()
        self._executor = ThreadPoolExecutor(1, "sparkplug")

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._look()
                due = self._due()
                if due:
                    try:
                        result = await loop.run_in_executor(self._executor, self._replay, due)
                    except (psycopg.OperationalError, psycopg.InterfaceError, Unavailable) as error:
                        log.debug("a replay waits for the database: %s", error)
                        self._replays.extendleft(reversed(due))
                        await asyncio.sleep(RETRY_S)
                    else:
                        if result.letters:
                            log.info(
                                "a birth certificate tells what %d payloads mean: %d readings, %d of them stored",
                                result.letters,
                                result.received,
                                result.stored,
                            )
                await asyncio.sleep(TICK_S)
        finally:
            self._executor.shutdown(wait=True)

    def _look(self) -> None:
        for decoder in self._decoders:
            todo, decoder.todo = decoder.todo, []
            for known, item, received_us in todo:
                self._do(known, item, received_us)
            for names in list(decoder.restless):
                known_node = decoder.nodes.get(names)
                if known_node is None or not self._tend(known_node, decoder):
                    decoder.restless.discard(names)

    def _do(self, known: Known, item: Happened | Resolved, received_us: int) -> None:
        address = known.address
        if isinstance(item, Happened):
            at_us = received_us if item.at_us is None else item.at_us
            detail = f"{address.group}/{address.node}: {item.detail}"
            self._pipeline.event(item.kind, (address.uscc, address.gateway), detail, at_us)
        elif len(self._replays) < REPLAYS_MAX:
            scope = address.group, address.node, item.device
            self._replays.append(Replay(self._pipeline.taken, scope, item.since_us, received_us, item.table))
        else:
            SPARKPLUG_DROPPED.inc()

    def _tend(self, known: Known, decoder: SparkplugDecoder) -> bool:
        """Ask for a birth where it is time to; whether to look again."""
        session, options = known.session, decoder.options
        why = session.poll(self._clock.monotonic(), options.reorder_s, options.rebirth_s)
        if why is not None:
            address = known.address
            request = rebirth_request(self._clock.now_us() // 1000)
            source = known.source
            is_sent = isinstance(source, Publisher) and source.publish(address.command_topic, request)
            SPARKPLUG_REBIRTHS.labels("sent" if is_sent else "not_sent").inc()
            self._pipeline.event(
                "sparkplug_rebirth",
                (address.uscc, address.gateway),
                f"{address.group}/{address.node}: {why}; its birth certificates were"
                + (" asked for" if is_sent else " not asked for: it doesn't take commands here"),
            )
        return session.rebirth is not None or session.has_gap

    def _due(self) -> list[Replay]:
        """Replays whose letters are all committed."""
        due = []
        while self._replays and self._replays[0].mark <= self._pipeline.settled:
            due.append(self._replays.popleft())
        return due

    # The thread of replays

    def _replay(self, due: Sequence[Replay]) -> Replayed:
        by_scope: dict[tuple[str, str, str | None], list[Replay]] = {}
        for each in due:
            by_scope.setdefault(each.scope, []).append(each)

        def payload_of(letter: Letter) -> bytes | None:
            topic = parse_topic(letter.topic.decode("utf-8", "replace"))
            if topic is None:
                return None
            for each in by_scope.get((topic.group, topic.node, topic.device), ()):
                if each.since_us <= letter.received_us <= each.until_us:
                    return completed(letter.payload, each.table)
            return None

        wanted = LetterFilter(reason=RejectReason.UNKNOWN_ALIAS, from_us=min(each.since_us for each in due))
        with contextlib.closing(self._connect()) as conn:
            conn.autocommit = True
            return replay(conn, wanted, self._clock, self._rules, "sparkplug", self._formats, payload_of)
