"""`carbonmeter verify` finds what it is there to find: each promise is broken once, on purpose."""

from __future__ import annotations

import contextlib
import itertools
import json
import urllib.request
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.channel import READING_DTYPE
from carbonmeter.audit import DayDigests, emissions_mg
from carbonmeter.main import main
from domain.reading import round_half_even
from storage import accounts, keys
from storage.database import connect
from tests.servers import CarbonmeterServer, Database, DatabaseServer, wait_for

USCC = "91430300MA4L0DEM8M"
DOCUMENT = f"""
enterprises:
  - uscc: {USCC}
    name_zh: 一号厂
    name_en: Works 1
    industry: steel
    gb_t_4754: "3120"
    district: "430304"
    gateways: [{{id: gw1}}, {{id: gw2}}]
    meters:
      - id: E-1
        name: feeder
        channels:
          - id: kwh
            quantity: electricity_import
            kind: register
            unit: kWh
            multiplier: "1"
            resolution: "0.01"
            max_rate: "1000"
            max_gap: PT2H
            valid_from: 2023-01-01T00:00:00+08:00
    sources:
      - {{id: grid, method: purchased_electricity, expression: "E-1/kwh"}}
"""
HISTORY = f"uscc,year,source,amount,unit,provenance\n{USCC},2022,purchased_heat,10,GJ,verified\n"
START_MS = 1_704_038_400_000  # 2024-01-01T00:00+08:00


