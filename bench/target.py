"""A server under load: real services on a database of their own, with a broker, and loads sent to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from accounting.settings import worker_names
from bench.bed import Bed, Broker, ready, scalar
from bench.fleet import Fleet
from bench.generator import Generator
from bench.load import Load
from bench.process import Child, cpu_s, forget_peak, memory_mb, wait_for
from domain.errors import Refused
from domain.ledger import SHARDS

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
    """Ingest, and accounting where asked for, over one database; loads go on where the last one ended.

    accounting  how many processes of it
    ingests     how many; several share the subscription at the broker, and the endpoint is the first one's
    pids        by service, of all of its processes
    """

    def __init__(
        self,
        bed: Bed,
        generator: Generator,
        fleet: Fleet,
        broker: Broker | None,
        *,
        accounting: int = 0,
        ingests: int = 1,
    ) -> None:
        self.generator = generator
        self.fleet = fleet
        self.broker = broker
        self.url = bed.database()
        self.conn = bed.connect(self.url)
        bed.register(self.url, fleet.document())
        self._bed = bed
        self._ingests = ingests
        self._gone: set[int] = set()
        self._children: dict[str, list[Child]] = {}
        self.start_ingest()
        self._accountants = worker_names(accounting) if accounting else ()
        if accounting:
            self._children["accounting"] = [bed.serve("accounting", self.url, ACCOUNTING_WORKERS=accounting)]
        self.step = 0

    def start_ingest(self) -> None:
        """Start it; `wait_until_ready` tells when it takes readings."""
        settings: dict[str, Any] = {"MQTT": f"{_HOST}:0"}
        if self.broker is not None:
            settings["BROKER"] = self.broker.url
        if self._ingests > 1:
            settings["BROKER_SHARE_GROUP"] = "bench"
        self._children["ingest"] = [
            self._bed.serve("ingest", self.url, **settings, BROKER_CLIENT_ID=f"bench-ingest-{place}")
            for place in range(self._ingests)
        ]

    def stop_ingest(self) -> None:
        """Let it stop in order; its sessions at the broker stay."""
        self._gone.update(self.pids["ingest"])
        for child in self._children["ingest"]:
            child.stop()

    def wait_until_ready(self) -> None:
        """Until it takes readings; the services start side by side."""
        children = self._children
        self.pids = {}
        if "accounting" in children:
            self.pids["accounting"] = [
                ready(self.url, children["accounting"][0], name)[0].pid for name in self._accountants
            ]
        ingests = ready(self.url, children["ingest"][0], "ingest", self._ingests, self._gone)
        self.pids["ingest"] = [each.pid for each in ingests]
        self.port = int(ingests[0].detail["endpoint"]["port"])
        if self.broker is not None:
            self._wait_for_subscription()

    def _wait_for_subscription(self) -> None:
        def subscribed() -> bool:
            details = self.conn.execute(
                "SELECT detail FROM services WHERE name = 'ingest' AND pid = ANY (%s)", [self.pids["ingest"]]
            )
            return all(detail["broker"]["connected"] for (detail,) in details)

        wait_for(subscribed, f"ingest isn't subscribed at the broker: {self._tails()}", 30)

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
        pids = {name: list(each) for name, each in self.pids.items()}
        for name in self.pids:
            pids[f"{name}'s database"] = [
                row[0]
                for row in self.conn.execute(
                    """SELECT pid FROM pg_stat_activity
                       WHERE datname = current_database() AND application_name LIKE %s""",
                    [f"carbonmeter {name}%"],
                )
            ]
        if self.broker is not None:
            pids["Mosquitto"] = [self.broker.process.pid]
        return Meter(pids, watched)

    def last_commit(self) -> int:
        return int(scalar(self.conn, "SELECT coalesce(max(commit_no), 0) FROM batches"))

    def committed(self, after: int, readings: int, seconds: float = _COMMIT_S) -> tuple[int, float]:
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
            found, f"not all of {readings} readings were committed: {self._tails()}", seconds, 0.1
        )
        assert answer is not None
        rows, others, commit_no, moment = answer
        if others or rows != readings:
            raise Refused(f"{readings} readings were sent, {rows} stored, {others} held or rejected")
        return commit_no, float(moment)

    def accounted(self, commit_no: int, seconds: float = _COMMIT_S) -> float:
        """The moment [s since 1970] at which the ledger had this batch, in every shard; waits for it."""

        def found() -> bool:
            return int(scalar(self.conn, "SELECT min(commit_no) FROM cursors")) >= commit_no

        wait_for(found, f"accounting hasn't reached batch {commit_no}: {self._tails()}", seconds, 0.1)
        # A shard's cursor moves without a run where nothing concerned it: then its last run had all of its own.
        return float(
            scalar(
                self.conn,
                """SELECT extract(epoch FROM max(had_at)) FROM (
                       SELECT coalesce(min(r.committed_at) FILTER (WHERE r.up_to_commit_no >= %s),
                                       max(r.committed_at)) AS had_at
                       FROM generate_series(0, %s) AS shard JOIN runs r ON r.shards & (1 << shard) <> 0
                       GROUP BY shard) AS of_shards""",
                [commit_no, SHARDS - 1],
            )
        )

    def lags_s(self, after: int, up_to: int) -> list[float]:
        """How long after its commit the ledger had each batch after one commit and up to another.

        A batch waits for the last of the shards that its gateways' enterprises are in: these may be of several workers.
        """
        return [
            float(row[0])
            for row in self.conn.execute(
                """SELECT extract(epoch FROM max(had_at) - min(committed_at)) FROM (
                       SELECT b.commit_no, b.committed_at,
                              (SELECT r.committed_at FROM runs r
                               WHERE r.up_to_commit_no >= b.commit_no AND r.shards & (1 << concerned.shard) <> 0
                               ORDER BY r.id LIMIT 1) AS had_at
                       FROM batches b CROSS JOIN LATERAL (
                           SELECT DISTINCT e.id %% %s AS shard
                           FROM unnest(b.gateway_ids, b.stored) AS account (gateway_id, stored)
                           JOIN gateways g ON g.id = account.gateway_id JOIN enterprises e ON e.uscc = g.uscc
                           WHERE account.stored > 0) AS concerned
                       WHERE b.commit_no > %s AND b.commit_no <= %s) AS of_shards
                   GROUP BY commit_no ORDER BY commit_no""",
                [SHARDS, after, up_to],
            )
        ]

    def check_books(self, load: Load) -> None:
        """Refused unless each of a load's readings is stored and the ledger has what their registers counted.

        It is the first load of this target.
        """
        stored = int(
            scalar(
                self.conn, "SELECT count(*) FROM (SELECT DISTINCT channel_id, measured_at FROM readings) AS r"
            )
        )
        counted = int(
            scalar(
                self.conn,
                "SELECT coalesce(sum(amount), 0) FROM ledger_days, unnest(consumption) AS amount WHERE series = 0",
            )
        )
        expected = self.fleet.counted(load.steps_of_channels(self.fleet.channels))
        if (stored, counted) != (load.readings, expected):
            raise Refused(
                f"{load.readings} readings were acknowledged and {stored} are stored; the ledger has {counted} counts"
                f" of {expected}"
            )

    def forget_readings(self) -> None:
        """Empty the log, so that a long benchmark doesn't fill the disk. Only where nothing reads it."""
        assert "accounting" not in self.pids
        self.conn.execute("TRUNCATE readings")

    def _tails(self) -> str:
        return "\n".join(child.tail() for children in self._children.values() for child in children)
