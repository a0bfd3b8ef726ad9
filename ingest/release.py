"""Held readings: stored when their reason ends, or as a person decides.

Each step is one transaction and one batch of its own (`cause` release), judged by the registry in force, like any
other. A reading leaves `held` and enters the log in it, so it is never in both and never in neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from domain.clock import Clock
from domain.errors import HoldReason, RejectReason
from domain.interval import DAY_US, format_time
from domain.reading import decimal_text
from ingest.decode.carbon_v1 import DECODER
from ingest.directory import ClockRules, Directory, judge
from ingest.metrics import RELEASED
from ingest.topic import PREFIX, READINGS
from storage import dead_letters, held, partitions, readings, registry
from storage.database import Connection
from storage.held import Held, HeldFilter
from storage.readings import READING_DTYPE, Delta

STEP_MAX = 10_000  # held readings a transaction looks at


@dataclass(slots=True)
class Released:
    """What became of held readings: stored, rejected, or kept because another reason holds them."""

    stored: int = 0
    rejected: int = 0
    kept: int = 0

    def __iadd__(self, other: Released) -> Released:
        self.stored += other.stored
        self.rejected += other.rejected
        self.kept += other.kept
        return self


@dataclass(slots=True)
class _Step:
    """One transaction's worth of decisions."""

    stored: list[tuple[Held, int]] = field(default_factory=list)  # with points.id
    rejected: list[tuple[Held, RejectReason, str]] = field(default_factory=list)
    changed: dict[int, str] = field(default_factory=dict)


