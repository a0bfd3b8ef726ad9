"""Row-level security: which rows of which table a session of the API sees, so that a forgotten `where` can't leak.

A session of the API is a transaction that goes on as the role ROLE, which nobody signs in as, and that says for whom in
`carbonmeter.tenant`: 'all', or the ids of the enterprises that may be read, as '{1,2}'. Unsaid, it sees nothing. The
account that migrated owns the tables and sees everything: ingest, accounting and what the API writes go on as it does.

A table that isn't told of here and has no `enterprise_id` is closed to the API: it can't be read until it is told of.
"""

from __future__ import annotations

import hashlib

import psycopg
from psycopg import sql

from domain.errors import Refused
from storage.database import Connection

ROLE = "carbonmeter_api"
_POLICY = "tenant"

# Whether all may be read, and the ids that may be, each asked once a statement and not once a row.
_ALL = "(SELECT tenant_is_all())"
_IDS = "((SELECT tenant_enterprises())::integer[])"
_OF_ENTERPRISE = f"{_ALL} OR enterprise_id = ANY {_IDS}"
_BY_USCC = f"{_ALL} OR uscc IN (SELECT e.uscc FROM enterprises e)"  # of those that may be read

# What names no enterprise: everybody may read it.
OPEN = frozenset(
    {
        "registry_state",
        "runs",
        "cursors",
        "used_factors",
        "services",
        "validation_state",
        "signing_keys",
        "grade_schemes",
        "grade_adoptions",
        "grade_stages",
        "change_feed",
        "evidence_log",
        "evidence_leaves",
        "evidence_nodes",
        "evidence_checkpoints",
    }
)
# Read by nobody but through functions that ask for whom (storage/functions), or not at all.
CLOSED = frozenset(
    {
        "schema_migrations",
        "api_keys",
        "access_tokens",
        "batches",
        "change_outbox",
        "evidence_pending",
        "webhooks",
        "readings",
        "held",
        "dead_letters",
        "gateway_accounts",
        "gateway_fold",
        "gateway_events",
        "gateway_tallies",
        "read_log",
        "read_log_enterprises",
    }
)
# Tables whose rows are told apart by more than an `enterprise_id`.
POLICIES = {
    "enterprises": f"{_ALL} OR id = ANY {_IDS}",
    "registry_items": f"{_BY_USCC} OR uscc = ''",  # parks are nobody's secret
    "registry_changes": _BY_USCC,
    "gateways": _BY_USCC,
    # Arrivals are signed by their gateway, "USCC/ID"; everything else by people.
    "causes": f"""{_ALL} OR by_whom !~ '^[0-9A-Z]{{18}}/'
                  OR substr(by_whom, 1, 18) IN (SELECT e.uscc FROM enterprises e)""",
    "finding_states": f"{_ALL} OR EXISTS (SELECT FROM findings f WHERE f.id = finding_id)",
    "published_files": f"{_ALL} OR EXISTS (SELECT FROM published_reports r WHERE r.id = report_id)",
    "history_batches": f"{_ALL} OR EXISTS (SELECT FROM history_versions v WHERE v.batch_id = history_batches.id)",
    "history_rows": f"{_ALL} OR EXISTS (SELECT FROM history_statements s WHERE s.id = statement_id)",
    "changes": f"enterprise_id IS NULL OR {_OF_ENTERPRISE}",
    "evidence_records": f"enterprise_id IS NULL OR {_OF_ENTERPRISE}",  # of batches: they name no enterprise
    # A bank sees those given to it and never those given to others.
    "consents": f"""{_ALL} OR CASE WHEN (SELECT tenant_consumer()) = '' THEN enterprise_id = ANY {_IDS}
                                   ELSE consumer = (SELECT tenant_consumer()) END""",
}


def rules_of(table: str, *, has_enterprise: bool) -> str | None:
    """What a session sees of a table: a condition of its rows, 'true' for all of them, None for none."""
    if table in CLOSED:
        return None
    if table in OPEN:
        return "true"
    return POLICIES.get(table) or (_OF_ENTERPRISE if has_enterprise else None)


