"""How much each benchmark measures: what a run is by default, what `--quick` makes of it, and what may be set.

Each field is an option of the command line: `--rounds`, `--seconds` and so on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def size(default: Any, what: str) -> Any:
    return field(default=default, metadata={"what": what})


@dataclass(frozen=True, slots=True)
class IngestSizes:
    rounds: int = size(3, "rounds, each with a turn of every contender")
    seconds: float = size(2.5, "length of a turn, about")
    warm_up: float = size(0.7, "length of the turn before the first, which doesn't count; 0: none")
    enterprises: int = size(20, "enterprises")
    devices: int = size(100, "meters of each enterprise, readings in a packed message")
    connections: int = size(2_000, "connections of the cases named 2000")
    idle: int = size(10_000, "connections that only stay")
    churn: float = size(1_000.0, "connections made and broken a second in endpoint-churn")
    windows: float = size(1.0, "messages in flight, as a share of what the cases have")
    accountants: int = size(1, "processes of accounting")
    sustained: float = size(60.0, "seconds of the cases named sustained")
    scale: int = size(100_000, "channels of the largest fleet of scale")
    replayed: int = size(1_440, "readings of each meter that come again in replayed-day")
    backlog: int = size(1_000_000, "messages that wait in broker-backlog")
    away: float = size(120.0, "seconds that the database is away in database-away")


@dataclass(frozen=True, slots=True)
class KernelSizes:
    rounds: int = size(3, "rounds, each with a turn of every contender")
    channels: int = size(2_000, "channels of `kernels`")
    intervals: int = size(2_976, "intervals of each: a month of 31 days")
    threads: int = size(2, "threads of everybody")
    readings: int = size(10**8, "readings of the largest of `scale`")
    restated: int = size(1_000, "channels of `restate` and `restate-kernels`")
    days: int = size(365, "days of these")
    compiled: int = size(1, "1: `cold-start` also without a cache")


@dataclass(frozen=True, slots=True)
class ApiSizes:
    rounds: int = size(3, "rounds, each with a turn of every route")
    seconds: float = size(4.0, "length of a turn")
    rate: float = size(200.0, "requests a second, sent whether answered or not")
    connections: int = size(16, "HTTP connections that they are spread over")
    enterprises: int = size(1_000, "enterprises of the city")
    sources: int = size(3, "emission sources of each")
    days: int = size(400, "days that the ledger has of each enterprise that is asked for")
    graded: int = size(10_000, "enterprises that are graded at once")
    asked: int = size(
        50, "enterprises that are asked for; the others have as many days as a month and its edges need"
    )


QUICK_INGEST = IngestSizes(
    rounds=1,
    seconds=0.2,
    warm_up=0.0,
    enterprises=4,
    devices=25,
    connections=100,
    idle=100,
    churn=100.0,
    windows=0.2,
    sustained=2.0,
    scale=20,
    replayed=50,
    backlog=5_000,
    away=1.0,
)
QUICK_KERNELS = KernelSizes(
    rounds=1, channels=50, intervals=2_976, readings=10**5, restated=5, days=60, compiled=0
)
QUICK_API = ApiSizes(rounds=1, seconds=0.5, enterprises=20, asked=5, days=60, graded=200)
