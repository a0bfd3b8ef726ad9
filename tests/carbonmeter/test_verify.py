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
from carbonmeter.audit import DayDigests, document_faults, emissions_mg
from carbonmeter.main import main
from carbonmeter.publisher import Notary
from carbonmeter.signing_keys import SigningKeys
from domain.errors import Refused
from domain.reading import round_half_even
from storage import accounts, evidence, keys
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


def _read(url: str, key: str) -> None:
    """A read of the enterprise's account, which the log of reads keeps."""
    request = urllib.request.Request(
        f"{url}/v1/enterprises/{USCC}", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


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
            wait_for(lambda: _signed(database.url), 60)
            _read(server.http_url, key)
            assert server.stop() == 0
        assert main(["reports", "publish", USCC, "2024", "--why", "kept", "--by", "tests"]) == 0
        with database.connect() as conn:
            accounts.fold(conn)
        yield database


def _accounted(url: str) -> bool:
    with connect(url) as conn:
        row = conn.execute(
            "SELECT max(commit_no) = (SELECT min(commit_no) FROM cursors) FROM batches"
        ).fetchone()
    return row == (True,)


def _signed(url: str) -> bool:
    """Whether every batch is under a signed checkpoint."""
    with connect(url) as conn:
        row = conn.execute(
            """SELECT (SELECT max(size) FROM evidence_checkpoints) = size
                      AND commit_no = (SELECT max(commit_no) FROM batches) FROM evidence_log"""
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
    page = (Path(__file__).parents[2] / "docs/verify.md").read_text()
    told = [line.split(" | ") for line in page.splitlines() if line[:3].strip("| ").isdigit()]
    assert sorted((int(promise[1:]), name.rstrip(" |")) for promise, name in told) == sorted(
        (check["promise"], check["name"]) for check in answer["checks"]
    )
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


LEAF = "each leaf of the evidence log is what its record says"
SIGNED = "signed checkpoints of the evidence log hold"
UNGUARDED = "; ".join(
    f"ALTER TABLE evidence_{table} DISABLE TRIGGER USER" for table in ("records", "leaves", "checkpoints")
)
PUBLISHED = "files of published reports are those that went out"
UNSEALED = "; ".join(f"ALTER TABLE published_{table} DISABLE TRIGGER USER" for table in ("files", "reports"))
PARTITION = "readings_2024_01"  # a ctid names a row of one partition


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE batches SET received[1] = received[1] + 1 WHERE commit_no = 1",
            {"received = stored + held + rejected in every batch", LEAF},
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
                LEAF,
            },
        ),
        (
            f"INSERT INTO readings SELECT measured_at, channel_id, gateway_id, 987654, mantissa, exponent, revision,"
            f" quality, flags FROM {PARTITION} LIMIT 1",
            {"each batch has its rows in the log", "accounts agree with log, held readings and dead letters"},
        ),
        (
            f"UPDATE {PARTITION} SET mantissa = mantissa + 1 WHERE ctid = (SELECT min(ctid) FROM {PARTITION})",
            {"the channel-days hold what the log holds", LEAF},
        ),
        (f"{UNGUARDED}; UPDATE evidence_records SET reference = '99' WHERE leaf_index = 0", {LEAF}),
        (f"{UNGUARDED}; UPDATE evidence_leaves SET hash = sha256('x') WHERE leaf_index = 0", {LEAF, SIGNED}),
        (f"{UNGUARDED}; UPDATE evidence_checkpoints SET root = sha256('x')", {SIGNED}),
        (f"{UNGUARDED}; UPDATE evidence_checkpoints SET note = replace(note, 'carbonmeter', 'x')", {SIGNED}),
        ("UPDATE evidence_log SET size = size + 1", {LEAF}),
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
            {
                "years of history are what their rows give when computed again",
                "statements of history are what was sent",
            },
        ),
    ],
)
def test_each_broken_promise_is_found(
    copied: str, capsys: pytest.CaptureFixture[str], statement: str, found: set[str]
) -> None:
    with connect(copied) as conn:
        *before, last = statement.split("; ")
        for each in before:
            conn.execute(each.encode())
        assert conn.execute(last.encode()).rowcount > 0
    answer = _verify(capsys)
    broken = {check["name"]: check["shown"] for check in answer["checks"] if check["faults"]}
    assert set(broken) == found
    assert all(broken.values())
    assert main(["verify", "--no-recompute"]) == (1 if found - {RECOMPUTED} else 0)


