"""`carbonmeter bench api`: how long answers take under a steady stream of requests over a city.

The real server over a ledger of a thousand enterprises; beside it, in the same rounds, the same framework around a
`SELECT 1`. Times are of the 99th percentile, from when a request was due.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench import grades
from bench.bed import Bed, free_port, listens, ready
from bench.city import City
from bench.fleet import Fleet
from bench.process import Child, wait_for
from bench.report import FAILED, Row, Turn, amount, row_of, significant
from bench.requests import Answered, Requests
from bench.rounds import Contender, interleaved
from bench.sizes import ApiSizes
from bench.target import Meter
from carbonmeter.settings import Settings
from domain.clock import SystemClock
from domain.errors import Refused
from domain.interval import Calendar
from storage import keys
from storage.database import connect

CASES = ("api-windows", "api-grade", "api-ranking", "api-day", "api-month", grades.CASE)
_HOST = "127.0.0.1"
_WHAT = {
    "api-windows": "the windows of an enterprise",
    "api-grade": "the grade of an enterprise",
    "api-ranking": "the ranking of a district, a hundred on a page",
    "api-day": "an enterprise's yesterday by quarter-hours and sources",
    "api-month": "an enterprise's last 30 days by day, in total",
}

Tell = Callable[[str], None]


def run(
    settings: Settings, cases: Sequence[str], sizes: ApiSizes, tell: Tell = lambda _text: None
) -> list[Row]:
    """The rows of these cases (of CASES), measured in one interleaved run."""
    calendar = Calendar(settings.zone_offset_us)
    now_us = SystemClock().now_us()
    today = calendar.day(now_us)
    fleet = Fleet(sizes.enterprises, sizes.sources, calendar.day_start(today - sizes.days))
    city = City(fleet, min(sizes.asked, sizes.enterprises), sizes.days, now_us, calendar)
    with Bed(settings) as bed:
        tell(f"registering {sizes.enterprises} enterprises")
        url = bed.database()
        bed.register(url, fleet.document())
        with connect(url, "carbonmeter bench") as conn:
            entries = city.write(conn, tell)
            conn.commit()
            tell("recording grades")
            grades.record(url, fleet.codes)
            key, _ = keys.create(conn, [keys.Scope.EMISSIONS_READ], name="bench")
        with connect(url, "carbonmeter bench", autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")  # as after a while of work
        tell("starting the API")
        api_port, floor_port = free_port(), free_port()
        api = bed.serve("api", url, HTTP=f"{_HOST}:{api_port}")
        floor = bed.child([sys.executable, "-m", "bench.floor", str(floor_port), url])
        client = _Client(bed.child([sys.executable, "-m", "bench.requests"], piped=True))
        [service] = ready(url, api, "api")
        wait_for(lambda: listens(floor_port) or not floor.is_running, "the floor")
        pids = {"api": [service.pid], "load generator": [client.child.pid]}
        contenders: list[Contender] = [
            _Route("select-1", ["/one"], key, floor_port, client, sizes, Meter({"floor": [floor.pid]}))
        ]
        for case in _WHAT:
            if case in cases:
                paths = _paths(case, city, calendar, today)
                _check(case, api_port, paths[0], key)
                contenders.append(_Route(case, paths, key, api_port, client, sizes, Meter(pids, "api")))
        results = interleaved(contenders, sizes.rounds, sizes.seconds, tell, min(1.0, sizes.seconds / 2))
        mode = bed.describe(url)
    rows = []
    for contender in contenders[1:]:
        assert isinstance(contender, _Route)
        case = contender.name
        if case in results.faults:
            rows.append(Row(case, "ms", None, detail=FAILED + results.faults[case]))
            continue
        notes = [
            contender.note(),
            f"{_WHAT[case]}, {sizes.rate:g} requests/s over {sizes.connections} connections",
            f"{sizes.enterprises} enterprises, {amount(entries)} entries, {mode}",
            *(f"{name}: {fault}" for name, fault in results.faults.items()),
        ]
        rivals = {"select-1": results.turns["select-1"]}
        rows.append(row_of(case, "ms", results.turns[case], rivals, notes, is_speed=False))
    if grades.CASE in cases:
        tell(f"grading {sizes.graded} enterprises")
        rows.append(grades.measure(sizes.graded, sizes.rounds))
    return [row for case in CASES for row in rows if row.case == case]


def _paths(case: str, city: City, calendar: Calendar, today: int) -> list[str]:
    if case == "api-ranking":
        return ["/v1/districts/430300/ranking?limit=100"]

    def text(day: int) -> str:
        return calendar.text(calendar.day_start(day)).replace("+", "%2B")

    query = {
        "api-windows": "windows",
        "api-grade": "grade",
        "api-day": f"emissions?from={text(today - 1)}&to={text(today)}&granularity=15m&by=source&limit=1000",
        "api-month": f"emissions?from={text(today - 30)}&to={text(today)}&granularity=day&by=total",
    }[case]
    return [f"/v1/enterprises/{uscc}/{query}" for uscc in city.fleet.codes[: city.asked]]


def _check(case: str, port: int, path: str, key: str) -> None:
    """That the answer has amounts in it: an empty one would be quick."""
    request = urllib.request.Request(
        f"http://{_HOST}:{port}{path}", headers={"Authorization": f"Bearer {key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: Any = json.load(response)
    except urllib.error.HTTPError as error:
        raise Refused(f"{case}: {error.code} {error.read().decode('utf-8', 'replace')[:500]}") from error
    if case == "api-grade":
        amounts = [answer["emissions_t"]]
    elif "items" in answer:
        amounts = [item["label" if case == "api-ranking" else "co2e_kg"] for item in answer["items"]]
    else:
        amounts = [_window(answer, "7d")]
    if not amounts or any(each is None for each in amounts):
        raise Refused(f"{case}: amounts are missing in the answer to {path}")


def _window(answer: dict[str, Any], name: str) -> Any:
    windows = answer.get("windows", answer)
    return windows[name]["co2e_kg"]


@dataclass(frozen=True, slots=True)
class _Client:
    """The process that asks."""

    child: Child

    def ask(self, requests: Requests) -> Answered:
        self.child.write_line(requests.to_json())
        answer = json.loads(self.child.read_line())
        if "error" in answer:
            raise Refused(f"requests: {answer['error']}")
        return Answered(**answer)


@dataclass(slots=True)
class _Route:
    """A route that is asked; a turn's value is the 99th percentile [ms]."""

    name: str
    paths: list[str]
    key: str
    port: int
    client: _Client
    sizes: ApiSizes
    meter: Meter
    answers: list[Answered] = field(default_factory=list)

    def turn(self, seconds: float) -> Turn:
        count = max(20, round(self.sizes.rate * seconds))
        requests = Requests(self.port, self.paths, self.key, count, self.sizes.rate, self.sizes.connections)
        self.meter.start()
        answered = self.client.ask(requests)
        busy = self.meter.busy(answered.seconds)
        if answered.others:
            raise Refused(f"answers other than 200: {answered.others}")
        self.answers.append(answered)
        return Turn(answered.p99_ms, answered.seconds, self.meter.rss_mb(), busy)

    def note(self) -> str:
        last = self.answers[-1]
        return (
            f"p99 of the time from when a request was due; the last round: p50 {significant(last.p50_ms)}, longest"
            f" {significant(last.longest_ms)}, sent late at p99 {significant(last.late_ms_p99)},"
            f" {amount(last.bytes_each)} bytes an answer"
        )
