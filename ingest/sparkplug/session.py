"""What we know of one edge node: its session, its certificates, the order of its messages. No clock, no socket.

A reading carries its own time, so the log doesn't mind the order of data. Certificates do: an alias means what the
last birth says, and a missing message may have been a birth. So aliases are resolved only while nothing is missing.
What can't be resolved is an *orphan*: it goes to the dead letters as `unknown_alias`, acknowledged and counted, and is
replayed with the table of the certificate that ends the doubt:

- a birth of its scope (the node, or the device), or the late arrival of what was missing, gives the table;
- a death of the node or of the device, a new session whose beginning was missed, or the end of our own connection,
  takes it away: between then and the next birth aliases may have changed, so these letters stay for a person. So
  do those of a birth whose aliases mean something else than the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.interval import TIME_MAX_US
from ingest.decode.sparkplug_b_v1 import Payload, Table

SEQ_COUNT = 256
DEVICES_MAX = 10_000  # of a node; beyond it a device's birth isn't remembered

# Kinds of gateway events
ONLINE = "sparkplug_online"
OFFLINE = "sparkplug_offline"
DEVICE_ONLINE = "sparkplug_device_online"
DEVICE_OFFLINE = "sparkplug_device_offline"
FAULT = "sparkplug_fault"

_EMPTY = Table()


@dataclass(frozen=True, slots=True)
class Happened:
    """An event. `at_us` None: the server's time now."""

    kind: str
    detail: str
    at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """Orphans of a scope that came from `since_us` on mean what `table` says. `device` None: the node itself."""

    device: str | None
    since_us: int
    table: Table


@dataclass(slots=True)
class Step:
    """What one message led to. `table` resolves its own aliases: empty where it can't be told what they mean."""

    table: Table = _EMPTY
    happened: list[Happened] = field(default_factory=list)
    resolved: list[Resolved] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Certificate:
    """A message that came early: what it says of a device once it is its turn. `table` None: it died, or only data."""

    device: str | None = None
    table: Table | None = None
    died_us: int | None = None