def test_each_fault_of_a_published_report_is_told(copied: str, capsys: pytest.CaptureFixture[str]) -> None:
    changed = "replace(convert_from(content, 'UTF8'), 'Works 1', 'Works 2')"
    with connect(copied) as conn:
        for statement in (
            UNSEALED,
            "UPDATE published_files SET content = content || '\\x00' WHERE format = 'pdf' AND language = 'zh'",
            "DELETE FROM published_files WHERE format = 'xlsx' AND language = 'en'",
            f"UPDATE published_files SET content = convert_to({changed}, 'UTF8') WHERE format = 'json'",
            "UPDATE published_files SET sha256 = sha256(content) WHERE format = 'json'",
            "UPDATE published_reports SET sha256 = 'x', totals = '{}'",
            "UPDATE history_rows SET sent = '{}'",
        ):
            conn.execute(statement.encode())
    answer = _verify(capsys, "--no-recompute")
    shown = {check["name"]: check["shown"] for check in answer["checks"] if check["faults"]}
    assert shown.pop(PUBLISHED) == [
        "report 1: xlsx en is missing",
        "report 1: pdf zh has other bytes than it was written with",
        "report 1: its JSON isn't the one that its own hash is of",
        "report 1: lists tell another hash than its JSON does",
        "report 1: lists tell other totals than its JSON does",
    ]
    assert list(shown) == ["statements of history are what was sent"]


def test_a_report_that_is_no_json_is_a_fault() -> None:
    for content in (b"", b"{", b"[]", b"{}", b'{"sha256": 1, "totals": [1]}'):
        assert document_faults(content, "", {}) == ["its JSON is no report"]


def test_a_proof_is_checked_from_its_file_alone(
    copied: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(copied) as conn:
        rows = conn.execute("SELECT id FROM batches ORDER BY commit_no").fetchall()
    assert main(["evidence", "keys", "--json"]) == 0
    (key,) = json.loads(capsys.readouterr().out)["items"]
    proof, growth, record = tmp_path / "proof.json", tmp_path / "growth.json", tmp_path / "record"
    assert main(["evidence", "proof", "batch", str(rows[1][0]), "--output", str(proof)]) == 0
    assert main(["evidence", "consistency", "1", "--output", str(growth)]) == 0
    record.write_text(json.loads(proof.read_text())["leaf"]["content"])
    assert main(["evidence", "checkpoint"]) == 0
    assert capsys.readouterr().out.startswith("carbonmeter/")

    # from here on there is no database
    monkeypatch.setenv("CARBONMETER_DATABASE", "postgresql://nowhere.invalid/none")
    for path in (proof, growth):
        assert main(["verify", "--proof", str(path)]) == 0
        assert "compare it with the published one" in capsys.readouterr().out
        assert main(["verify", "--proof", str(path), "--key", key["verifier_key"], "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["trusted"] is True
    assert main(["verify", "--proof", str(proof), "--record", str(record)]) == 0
    record.write_text(record.read_text().replace("arrival", "release"))
    assert main(["verify", "--proof", str(proof), "--record", str(record)]) == 1
    proof.write_text(proof.read_text().replace("arrival", "release"))
    assert main(["verify", "--proof", str(proof)]) == 1
    assert "leads to another root" in capsys.readouterr().err
    for text in ("", "[]", "{}", "["):
        proof.write_text(text)
        assert main(["verify", "--proof", str(proof)]) == 1
    assert main(["verify", "--key", key["verifier_key"]]) == 1


def test_a_rotated_key_signs_on_and_the_old_ones_proofs_hold(
    copied: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert copied
    assert main(["evidence", "rotate", "--json"]) == 0
    new = json.loads(capsys.readouterr().out)["new"]
    keys_of = SigningKeys(tmp_path / "keys")
    assert keys_of.key.key_id == new["key_id"]
    with connect(copied, autocommit=True) as conn:
        evidence.submit(conn, "grade", "1", b"{}")
        notary = Notary(conn, keys_of, tmp_path / "checkpoint")
        notary.step()
        newest = evidence.checkpoint(conn)
        assert newest is not None
        assert newest.key_id == new["key_id"]
    assert [check["name"] for check in _verify(capsys, "--no-recompute")["checks"] if check["faults"]] == []


def test_a_database_that_was_set_back_is_not_signed(copied: str, tmp_path: Path) -> None:
    with connect(copied, autocommit=True) as conn:
        seen = tmp_path / "checkpoint"
        Notary(conn, SigningKeys(tmp_path), seen).step()
        seen.write_text(f"{evidence.origin(conn)}\n2\n{'00' * 32}\n")
        evidence.submit(conn, "grade", "1", b"{}")
        with pytest.raises(Refused, match="set back"):
            Notary(conn, SigningKeys(tmp_path), seen).step()
        assert main(["evidence", "restart"]) == 0
        Notary(conn, SigningKeys(tmp_path), seen).step()
        newest = evidence.checkpoint(conn)
        assert newest is not None
        assert newest.size == evidence.size(conn)
        assert seen.read_text().startswith(evidence.origin(conn))


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
