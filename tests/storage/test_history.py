"""Statements and versions of years: what is in force, as of when, and that a chain can't fork."""

from __future__ import annotations

import psycopg
import pytest

from storage import history, registry
from storage.database import Connection
from storage.history import FileRecord, NewStatement, NewVersion, RowRecord
from tests.api.conftest import CEMENT, DOCUMENT, STEEL
from tests.servers import Database

FILE = FileRecord("years.csv", b"\x01" * 32, 100, 1)
ROW = RowRecord(None, 2, "verified", {"source": "purchased_heat", "note": "二号"})


def version(
    enterprise_id: int, year: int, supersedes: int | None, total: str, statement: int | None = None
) -> NewVersion:
    sent = NewStatement(b"\x02" * 32, {"activities": [{"source": "purchased_heat"}]}, [ROW])
    answer = b'{"z": 1, "a": "' + total.encode() + b'"}'
    return NewVersion(enterprise_id, year, supersedes, {"account_tco2e": total}, answer, statement or sent)


def add(conn: Connection, *new: NewVersion, cause: str = "import") -> list[int]:
    with conn.transaction():
        history.lock(conn)
        file = FILE if cause == "import" else None
        return history.add(conn, new, by="mei", why="", cause=cause, factor_set="set", file=file)[1]  # type: ignore[arg-type]


def test_the_newest_version_is_in_force_and_earlier_ones_stay(database: Database) -> None:
    with database.connect() as conn:
        registry.import_document(conn, DOCUMENT, "tests")
        steel, cement = (registry.load(conn).enterprises[uscc].id for uscc in (STEEL, CEMENT))
        conn.commit()
        first, other = add(conn, version(steel, 2020, None, "1"), version(cement, 2021, None, "7"))
        (kept,) = history.versions(conn, steel, 2020)
        conn.commit()
        (second,) = add(conn, version(steel, 2020, first, "2", kept.statement_id), cause="factors")
        conn.commit()
        assert [(each.id, each.number) for each in history.in_force(conn)] == [(second, 2), (other, 1)]
        assert [each.id for each in history.in_force(conn, as_of=kept.at)] == [first, other]
        assert [each.id for each in history.in_force(conn, [cement])] == [other]
        assert history.in_force(conn, [steel], first_year=2021) == []
        assert history.in_force(conn, [cement], last_year=2020) == []
        now = history.versions(conn, steel, 2020)[-1]
        assert (now.supersedes, now.cause, now.file_name, now.summary) == (
            first, "factors", "years.csv", {"account_tco2e": "2"},
        )  # fmt: skip
        assert list(history.answers(conn, [second])[second]) == ["z", "a"], "as it was written"
        assert history.documents(conn, [now.statement_id]) == {
            now.statement_id: ({"activities": [{"source": "purchased_heat"}]}, ["verified"])
        }
        assert history.rows(conn, now.statement_id) == [ROW]


def test_a_version_is_superseded_once_and_a_year_begins_once(plain_database: Database) -> None:
    with plain_database.connect() as conn:
        registry.import_document(conn, DOCUMENT, "tests")
        steel = registry.load(conn).enterprises[STEEL].id
        conn.commit()
        (first,) = add(conn, version(steel, 2020, None, "1"))
        add(conn, version(steel, 2020, first, "2"))
        conn.commit()
        for wrong in (version(steel, 2020, first, "3"), version(steel, 2020, None, "3")):
            with pytest.raises(psycopg.errors.UniqueViolation):
                add(conn, wrong)
        assert [each.number for each in history.versions(conn, steel, 2020)] == [1, 2]
