"""mq-bridge, a Rust engine from MQTT to PostgreSQL, as a process: `python -m bench.bridge PORT TOPIC DATABASE-URL`.

Its strongest configuration for the job that we found: COPY, batches of 5,000, a deep queue. It acknowledges after
processing (its `delayed_ack` is an option of publishers, which a consumer ignores). Its rows are the payload's two
fields as they stand: it knows no meters, holds and rejects nothing, and keeps no accounts.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import mq_bridge

BATCH = 5_000


def configuration(port: int, topic: str, database: str) -> dict[str, Any]:
    return {
        "input": {
            "mqtt": {
                "url": f"tcp://127.0.0.1:{port}",
                "topic": topic,
                "client_id": "bench-bridge",
                "qos": 1,
                "queue_capacity": 20_000,
                "max_inflight": 20_000,
                "session_expiry_interval": 3600,
            }
        },
        "output": {"sqlx": {"url": database, "table": "bridge", "columns": "auto", "bulk_copy": True}},
        "batch_size": BATCH,
    }


def main(port: int, topic: str, database: str) -> None:
    logging.basicConfig(level=logging.WARNING)
    mq_bridge.init_logging()
    route = mq_bridge.Route.from_config(configuration(port, topic, database))
    route.start()
    print("ready", flush=True)
    route.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