def _send(url: str, key: str, gateway: str, body: object) -> None:
    request = urllib.request.Request(
        f"{url}/v1/readings?uscc={USCC}&gateway={gateway}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202


@pytest.fixture(scope="module")
def books(plain_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of a database with books: a template for the tests below."""
    with _books(plain_server, tmp_path_factory.mktemp("verify") / "home") as database:
        yield database.name


@contextlib.contextmanager
def _books(database_server: DatabaseServer, home: Path) -> Iterator[Database]:
    """A database with two days of books, of which one reading came late, one is held and one was rejected."""
    with database_server.database() as database, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARBONMETER_DATABASE", database.url)
        patch.setenv("CARBONMETER_HOME", str(home))
        home.mkdir()
        document = home / "document.yaml"
        document.write_text(DOCUMENT)
        assert main(["registry", "import", str(document)]) == 0
        years = home / "years.csv"
        years.write_text(HISTORY)
        assert main(["history", "import", "--by", "tests", str(years)]) == 0
        with database.connect() as conn:
            key, _ = keys.create(conn, ["admin"])
        every = range(192)
        at = [START_MS + 900_000 * number for number in every if number != 100]
        values = [100 + number * 7 for number in every if number != 100]
        late = {"m": "E-1", "c": "kwh", "at": START_MS + 900_000 * 100, "v": 801.5}
        with CarbonmeterServer(database, home) as server:
            server.wait_until_ready()
            for gateway, body in (
                ("gw1", {"at": at, "ch": ["E-1/kwh"] * len(at), "v": values}),
                ("gw2", {"readings": [late, {**late, "c": "unknown"}, {**late, "at": "never"}]}),
            ):
                _send(server.http_url, key, gateway, body)
                wait_for(lambda: _accounted(database.url), 60)
            assert server.stop() == 0
        with database.connect() as conn:
            accounts.fold(conn)
        yield database


def _accounted(url: str) -> bool:
    with connect(url) as conn:
        row = conn.execute(
            "SELECT max(commit_no) = (SELECT min(commit_no) FROM cursors) FROM batches"
        ).fetchone()
    return row == (True,)


@pytest.fixture
def copied(
    plain_server: DatabaseServer, books: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    """URL of a copy of the books that the commands work on."""
    name = f"{books}_copy"
    with psycopg.connect(plain_server.server.url(), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {books}".encode())
        url = plain_server.server.url(name)
        monkeypatch.setenv("CARBONMETER_DATABASE", url)
        monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path))
        yield url
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _verify(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    code = main(["verify", "--json", *arguments])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == (0 if answer["holds"] else 1)
    return answer


def test_books_that_are_right_are_found_right(copied: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = _verify(capsys)
    assert [check["name"] for check in answer["checks"] if check["faults"]] == []
    assert {check["promise"] for check in answer["checks"]} == {1, 2, 3, 4, 5}
    assert [check["name"] for check in answer["checks"] if not check["compared"]] == []
    assert main(["verify", "--no-recompute"]) == 0
    assert "the promises hold" in capsys.readouterr().out
    assert copied


@pytest.mark.timescale
def test_they_are_found_right_in_the_columnstore_too(
    timescale_server: DatabaseServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with _books(timescale_server, tmp_path / "home") as database:
        with database.connect(autocommit=True) as conn:
            for (chunk,) in conn.execute(
                "SELECT chunk::text FROM show_chunks('readings') AS chunk"
            ).fetchall():
                conn.execute("CALL convert_to_columnstore(%s::regclass)", [chunk])
        monkeypatch.setenv("CARBONMETER_DATABASE", database.url)
        monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path))
        answer = _verify(capsys)
        assert [check["shown"] for check in answer["checks"] if check["faults"]] == []
        assert [check["name"] for check in answer["checks"] if not check["compared"]] == []


PARTITION = "readings_2024_01"  # a ctid names a row of one partition


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE batches SET received[1] = received[1] + 1 WHERE commit_no = 1",
            {"received = stored + held + rejected in every batch"},
        ),
        (
            "UPDATE gateway_accounts SET stored = stored - 1, held = held + 1",
            {"accounts agree with log, held readings and dead letters"},
        ),
        (
            f"DELETE FROM {PARTITION} WHERE ctid = (SELECT min(ctid) FROM {PARTITION})",
            {
                "each batch has its rows in the log",
                "accounts agree with log, held readings and dead letters",
                "the channel-days hold what the log holds",
            },
        ),
        (
            f"INSERT INTO readings SELECT measured_at, channel_id, gateway_id, 987654, mantissa, exponent, revision,"
            f" quality, flags FROM {PARTITION} LIMIT 1",
            {"each batch has its rows in the log", "accounts agree with log, held readings and dead letters"},
        ),
        (
            f"UPDATE {PARTITION} SET mantissa = mantissa + 1 WHERE ctid = (SELECT min(ctid) FROM {PARTITION})",
            {"the channel-days hold what the log holds"},
        ),
        (
            "DELETE FROM channel_days WHERE chunk = 0 AND day = (SELECT min(day) FROM channel_days)",
            {
                "the channel-days hold what the log holds",
                "the ledger is what its readings give when computed again",
            },
        ),
        ("DELETE FROM held", {"accounts agree with log, held readings and dead letters"}),
        ("UPDATE dead_letters SET readings = 7", {"accounts agree with log, held readings and dead letters"}),
        (
            "UPDATE ledger_days SET mg[10] = mg[10] + 1",
            {
                "each entry is its consumption times its factor, rounded once",
                "days are the sums of their entries",
                "the ledger is what its readings give when computed again",
            },
        ),
        (
            "UPDATE ledger_days SET known = known - 1",
            {"days are the sums of their entries", "months are the sums of their days"},
        ),
        ("UPDATE ledger_months SET mg_sum = mg_sum - 1", {"months are the sums of their days"}),
        ("DELETE FROM ledger_months", {"months are the sums of their days"}),
        (
            "UPDATE ledger_history SET superseded_by = 0",
            {"what was superseded is older than what supersedes it"},
        ),
        (
            "UPDATE history_statements SET document = replace(document::text, '10', '11')::json",
            {"years of history are what their rows give when computed again"},
        ),
    ],
)
def test_each_broken_promise_is_found(
    copied: str, capsys: pytest.CaptureFixture[str], statement: str, found: set[str]
) -> None:
    with connect(copied) as conn:
        assert conn.execute(statement.encode()).rowcount > 0
    answer = _verify(capsys)
    broken = {check["name"]: check["shown"] for check in answer["checks"] if check["faults"]}
    assert set(broken) == found
    assert all(broken.values())
    assert main(["verify", "--no-recompute"]) == (1 if found - {RECOMPUTED} else 0)


RECOMPUTED = "the ledger is what its readings give when computed again"


@given(
    st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=8),
    st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=10**9),
)
def test_emissions_are_exact_for_any_size(consumption: list[int], ratio: Fraction) -> None:
    small = [value % 10**6 - 500_000 for value in consumption]
    for values in (small, [value >> 40 for value in consumption]):
        expected = [round_half_even(value * ratio.numerator, ratio.denominator) for value in values]
        assert emissions_mg(np.array(values, np.int64), ratio).tolist() == expected


def _readings(values: list[tuple[int, int]]) -> np.ndarray:
    readings = np.zeros(len(values), READING_DTYPE)
    readings["at"], readings["mantissa"] = [at for at, _ in values], [value for _, value in values]
    return readings


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), max_size=30), st.randoms(use_true_random=False)
)
def test_digests_depend_on_what_is_there_and_not_on_its_order(
    values: list[tuple[int, int]], random: Any
) -> None:
    def digest(pieces: list[list[tuple[int, int]]]) -> list[list[int]]:
        digests = DayDigests()
        for piece in pieces:
            days = np.array([at // 2 for at, _ in piece], np.int64)
            digests.add(np.ones(len(piece), np.int64), days, _readings(piece))
        return [column.tolist() for column in digests.result()]

    whole = digest([values])
    shuffled = list(values)
    random.shuffle(shuffled)
    cut = random.randint(0, len(values))
    assert digest([shuffled[:cut], shuffled[cut:]]) == whole
    for place in range(len(values)):
        at, value = values[place]
        assert digest([[*values[:place], *values[place + 1 :]]]) != whole
        assert digest([[*values[:place], (at, value + 1), *values[place + 1 :]]]) != whole
    with contextlib.suppress(StopIteration):
        one, other = next(pair for pair in itertools.combinations(values, 2) if pair[0] != pair[1])
        assert digest([[*values, one]]) != digest([[*values, other]])
