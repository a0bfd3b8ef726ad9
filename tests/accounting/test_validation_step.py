"""Validation over real books: what becomes due, findings and their states, and that no figure ever changes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from accounting.validation import balance
from domain.finding import Finding
from domain.interval import DAY_US, INTERVAL_US, INTERVALS_PER_DAY
from domain.validation import CheckRule, FindingState, Severity
from storage import findings
from tests.accounting.bed import REGISTER, T0, USCC, Bed, Sent, enterprise
from tests.accounting.validation_bed import CALENDAR, found, holding, validate
from tests.servers import Database, DatabaseServer

FIRST = CALENDAR.day(T0)
POWER = {**REGISTER, "id": "kw", "kind": "rate", "unit": "kW", "resolution": "0.1", "max_gap": "PT1H"}
del POWER["max_rate"]


@pytest.fixture
def bed(plain_database: Database) -> Iterator[Bed]:
    with plain_database.connect() as conn:
        yield Bed(conn)


def works(**more: Any) -> dict[str, Any]:
    """Two feeders and the electricity bought through the first; the second stands below it."""
    return enterprise(
        {"E-01": [REGISTER, POWER], "E-02": [REGISTER]},
        [{"id": "grid", "method": "purchased_electricity", "expression": "E-01/kwh"}],
        **{
            "checks": [
                {"id": "feeders", "rule": "main_against_subs", "main": "E-01/kwh", "subs": "E-02/kwh"}
            ],
            **more,
        },
    )


def day_of(day: int, point: str, step: float, start: float = 0.0) -> list[Sent]:
    """A day's readings of a register, a quarter-hour apart, both midnights included."""
    first = T0 + day * DAY_US
    return [
        Sent(first + i * INTERVAL_US, round(start + step * (day * INTERVALS_PER_DAY + i), 2), point)
        for i in range(INTERVALS_PER_DAY + 1)
    ]


def power_of(day: int) -> list[Sent]:
    return [
        Sent(T0 + day * DAY_US + i * INTERVAL_US, 4 + (i % 7) / 10, "E-01/kw")
        for i in range(INTERVALS_PER_DAY + 1)
    ]


def fill(bed: Bed, days: int, subs: float = 1.0) -> None:
    for day in range(days):
        bed.store([*day_of(day, "E-01/kwh", 1.0), *day_of(day, "E-02/kwh", subs), *power_of(day)])


def test_meters_that_agree_give_no_finding(bed: Bed) -> None:
    bed.register(works())
    fill(bed, 3, subs=0.98)
    validate(bed, FIRST + 3)
    assert found(bed) == []
    assert bed.conn.execute(
        "SELECT count(*) FROM validation_due WHERE first_day < %s", [FIRST + 3]
    ).fetchone() == (0,)


def test_consecutive_days_are_one_finding_with_its_tonnes(bed: Bed) -> None:
    bed.register(works())
    fill(bed, 3, subs=0.9)
    validate(bed, FIRST + 3)
    (finding,) = found(bed)
    assert (finding.rule, finding.subject, finding.severity) == (
        CheckRule.MAIN_AGAINST_SUBS,
        "feeders",
        Severity.MEDIUM,
    )
    assert finding.channels == ("E-01/kwh", "E-02/kwh")
    assert (finding.from_us, finding.to_us, finding.days) == (T0, T0 + 3 * DAY_US, 3)
    assert (finding.state, finding.holds) == (FindingState.OPEN, True)
    assert finding.mg == 3 * 960 * 4976  # 9.60 kWh a day at 0.4976 t/MWh
    shown = findings.evidence(bed.conn, finding.id)
    assert [(each["main"], each["subs"], each["share"]) for each in shown] == [
        ("96.00", "86.40", "0.100000")
    ] * 3


def test_the_open_day_waits_until_it_has_ended(bed: Bed) -> None:
    bed.register(works())
    fill(bed, 2, subs=0.9)
    validate(bed, FIRST + 1)
    assert [each.days for each in found(bed)] == [1]
    validate(bed, FIRST + 2)
    assert [each.days for each in found(bed)] == [2]


