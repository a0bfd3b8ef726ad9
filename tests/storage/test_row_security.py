"""Row-level security in raw SQL: whatever a statement forgets to ask, the role sees its tenant's rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest

from domain.errors import Refused
from storage import row_security, sessions
from storage.database import Connection
from storage.migrate import is_current, migrate
from storage.row_security import CLOSED, OPEN, POLICIES, ROLE, rules_of
from storage.sessions import EVERYBODY, Tenant
from tests.servers import Database

ONE, TWO = "91430302XT0000014K", "91430304XT0000022B"
OFFSET_US = 28_800_000_000

# A row of each enterprise in every table that has any: what stands here for a column that isn't told of is made up.
_ROWS = """
    INSERT INTO enterprises (uscc) VALUES ('{one}'), ('{two}');
    INSERT INTO registry_items (kind, uscc, key, spec, version)
        VALUES ('enterprise', '{one}', '{{}}', '{{}}', 1), ('enterprise', '{two}', '{{}}', '{{}}', 1),
               ('park', '', '{{P}}', '{{}}', 1);
    INSERT INTO registry_changes (version, changed_at, changed_by, why, kind, uscc, key)
        SELECT 1, now(), 'x', 'x', 'enterprise', uscc, '{{}}' FROM enterprises;
    INSERT INTO gateways (uscc, gateway) SELECT uscc, 'gw1' FROM enterprises;
    INSERT INTO points (enterprise_id, meter, channel) SELECT id, 'm', 'c' FROM enterprises;
    INSERT INTO sources (enterprise_id, code) SELECT id, 's' FROM enterprises;
    INSERT INTO runs (id, committed_at, rules_version, factor_set, registry_version, up_to_commit_no)
        VALUES (1, now(), 'r', 'f', 1, 1);
    INSERT INTO causes (run_id, kind, by_whom, why) SELECT 1, 'arrival', uscc || '/gw1', '' FROM enterprises;
    INSERT INTO batches (commit_no, id, committed_at, cause, registry_version, rows, gateway_ids, received, stored,
                         held, rejected)
        VALUES (1, 1, now(), 'arrival', 1, 2, '{{1,2}}', '{{3,3}}', '{{1,1}}', '{{1,1}}', '{{1,1}}');
    INSERT INTO held (batch_id, gateway_id, uscc, meter, channel, measured_at, mantissa, exponent, revision, quality,
                      flags, reason, received_at, topic)
        SELECT 1, id, uscc, 'm', 'c', now(), 1, 0, 0, 0, 0, 'unknown_meter', now(), 't' FROM gateways;
    INSERT INTO dead_letters (batch_id, received_at, topic, payload, via, gateway_id, reason, detail, decoder, readings)
        SELECT 1, now(), 't', 'p', 'http', id, 'bad_value', '', '', 1 FROM gateways;
    INSERT INTO dead_letters (batch_id, received_at, topic, payload, via, reason, detail, decoder, readings)
        VALUES (1, now(), 't', 'p', 'http', 'unknown_enterprise', '', '', 1);
    INSERT INTO published_reports (enterprise_id, year, as_of, run_id, published_at, by_whom, why, sha256, totals)
        SELECT id, 2024, now(), 1, now(), 'x', 'x', 'x', '{{}}' FROM enterprises;
    INSERT INTO published_files SELECT id, 'json', '', 'x' FROM published_reports;
    INSERT INTO history_batches (at, by_whom, why, cause, factor_set)
        VALUES (now(), 'x', '', 'import', 'f'), (now(), 'x', '', 'import', 'f');
    INSERT INTO history_statements (batch_id, enterprise_id, year, digest, document)
        SELECT id, id, 2023, 'x', '{{}}' FROM enterprises;
    INSERT INTO history_rows (statement_id, index, row, provenance, sent)
        SELECT id, 0, 1, 'reported', '{{}}' FROM history_statements;
    INSERT INTO history_versions (batch_id, statement_id, enterprise_id, year, summary, answer)
        SELECT batch_id, id, enterprise_id, 2023, '{{}}', '{{}}' FROM history_statements;
    INSERT INTO findings (enterprise_id, rule, subject, first_day, end_day, severity, channels, from_us, to_us, days,
                          mg, evidence, holds, state)
        SELECT id, 'r', 's', 1, 2, 'high', '{{}}', 0, 1, 1, 0, '[]', true, 'open' FROM enterprises;
    INSERT INTO finding_states (finding_id, state, changed_at, changed_by, why)
        SELECT id, 'open', now(), 'x', '' FROM findings;
    INSERT INTO finding_days (enterprise_id, rule, subject, day, end_day, from_us, to_us, channels, evidence, mg)
        SELECT id, 'r', 's', 1, 2, 0, 1, '{{}}', '{{}}', 0 FROM enterprises;
    INSERT INTO validation_due (enterprise_id, first_day, end_day) SELECT id, 1, 2 FROM enterprises;
    INSERT INTO channel_days (channel_id, day, chunk, enterprise_id, size, readings)
        SELECT id, 1, 0, enterprise_id, 0, '' FROM points;
    INSERT INTO consumption_days (channel_id, day, enterprise_id, exponent, amounts, states, run_ids, anchor_us)
        SELECT id, 1, enterprise_id, 0, '{{}}', '{{}}', '{{}}', 0 FROM points;
    INSERT INTO consumption_history (channel_id, day, superseded_by, enterprise_id, exponent, indexes, amounts, states,
                                     run_ids)
        SELECT id, 1, 1, enterprise_id, 0, '{{}}', '{{}}', '{{}}', '{{}}' FROM points;
    INSERT INTO ledger_days (source_id, day, series, gas, enterprise_id, scope, boundaries, unit, exponent, factor_id,
                             consumption, mg, states, run_ids, cause_ids, mg_sum, known, measured, interpolated,
                             estimated, substituted, flags)
        SELECT id, 1, 0, 'CO2', enterprise_id, 1, '{{}}', 't', 0, 1, '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', 0, 0, 0, 0,
               0, 0, 0 FROM sources;
    INSERT INTO ledger_months (source_id, month, series, gas, enterprise_id, scope, boundaries, mg_sum, known, measured,
                               interpolated, estimated, substituted, flags, factor_ids)
        SELECT id, 1, 0, 'CO2', enterprise_id, 1, '{{}}', 0, 0, 0, 0, 0, 0, 0, '{{}}' FROM sources;
    INSERT INTO ledger_history (source_id, day, series, gas, superseded_by, enterprise_id, scope, boundaries, unit,
                                exponent, factor_id, indexes, consumption, mg, states, run_ids, cause_ids)
        SELECT id, 1, 0, 'CO2', 1, enterprise_id, 1, '{{}}', 't', 0, 1, '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}'
        FROM sources;
    INSERT INTO consents (enterprise_id, consumer, purpose, fields, period_first_days, period_end_days, granted_by,
                          legal_text_alg, legal_text_hash, recorded_at, recorded_by, valid_from)
        SELECT id, 'bank-' || id, 'p', '{{}}', '{{}}', '{{}}', 'x', 'sha-256', 'x', now(), 'x', now() FROM enterprises;
    INSERT INTO read_log (number, at, request_id, who, tenant, what, part, usccs, object, basis, status, alg, previous,
                          digest)
        SELECT id, now(), 'x', 'x', '{{}}', 'x', 'emissions', ARRAY[uscc], '', 'own', 200, 'sha-256', '', 'x'
        FROM enterprises;
    INSERT INTO read_log_enterprises SELECT id, id FROM enterprises;
    INSERT INTO evidence_leaves (leaf_index, hash) SELECT id, 'x' FROM enterprises;
    INSERT INTO evidence_records (leaf_index, kind, reference, enterprise_id, content)
        SELECT id, 'grade', id::text, id, 'x' FROM enterprises;
    INSERT INTO changes (number, kind, enterprise_id, at, data) SELECT id, 'grade', id, now(), '{{}}' FROM enterprises;
