"""The guard of the server's settings, the mode, and connections that fail with a reason."""

from __future__ import annotations

import pytest

from domain.errors import Refused, Unavailable
from storage.database import connect, guard, mode
from tests import servers
from tests.servers import Database


def test_a_durable_server_passes(database: Database) -> None:
    with database.connect() as conn:
        assert guard(conn) == []


@pytest.mark.parametrize(
    ("value", "why"),
    [("off", "returns before it is on disk"), ("local", "doesn't wait for the synchronous standbys")],
)
def test_asynchronous_commit_is_refused_unless_allowed(
    plain_database: Database, value: str, why: str
) -> None:
    with plain_database.connect(autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {plain_database.name} SET synchronous_commit = {value}".encode())
    with plain_database.connect() as conn:
        with pytest.raises(Refused, match=f"synchronous_commit is {value}: .*{why}") as caught:
            guard(conn)
        assert "CARBONMETER_ALLOW_UNSAFE_DATABASE=true" in str(caught.value)
        assert len(guard(conn, allow_unsafe=True)) == 1


def test_every_unsafe_setting_of_a_server_is_named_at_once() -> None:
    unsafe = {"fsync": "off", "full_page_writes": "off"}
    with (
        servers.running_postgres(servers.plain_binaries(), "carbonmeter", unsafe) as (server, _),
        connect(server.url()) as conn,
        pytest.raises(Refused, match=r"(?s)fsync is off.*full_page_writes is off"),
    ):
        guard(conn)


def test_the_mode_of_an_empty_database_is_what_its_server_offers(empty_database: Database) -> None:
    with empty_database.connect() as conn:
        assert mode(conn) == empty_database.mode


def test_no_server_is_unavailable_with_a_reason() -> None:
    with pytest.raises(Unavailable, match=r"database: .*"):
        connect(f"postgresql://nobody@127.0.0.1:{servers.free_port()}/nothing")
