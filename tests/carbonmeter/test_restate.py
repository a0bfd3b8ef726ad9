"""`carbonmeter restate` from outside: rehearsals, and a restatement by the workers of a Dask cluster."""

from __future__ import annotations

import gc
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from accounting.channel import Rules
from accounting.factors.load import load
from accounting.run import Accountant, Shared
from accounting.work import Cause
from carbonmeter import restatement
from carbonmeter.main import main
from carbonmeter.restatement import Shard, over_workers
from domain.document_text import yaml_text
from domain.errors import Refused, Unavailable
from storage import registry
from storage.database import Connection
from tests.accounting.bed import REGISTER, T0, USCC, Bed, Sent, enterprise, one_register
from tests.accounting.test_engine import quarter_hours
from tests.servers import Database

# A cluster that ends leaves sockets to the garbage collector, which tells of each; not our doing.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)

OTHERS = ("91430304XT0000022B", "91430300MA4L0DEM8M")
WITHOUT_LOOKING_AHEAD = Rules(look_ahead_us=3_600_000_000)
CAUSE = Cause("rules", None, "tester", "other rules")
# all that a restatement writes, but for the moment
WRITTEN = {
    "ledger_days": "*",
    "ledger_months": "*",
    "ledger_history": "*",
    "consumption_days": "*",
    "consumption_history": "*",
    "gateway_tallies": "*",
    "causes": "*",
    "used_factors": "*",
    "cursors": "*",
    "runs": "id, rules_version, factor_set, registry_version, up_to_commit_no",
}


def town(conn: Connection) -> Bed:
    """Three enterprises, each with a register that falls and comes back two hours later."""
    bed = Bed(conn)
    for number, uscc in enumerate((USCC, *OTHERS)):
        document = one_register() | {"uscc": uscc, "name_zh": f"企业{number}", "name_en": f"No {number}"}
        bed.register(document)
        values = [5000 + number, 100, 101, 102, 103]
        sent = [Sent(T0 + place * 900_000_000, value) for place, value in enumerate(values)]
        bed.store([*sent, Sent(T0 + 8 * 900_000_000, 5001 + number)], uscc)
    bed.tick()
    return bed


def rows(conn: Connection) -> dict[str, list[Any]]:
    result = {
        table: sorted(map(repr, conn.execute(f"SELECT {columns} FROM {table}").fetchall()))
        for table, columns in WRITTEN.items()
    }
    conn.commit()
    return result


@pytest.fixture(params=[1, 3])
def cluster(
    request: pytest.FixtureRequest, plain_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalCluster]:
    # a worker reads its own settings, here from the environment that it is started with
    monkeypatch.setenv("CARBONMETER_DATABASE", plain_database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path))
    with LocalCluster(
        n_workers=request.param,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as cluster:
        yield cluster
    gc.collect()


def test_workers_write_what_is_written_here(
    plain_database: Database, plain_server: Any, cluster: LocalCluster
) -> None:
    told: list[tuple[int, int]] = []
    with plain_database.connect() as conn, plain_server.database() as other, other.connect() as here:
        town(conn)
        town(here)
        accountant = Accountant(conn, load(), WITHOUT_LOOKING_AHEAD)
        spread = accountant.restate(
            CAUSE,
            distribute=over_workers(cluster.scheduler_address),
            progress=lambda done, of: told.append((done, of)),
        )
        local = Accountant(here, load(), WITHOUT_LOOKING_AHEAD).restate(CAUSE)
        assert spread.superseded > 0
        assert (spread.entries, spread.superseded) == (local.entries, local.superseded)
        assert spread.differences.by_source == local.differences.by_source
        assert rows(conn) == rows(here)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_worker_that_dies_leaves_the_books_whole(plain_database: Database, cluster: LocalCluster) -> None:
    with plain_database.connect() as conn:
        bed = town(conn)
        accountant = Accountant(conn, load(), WITHOUT_LOOKING_AHEAD)
        killed: list[int] = []

        def kill_once(_done: int, _all: int) -> None:
            if not killed:
                pid = next(worker.pid for worker in cluster.workers.values())
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)

        restated = accountant.restate(
            CAUSE, distribute=over_workers(cluster.scheduler_address), progress=kill_once
        )
        assert killed
        assert restated.superseded > 0
        bed.accountant = accountant
        assert bed.rehearse().entries == 0


def test_a_cut_in_the_middle_changes_nothing(plain_database: Database, cluster: LocalCluster) -> None:
    with plain_database.connect() as conn:
        town(conn)
        before = rows(conn)

        def cut(_done: int, _all: int) -> None:
            raise Unavailable("the scheduler was lost")

        accountant = Accountant(conn, load(), WITHOUT_LOOKING_AHEAD)
        with pytest.raises(Unavailable, match="was lost"):
            accountant.restate(CAUSE, distribute=over_workers(cluster.scheduler_address), progress=cut)
        assert rows(conn) == before