def checksum(*, is_usable: bool) -> str:
    """Of all of this: another one is applied anew."""
    parts = [ROLE, str(is_usable), _OF_ENTERPRISE, *sorted(OPEN), *sorted(CLOSED)]
    parts += [f"{table}: {rule}" for table, rule in sorted(POLICIES.items())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_usable(conn: Connection) -> bool:
    """Whether the role is there and this account may go on as it."""
    row = conn.execute(
        "SELECT coalesce((SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = %s), false)",
        [ROLE],
    ).fetchone()
    return row == (True,)


def is_in_force(conn: Connection) -> bool:
    """Whether sessions of the API can go on as the role, and find their tables open to it."""
    if not is_usable(conn):
        return False
    row = conn.execute(
        "SELECT has_table_privilege(%s, 'ledger_days', 'SELECT')"
        " AND (SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass('ledger_days'))",
        [ROLE],
    ).fetchone()
    return row == (True,)


def explanation() -> str:
    """What to do where the role can't be had."""
    return (
        f"row-level security is not in force: the database has no role {ROLE} that this account may take on."
        f" As a superuser: CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO the account of CARBONMETER_DATABASE;"
        " then `carbonmeter migrate`"
    )


def require(conn: Connection) -> None:
    """Refuse a database where row-level security isn't in force."""
    if not is_in_force(conn):
        raise Refused(f"{explanation()}; or set CARBONMETER_ROW_SECURITY=preferred to go on without it")


def make_role(conn: Connection) -> bool:
    """Make the role where it is missing and this account may; whether it can be used then."""
    if is_usable(conn):
        return True
    for statement in ("CREATE ROLE {} NOLOGIN", "GRANT {} TO CURRENT_USER"):
        try:
            with conn.transaction():
                conn.execute(sql.SQL(statement).format(sql.Identifier(ROLE)))
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            continue  # another database of this server made it just now
        except psycopg.errors.InsufficientPrivilege:
            continue  # it may be there, and granted, all the same
    return is_usable(conn)


_FUNCTIONS = """
    SELECT p.oid::regprocedure::text, coalesce(p.proconfig, '{}'),
           has_function_privilege(%(role)s, p.oid, 'EXECUTE')
    FROM pg_proc p
    WHERE p.pronamespace = current_schema::regnamespace AND p.prosecdef AND p.proname LIKE 'visible\\_%%'
    ORDER BY p.oid
"""

_TABLES = """
    SELECT c.relname, c.relrowsecurity,
           EXISTS (SELECT FROM pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attname = 'enterprise_id' AND NOT a.attisdropped),
           (SELECT obj_description(p.oid, 'pg_policy') FROM pg_policy p
            WHERE p.polrelid = c.oid AND p.polname = %(policy)s),
           has_table_privilege(%(role)s, c.oid, 'SELECT')
    FROM pg_class c
    WHERE c.relnamespace = current_schema::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    ORDER BY c.relname
"""


def apply(conn: Connection) -> None:
    """Bring every table to what is told of it here. What is so already isn't touched, so that no lock is taken."""
    conn.execute(
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(_schema(conn)), sql.Identifier(ROLE))
    )
    apply_to_functions(conn)
    rows = conn.execute(_TABLES, {"policy": _POLICY, "role": ROLE}).fetchall()
    for table, is_secured, has_enterprise, known, is_granted in rows:
        rule = rules_of(table, has_enterprise=has_enterprise)
        names = {
            "table": sql.Identifier(table),
            "role": sql.Identifier(ROLE),
            "policy": sql.Identifier(_POLICY),
        }
        if rule is None:
            if is_granted:
                conn.execute(sql.SQL("REVOKE ALL ON {table} FROM {role}").format(**names))
            continue
        if rule != "true":
            if not is_secured:
                conn.execute(sql.SQL("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY").format(**names))
            if known != rule:
                conn.execute(sql.SQL("DROP POLICY IF EXISTS {policy} ON {table}").format(**names))
                conn.execute(
                    sql.SQL("CREATE POLICY {policy} ON {table} FOR SELECT TO {role} USING ({rule})").format(
                        **names, rule=sql.SQL(rule)
                    )
                )
                conn.execute(
                    sql.SQL("COMMENT ON POLICY {policy} ON {table} IS {rule}").format(
                        **names, rule=sql.Literal(rule)
                    )
                )
        if not is_granted:
            conn.execute(sql.SQL("GRANT SELECT ON {table} TO {role}").format(**names))


def apply_to_functions(conn: Connection) -> None:
    """What runs as the account that owns the tables finds them by a path that nobody else can lay anything on, and is
    called by the role alone.
    """
    path = f"{_schema(conn)}, pg_temp"
    for signature, settings, is_granted in conn.execute(_FUNCTIONS, {"role": ROLE}).fetchall():
        function = sql.SQL(signature)
        if f"search_path={path}" not in settings:
            conn.execute(sql.SQL("ALTER FUNCTION {} SET search_path = ").format(function) + sql.SQL(path))
            conn.execute(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(function))
            is_granted = False  # as everybody's it was
        if not is_granted:
            conn.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(function, sql.Identifier(ROLE)))


def _schema(conn: Connection) -> str:
    row = conn.execute("SELECT current_schema").fetchone()
    assert row is not None
    return str(row[0])
