"""Metrics of the accounting process."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

READINGS = Counter("carbonmeter_accounting_readings_total", "Readings taken from the log")
BATCHES = Counter("carbonmeter_accounting_batches_total", "Batches taken from the log, by each worker")
ENTRIES = Counter("carbonmeter_accounting_entries_total", "Ledger entries written")
SUPERSEDED = Counter("carbonmeter_accounting_superseded_total", "Ledger entries superseded")
TICK_SECONDS = Histogram("carbonmeter_accounting_tick_seconds", "Time of one transaction of accounting")
LAG_SECONDS = Gauge(
    "carbonmeter_accounting_lag_seconds",
    "Age of the newest batch accounted when there are more, 0 when there are none",
    multiprocess_mode="livemax",
)
KEPT_SHARDS = Gauge(
    "carbonmeter_accounting_shards",
    "Shards of the books that running workers keep: 16, unless a worker is missing or waits",
    multiprocess_mode="livesum",
)
FAILURES = Counter("carbonmeter_accounting_failures_total", "Ticks that failed and were tried again")
VALIDATION_SECONDS = Histogram(
    "carbonmeter_validation_seconds", "Time of one piece of the checks between channels"
)
VALIDATION_FAILURES = Counter(
    "carbonmeter_validation_failures_total", "Pieces of the checks between channels that failed"
)
