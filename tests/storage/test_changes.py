"""The feed of changes: numbered without a gap in the order of visibility, whatever order transactions end in."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from domain.change import ChangeKind
from storage import changes, registry
from storage.database import Connection
from tests.api.conftest import CEMENT, DOCUMENT, STEEL
from tests.servers import Database


@pytest.fixture
def conn(plain_database: Database) -> Iterator[Connection]:
    with plain_database.connect(autocommit=True) as conn:
        yield conn


def announce(conn: Connection, place: int) -> None:
    changes.announce(conn, ChangeKind.QUOTA_WARNED, None, {"place": place})


def places(conn: Connection) -> list[int]:
    return [each.data["place"] for each in changes.after(conn, 0, 10_000)]


def test_a_change_that_is_committed_late_is_numbered_late(plain_database: Database, conn: Connection) -> None:
    with plain_database.connect() as late:
        announce(late, 1)
        announce(conn, 2)
        assert changes.publish(conn) == 1
        announce(conn, 3)
        late.commit()
        assert changes.publish(conn) == 2
    assert places(conn) == [2, 1, 3]
    assert (
        [each.number for each in changes.after(conn, 0, 10)]
        == [1, 2, 3]
        == list(range(1, changes.newest(conn) + 1))
    )
    assert changes.publish(conn) == 0


def test_many_that_announce_and_publish_lose_nothing(plain_database: Database, conn: Connection) -> None:
    stop = threading.Event()

    def write(first: int) -> None:
        with plain_database.connect() as mine:
            for place in range(first, first + 40):
                announce(mine, place)
                if place % 3:
                    mine.commit()
                else:
                    mine.rollback()

    def publish() -> None:
        with plain_database.connect(autocommit=True) as mine:
            while not stop.is_set():
                changes.publish(mine)

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 1000, 2000)]
    publishers = [threading.Thread(target=publish) for _ in range(2)]
    for thread in (*publishers, *writers):
        thread.start()
    heard: list[int] = []
    number = 0
    for thread in writers:
        thread.join()
        for each in changes.after(conn, number, 10_000):
            assert each.number == number + 1  # who follows sees every number, in order
            number = each.number
            heard.append(each.data["place"])
    stop.set()
    for thread in publishers:
        thread.join()
    changes.publish(conn)
    heard += [each.data["place"] for each in changes.after(conn, number, 10_000)]
    wanted = [first + place for first in (0, 1000, 2000) for place in range(40) if (first + place) % 3]
    assert sorted(heard) == wanted
    assert heard == places(conn)
    for first in (0, 1000, 2000):  # of one writer, in its order
        assert [each for each in heard if each // 1000 == first // 1000] == sorted(
            each for each in heard if each // 1000 == first // 1000
        )


def test_an_import_tells_of_the_enterprises_it_touched(conn: Connection) -> None:
    registry.import_document(conn, DOCUMENT, "tests", "the city")
    changes.publish(conn)
    told = {each.uscc: each for each in changes.after(conn, 0, 10)}
    assert {each.kind for each in told.values()} == {"enterprise.registered"}
    assert set(told) == {STEEL, CEMENT}
    assert "source" in told[STEEL].data["items"]
    one = {**DOCUMENT, "enterprises": [{**DOCUMENT["enterprises"][0], "name_en": "Steel Number One"}]}
    registry.import_document(conn, one, "tests", "a new name")
    changes.publish(conn)
    (changed,) = changes.after(conn, 2, 10)
    assert (changed.kind, changed.uscc) == ("enterprise.changed", STEEL)
    assert changed.data["items"] == ["enterprise"]
    assert changes.after(conn, 0, 10, [ChangeKind.ENTERPRISE_CHANGED.value]) == [changed]
    assert [each.uscc for each in changes.after(conn, 0, 10, usccs=[CEMENT])] == [CEMENT]


def test_restatements_of_a_month_are_told_once_they_settle(conn: Connection) -> None:
    registry.import_document(conn, DOCUMENT, "tests", "the city")
    changes.publish(conn)
    source = registry.load(conn).enterprises[STEEL].sources["grid"].id
    after = changes.newest(conn)
    day = 19_844  # 1 May 2024
    for days in ([day, day + 1], [day + 1, day + 31]):
        changes.announce_restated(conn, [source] * len(days), days)
    assert changes.publish(conn, settle_s=3600) == 0
    assert changes.publish(conn, settle_s=0) == 2
    told = changes.after(conn, after, 10)
    assert [(each.data["month"], each.days) for each in told] == [
        ("2024-05", (day, day + 31)),
        ("2024-06", (day + 31, day + 61)),
    ]
    assert all(each.kind == "month.restated" and each.uscc == STEEL for each in told)
    assert changes.publish(conn, settle_s=0) == 0
