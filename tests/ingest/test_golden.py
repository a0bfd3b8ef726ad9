"""What becomes of payloads, case by case: `tests/golden/wire/<case>/{payload, expected.json}`.

`expected.json` holds what becomes of each reading, as the database would; the topic, where it isn't `…/readings` of
gw1, stands there too. Rewritten by `python -m tests.ingest.test_golden`, to be reviewed before it is kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.interval import format_time
from domain.reading import decimal_text
from ingest.directory import Directory
from ingest.formats import Formats
from tests.ingest.beds import NOW_US, TOPIC, Collector, chunk, judged
from tests.servers import DatabaseServer

FOLDER = Path(__file__).parents[1] / "golden" / "wire"


def cases() -> list[str]:
    return sorted(path.parent.name for path in FOLDER.glob("*/payload"))


def described(
    directory: Directory, payload: bytes, settings: dict[str, Any], formats: Formats | None = None
) -> dict[str, Any]:
    retained = frozenset({0}) if settings.get("retained") else frozenset()
    sent = chunk(Collector(), [payload], settings.get("topic", TOPIC), retained=retained)
    batch, outcome = judged(directory, [sent], NOW_US, formats)
    names = {point.id: point.name for point in directory.points}
    held = [
        {
            "channel": f"{hold.meter}/{hold.channel}",
            "at": format_time(hold.at_us),
            "value": decimal_text(hold.mantissa, hold.exponent),
            "reason": str(hold.reason),
        }
        for hold in outcome.holds
    ]
    stored = [
        {
            "channel": names[int(row["channel_id"])],
            "at": format_time(int(row["measured_at"])),
            "value": decimal_text(int(row["mantissa"]), int(row["exponent"])),
            **{
                name: int(row[column])
                for name, column in (("q", "quality"), ("rev", "revision"), ("flags", "flags"))
                if row[column]
            },
        }
        for row in outcome.rows
    ]
    rejected = [
        {
            "reason": str(rejection.reason),
            "detail": rejection.detail,
            "positions": rejection.positions,
            "readings": rejection.readings,
            **({} if rejection.gateway else {"account": None}),
        }
        for rejection in outcome.rejections
    ]
    receipts = [
        {"seq": receipt.seq, "stored": receipt.stored, "held": receipt.held, "rejected": receipt.rejected}
        for _, some in outcome.receipts
        for receipt in some
    ]
    code = batch.chunks[0].codes.get(0, 0)
    result = {"stored": stored, "held": held, "rejected": rejected, "receipts": receipts, "code": code}
    return {**settings, **{key: value for key, value in result.items() if value}}


def _settings(expected: dict[str, Any]) -> dict[str, Any]:
    return {key: expected[key] for key in ("topic", "retained") if key in expected}


def test_there_are_cases():
    assert len(cases()) >= 30


@pytest.mark.parametrize("case", cases())
def test_golden(case: str, directory: Directory):
    expected = json.loads((FOLDER / case / "expected.json").read_text("utf-8"))
    payload = (FOLDER / case / "payload").read_bytes()
    assert described(directory, payload, _settings(expected)) == expected


def _rewrite(directory: Directory) -> None:
    for case in cases():
        path = FOLDER / case / "expected.json"
        settings = _settings(json.loads(path.read_text("utf-8"))) if path.exists() else {}
        result = described(directory, (FOLDER / case / "payload").read_bytes(), settings)
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    from tests import servers
    from tests.ingest.beds import import_document

    with (
        servers.running_plain() as (server, _),
        DatabaseServer(server, "plain").database() as database,
        database.connect(autocommit=True) as conn,
    ):
        _rewrite(Directory(import_document(conn)))
