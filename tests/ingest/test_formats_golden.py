"""What becomes of payloads of formats beside carbon/v1: `golden/formats/<format>/<case>/{payload, expected.json}`.

`expected.json` holds the topic and the rule, and what becomes of each reading, as `test_golden` tells it. Rewritten by
`python -m tests.ingest.test_formats_golden`, to be reviewed before it is kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.directory import Directory
from ingest.formats import FORMATS, Formats, rules_of
from tests.ingest.beds import import_document
from tests.ingest.test_golden import described
from tests.servers import DatabaseServer, running_plain

FOLDER = Path(__file__).parents[1] / "golden" / "formats"
STATEFUL = {"sparkplug_b"}  # has a folder of its own
GIVEN = ("topic", "rule", "retained")


def cases() -> list[str]:
    return sorted(str(path.parent.relative_to(FOLDER)) for path in FOLDER.glob("*/*/payload"))


def result(directory: Directory, case: str, expected: dict[str, Any]) -> dict[str, Any]:
    given = {key: expected[key] for key in GIVEN if key in expected}
    formats = Formats(rules_of(json.dumps([given["rule"]])))
    return described(directory, (FOLDER / case / "payload").read_bytes(), given, formats)


def test_each_stateless_format_has_cases():
    formats = {
        json.loads((FOLDER / case / "expected.json").read_text("utf-8"))["rule"]["format"] for case in cases()
    }
    assert formats == FORMATS.keys() - STATEFUL
    assert len(cases()) >= 40


@pytest.mark.parametrize("case", cases())
def test_golden(case: str, directory: Directory):
    expected = json.loads((FOLDER / case / "expected.json").read_text("utf-8"))
    assert result(directory, case, expected) == expected


def _rewrite(directory: Directory) -> None:
    for case in cases():
        path = FOLDER / case / "expected.json"
        found = result(directory, case, json.loads(path.read_text("utf-8")))
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    with (
        running_plain() as (server, _),
        DatabaseServer(server, "plain").database() as database,
        database.connect(autocommit=True) as conn,
    ):
        _rewrite(Directory(import_document(conn)))
