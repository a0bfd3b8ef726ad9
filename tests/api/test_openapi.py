"""Schemathesis over the whole OpenAPI document: what it allows, its edges and what it forbids, at a server over HTTP.

By hand and longer, at any server: `schemathesis run http://127.0.0.1:8080/openapi.json -H "Authorization: Bearer KEY"`
with the options below and without `--max-examples`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from accounting.factors.load import load as load_library
from api.app import create_app
from api.settings import ApiSettings
from storage.keys import Scope
from tests.api.conftest import STEEL, City, FixedClock
from tests.api.findings_scene import add_finding
from tests.api.grade_scene import add_grades
from tests.api.serving import serving
from tests.api.test_every_route import Recorder

# Left out: the check that whatever fits the document is taken. It can't say that `to` lies after `from`, that a cursor
# comes from the page before, or that a USCC is registered, and such a request is refused with its faults.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
]
STREAM = "/v1/changes/stream"  # its answer has no end


@pytest.fixture(scope="module")
def address(city: City) -> Iterator[str]:
    add_finding(city, "E-01/import_kwh")
    add_grades(city)
    settings = ApiSettings(city.database.url, connections_max=4, needed_services=())
    with serving(create_app(settings, FixedClock(), load_library(), operations=Recorder())) as url:
        yield url


def test_every_route_keeps_to_the_document(address: str, city: City, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{address}/openapi.json",
        "--header",
        f"Authorization: Bearer {city.key(Scope.ADMIN)}",
        "--phases",
        "examples,coverage,fuzzing",
        "--checks",
        ",".join(CHECKS),
        "--exclude-path",
        STREAM,
        "--suppress-health-check",
        "all",
        "--request-timeout",
        "60",
        "--max-examples",
        "3",
        "--seed",
        "20260101",
        "--continue-on-failure",
        "--no-color",
    ]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=280)
    print(run.stdout[-3000:])
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-3000:]
    counted = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", run.stdout)
    assert counted
    selected, documented, tested = map(int, counted.groups())
    assert tested == selected == documented - 1


def test_a_path_tells_all_its_methods(address: str) -> None:
    with httpx2.Client(base_url=address) as client:
        for path, methods in (
            ("/v1/consents", "GET, POST"),
            (f"/v1/enterprises/{STEEL}/certificates", "GET, POST"),
            ("/v1/parks", "GET"),
        ):
            answer = client.request("DELETE", path)
            assert (answer.status_code, answer.headers["allow"]) == (405, methods)
