"""A server under load: real services on a database of their own, with a broker, and loads sent to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.bed import Bed, Broker, ready, scalar
from bench.fleet import Fleet
from bench.generator import Generator
from bench.load import Load
from bench.process import cpu_s, forget_peak, memory_mb, wait_for
from domain.errors import Refused

_COMMIT_S = 180.0
_HOST = "127.0.0.1"


@dataclass(slots=True)
class Meter:
    """Processor time and memory of named processes over a turn."""

    pids: dict[str, list[int]]
    watched: str | None = None  # whose memory counts
    _before: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        for pid in self.pids.get(self.watched or "", []):
            forget_peak(pid)
        self._before = self._cpu()

    def busy(self, seconds: float) -> dict[str, float]:
        """Cores kept busy, by name."""
        return {name: (used - self._before[name]) / seconds for name, used in self._cpu().items()}

    def rss_mb(self) -> float | None:
        return max((memory_mb(pid) for pid in self.pids.get(self.watched or "", [])), default=None)

    def _cpu(self) -> dict[str, float]:
        return {name: sum(map(cpu_s, pids)) for name, pids in self.pids.items()}


class Target:
    """Ingest, and accounting where asked for, over one database; loads go on where the last one ended."""

    def __init__(
        self,
        bed: Bed,
        generator: Generator,
        fleet: Fleet,
        broker: Broker | None,
        *,
        accounting: bool = False,
    ) -> None:
        self.generator = generator
        self.fleet = fleet
        self.broker = broker
        self.url = bed.database()
        self.conn = bed.connect(self.url)
        bed.register(self.url, fleet.document())
        settings: dict[str, Any] = {"MQTT": f"{_HOST}:0"}
        if broker is not None:
            settings["BROKER"] = broker.url
        self._children = {"ingest": bed.serve("ingest", self.url, **settings)}
        if accounting:
            self._children["accounting"] = bed.serve("accounting", self.url)
        self.step = 0

    def wait_until_ready(self) -> None:
        """Until it takes readings; the services start side by side."""
        services = {name: ready(self.url, child, name) for name, child in self._children.items()}
        self.pids = {name: service.pid for name, service in services.items()}
        self.port = int(services["ingest"].detail["endpoint"]["port"])
        if self.broker is not None:
            self._wait_for_subscription()

    def _wait_for_subscription(self) -> None:
        def subscribed() -> bool:
            detail = scalar(self.conn, "SELECT detail FROM services WHERE name = 'ingest'")
            return bool(detail["broker"]["connected"])

        wait_for(subscribed, f"ingest isn't subscribed at the broker: {self._children['ingest'].tail()}", 30)

    def load(self, *, through_broker: bool, **options: Any) -> Load:
        port = self.broker.port if through_broker and self.broker is not None else self.port
        load = Load(
            host=_HOST,
            port=port,
            enterprises=self.fleet.enterprises,
            devices=self.fleet.devices,
            start_us=self.fleet.start_us,
            first_step=self.step,
            **options,
        )
        self.step += load.steps
        return load

    def meter(self, watched: str) -> Meter:
        pids = {name: [pid] for name, pid in self.pids.items()}
        for name in self.pids:
            pids[f"{name}'s database"] = [
                row[0]
                for row in self.conn.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s",
                    [f"carbonmeter {name}"],
                )
            ]
        if self.broker is not None:
            pids["Mosquitto"] = [self.broker.process.pid]
        return Meter(pids, watched)

    def last_commit(self) -> int:
        return int(scalar(self.conn, "SELECT coalesce(max(commit_no), 0) FROM batches"))

    def committed(self, after: int, readings: int) -> tuple[int, float]:
        """(commit_no, moment [s since 1970]) of the batch that completed so many readings; waits for it.

        Refused where others than stored ones are among them: then something else than the load was measured.
        """

        def found() -> tuple[int, int, int, float] | None:
            row = self.conn.execute(
                """SELECT coalesce(sum(rows), 0), coalesce(sum((SELECT sum(n) FROM unnest(held || rejected) n)), 0),
                          max(commit_no), extract(epoch FROM max(committed_at))
                   FROM batches WHERE commit_no > %s""",
                [after],
            ).fetchone()
            assert row is not None
            return row if row[0] + row[1] >= readings else None

        answer = wait_for(
            found, f"not all of {readings} readings were committed: {self._tails()}", _COMMIT_S, 0.1
        )
        assert answer is not None
        rows, others, commit_no, moment = answer
        if others or rows != readings:
            raise Refused(f"{readings} readings were sent, {rows} stored, {others} held or rejected")
        return commit_no, float(moment)

    def accounted(self, commit_no: int) -> float:
        """The moment [s since 1970] at which the ledger had this batch; waits for it."""

        def found() -> Any:
            return self.conn.execute(
                "SELECT extract(epoch FROM committed_at) FROM runs WHERE up_to_commit_no >= %s ORDER BY id LIMIT 1",
                [commit_no],
            ).fetchone()

        what = f"accounting hasn't reached batch {commit_no}: {self._tails()}"
        return float(wait_for(found, what, _COMMIT_S, 0.1)[0])

    def lags_s(self, after: int, up_to: int) -> list[float]:
        """How long after its commit the ledger had each batch after one commit and up to another."""
        return [
            float(row[0])
            for row in self.conn.execute(
                """SELECT extract(epoch FROM (SELECT r.committed_at FROM runs r WHERE r.up_to_commit_no >= b.commit_no
                                              ORDER BY r.id LIMIT 1) - b.committed_at)
                   FROM batches b WHERE commit_no > %s AND commit_no <= %s""",
                [after, up_to],
            )
        ]

    def forget_readings(self) -> None:
        """Empty the log, so that a long benchmark doesn't fill the disk. Only where nothing reads it."""
        assert "accounting" not in self.pids
        self.conn.execute("TRUNCATE readings")

    def _tails(self) -> str:
        return "\n".join(child.tail() for child in self._children.values())
