"""What must be true once all is up again and drained: compared with what the gateways' makers know."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from fractions import Fraction
from pathlib import Path
from typing import Any

from carbonmeter import audit
from carbonmeter.client import Client
from carbonmeter.demo_truth import Factors, at_us
from carbonmeter.demo_truth import milligrams as mg_of
from carbonmeter.settings import Settings
from domain.interval import INTERVAL_US, Calendar
from storage.database import Connection, connect
from tests.faults.senders import Sender
from tests.faults.stage import Stage, account_of
from tests.faults.works import DISTRICT, START_US, GatewayPlan, milligrams

_PAGE = 1000


def check(stage: Stage) -> None:
    """All of it; the story of the run comes with what fails."""
    try:
        for sender in stage.senders:
            assert sender.complaints == []
        with connect(stage.database_url, "test") as conn:
            for sender in stage.senders:
                _kept(conn, stage.client, sender)
        total = sum(_ledger(stage.client, sender.plan) for sender in stage.senders)
        _sums(stage.client, [sender.plan for sender in stage.senders], total)
        _promises(stage)
    except AssertionError as error:
        error.add_note(stage.report())
        raise


def _kept(conn: Connection, client: Client, sender: Sender) -> None:
    """Each reading is stored, held or a dead letter, and none is two of these; the account says the same."""
    plan = sender.plan
    gateway = [plan.uscc, plan.gateway]
    logged = conn.execute(
        """SELECT meter || '/' || channel, (extract(epoch FROM measured_at) * 1000000)::bigint, mantissa, exponent,
                  count(*)
           FROM readings JOIN points ON points.id = channel_id
           WHERE gateway_id = (SELECT id FROM gateways WHERE uscc = %s AND gateway = %s) GROUP BY 1, 2, 3, 4""",
        gateway,
    ).fetchall()
    stored = {(name, at): mantissa * Fraction(10) ** exponent for name, at, mantissa, exponent, _ in logged}
    assert len(stored) == len(logged), "one value for each reading"
    _same(f"{plan.gateway}, stored", stored.items(), plan.stored.items())
    held = conn.execute(
        """SELECT meter || '/' || channel, (extract(epoch FROM measured_at) * 1000000)::bigint FROM held
           WHERE gateway_id = (SELECT id FROM gateways WHERE uscc = %s AND gateway = %s)""",
        gateway,
    ).fetchall()
    _same(f"{plan.gateway}, held", set(held), plan.held)
    letters = conn.execute(
        """SELECT payload, sum(readings)::bigint FROM dead_letters
           WHERE gateway_id = (SELECT id FROM gateways WHERE uscc = %s AND gateway = %s) GROUP BY payload""",
        gateway,
    ).fetchall()
    _same(f"{plan.gateway}, dead letters", {bytes(payload) for payload, _ in letters}, plan.letters)
    account = account_of(client, sender)
    assert account == {
        "received": account["stored"] + account["held"] + account["rejected"],
        "stored": sum(count for *_, count in logged),
        "held": len(held),
        "rejected": sum(count for _, count in letters),
        "duplicates": sum(count for *_, count in logged) - len(plan.stored),
        "conflicts": 0,
    }
    assert account["received"] >= plan.readings, "each was received at least once"
    if sender.sent_readings is not None:
        assert account["received"] <= sender.sent_readings, "and not more often than it was sent"


def _same(what: str, found: AbstractSet[Any], expected: AbstractSet[Any]) -> None:
    lost, strange = expected - found, found - expected
    assert not lost, f"{what}: {len(lost)} of {len(expected)} lost, such as {next(iter(lost))}"
    assert not strange, f"{what}: {len(strange)} that nobody sent, such as {next(iter(strange))}"


def _ledger(client: Client, plan: GatewayPlan) -> int:
    """Every entry of every source to the milligram, and their sum [mg]."""
    calendar = Calendar()
    factors = Factors(client, calendar)
    total = 0
    span = _span(plan.steps)
    for source in (f"grid-{plan.number}", f"gas-{plan.number}"):
        items = client.items(
            f"/v1/enterprises/{plan.uscc}/emissions", granularity="15m", by="source", limit=_PAGE, **span
        )
        entries = {at_us(item): mg_of(item["co2e_kg"]) for item in items if item["source"] == source}
        expected: dict[int, int | None] = dict.fromkeys(entries)
        for start, amount in plan.amounts(source).items():
            (factor,) = factors.mg_per_unit(plan.uscc, source, start)  # of the one gas, CO2
            expected[start] = milligrams(amount, factor)
        wrong = {at: (entries.get(at), mg) for at, mg in expected.items() if entries.get(at) != mg}
        assert not wrong, f"{source}: {len(wrong)} entries, (said, true) {dict(list(wrong.items())[:5])}"
        total += sum(mg or 0 for mg in expected.values())
    return total


def _span(steps: int) -> dict[str, Any]:
    calendar = Calendar()
    end_us = START_US + (steps // 3 + 2) * INTERVAL_US
    return {"from_": calendar.text(START_US), "to": calendar.text(end_us)}


def _sums(client: Client, plans: list[GatewayPlan], total: int) -> None:
    """The sums that the server makes are the generator's: of the enterprises, and of the city."""
    span = _span(max(plan.steps for plan in plans))
    usccs = sorted({plan.uscc for plan in plans})
    for granularity, by in (("hour", "total"), ("month", "scope")):
        said = 0
        for uscc in usccs:
            path = f"/v1/enterprises/{uscc}/emissions"
            items = client.items(path, granularity=granularity, by=by, limit=_PAGE, **span)
            said += sum(mg_of(item["co2e_kg"]) or 0 for item in items)
        assert said == total, f"{granularity} by {by}"
    items = client.items(
        f"/v1/districts/{DISTRICT}/emissions", granularity="day", by="total", limit=_PAGE, **span
    )
    assert sum(mg_of(item["co2e_kg"]) or 0 for item in items) == total


def _promises(stage: Stage) -> None:
    """What `carbonmeter verify` checks."""
    settings = Settings(home=Path("/nonexistent"), database=stage.database_url)
    checks = list(audit.run(stage.database_url, settings.accounting(stage.database_url), lambda _: None))
    assert {check.promise for check in checks} == {1, 2, 3, 4, 5}
    assert [(check.name, check.shown) for check in checks if check.faults] == []
    for check in checks:
        stage.tell(f"promise {check.promise}: {check.name}: {check.compared} compared")
