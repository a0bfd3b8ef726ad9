"""Fixtures of ingest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingest.directory import Directory
from tests.ingest.beds import Running, import_document, running
from tests.servers import Database, DatabaseServer


@pytest.fixture(scope="session")
def directory(plain_server: DatabaseServer) -> Directory:
    """The registry of `beds.document`, for tests that need no database beyond it."""
    with plain_server.database() as database, database.connect(autocommit=True) as conn:
        return Directory(import_document(conn))


@pytest.fixture
def registered(plain_database: Database) -> Database:
    """A database with the registry of `beds.document`."""
    with plain_database.connect(autocommit=True) as conn:
        import_document(conn)
    return plain_database


@pytest.fixture
def server(registered: Database) -> Iterator[Running]:
    """A running server with that registry."""
    with running(registered) as server:
        yield server
