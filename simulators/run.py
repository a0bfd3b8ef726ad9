"""The running simulation: gateways that read, keep and send; history as fast as it goes, then real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from domain.interval import DAY_US
from simulators.city import PARK_ENTERPRISES, City
from simulators.faults import Faults, Structure, structure
from simulators.gateway import Link, PlantGateway, SimulatedGateway
from simulators.plant import Plant

# Messages a gateway may have waiting while history is read: bounds the spools, not the memory, which they don't use.
BACKLOG_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a push is. Readings that were put twice or are no readings aren't in these."""

    put: int
    waiting: int  # messages without an acknowledgement
    done_share: float  # of the time to read

    def __str__(self) -> str:
        return f"{self.put:,} readings read ({self.done_share:.0%}), {self.waiting:,} messages on their way"


@dataclass(slots=True)
class Simulation:
    """Gateways of the city, in one process. `plant` or `city` may be left out."""

    link: Link
    city: City | None = None
    plant: Plant | None = None
    faults: Faults = field(default_factory=Faults)
    horizon_us: int = 0  # the faults of structure happen before it
    gateways: list[SimulatedGateway | PlantGateway] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.plant is not None:
            self.gateways.append(PlantGateway(self.plant, self.link))
        if self.city is not None:
            shape = self.structure
            self.gateways.extend(
                SimulatedGateway(self.city, enterprise, gateway, self.faults, shape, self.link)
                for enterprise in PARK_ENTERPRISES
                for gateway in enterprise.gateways
            )

    @property
    def structure(self) -> Structure:
        assert self.city is not None
        return structure(self.city, self.faults, self.horizon_us)

    def start(self) -> None:
        for gateway in self.gateways:
            gateway.sender.start()

    def stop(self) -> None:
        """End the connections; what isn't acknowledged stays in the spools."""
        stoppers = [threading.Thread(target=gateway.sender.stop) for gateway in self.gateways]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join()
        for gateway in self.gateways:
            gateway.sender.spool.close()

    @property
    def waiting(self) -> int:
        return sum(gateway.sender.spool.pending for gateway in self.gateways)

    @property
    def errors(self) -> list[str]:
        return [
            f"{gateway.name}: {gateway.sender.counts.last_error}"
            for gateway in self.gateways
            if gateway.sender.counts.last_error
        ]

    def push(
        self,
        until_us: int,
        stop: threading.Event,
        tell: Callable[[Progress], None] = lambda _progress: None,
        only: Sequence[SimulatedGateway | PlantGateway] | None = None,
    ) -> bool:
        """Read everything up to a moment, a day at a time, and wait until it is acknowledged; False: stopped."""
        gateways = self.gateways if only is None else list(only)
        begin_us = min((gateway.until_us for gateway in gateways), default=until_us)
        reached_us = begin_us
        while reached_us < until_us and not stop.is_set():
            reached_us = min(until_us, reached_us + DAY_US)
            for gateway in gateways:
                if gateway.until_us < reached_us:
                    gateway.advance(reached_us)
            tell(self._progress(gateways, begin_us, reached_us, until_us))
            while not stop.is_set() and any(
                gateway.sender.spool.pending > BACKLOG_MAX for gateway in gateways if not gateway.is_away
            ):
                stop.wait(0.02)
                tell(self._progress(gateways, begin_us, reached_us, until_us))
        for gateway in gateways:
            gateway.come_back()
        while any(gateway.sender.spool.pending for gateway in gateways) and not stop.is_set():
            stop.wait(0.02)
            tell(self._progress(gateways, begin_us, reached_us, until_us))
        return not stop.is_set()

    @staticmethod
    def _progress(
        gateways: Sequence[SimulatedGateway | PlantGateway], begin_us: int, reached_us: int, until_us: int
    ) -> Progress:
        return Progress(
            sum(gateway.tally.readings for gateway in gateways),
            sum(gateway.sender.spool.pending for gateway in gateways),
            1.0 if until_us <= begin_us else (reached_us - begin_us) / (until_us - begin_us),
        )

    def live(
        self,
        stop: threading.Event,
        *,
        now_us: Callable[[], int],
        every_us: int,
        tell: Callable[[Progress], None] = lambda _progress: None,
    ) -> None:
        """Read the park's meters every `every_us` of `now_us`, a clock that may run faster, until stopped; the real
        plant is replayed up to that clock.
        """
        while not stop.is_set():
            now = now_us()
            for gateway in self.gateways:
                gateway.advance(now - now % every_us, every_us)
            tell(self._progress(self.gateways, now, now, now))
            stop.wait(min(1.0, every_us / 1e6))

    @property
    def behind_us(self) -> int:
        """Up to when the park has been sent, by its gateway that is furthest behind; without a park, the plant."""
        park = [gateway for gateway in self.gateways if isinstance(gateway, SimulatedGateway)]
        return min(gateway.until_us for gateway in park or self.gateways)


def accelerated(rate: float, start_us: int) -> Callable[[], int]:
    """A clock that shows `start_us` now and runs `rate` times as fast as time does."""
    began = time.monotonic()
    return lambda: start_us + int((time.monotonic() - began) * 1e6 * rate)