class EdgeNode:
    """The host's side of an edge node's session."""

    def __init__(self) -> None:
        self.is_online = False
        self.bd_seq: int | None = None
        self.tables: dict[str | None, Table] = {}  # by device, None: of the node itself
        self.rebirth: str | None = None  # why its birth certificates are wanted
        self._expected = 0
        self._former: dict[str | None, Table] = {}  # before they were told anew
        self._early: dict[int, _Certificate] = {}
        self._orphans: dict[str | None, int] = {}  # time of receipt of the first one, by device [µs]
        self._gap_until_s: float | None = None
        self._asked_at_s: float | None = None

    @property
    def has_gap(self) -> bool:
        """Whether a message is missing."""
        return bool(self._early)

    @property
    def metrics(self) -> int:
        """Of all that is alive."""
        return sum(map(len, self.tables.values()))

    def forget(self) -> None:
        """Our connection has ended, or another client speaks for the node: nothing that we know is certain."""
        self._end()
        self.bd_seq = None
        self._orphans.clear()
        self._former = {}

    def _end(self) -> None:
        self.is_online = False
        self.tables = {}
        self._early = {}
        self._gap_until_s = self.rebirth = None

    # Messages

    def take(self, kind: str, device: str | None, payload: Payload, received_us: int) -> Step:
        """One message, in the order of arrival. `kind` as in the topic."""
        step = Step()
        if kind == "NBIRTH":
            self._node_birth(payload, step)
        elif kind == "NDEATH":
            self._node_death(payload, step)
        else:
            self._in_session(kind, device, payload, received_us, step)
        return step

    def _node_birth(self, payload: Payload, step: Step) -> None:
        bd_seq = payload.bd_seq
        if self.is_online and bd_seq != self.bd_seq:
            # Its death was missed: what is in doubt may be of the session before.
            self.forget()
        faults = []
        if payload.seq is None or not 0 <= payload.seq < SEQ_COUNT:
            faults.append(f"seq {payload.seq}, expected 0 to 255")
        if bd_seq is None:
            faults.append("no bdSeq")
        former = {**self._former, **self.tables}
        self._end()
        self._former = former
        self.is_online = True
        self.bd_seq = bd_seq
        self._asked_at_s = None
        self._expected = ((payload.seq or 0) + 1) % SEQ_COUNT
        table = self.tables[None] = Table(payload.metrics)
        step.table = table
        step.happened.append(Happened(ONLINE, f"bdSeq {bd_seq}, {len(table)} metrics"))
        self._note(faults, table, "NBIRTH", step)
        self._resolve(step)

    def _node_death(self, payload: Payload, step: Step) -> None:
        bd_seq = payload.bd_seq
        self._orphans.clear()
        self._former = {}
        if self.is_online and bd_seq != self.bd_seq:
            step.happened.append(
                Happened(
                    FAULT, f"NDEATH of bdSeq {bd_seq} while bdSeq {self.bd_seq} is online: not its death"
                )
            )
            self.rebirth = "an NDEATH of another session"
            return
        devices = len(self.tables) - (None in self.tables)
        step.happened.append(
            Happened(
                OFFLINE, f"bdSeq {bd_seq}: {self.metrics} metrics of the node and {devices} devices stale"
            )
        )
        self._end()

    def _in_session(
        self, kind: str, device: str | None, payload: Payload, received_us: int, step: Step
    ) -> None:
        table = Table(payload.metrics) if kind == "DBIRTH" else None
        died_us = None
        if kind == "DDEATH":
            died_us = (payload.timestamp_ms or 0) * 1000
            if not 0 < died_us < TIME_MAX_US:
                died_us = received_us
        is_in_order = self._order(payload.seq, _Certificate(device, table, died_us), step)
        if kind == "DDEATH":
            return
        if kind == "DBIRTH":
            step.table = table or _EMPTY  # its own certificate, whatever is missing
        elif is_in_order:
            step.table = self.tables.get(device, _EMPTY)
            if device not in self.tables:
                self.rebirth = f"data of a device without a birth certificate: {device}"
        if payload.is_incomplete and not _tells_all(payload, step.table):
            self._orphans.setdefault(device, received_us)
            if is_in_order:
                self.rebirth = self.rebirth or "an alias that no birth certificate tells"

    def _order(self, seq: int | None, certificate: _Certificate, step: Step) -> bool:
        """Whether this message is the next one, so that nothing before it is missing."""
        if not self.is_online:
            self.rebirth = "data before a birth certificate"
            return False
        if seq is None or not 0 <= seq < SEQ_COUNT:
            step.happened.append(Happened(FAULT, f"seq {seq}, expected 0 to 255"))
            self.rebirth = "a message without a sequence number"
            return False
        if seq != self._expected:
            self._early.setdefault(seq, certificate)
            return False
        had_gap = bool(self._early)
        self._turn(certificate, step)
        while (next_one := self._early.pop(self._expected, None)) is not None:
            self._turn(next_one, step)
        if had_gap and not self._early:
            self._gap_until_s = None
            self._resolve(step)
        elif certificate.table is not None:
            self._resolve(step)
        return True

    def _turn(self, certificate: _Certificate, step: Step) -> None:
        self._expected = (self._expected + 1) % SEQ_COUNT
        device, table = certificate.device, certificate.table
        if device is None:
            return
        if table is not None:
            if device in self.tables:
                self._former[device] = self.tables[device]
            if device in self.tables or len(self.tables) <= DEVICES_MAX:
                self.tables[device] = table
            step.happened.append(Happened(DEVICE_ONLINE, f"{device[:200]}: {len(table)} metrics"))
            self._note([], table, f"DBIRTH of {device[:200]}", step)
        elif certificate.died_us is not None:
            gone = self.tables.pop(device, _EMPTY)
            self._former.pop(device, None)
            self._orphans.pop(device, None)
            detail = f"{device[:200]}: {len(gone)} metrics stale"
            step.happened.append(Happened(DEVICE_OFFLINE, detail, certificate.died_us))

    def _resolve(self, step: Step) -> None:
        """Orphans whose scope has a table now, unless something is still missing, or aliases have changed."""
        if self._early:
            return
        for device in [device for device in self._orphans if device in self.tables]:
            since_us, table = self._orphans.pop(device), self.tables[device]
            if _agree(self._former.pop(device, _EMPTY), table):
                step.resolved.append(Resolved(device, since_us, table))

    def _note(self, faults: list[str], table: Table, what: str, step: Step) -> None:
        if table.doubtful:
            faults.append(f"alias {min(table.doubtful)} of several metrics")
        if faults:
            step.happened.append(Happened(FAULT, f"{what}: {', '.join(faults)}"))

    # Time

    def poll(self, now_s: float, reorder_s: float, rebirth_s: float) -> str | None:
        """Why the node's birth is to be asked for now, if it is.

        now_s      of a clock that never goes back
        reorder_s  how long what is missing may take
        rebirth_s  not more often than this, and only while messages come
        """
        if self._early:
            if self._gap_until_s is None:
                self._gap_until_s = now_s + reorder_s
            elif now_s >= self._gap_until_s:
                self.rebirth = self.rebirth or f"message {self._expected} is missing"
                self._gap_until_s = now_s + max(reorder_s, rebirth_s)
        if self.rebirth is None or (self._asked_at_s is not None and now_s < self._asked_at_s + rebirth_s):
            return None
        why, self.rebirth = self.rebirth, None
        self._asked_at_s = now_s
        return why


def _agree(former: Table, table: Table) -> bool:
    """Whether no alias and no type has changed its meaning."""
    return all(table.names.get(alias, name) == name for alias, name in former.names.items()) and all(
        table.types.get(name, datatype) == datatype for name, datatype in former.types.items()
    )


def _tells_all(payload: Payload, table: Table) -> bool:
    """Whether a table tells what every metric means."""
    for metric in payload.metrics:
        if metric.is_incomplete:
            name = metric.name
            if name is None:
                assert metric.alias is not None
                name = table.names.get(metric.alias)
                if name is None:
                    return False
            if metric.is_integer and not metric.datatype and not table.types.get(name):
                return False
    return True