def test_a_finding_that_is_no_longer_found_is_settled_and_stays(bed: Bed) -> None:
    bed.register(works())
    fill(bed, 1, subs=0.9)
    validate(bed, FIRST + 1)
    (before,) = found(bed)
    bed.store([Sent(each.at_us, each.value, each.point, revision=1) for each in day_of(0, "E-02/kwh", 1.0)])
    validate(bed, FIRST + 1)
    (after,) = found(bed)
    assert (after.id, after.state, after.holds, after.why) == (
        before.id,
        FindingState.SETTLED,
        False,
        "no longer found",
    )
    assert after.mg == before.mg, "it keeps what it showed last"
    assert [state.state for state in findings.states(bed.conn, after.id)] == ["open", "settled"]
    bed.conn.commit()
    bed.store([Sent(each.at_us, each.value, each.point, revision=2) for each in day_of(0, "E-02/kwh", 0.9)])
    validate(bed, FIRST + 1)
    (again,) = found(bed)
    assert (again.id, again.state, again.why) == (before.id, FindingState.OPEN, "found again")


def test_an_explanation_is_kept_as_the_finding_goes_on_goes_and_comes(bed: Bed) -> None:
    bed.register(works())
    fill(bed, 1, subs=0.9)
    validate(bed, FIRST + 1)
    (finding,) = found(bed)
    assert findings.explain(bed.conn, finding.id, "Li Lei", "a third feeder has no meter")
    bed.conn.commit()
    bed.store([*day_of(1, "E-01/kwh", 1.0), *day_of(1, "E-02/kwh", 0.9), *power_of(1)])
    validate(bed, FIRST + 2)
    (finding,) = found(bed)
    assert (finding.days, finding.state, finding.explained_by) == (2, FindingState.EXPLAINED, "Li Lei")
    bed.register({**works(), "checks": [{"id": "feeders", "rule": "main_against_subs", "active": False}]})
    validate(bed, FIRST + 2)
    (finding,) = found(bed)
    assert (finding.state, finding.explanation) == (FindingState.SETTLED, "a third feeder has no meter")
    bed.register({**works(), "checks": [{"id": "feeders", "rule": "main_against_subs", "active": True}]})
    validate(bed, FIRST + 2)
    (finding,) = found(bed)
    assert (finding.state, finding.explanation) == (FindingState.EXPLAINED, "a third feeder has no meter")


def test_what_a_person_settled_opens_again_only_beyond_it(bed: Bed) -> None:
    bed.register(works())
    fill(bed, 1, subs=0.9)
    validate(bed, FIRST + 1)
    (finding,) = found(bed)
    assert findings.settle(bed.conn, finding.id, "Li Lei", "the sub-meter was replaced")
    assert not findings.settle(bed.conn, finding.id, "Li Lei", "again")
    assert not findings.explain(bed.conn, finding.id, "Li Lei", "too late")
    bed.conn.commit()
    bed.register({**works(), "checks": [{"id": "feeders", "rule": "main_against_subs", "tolerance": "0.02"}]})
    validate(bed, FIRST + 1)
    assert [each.state for each in found(bed)] == [FindingState.SETTLED]
    bed.store([*day_of(1, "E-01/kwh", 1.0), *day_of(1, "E-02/kwh", 0.9), *power_of(1)])
    validate(bed, FIRST + 2)
    (finding,) = found(bed)
    assert (finding.state, finding.why) == (FindingState.OPEN, "goes on beyond what was settled")


def test_the_order_of_arrival_changes_no_finding(bed: Bed, plain_server: DatabaseServer) -> None:
    readings = []
    for day in range(4):
        readings += [*day_of(day, "E-01/kwh", 1.0), *day_of(day, "E-02/kwh", 0.9 if day != 2 else 1.0)]
        readings += [] if day == 1 else power_of(day)
    bed.register(works())
    bed.store(readings)
    validate(bed, FIRST + 4)
    expected = holding(bed)
    assert {each[0] for each in expected} == {"main_against_subs", "siblings_present"}
    chance = random.Random(4)
    for _ in range(3):
        chance.shuffle(readings)
        with plain_server.database() as other, other.connect() as conn:
            piecewise = Bed(conn)
            piecewise.register({**works(), "checks": []})
            for start in range(0, len(readings), 300):
                piecewise.store(readings[start : start + 300])
                validate(piecewise, FIRST + chance.randrange(5))
                if start == 600:
                    piecewise.register(works())
                    piecewise.accountant = None  # a restart
            validate(piecewise, FIRST + 4)
            assert holding(piecewise) == expected


