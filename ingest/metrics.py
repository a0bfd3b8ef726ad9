"""Every metric of ingest, a line of explanation each. Labels come from closed lists."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

DELIVERIES = Counter(
    "carbonmeter_ingest_deliveries_total", "Messages taken in, by where they came from", ["via"]
)
READINGS = Counter(
    "carbonmeter_ingest_readings_total", "Readings committed, by what became of them", ["outcome"]
)
REJECTED = Counter("carbonmeter_ingest_rejected_total", "Readings rejected, by reason", ["reason"])
HELD = Counter("carbonmeter_ingest_held_total", "Readings held, by reason", ["reason"])
RELEASED = Counter("carbonmeter_ingest_released_total", "Held readings that were stored after all")
RECEIPTS = Counter("carbonmeter_ingest_receipts_total", "Receipts sent, by where to", ["via"])

BATCHES = Counter("carbonmeter_ingest_batches_total", "Batches committed")
BATCH_ROWS = Histogram(
    "carbonmeter_ingest_batch_rows",
    "Rows of a batch in the log",
    buckets=(1, 10, 100, 1_000, 10_000, 100_000),
)
COMMIT_SECONDS = Histogram(
    "carbonmeter_ingest_commit_seconds",
    "From the hand-over of a batch to its commit",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30),
)
COMMIT_RETRIES = Counter(
    "carbonmeter_ingest_commit_retries_total", "Batches tried again, the database being away"
)
ROWS_REFUSED = Counter(
    "carbonmeter_ingest_rows_refused_total", "Rows that the database refused, set aside alone"
)
AMBIGUOUS_COMMITS = Counter(
    "carbonmeter_ingest_ambiguous_commits_total", "Commits whose answer was lost and that had to be looked up"
)
WAITING = Gauge(
    "carbonmeter_ingest_waiting_ratio",
    "How full the fullest bound of the filling batch is; at 1 sockets are no longer read",
    multiprocess_mode="livemax",
)
WAITING_BYTES = Gauge(
    "carbonmeter_ingest_waiting_bytes",
    "Payload bytes taken in and not committed",
    multiprocess_mode="livesum",
)
PAUSES = Counter("carbonmeter_ingest_pauses_total", "Times that reading stopped for want of room")

CONNECTIONS = Gauge("carbonmeter_endpoint_connections", "Open connections", multiprocess_mode="livesum")
CONNECTIONS_HJ212 = Gauge(
    "carbonmeter_hj212_connections", "Open connections of data loggers", multiprocess_mode="livesum"
)
SIGN_INS = Counter("carbonmeter_endpoint_sign_ins_total", "Attempts to sign in, by result", ["result"])
CLOSED = Counter("carbonmeter_endpoint_closed_total", "Connections closed by us, by reason", ["reason"])
EVENTS_DROPPED = Counter("carbonmeter_ingest_events_dropped_total", "Gateway events dropped for want of room")

BROKER_CONNECTED = Gauge(
    "carbonmeter_broker_connected", "Whether the subscriber is connected", multiprocess_mode="livemax"
)
BROKER_CONNECTS = Counter("carbonmeter_broker_connects_total", "Connections made to the broker")
SPARKPLUG_PASSED_OVER = Counter(
    "carbonmeter_sparkplug_passed_over_total", "Sparkplug metrics that are no readings, by why", ["why"]
)
SPARKPLUG_REBIRTHS = Counter(
    "carbonmeter_sparkplug_rebirths_total",
    "Rebirth requests to edge nodes, by whether they could be sent",
    ["result"],
)
SPARKPLUG_DROPPED = Counter(
    "carbonmeter_sparkplug_dropped_total", "Sparkplug events and replays dropped for want of room"
)
STALE_ACKNOWLEDGEMENTS = Counter(
    "carbonmeter_ingest_stale_acknowledgements_total", "Acknowledgements dropped, their connection being gone"
)
