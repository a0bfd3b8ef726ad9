"""The demo's years of files are taken by the product as they stand."""

from __future__ import annotations

from accounting.factors.load import load as load_library
from api.history import SentFile, checked
from domain.interval import Calendar
from simulators.city import PARK_ENTERPRISES, City
from simulators.history import FIRST_YEAR, LAST_YEAR, history_csv
from storage import registry
from tests.servers import Database


def test_every_row_is_taken_and_some_years_are_missing(plain_database: Database) -> None:
    start = Calendar().day_start(20_000)
    with plain_database.connect() as conn:
        registry.import_document(conn, City(1, start).document(start), "tests")
        known = registry.load(conn)
    content = history_csv(PARK_ENTERPRISES, 1)
    assert content == history_csv(PARK_ENTERPRISES, 1)
    assert content != history_csv(PARK_ENTERPRISES, 2)
    rows, found = checked(known, load_library(), SentFile(content, "demo"), 2026)
    assert rows > 400
    assert {statement.enterprise.uscc for statement, _ in found} == {each.uscc for each in PARK_ENTERPRISES}
    years = len(PARK_ENTERPRISES) * (LAST_YEAR - FIRST_YEAR + 1)
    assert years - 12 < len(found) < years
    assert {its.summary["provenance"] for _, its in found} == {"verified", "reported", "estimated"}
    assert all(float(its.summary["account_tco2e"]) > 0 for _, its in found)