def test_findings_change_no_row_of_the_books(bed: Bed) -> None:
    bed.register(works())
    fill(bed, 3, subs=0.9)
    bed.tick()
    before = _books(bed)
    validate(bed, FIRST + 3)
    assert found(bed)
    assert _books(bed) == before


def _books(bed: Bed) -> list[Any]:
    tables = (
        "ledger_days",
        "ledger_months",
        "consumption_days",
        "ledger_history",
        "consumption_history",
        "runs",
    )
    result = [
        bed.conn.execute(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t").fetchone()
        for table in tables
    ]
    bed.conn.commit()
    return result


def test_a_process_that_ends_forgets_nothing(bed: Bed) -> None:
    bed.register(works())
    fill(bed, 2, subs=0.9)
    bed.tick()
    bed.accountant = None
    validate(bed, FIRST + 2)
    assert [each.days for each in found(bed)] == [2]


def test_a_day_is_noted_once_while_it_is_due(bed: Bed) -> None:
    bed.register(works())
    for reading in day_of(0, "E-01/kwh", 1.0)[:5]:
        bed.store([reading])
        bed.tick()
    assert bed.conn.execute("SELECT count(*) FROM validation_due").fetchone() == (1,)
    bed.conn.commit()
    validate(bed, FIRST + 1)
    bed.store(day_of(0, "E-01/kwh", 1.0)[5:9])
    bed.tick()
    assert bed.conn.execute("SELECT count(*) FROM validation_due").fetchone() == (1,)


def test_a_long_history_is_judged_in_pieces(bed: Bed) -> None:
    bed.register(works())
    days = [*range(2), *range(50, 52)]
    bed.store(
        [each for day in days for each in (*day_of(day, "E-01/kwh", 1.0), *day_of(day, "E-02/kwh", 0.9))]
    )
    bed.tick()
    assert bed.accountant is not None
    pieces = 0
    while bed.accountant.validate(CALENDAR.day_start(FIRST + 90)):
        pieces += 1
    assert pieces >= 2
    mine = [each for each in found(bed) if each.rule is CheckRule.MAIN_AGAINST_SUBS]
    assert [each.days for each in mine] == [52], "a register's gap is known, spread over the days"
    assert all(each.uscc == USCC for each in mine)


def test_a_long_finding_leaves_no_pieces_behind(bed: Bed) -> None:
    bed.register(works())
    far = T0 + 90 * DAY_US  # two readings three months apart: a register's amount between them is known
    bed.store([Sent(T0, 100, "E-01/kwh"), Sent(far, 9000, "E-01/kwh")])
    bed.store([Sent(T0, 100, "E-02/kwh"), Sent(far, 5000, "E-02/kwh")])
    validate(bed, FIRST + 91)
    assert [(each.days, each.state) for each in _feeders(bed)] == [(90, FindingState.OPEN)]
    bed.register({**works(), "checks": [{"id": "feeders", "rule": "main_against_subs", "tolerance": "0.9"}]})
    bed.tick()
    assert bed.accountant is not None
    assert bed.accountant.validate(CALENDAR.day_start(FIRST + 92))
    bed.accountant = None  # it ends between two pieces
    validate(bed, FIRST + 91)
    assert [(each.days, each.state) for each in _feeders(bed)] == [(90, FindingState.SETTLED)]
    bed.register({**works(), "checks": [{"id": "feeders", "rule": "main_against_subs", "tolerance": "0.1"}]})
    validate(bed, FIRST + 91)
    assert [(each.days, each.why) for each in _feeders(bed)] == [(90, "found again")]


def _feeders(bed: Bed) -> list[Finding]:
    return [each for each in found(bed) if each.rule is CheckRule.MAIN_AGAINST_SUBS]


def test_a_rule_that_fails_stops_neither_the_books_nor_what_is_due(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bed.register(works())
    fill(bed, 1, subs=0.9)
    bed.tick()
    assert bed.accountant is not None
    with monkeypatch.context() as broken:
        broken.setattr(balance, "exact_sum", lambda _values: 1 // 0)
        for _ in range(3):
            assert bed.accountant.validate(CALENDAR.day_start(FIRST + 2)) is False
    assert [record.message for record in caplog.records] == ["the checks between channels failed"]
    validate(bed, FIRST + 1)
    assert [each.days for each in found(bed)] == [1]
