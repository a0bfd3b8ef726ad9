"""The accounting service judges by itself, and goes on where it was after it was killed."""

from __future__ import annotations

from pathlib import Path

from domain.finding import Finding
from storage import findings
from tests.accounting.bed import USCC, Bed
from tests.accounting.test_validation_step import day_of, fill, power_of, works
from tests.servers import CarbonmeterServer, Database, wait_for


def found(bed: Bed) -> list[Finding]:
    bed.conn.commit()
    return findings.of_enterprise(bed.conn, USCC, 0, 1 << 62)


def test_findings_come_by_themselves_and_survive_a_kill(plain_database: Database, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with plain_database.connect() as conn:
        bed = Bed(conn)
        bed.register(works())
        fill(bed, 1, subs=0.9)
        with CarbonmeterServer(plain_database, home, "accounting"):
            wait_for(lambda: bool(found(bed)), 240)  # killed at the end
        (first,) = found(bed)
        assert findings.explain(conn, first.id, "Li Lei", "a third feeder has no meter")
        conn.commit()
        bed.store([*day_of(1, "E-01/kwh", 1.0), *day_of(1, "E-02/kwh", 0.9), *power_of(1)])
        with CarbonmeterServer(plain_database, home, "accounting") as server:
            wait_for(lambda: found(bed)[0].days == 2, 240)
            assert server.stop() == 0
        (again,) = found(bed)
        assert (again.id, again.state, again.explained_by) == (first.id, "explained", "Li Lei")
