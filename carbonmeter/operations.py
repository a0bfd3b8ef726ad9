"""What ingest does with what was set aside, as the API and the command line ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from api.operations import Selection
from domain.clock import Clock, SystemClock
from ingest.directory import ClockRules
from ingest.formats import Rule
from ingest.release import Keeper, Released
from ingest.replay import replay
from storage.database import connect
from storage.dead_letters import LetterFilter
from storage.held import HeldFilter


@dataclass(frozen=True, slots=True)
class SetAside:
    """Takes dead letters and held readings up again, each call over a connection of its own (api.operations)."""

    database_url: str
    rules: ClockRules
    formats: Sequence[Rule] = ()  # beside carbon/v1: dead letters of theirs are read by them
    clock: Clock = field(default_factory=SystemClock)

    def replay(self, selection: Selection, by: str) -> Mapping[str, int]:
        wanted = LetterFilter(selection.ids, selection.reason, selection.gateway, selection.from_us)
        with connect(self.database_url, "carbonmeter replay", autocommit=True) as conn:
            return asdict(replay(conn, wanted, self.clock, self.rules, by, self.formats))

    def release(self, selection: Selection, by: str) -> Mapping[str, int]:
        with connect(self.database_url, "carbonmeter release", autocommit=True) as conn:
            return _counts(Keeper(conn, self.clock, self.rules).release(_held(selection), by))

    def discard(self, selection: Selection, by: str) -> Mapping[str, int]:
        with connect(self.database_url, "carbonmeter discard", autocommit=True) as conn:
            return _counts(Keeper(conn, self.clock, self.rules).discard(_held(selection), by))


def _held(selection: Selection) -> HeldFilter:
    return HeldFilter(
        ids=selection.ids, reason=selection.reason, gateway=selection.gateway, from_us=selection.from_us
    )


def _counts(released: Released) -> dict[str, int]:
    return asdict(released)