def test_a_worker_of_another_version_or_database_refuses(
    plain_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARBONMETER_DATABASE", plain_database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path))
    shared = Shared("00000003-0000001B-1", 1, Rules(), CAUSE)
    with pytest.raises(Refused, match="install the same version on all workers"):
        restatement.compute_shard(Shard(USCC, shared, "0", load().set_hash))
    with pytest.raises(Refused, match="doesn't know the moment"):
        restatement.compute_shard(Shard(USCC, shared, Rules().version, load().set_hash))


# -- the command --------------------------------------------------------------------------------------


@pytest.fixture
def server(plain_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("CARBONMETER_DATABASE", plain_database.url)
    monkeypatch.setenv("CARBONMETER_HOME", str(tmp_path))
    return plain_database


def test_a_document_is_rehearsed_from_its_file(
    server: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with server.connect() as conn:
        bed = Bed(conn)
        bed.register(one_register())
        bed.store(quarter_hours([100, 101, 102]))
        bed.tick()
        before = registry.version(conn)
        conn.commit()
        file = tmp_path / "document.yaml"
        file.write_text(yaml_text({"enterprises": [one_register(multiplier="40")]}), "utf-8")
        assert main(["restate", "--dry-run", "--registry", str(file), "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        (changed,) = answer["changed"]
        assert answer["dry_run"] is True
        assert (changed["uscc"], changed["source"], changed["gas"]) == (USCC, "grid", "CO2")
        assert (changed["before_kg"], changed["after_kg"], changed["difference_kg"]) == (
            "0.995200",
            "39.808000",
            "38.812800",
        )
        assert (changed["from"], changed["to"]) == ("2023-03-01T00:00:00+08:00", "2023-03-01T00:30:00+08:00")
        assert changed["ways"] == [{"way": "amount", "entries": 2, "difference_kg": "38.812800"}]
        assert main(["registry", "import", "--dry-run", str(file)]) == 0
        assert "38.812800" in capsys.readouterr().out
        assert registry.version(conn) == before


def test_the_table_says_which_values_are_others(
    server: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    basis = {"name": "emission_factor", "value": "0.2", "unit": "tCO2/MWh", "from": "2023-03-01"}
    grid = {"id": "grid", "method": "purchased_electricity", "expression": "E-01/kwh"}
    with server.connect() as conn:
        bed = Bed(conn)
        bed.register(enterprise({"E-01": [REGISTER]}, [grid]))
        bed.store(quarter_hours([100, 101, 102]))
        bed.tick()
    file = tmp_path / "document.yaml"
    contract = {**grid, "parameters": [{**basis, "origin": "contract", "reference": "PPA 7"}]}
    file.write_text(yaml_text({"enterprises": [enterprise({"E-01": [REGISTER]}, [contract])]}), "utf-8")
    assert main(["restate", "--dry-run", "--registry", str(file)]) == 0
    out = capsys.readouterr().out
    assert "2 entries would be written, 2 of them superseding" in out
    assert "other factor" in out
    assert "emission_factor 0.4976 tCO2/MWh" in out
    assert "-> 0.2 tCO2/MWh (PPA 7)" in out


@pytest.mark.parametrize("cluster", [2], indirect=True)
def test_the_command_restates_on_a_cluster(
    plain_database: Database, cluster: LocalCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    with plain_database.connect() as conn:
        bed = town(conn)
        conn.execute(
            "UPDATE ledger_days SET mg[1] = 7 WHERE states[1] & 3 <> 0"
        )  # someone's hand in the books
        conn.commit()
        assert main(["restate", "--scheduler", cluster.scheduler_address, "--why", "repair", "--json"]) == 0
        told = capsys.readouterr()
        answer = json.loads(told.out)
        assert answer["entries"] == answer["superseded"] > 0
        assert {row["uscc"] for row in answer["changed"]} <= {USCC, *OTHERS}
        assert "restated 3 of 3 enterprises" in told.err
        assert bed.rehearse().entries == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--factors"],
        ["--uscc", USCC],
        ["--registry", "x.yaml"],
        ["--dry-run", "--from", "2023-01-01"],
        ["--dry-run", "--from", "2023-01-02", "--to", "2023-01-02"],
        ["--dry-run", "--scheduler", "tcp://127.0.0.1:1"],
        ["--rules", "--factors"],
    ],
)
def test_arguments_that_dont_go_together_are_a_fault_of_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["restate", *arguments])
    assert ended.value.code == 2


def test_a_scheduler_where_there_is_none_is_refused_and_nothing_changes(
    server: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with server.connect() as conn:
        town(conn)
        before = rows(conn)
        assert main(["restate", "--scheduler", "tcp://127.0.0.1:1"]) == 1
        assert "no Dask scheduler answers at 'tcp://127.0.0.1:1'" in capsys.readouterr().err
        assert rows(conn) == before