"""
FUNCTIONS = {
    "visible_dead_letters": "visible_dead_letters(NULL, NULL, NULL, NULL, NULL, false, 100)",
    "visible_held": "visible_held(NULL, NULL, NULL, NULL, NULL, 100)",
}


@contextmanager
def session(conn: Connection, tenant: Tenant | None) -> Iterator[Connection]:
    """A session of the API; None: nobody has said for whom."""
    with conn.transaction(force_rollback=True):
        if tenant is None:
            conn.execute(f"SET LOCAL ROLE {ROLE}")
        else:
            sessions.enter(conn, tenant, secured=True)
        yield conn


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.connect(autocommit=True) as conn:
        conn.execute(_ROWS.format(one=ONE, two=TWO).encode())
        yield conn


def tables(conn: Connection) -> dict[str, bool]:
    """Every table of the schema, and whether it has an enterprise_id."""
    return dict(
        conn.execute(
            """SELECT c.relname, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                                         AND a.attname = 'enterprise_id' AND NOT a.attisdropped)
               FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                 AND NOT c.relispartition"""
        ).fetchall()
    )


def count(conn: Connection, table: str) -> int:
    row = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_no_statement_sees_another_tenants_rows(conn: Connection) -> None:
    every = tables(conn)
    assert len(every) > 40
    policies = {
        name for name, has in every.items() if rules_of(name, has_enterprise=has) not in (None, "true")
    }
    assert policies >= {"enterprises", "registry_items", "points", "sources", "ledger_days", "ledger_history"}
    filled = {name for name in policies if count(conn, name)}
    assert filled >= {"ledger_days", *POLICIES}
    with session(conn, EVERYBODY):
        seen = {name: count(conn, name) for name in filled}
    assert all(seen[name] >= 2 for name in filled), seen
    for tenant in (Tenant([1]), Tenant([2])):
        with session(conn, tenant):
            parks = count(conn, "registry_items")
            own = {name: count(conn, name) for name in filled - {"registry_items"}}
        assert set(own.values()) == {1}, own
        assert parks == 2  # its own item, and the park
    for nobody in (Tenant([]), Tenant([99]), None):
        with session(conn, nobody):
            assert {name: count(conn, name) for name in filled - {"registry_items"}} == dict.fromkeys(
                filled - {"registry_items"}, 0
            )


def test_the_rows_are_those_of_the_tenant(conn: Connection) -> None:
    with session(conn, Tenant([2])):
        assert conn.execute("SELECT DISTINCT enterprise_id FROM ledger_days").fetchall() == [(2,)]
        assert conn.execute("SELECT uscc FROM gateways").fetchall() == [(TWO,)]
        assert conn.execute("SELECT by_whom FROM causes").fetchall() == [(f"{TWO}/gw1",)]
        assert conn.execute("SELECT statement_id FROM history_rows").fetchall() == [(2,)]


def test_a_bank_sees_the_consents_given_to_it_alone(conn: Connection) -> None:
    with session(conn, Tenant([1, 2], "bank-1")):
        assert conn.execute("SELECT consumer FROM consents").fetchall() == [("bank-1",)]
        assert conn.execute("SELECT * FROM visible_reads(1, 0, 10, NULL, NULL)").fetchall() == []


def test_what_is_closed_is_read_through_functions_of_the_tenant(conn: Connection) -> None:
    for table in sorted(CLOSED & tables(conn).keys()):
        with session(conn, EVERYBODY), pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"SELECT * FROM {table}")
    nobody = (Tenant([]), None)
    for tenant, letters, readings in (
        (EVERYBODY, 3, 2),
        (Tenant([1]), 1, 1),
        *((each, 0, 0) for each in nobody),
    ):
        with session(conn, tenant):
            assert count(conn, FUNCTIONS["visible_dead_letters"]) == letters
            assert count(conn, FUNCTIONS["visible_held"]) == readings
    for tenant, found in ((EVERYBODY, 1), (Tenant([1]), 1), (Tenant([2]), 0)):
        with session(conn, tenant):
            assert count(conn, f"visible_gateway_account('{ONE}', 'gw1')") == found
            assert count(conn, "visible_reads(1, 0, 10, NULL, NULL)") == found


def test_the_servers_own_account_sees_everything(conn: Connection) -> None:
    assert count(conn, "ledger_days") == 2
    assert count(conn, FUNCTIONS["visible_dead_letters"]) == 3


def test_the_role_writes_nothing(conn: Connection) -> None:
    for statement in (
        "DELETE FROM ledger_days",
        "UPDATE enterprises SET uscc = 'x'",
        "INSERT INTO runs VALUES (1)",
    ):
        with session(conn, EVERYBODY), pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)


def test_every_table_is_told_of(conn: Connection) -> None:
    """A new table has an enterprise_id, or a line in `storage/row_security.py`."""
    every = tables(conn)
    assert every.keys() >= {"ledger_days", *(CLOSED - {"schema_migrations"})}
    untold = [
        name
        for name, has in every.items()
        if rules_of(name, has_enterprise=has) is None and name not in CLOSED
    ]
    assert untold == []
    assert not OPEN & CLOSED


def test_functions_that_run_as_the_owner_have_a_fixed_path(conn: Connection) -> None:
    rows = conn.execute(
        "SELECT proname, proconfig FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    ).fetchall()
    assert len(rows) >= 4
    assert {name: settings for name, settings in rows if settings != ["search_path=public, pg_temp"]} == {}


def test_migrating_again_changes_nothing(database: Database) -> None:
    with database.connect() as conn:
        assert is_current(conn, OFFSET_US)
        before = conn.execute("SELECT oid, polname FROM pg_policy ORDER BY oid").fetchall()
        assert migrate(conn, OFFSET_US).is_secured
        assert conn.execute("SELECT oid, polname FROM pg_policy ORDER BY oid").fetchall() == before
        assert row_security.is_in_force(conn)


def test_an_account_that_may_not_make_roles_is_told_what_to_do(empty_database: Database) -> None:
    """A server where the role isn't to be had: migrated all the same, and refused where it is required."""
    with empty_database.connect(autocommit=True) as conn:
        with suppress(psycopg.errors.DuplicateObject):
            conn.execute("CREATE ROLE nobody_special LOGIN NOINHERIT")
        name = conn.info.dbname
        conn.execute(f"ALTER DATABASE {name} OWNER TO nobody_special")
        conn.execute("ALTER SCHEMA public OWNER TO nobody_special")
        conn.execute("SET ROLE nobody_special")
        assert not row_security.is_usable(conn)
        assert not row_security.is_in_force(conn)
        with pytest.raises(Refused, match="CREATE ROLE carbonmeter_api NOLOGIN"):
            row_security.require(conn)
