"""The registry in the database: imports, their changes, loading and refreshing, both modes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from psycopg.pq import TransactionStatus

from domain.document_text import json_text, yaml_text
from domain.errors import FaultyDocument
from domain.interval import parse_time, to_us
from domain.registry import Registry
from storage import partitions, registry
from storage.database import Connection
from tests.domain.documents import OTHER_USCC, SAMPLE, USCC, sample, uscc
from tests.domain.strategies import documents
from tests.servers import Database


@pytest.fixture
def conn(plain_database: Database) -> Iterator[Connection]:
    with plain_database.connect(autocommit=True) as connection:
        yield connection


def one(conn: Connection, query: str, *parameters: Any) -> Any:
    row = conn.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def enterprise(**fields: Any) -> dict[str, Any]:
    return {"enterprises": [{"uscc": USCC, **fields}]}


def channel(**fields: Any) -> dict[str, Any]:
    return enterprise(meters=[{"id": "E-01", "channels": [{"id": "import_kwh", **fields}]}])


def test_an_import_in_both_modes(database: Database) -> None:
    with database.connect() as conn:
        done = registry.import_document(conn, SAMPLE, "mei", "first registration")
        assert done.version == 1
        assert done.new == {
            "park": 1, "enterprise": 1, "gateway": 2, "meter": 5, "channel": 9, "derived": 1, "source": 3,
            "parameter": 2, "product": 1,
        }  # fmt: skip
        assert (done.changed, done.unchanged, done.readings_outside) == ({}, {}, 0)
        assert conn.info.transaction_status is TransactionStatus.IDLE  # it committed by itself
    with database.connect() as other:
        loaded = registry.load(other)
        assert loaded.version == registry.version(other) == 1
        steel = loaded.enterprises[USCC]
        assert steel.points["E-01/import_kwh"].versions[1].multiplier == 40
        assert loaded.parks["XT-ETDZ"].district == "430300"
        at = datetime(2023, 1, 1, tzinfo=UTC)
        other.execute("INSERT INTO readings VALUES (%s, 1, 1, 1, 5, 0, 0, 0, 0)", [at])


def test_importing_twice_changes_nothing(conn: Connection) -> None:
    registry.import_document(conn, SAMPLE, "mei")
    before = conn.execute("SELECT * FROM registry_items ORDER BY kind, uscc, key").fetchall()
    again = registry.import_document(conn, yaml_text(registry.export_document(conn)), "jun")
    assert (again.version, again.new, again.changed) == (1, {}, {})
    assert sum(again.unchanged.values()) == len(before)
    assert conn.execute("SELECT * FROM registry_items ORDER BY kind, uscc, key").fetchall() == before
    assert one(conn, "SELECT count(*) FROM registry_changes") == len(before)
    assert registry.version(conn) == 1


def test_a_faulty_document_changes_nothing(conn: Connection) -> None:
    document = sample()
    document["enterprises"][0]["sources"][0]["expression"] = "E-01/none"
    with pytest.raises(
        FaultyDocument, match=r"enterprises\[0\]\.sources\[0\]\.expression: 'E-01/none' is no channel"
    ):
        registry.import_document(conn, document, "mei")
    assert registry.version(conn) == 0
    assert one(conn, "SELECT count(*) FROM registry_items") == 0
    assert one(conn, "SELECT count(*) FROM enterprises") == 0
    assert registry.load(conn) == Registry(0)


def test_checking_changes_nothing(conn: Connection) -> None:
    plan = registry.check_document(conn, SAMPLE)
    assert plan.count(new=True)["channel"] == 9
    assert registry.version(conn) == 0
    with pytest.raises(FaultyDocument):
        registry.check_document(conn, "parks: none")


def test_changes_are_kept_with_who_when_why_before_and_after(conn: Connection) -> None:
    registry.import_document(conn, SAMPLE, "mei", "first")
    began = one(conn, "SELECT clock_timestamp()")
    registry.import_document(
        conn, channel(valid_from="2024-01-01T00:00:00+08:00", multiplier="60"), "jun", "CT is 60"
    )
    changes = registry.changes(conn, after_version=1)
    assert [(each.kind, each.uscc, each.key) for each in changes] == [
        ("channel", USCC, ("E-01", "import_kwh", "2023-12-31T16:00:00Z"))
    ]
    change = changes[0]
    assert (change.version, change.changed_by, change.why) == (2, "jun", "CT is 60")
    assert change.before is not None
    assert change.after is not None
    assert (change.before["multiplier"], change.after["multiplier"]) == ("40", "60")
    assert change.before | {"multiplier": "60"} == change.after
    assert began <= change.changed_at <= began + timedelta(minutes=1)

    every = registry.changes(conn, limit=1000)
    assert [each.id for each in every] == sorted(each.id for each in every)
    assert all(each.before is None for each in every[:-1])
    pages: list[registry.RegistryChange] = []
    while page := registry.changes(conn, after_id=pages[-1].id if pages else 0, limit=4):
        pages += page
    assert pages == every
    assert {each.uscc for each in registry.changes(conn, uscc=USCC, limit=1000)} == {USCC}
    assert registry.changes(conn, uscc=OTHER_USCC) == []


def test_ids_last(conn: Connection) -> None:
    registry.import_document(conn, SAMPLE, "mei")
    before = registry.load(conn).enterprises[USCC]
    document = sample()
    document["enterprises"][0]["meters"].insert(
        0,
        {"id": "A-00", "channels": [
            {"id": "kwh", "quantity": "electricity_import", "kind": "rate", "unit": "kW", "resolution": "1",
             "valid_from": "2023-01-01T00:00:00Z"}
        ]},
    )  # fmt: skip
    document["enterprises"].append(
        {"uscc": OTHER_USCC, "name_en": "b", "industry": "cement", "district": "430321"}
    )
    registry.import_document(conn, document, "mei")
    after = registry.load(conn)
    assert after.enterprises[USCC].id == before.id != after.enterprises[OTHER_USCC].id
    for name, point in before.points.items():
        assert after.enterprises[USCC].points[name] == point
    ids = [point.id for point in after.enterprises[USCC].points.values()]
    assert len(set(ids)) == len(ids) == len(before.points) + 1
    assert {code: source.id for code, source in before.sources.items()} == {
        code: source.id for code, source in after.enterprises[USCC].sources.items()
    }
    assert one(conn, "SELECT count(*) FROM gateways WHERE uscc = %s", USCC) == 2


def test_a_gateway_that_ingest_met_before_keeps_its_number(conn: Connection) -> None:
    conn.execute("INSERT INTO gateways (uscc, gateway) VALUES (%s, 'gw1')", [USCC])
    before = one(conn, "SELECT id FROM gateways WHERE gateway = 'gw1'")
    registry.import_document(conn, SAMPLE, "mei")
    assert one(conn, "SELECT id FROM gateways WHERE gateway = 'gw1'") == before
    assert one(conn, "SELECT count(*) FROM gateways") == 2


def test_refreshing_reads_only_what_changed(conn: Connection) -> None:
    document = sample()
    others = [uscc(number) for number in range(10, 13)]
    document["enterprises"] += [
        {"uscc": each, "name_en": each, "industry": "cement", "district": "430321"} for each in others
    ]
    registry.import_document(conn, document, "mei")
    first = registry.load(conn)
    assert registry.refresh(conn, first) is first
    change = {
        "parks": [{"code": "XT-ETDZ", "name_en": "renamed"}],
        "enterprises": [{"uscc": others[1], "name_zh": "新"}],
    }
    registry.import_document(conn, change, "mei")
    second = registry.refresh(conn, first)
    assert second == registry.load(conn)
    assert (second.version, second.parks["XT-ETDZ"].name_en) == (2, "renamed")
    assert second.enterprises[others[1]].name_zh == "新"
    assert second.enterprises[USCC] is first.enterprises[USCC]
    assert first.enterprises[others[1]].name_zh == others[1]  # what was handed out doesn't change


def test_a_registry_of_another_database_is_read_anew(conn: Connection) -> None:
    registry.import_document(conn, SAMPLE, "mei")
    assert registry.refresh(conn, Registry(version=99)) == registry.load(conn)


def test_loading_sees_one_moment(plain_database: Database) -> None:
    """Imports that commit while the registry is loaded never show by halves."""
    with (
        plain_database.connect(autocommit=True) as conn,
        plain_database.connect(autocommit=True) as importing,
    ):
        registry.import_document(conn, SAMPLE, "mei")
        stop = threading.Event()

        def change() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                registry.import_document(
                    importing, enterprise(name_en=str(number), name_zh=str(number)), "mei"
                )

        thread = threading.Thread(target=change)
        thread.start()
        try:
            known = registry.load(conn)
            for _ in range(40):
                loaded = registry.load(conn)
                known = registry.refresh(conn, known)
                for each in (loaded, known):
                    name = each.enterprises[USCC].name_en
                    assert name == each.enterprises[USCC].name_zh or each.version == 1
                    assert each.version == 1 or int(name) == each.version - 1
        finally:
            stop.set()
            thread.join()


def test_imports_at_the_same_time_come_one_after_another(plain_database: Database) -> None:
    usccs = [uscc(number) for number in range(8)]
    barrier = threading.Barrier(len(usccs))
    failures: list[BaseException] = []

    def register(own: str) -> None:
        document = {
            "parks": [{"code": "P", "name_en": "park", "district": "430300"}],
            "enterprises": [
                {"uscc": own, "name_en": own, "industry": "cement", "district": "430321", "park": "P"}
            ],
        }
        try:
            with plain_database.connect() as conn:
                barrier.wait()
                registry.import_document(conn, document, own)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=register, args=[each]) for each in usccs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with plain_database.connect() as conn:
        assert registry.version(conn) == len(usccs)
        assert set(registry.load(conn).enterprises) == set(usccs)
        changes = registry.changes(conn, limit=1000)
        assert len(changes) == len(usccs) + 1  # the park is new once
        assert [each.version for each in changes] == sorted(each.version for each in changes)
        assert [each.changed_at for each in changes] == sorted(each.changed_at for each in changes)


def test_an_import_is_judged_by_what_the_other_left(plain_database: Database) -> None:
    """Both are right alone; the second meets the first when it comes to write."""
    with plain_database.connect(autocommit=True) as conn, plain_database.connect() as slow:
        registry.import_document(conn, SAMPLE, "mei")
        slow.execute("SELECT version FROM registry_state FOR UPDATE")
        outcome: list[BaseException] = []

        def extend() -> None:
            document = channel(
                quantity="electricity_import", kind="register", unit="kWh", resolution="1", max_rate="1",
                valid_from="2022-01-01T00:00:00Z", valid_to="2022-06-01T00:00:00Z",
            )  # fmt: skip
            try:
                with plain_database.connect() as other:
                    registry.import_document(other, document, "jun")
            except FaultyDocument as error:
                outcome.append(error)

        thread = threading.Thread(target=extend)
        thread.start()
        while not one(conn, "SELECT count(*) FROM pg_locks WHERE NOT granted"):
            pass
        earlier = channel(
            quantity="electricity_import", kind="register", unit="kWh", resolution="1", max_rate="1",
            valid_from="2022-05-01T00:00:00Z", valid_to="2022-07-01T00:00:00Z",
        )  # fmt: skip
        registry.import_document(slow, earlier, "mei")  # within the transaction that holds the row
        slow.commit()
        thread.join()
        assert len(outcome) == 1
        assert "overlaps the version of E-01/import_kwh" in str(outcome[0])
        assert registry.version(conn) == 2


def test_partitions_are_made_for_every_month_of_validity(conn: Connection) -> None:
    def months() -> set[str]:
        rows = conn.execute("SELECT relid::text FROM pg_partition_tree('readings') WHERE isleaf")
        return {name.removeprefix("readings_") for (name,) in rows}

    ended = {"valid_from": "2015-11-30T23:00:00+08:00", "valid_to": "2016-02-01T08:00:00+08:00"}
    document = enterprise(
        name_en="a", industry="steel", district="430302",
        meters=[{"id": "E", "channels": [
            {"id": "kwh", "quantity": "electricity_import", "kind": "rate", "unit": "kW", "resolution": "1", **ended}
        ]}],
    )  # fmt: skip
    before = months()
    registry.import_document(conn, document, "mei")
    # the last stamp that it takes is the first of February, UTC
    assert months() - before == {"2015_11", "2015_12", "2016_01", "2016_02"}
    begins = datetime.now(UTC) - timedelta(days=1)
    document["enterprises"][0]["meters"][0]["channels"][0] |= {"valid_from": begins, "valid_to": None}
    registry.import_document(conn, document, "mei")
    horizon = partitions.horizon(to_us(datetime.now(UTC)))
    assert partitions.ensure(conn, to_us(begins), horizon - 1) == []


def test_a_validity_that_begins_beyond_the_horizon_has_its_first_month(conn: Connection) -> None:
    registry.import_document(conn, SAMPLE.replace("2023-01-01T00:00:00+08:00", "2190-05-01T00:00:00+08:00").replace(
        "2024-01-01T00:00:00+08:00", "2191-01-01T00:00:00+08:00"), "mei")  # fmt: skip
    at = datetime(2190, 5, 1, tzinfo=UTC)
    conn.execute("INSERT INTO readings VALUES (%s, 1, 1, 1, 5, 0, 0, 0, 0)", [at])


def store(conn: Connection, name: str, *stamps: str) -> None:
    point = registry.load(conn).enterprises[USCC].points[name]
    for stamp in stamps:
        conn.execute("INSERT INTO readings VALUES (%s, %s, 1, 1, 5, 0, 0, 0, 0)", [stamp, point.id])


def test_readings_put_outside_validity_are_counted(database: Database) -> None:
    with database.connect(autocommit=True) as conn:
        registry.import_document(conn, SAMPLE, "mei")
        store(
            conn, "E-01/import_kwh",
            "2022-12-31T16:00:00Z", "2023-01-31T15:59:59.999999Z", "2023-01-31T16:00:00Z", "2023-02-10T00:00:00Z",
            "2023-12-31T16:00:00Z", "2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z", "2024-06-01T00:00:00.000001Z",
        )  # fmt: skip
        store(conn, "E-02/import_kwh", "2022-12-31T16:00:00Z", "2024-09-01T00:00:00Z")
        # the first version ends earlier: of what it took, one stamp is neither its last instant nor of the second
        shorter = channel(
            valid_from="2023-01-01T00:00:00+08:00", valid_to="2023-02-01T00:00:00+08:00", closing="1"
        )
        assert registry.import_document(conn, shorter, "mei").readings_outside == 1
        # an open end is closed: both its ends still take stamps
        ended = channel(valid_from="2024-01-01T00:00:00+08:00", valid_to="2024-06-01T00:00:00Z")
        assert registry.import_document(conn, ended, "mei").readings_outside == 1
        # longer again: nothing leaves
        longer = channel(valid_from="2024-01-01T00:00:00+08:00", valid_to=None)
        assert registry.import_document(conn, longer, "mei").readings_outside == 0
        # values alone put nothing outside
        assert (
            registry.import_document(
                conn, channel(valid_from="2024-01-01T00:00:00+08:00", multiplier="7"), "mei"
            ).readings_outside
            == 0
        )
        assert one(conn, "SELECT count(*) FROM readings") == 10


def test_moving_a_version(conn: Connection) -> None:
    registry.import_document(conn, SAMPLE, "mei")
    store(conn, "E-01/import_kwh", "2023-12-31T16:00:00Z", "2024-01-05T00:00:00Z", "2024-02-05T00:00:00Z")
    before = registry.load(conn)
    later = "2024-02-01T00:00:00+08:00"
    document = channel(valid_from=later)
    old = parse_time("2024-01-01T00:00:00+08:00")
    done = registry.import_document(conn, document, "mei", "changed a month later", moves_us=old)
    assert (done.new, done.changed, done.readings_outside) == ({}, {"channel": 1}, 1)
    after = registry.refresh(conn, before)
    assert after == registry.load(conn)
    versions = after.enterprises[USCC].points["E-01/import_kwh"].versions
    assert [each.valid_from_us for each in versions] == [
        parse_time("2023-01-01T00:00:00+08:00"),
        parse_time(later),
    ]
    assert versions[1].multiplier == 40
    change = registry.changes(conn, after_version=1)[0]
    assert change.before is not None
    assert change.after is not None
    assert (change.before["valid_from"], change.after["valid_from"]) == ("2024-01-01T00:00:00+08:00", later)
    again = registry.import_document(conn, document, "mei", moves_us=old)
    assert (again.version, again.changed) == (2, {})


def test_the_calendar_of_the_database(conn: Connection) -> None:
    assert registry.calendar(conn).offset_us == 8 * 3_600_000_000


def test_an_import_within_a_transaction_is_part_of_it(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        conn.execute("SELECT 1")
        registry.import_document(conn, SAMPLE, "mei")
        conn.rollback()
        assert registry.version(conn) == 0


def test_ingest_holds_imports_back_only_while_its_batch_commits(plain_database: Database) -> None:
    with plain_database.connect() as ingest, plain_database.connect() as conn:
        ingest.execute("SELECT version FROM registry_state FOR SHARE")
        thread = threading.Thread(target=registry.import_document, args=[conn, SAMPLE, "mei"])
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        ingest.commit()
        thread.join(30)
        assert not thread.is_alive()
        assert registry.version(conn) == 1


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(document=documents())
def test_what_is_exported_imports_as_itself(plain_database: Database, document: dict[str, Any]) -> None:
    """From one database into an empty one, and into itself."""
    tables = "registry_items, registry_changes, enterprises, points, sources, gateways"
    with plain_database.connect(autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")  # no trigger that keeps published reports
        conn.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        conn.execute("UPDATE registry_state SET version = 0")
        registry.import_document(conn, document, "mei")
        exported, loaded = registry.export_document(conn), registry.load(conn)
        again = registry.import_document(conn, exported, "mei")
        assert (again.new, again.changed) == ({}, {})
        for text in (yaml_text(exported), json_text(exported)):
            conn.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
            conn.execute("UPDATE registry_state SET version = 0")
            registry.import_document(conn, text, "mei")
            assert registry.export_document(conn) == exported
            assert set(registry.load(conn).enterprises) == set(loaded.enterprises)
