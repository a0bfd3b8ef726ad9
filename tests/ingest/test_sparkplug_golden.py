"""What becomes of Sparkplug messages in their order: `golden/sparkplug/<case>.json`.

A case holds topics and payloads, in hexadecimal, as a library of others wrote them; then what is stored, rejected and
told of the node. `python -m tests.ingest.test_sparkplug_golden` writes the latter anew, to be reviewed before it is
kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.interval import format_time
from domain.reading import decimal_text
from ingest.batch import Batch
from ingest.directory import ClockRules, Directory
from ingest.formats import Formats, rules_of
from ingest.routes import Routes
from ingest.sparkplug.decoder import SparkplugDecoder
from tests.ingest.beds import NOW_US, Collector, chunk, import_document
from tests.ingest.sparkplug_bed import RULE
from tests.servers import DatabaseServer, running_plain

FOLDER = Path(__file__).parents[1] / "golden" / "sparkplug"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))


def result(directory: Directory, case: dict[str, Any]) -> dict[str, Any]:
    some = Formats(rules_of(json.dumps([RULE])))
    batch = Batch(Routes(directory, some), ClockRules())
    source = Collector()
    for sent in case["messages"]:
        batch.add(chunk(source, [bytes.fromhex(sent["payload"])], sent["topic"]))
    outcome = batch.finish(NOW_US)
    names = {point.id: point.name for point in directory.points}
    ((_, decoder),) = some.hosted
    assert isinstance(decoder, SparkplugDecoder)
    (known,) = decoder.nodes.values()
    return {
        "messages": case["messages"],
        "stored": [
            {
                "message": int(delivery),
                "channel": names[int(row["channel_id"])],
                "at": format_time(int(row["measured_at"])),
                "value": decimal_text(int(row["mantissa"]), int(row["exponent"])),
                "quality": int(row["quality"]),
            }
            for delivery, row in zip(outcome.row_deliveries, outcome.rows, strict=True)
        ],
        "held": [
            {"message": hold.delivery, "channel": f"{hold.meter}/{hold.channel}", "reason": hold.reason}
            for hold in outcome.holds
        ],
        "rejected": [
            {
                "message": item.delivery,
                "reason": item.reason,
                "detail": item.detail,
                "positions": item.positions,
                "readings": item.readings,
            }
            for item in outcome.rejections
        ],
        "told": [f"{type(item).__name__} {getattr(item, 'kind', '')}".strip() for _, item, _ in decoder.todo],
        "rebirth": known.session.rebirth,
    }


def test_there_are_cases():
    assert len(CASES) >= 4


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, directory: Directory):
    expected = json.loads((FOLDER / f"{case}.json").read_text("utf-8"))
    assert result(directory, expected) == expected


def _rewrite(directory: Directory) -> None:
    for case in CASES:
        path = FOLDER / f"{case}.json"
        found = result(directory, json.loads(path.read_text("utf-8")))
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    with (
        running_plain() as (server, _),
        DatabaseServer(server, "plain").database() as database,
        database.connect(autocommit=True) as conn,
    ):
        _rewrite(Directory(import_document(conn)))
