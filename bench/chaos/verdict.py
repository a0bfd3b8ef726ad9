"""What must be true once all is up again and drained: compared with what the gateways' makers know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from typing import Any

from bench.chaos.senders import Sender
from bench.chaos.works import START_US, GatewayPlan, milligrams
from carbonmeter.client import Client
from carbonmeter.demo_truth import Factors, at_us
from carbonmeter.demo_truth import milligrams as mg_of
from domain.errors import CarbonmeterError
from domain.interval import INTERVAL_US, Calendar
from storage.database import Connection

_PAGE = 1000


def faults(conn: Connection, client: Client, senders: Sequence[Sender], park: str) -> list[str]:
    """Everything that isn't as it must be; the gateways must have drained, and the ledger followed."""
    found: list[str] = []
    total = 0
    for sender in senders:
        found += sender.complaints
        found += _kept(conn, client, sender)
        wrong, mg = _ledger(client, sender.plan)
        found += wrong
        total += mg
    if not found:
        found += _sums(client, [sender.plan for sender in senders], total, park)
    return found


def account_of(client: Client, plan: GatewayPlan) -> dict[str, Any]:
    return client.get(f"/v1/gateways/{plan.uscc}/{plan.gateway}/account")


def account_fault(client: Client, plan: GatewayPlan) -> tuple[bool, str | None]:
    """Whether the account answered at this moment, and what is wrong with it."""
    try:
        account = account_of(client, plan)
    except CarbonmeterError:
        return False, None  # the API or its database is away, or the gateway hasn't sent
    if account["received"] != account["stored"] + account["held"] + account["rejected"]:
        return True, f"{plan.gateway}: received ≠ stored + held + rejected: {account}"
    return True, None


def _kept(conn: Connection, client: Client, sender: Sender) -> Iterator[str]:
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
    if len(stored) != len(logged):
        yield f"{plan.gateway}: {len(logged)} values of {len(stored)} readings"
    yield from _same(f"{plan.gateway}, stored", stored.items(), plan.stored.items())
    held = conn.execute(
        """SELECT meter || '/' || channel, (extract(epoch FROM measured_at) * 1000000)::bigint FROM held
           WHERE gateway_id = (SELECT id FROM gateways WHERE uscc = %s AND gateway = %s)""",
        gateway,
    ).fetchall()
    yield from _same(f"{plan.gateway}, held", set(held), plan.held)
    letters = conn.execute(
        """SELECT payload, sum(readings)::bigint FROM dead_letters
           WHERE gateway_id = (SELECT id FROM gateways WHERE uscc = %s AND gateway = %s) GROUP BY payload""",
        gateway,
    ).fetchall()
    yield from _same(
        f"{plan.gateway}, dead letters", {bytes(payload) for payload, _ in letters}, plan.letters
    )
    account = account_of(client, plan)
    rows = sum(count for *_, count in logged)
    expected = {
        "received": account["stored"] + account["held"] + account["rejected"],
        "stored": rows,
        "held": len(held),
        "rejected": sum(count for _, count in letters),
        "duplicates": rows - len(plan.stored),
        "conflicts": 0,
    }
    if account != expected:
        yield f"{plan.gateway}: its account says {account}, the tables {expected}"
    if account["received"] < plan.readings:
        yield f"{plan.gateway}: {plan.readings} readings were acknowledged, {account['received']} received"
    if sender.sent_readings is not None and account["received"] > sender.sent_readings:
        yield f"{plan.gateway}: {account['received']} readings received, {sender.sent_readings} sent"


def _same(what: str, found: AbstractSet[Any], expected: AbstractSet[Any]) -> Iterator[str]:
    lost, strange = expected - found, found - expected
    if lost:
        yield f"{what}: {len(lost)} of {len(expected)} lost, such as {min(lost)}"
    if strange:
        yield f"{what}: {len(strange)} that nobody sent, such as {min(strange)}"


def _ledger(client: Client, plan: GatewayPlan) -> tuple[list[str], int]:
    """Every entry of every source to the milligram: what is wrong, and their true sum [mg]."""
    calendar = Calendar()
    factors = Factors(client, calendar)
    found: list[str] = []
    total = 0
    span = _span(plan.steps)
    items = list(
        client.items(
            f"/v1/enterprises/{plan.uscc}/emissions", granularity="15m", by="source", limit=_PAGE, **span
        )
    )
    for source in (f"grid-{plan.number}", f"gas-{plan.number}"):
        entries = {at_us(item): mg_of(item["co2e_kg"]) for item in items if item["source"] == source}
        expected: dict[int, int | None] = dict.fromkeys(entries)
        for start, amount in plan.amounts(source).items():
            factor = factors.mg_per_unit(plan.uscc, source, start)
            if len(factor) != 1:  # one gas, CO2
                found.append(f"{source}: {len(factor)} factors at {start}")
                continue
            expected[start] = milligrams(amount, factor[0])
        wrong = {at: (entries.get(at), mg) for at, mg in expected.items() if entries.get(at) != mg}
        if wrong:
            found.append(f"{source}: {len(wrong)} entries, (said, true) {dict(list(wrong.items())[:5])}")
        total += sum(mg or 0 for mg in expected.values())
    return found, total


def _span(steps: int) -> dict[str, Any]:
    calendar = Calendar()
    end_us = START_US + (steps // 3 + 2) * INTERVAL_US
    return {"from_": calendar.text(START_US), "to": calendar.text(end_us)}


def _sums(client: Client, plans: Sequence[GatewayPlan], total: int, park: str) -> Iterator[str]:
    """The sums that the server makes are the generator's: of the enterprises, and of their park."""
    span = _span(max(plan.steps for plan in plans))
    usccs = sorted({plan.uscc for plan in plans})
    for granularity, by in (("hour", "total"), ("month", "scope")):
        said = 0
        for uscc in usccs:
            path = f"/v1/enterprises/{uscc}/emissions"
            items = client.items(path, granularity=granularity, by=by, limit=_PAGE, **span)
            said += sum(mg_of(item["co2e_kg"]) or 0 for item in items)
        if said != total:
            yield f"{granularity} by {by}: {said} mg, truly {total} mg"
    items = client.items(f"/v1/parks/{park}/emissions", granularity="day", by="total", limit=_PAGE, **span)
    said = sum(mg_of(item["co2e_kg"]) or 0 for item in items)
    if said != total:
        yield f"the park's days: {said} mg, truly {total} mg"