class Keeper:
    """Releases held readings over one connection, under the registry as it changes."""

    def __init__(
        self, conn: Connection, clock: Clock, rules: ClockRules, directory: Directory | None = None
    ) -> None:
        self._conn = conn
        self._clock = clock
        self._rules = rules
        self._directory = directory or Directory(registry.load(conn))
        self._released_version = -1  # the registry version whose names were all tried

    def tend(self) -> Released:
        """Release what the registry and the clock allow by now; does nothing while another worker is at it."""
        result = Released()
        now_us = self._clock.now_us()
        result += self._all(
            lambda after: held.due(self._conn, now_us + self._rules.ahead_us, after, STEP_MAX)
        )
        version = registry.version(self._conn)
        if version != self._released_version:
            self._refresh()
            for uscc, meter, channel in held.names(self._conn):
                if isinstance(self._directory.point(uscc, meter, channel), HoldReason):
                    continue

                def of_name(after: int, name: tuple[str, str, str] = (uscc, meter, channel)) -> list[Held]:
                    return held.of_name(self._conn, *name, after, STEP_MAX)

                result += self._all(of_name)
            self._released_version = version
        return result

    def release(self, wanted: HeldFilter, by_whom: str) -> Released:
        """As a person decides: in spite of the clock, but not of the registry."""
        self._make_room(wanted)
        return self._all(
            lambda after: held.select(self._conn, wanted, after, STEP_MAX, for_update=True),
            by_whom=by_whom,
            despite_clock=True,
        )

    def _make_room(self, wanted: HeldFilter) -> None:
        """Partitions for what is further ahead than those that are kept ahead: before any batch, never within one."""
        after = 0
        horizon_us = partitions.horizon(self._clock.now_us())
        while items := held.select(self._conn, wanted, after, STEP_MAX):
            after = items[-1].id
            ahead = {
                item.measured_us // DAY_US: item.measured_us
                for item in items
                if item.measured_us >= horizon_us
            }
            for measured_us in ahead.values():  # one a day at most
                with self._conn.transaction():
                    partitions.ensure(self._conn, measured_us, measured_us)

    def discard(self, wanted: HeldFilter, by_whom: str) -> Released:
        """As a person decides: they become dead letters."""
        return self._all(
            lambda after: held.select(self._conn, wanted, after, STEP_MAX, for_update=True),
            by_whom=by_whom,
            discard=True,
        )

    def _refresh(self) -> None:
        current = registry.refresh(self._conn, self._directory.registry)
        if current.version != self._directory.version:
            self._directory = Directory(current)

    def _all(
        self,
        take: Callable[[int], list[Held]],
        *,
        by_whom: str | None = None,
        despite_clock: bool = False,
        discard: bool = False,
    ) -> Released:
        result = Released()
        after = 0
        while True:
            with self._conn.transaction():
                if by_whom is None and not held.take_release(self._conn):
                    return result
                items = take(after)
                if not items:
                    return result
                after = items[-1].id
                result += self._step(items, by_whom, despite_clock=despite_clock, discard=discard)

    def _step(
        self, items: Sequence[Held], by_whom: str | None, *, despite_clock: bool, discard: bool
    ) -> Released:
        conn = self._conn
        batch_id, version = readings.open_batch(conn)
        if version != self._directory.version:
            self._refresh()
        step = _Step()
        now_us = self._clock.now_us()
        for item in items:
            if discard:
                step.rejected.append((item, RejectReason.DISCARDED, f"discarded by {by_whom}"))
            else:
                self._judge(item, step, now_us, despite_clock=despite_clock)
        held.change_reason(conn, step.changed)
        gone = [item.id for item, _ in step.stored] + [item.id for item, _, _ in step.rejected]
        if not gone:
            return Released(kept=len(items))
        held.delete(conn, gone)
        rows = np.zeros(len(step.stored), READING_DTYPE)
        for row, (item, point_id) in zip(rows, step.stored, strict=True):
            row["measured_at"], row["channel_id"], row["gateway_id"] = (
                item.measured_us,
                point_id,
                item.gateway_id,
            )
            row["batch_id"], row["mantissa"], row["exponent"] = batch_id, item.mantissa, item.exponent
            row["revision"], row["quality"], row["flags"] = item.revision, item.quality, item.flags
        if len(rows):
            rows = self._copied(rows, step)
        dead_letters.insert(conn, batch_id, [_letter(*rejected) for rejected in step.rejected])
        readings.insert_batch(
            conn, batch_id, "release", by_whom, self._directory.version, rows["measured_at"], _deltas(step)
        )
        RELEASED.inc(len(rows))
        return Released(len(step.stored), len(step.rejected), len(items) - len(gone))

    def _copied(self, rows: npt.NDArray[np.void], step: _Step) -> npt.NDArray[np.void]:
        """Append rows to the log; those that the database refuses are rejected. The rest is returned."""
        refused = readings.copy_rows_apart(self._conn, rows)
        for place in sorted(refused, reverse=True):
            item, point_id = step.stored.pop(place)
            step.rejected.append((item, RejectReason.REFUSED_BY_DATABASE, f"channel {point_id}"))
        return np.delete(rows, refused)

    def _judge(self, item: Held, step: _Step, now_us: int, *, despite_clock: bool) -> None:
        place = self._directory.point(item.uscc, item.meter, item.channel)
        verdict = judge(
            place,
            item.measured_us,
            item.mantissa,
            item.exponent,
            item.flags,
            item.received_us,
            now_us,
            self._rules,
            despite_clock=despite_clock,
        )
        if isinstance(verdict, RejectReason):
            step.rejected.append(
                (item, verdict, f"{item.meter}/{item.channel}: {item.mantissa}e{item.exponent}")
            )
        elif isinstance(verdict, HoldReason):
            if verdict != item.reason:
                step.changed[item.id] = verdict
        else:
            assert not isinstance(place, HoldReason)
            step.stored.append((item, place.id))


def _deltas(step: _Step) -> dict[int, Delta]:
    deltas: dict[int, Delta] = {}
    for item, _ in step.stored:
        deltas[item.gateway_id] = deltas.get(item.gateway_id, Delta()) + Delta(held=-1, stored=1)
    for item, _, _ in step.rejected:
        deltas[item.gateway_id] = deltas.get(item.gateway_id, Delta()) + Delta(held=-1, rejected=1)
    return deltas


def _letter(item: Held, reason: RejectReason, detail: str) -> dead_letters.NewLetter:
    """A held reading as a payload of form A that a replay reads again, exactly."""
    reading = {
        "m": item.meter,
        "c": item.channel,
        "at": format_time(item.measured_us),
        "v": decimal_text(item.mantissa, item.exponent)
        if -40 < item.exponent < 40
        else f"{item.mantissa}e{item.exponent}",
        "q": item.quality,
        "rev": item.revision,
    }
    return dead_letters.NewLetter(
        item.received_us,
        f"{PREFIX}{item.uscc}/{item.gateway}/{READINGS}".encode(),
        json.dumps({"readings": [reading]}).encode(),
        "held",
        False,
        item.gateway_id,
        reason,
        detail,
        DECODER,
        None,
        1,
    )
