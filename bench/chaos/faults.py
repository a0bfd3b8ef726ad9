"""The faults, one function each: it strikes, lasts as long as it does, and returns when the fault has ended."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.chaos import bed as beds
from bench.chaos import packets
from bench.chaos.bed import PATIENCE_S, Bed, Broker
from bench.chaos.proxy import Proxy
from bench.process import wait_for
from domain.errors import Refused
from ingest.settings import BrokerSettings

Chance = random.Random


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to be struck; `needs` is a key of `Bed.missing` where it can't be done on every machine."""

    name: str
    strike: Callable[[Bed, Chance], None]
    needs: str | None = None


def _moment(chance: Chance) -> None:
    beds.pause(chance.uniform(0.2, 1.5))


def _kill_service(service: str, bed: Bed, _chance: Chance) -> None:
    beds.kill(bed.pid(service))


def _freeze_service(service: str, bed: Bed, chance: Chance) -> None:
    with beds.frozen([bed.pid(service)]):
        _moment(chance)


def _kill_server(bed: Bed, _chance: Chance) -> None:
    bed.kill()


def _kill_postmaster(bed: Bed, _chance: Chance) -> None:
    """Its sessions live on for a moment, as they do when the system's memory killer takes it."""
    postmaster = bed.postmaster
    beds.kill(postmaster)
    if postmaster is not None:
        wait_for(lambda: beds.is_gone(postmaster), "the postmaster is still there", PATIENCE_S)


def _kill_backend(bed: Bed, chance: Chance) -> None:
    """PostgreSQL then ends every session and recovers."""
    beds.kill(bed.backend(chance.choice(beds.SERVICES)))


def _end_backends(bed: Bed, _chance: Chance) -> None:
    for service in beds.SERVICES:
        beds.terminate(bed.backend(service))


def _freeze_backend(bed: Bed, chance: Chance) -> None:
    pid = bed.backend(chance.choice(beds.SERVICES))
    with beds.frozen([] if pid is None else [pid]):
        _moment(chance)


def _freeze_postmaster(bed: Bed, chance: Chance) -> None:
    """Sessions go on, and nobody gets a new one."""
    with beds.frozen(bed.database_pids()[:1]):
        for pid in bed.database_pids()[-1:]:  # the youngest of its processes: a session
            beds.terminate(pid)
        _moment(chance)


def _freeze_database(bed: Bed, chance: Chance) -> None:
    with beds.frozen(bed.database_pids()):
        _moment(chance)


def _full_disk(bed: Bed, chance: Chance) -> None:
    with bed.full_disk():
        _moment(chance)
        _moment(chance)


def _failing_sync(bed: Bed, chance: Chance) -> None:
    """Of the sessions and of what writes in the background: PostgreSQL panics and recovers."""
    with beds.broken_syncs(lambda: bed.database_pids()[1:]):
        _moment(chance)


def _cut(proxy: Proxy, _chance: Chance) -> None:
    proxy.cut()


def _half_close(proxy: Proxy, chance: Chance) -> None:
    proxy.half_close(towards_server=chance.random() < 0.5)
    _moment(chance)
    proxy.forget_orphans()


def _silence(proxy: Proxy, chance: Chance) -> None:
    """Nothing is passed on; then either it comes late, or the line turns out to be dead."""
    proxy.hold()
    try:
        _moment(chance)
        if chance.random() < 0.5:
            proxy.cut()
    finally:
        proxy.release()


def _delay(proxy: Proxy, chance: Chance) -> None:
    proxy.delay_s = chance.uniform(0.02, 0.3)
    try:
        _moment(chance)
    finally:
        proxy.delay_s = 0.0


def _refuse(proxy: Proxy, chance: Chance) -> None:
    proxy.refuse(True)
    try:
        proxy.cut()
        _moment(chance)
    finally:
        proxy.refuse(False)


_LINES: dict[str, Callable[[Proxy, Chance], None]] = {
    "cut": _cut,
    "half closed": _half_close,
    "silent": _silence,
    "slow": _delay,
    "refused": _refuse,
}


def _endpoint_line(how: Callable[[Proxy, Chance], None], bed: Bed, chance: Chance) -> None:
    how(bed.endpoint, chance)


def _broker(bed: Bed) -> Broker:
    if bed.broker is None:
        raise Refused("there is no broker")
    return bed.broker


def _gateway_line(how: Callable[[Proxy, Chance], None], bed: Bed, chance: Chance) -> None:
    how(_broker(bed).to_gateways, chance)


def _ingest_line(how: Callable[[Proxy, Chance], None], bed: Bed, chance: Chance) -> None:
    how(_broker(bed).to_ingest, chance)


def _kill_broker(bed: Bed, _chance: Chance) -> None:
    _broker(bed).kill(forget=False)


def _forgetful_broker(bed: Bed, _chance: Chance) -> None:
    """It comes back without any session: session_present = 0."""
    _broker(bed).kill(forget=True)


def _freeze_broker(bed: Bed, chance: Chance) -> None:
    with beds.frozen([_broker(bed).process.pid]):
        _moment(chance)


def _steal_session(bed: Bed, _chance: Chance) -> None:
    """Another client signs in with ingest's name and a clean start: its session is taken over and gone."""
    with socket.create_connection(("127.0.0.1", _broker(bed).port), 10) as thief:
        thief.settimeout(10)
        thief.sendall(packets.connect(BrokerSettings("").client_id, 5))
        with contextlib.suppress(OSError):
            thief.recv(1024)


def _stale_acks(bed: Bed, chance: Chance) -> None:
    """Lines break while their messages are being committed: the acknowledgements belong to nobody any more."""
    with beds.frozen(bed.database_pids()):
        _moment(chance)
        bed.endpoint.cut()
        if bed.broker is not None:
            bed.broker.to_ingest.cut()
        beds.pause(chance.uniform(0.1, 0.5))


FAULTS: tuple[Fault, ...] = (
    *(Fault(f"{name} killed", partial(_kill_service, name)) for name in beds.SERVICES),
    *(Fault(f"{name} frozen", partial(_freeze_service, name)) for name in beds.SERVICES),
    Fault("server killed", _kill_server),
    Fault("postmaster killed", _kill_postmaster),
    Fault("backend killed", _kill_backend),
    Fault("backends ended", _end_backends),
    Fault("backend frozen", _freeze_backend),
    Fault("postmaster frozen", _freeze_postmaster),
    Fault("database frozen", _freeze_database),
    Fault("disk full", _full_disk, "full disk"),
    Fault("fsync fails", _failing_sync, "strace"),
    *(Fault(f"endpoint's lines {name}", partial(_endpoint_line, how)) for name, how in _LINES.items()),
    Fault("stale acknowledgements", _stale_acks),
    Fault("broker killed", _kill_broker, "broker"),
    Fault("broker frozen", _freeze_broker, "broker"),
    Fault("broker forgets its sessions", _forgetful_broker, "broker"),
    Fault("ingest's session stolen", _steal_session, "broker"),
    *(Fault(f"broker's lines {name}", partial(_gateway_line, how), "broker") for name, how in _LINES.items()),
    *(Fault(f"ingest's line {name}", partial(_ingest_line, how), "broker") for name, how in _LINES.items()),
)
