"""`docs/contract.md` says what the code does: its lists are the code's."""

from __future__ import annotations

import re
from pathlib import Path

from accounting.factors.load import load as load_library
from api.app import create_app
from api.settings import ApiSettings
from carbonmeter.commands.keys import keys
from carbonmeter.main import command_names
from carbonmeter.settings import PREFIX, described
from domain.clock import SystemClock
from domain.errors import HoldReason, RejectReason
from domain.reading import Flag, Quality
from domain.unit import QUANTITIES, UNITS

PAGE = (Path(__file__).parents[1] / "docs" / "contract.md").read_text()


def coded(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_reasons_are_those_that_readings_are_set_aside_for() -> None:
    rejected = PAGE.split("| rejected, `reason` |")[1].split("\n\n")[0]
    held = PAGE.split("| held, `reason` |")[1].split("\n\n")[0]
    assert coded(rejected) == {str(reason) for reason in RejectReason}
    assert coded(held) == {str(reason) for reason in HoldReason}


def test_routes_are_those_that_answer() -> None:
    app = create_app(ApiSettings("postgresql://nowhere/none"), SystemClock(), load_library())
    answered = set(app.openapi()["paths"])
    assert answered
    table = PAGE.split("| route | answers |")[1].split("\n\n")[0]
    firsts = re.findall(r"^\| (.+?) \| ", table, re.MULTILINE)
    said = {
        route.removeprefix("GET ").removeprefix("POST ").split("?")[0]
        for first in firsts
        for route in coded(first)
    }
    # POST /v1/readings is ingest's, mounted by the front door
    assert said - {"/v1/readings"} <= answered
    assert {path for path in answered if path.startswith("/v1")} <= said


def test_quantities_units_qualities_and_flags_are_the_closed_lists() -> None:
    lists = PAGE.split("`quantity` and units are closed lists")[1].split("\n\n")[0]
    words = set(re.findall(r"[\w/]+", lists))
    assert set(QUANTITIES) <= words
    assert set(UNITS) <= words
    assert {quality.name.lower() for quality in Quality} <= set(re.findall(r"\w+", PAGE))
    flags = PAGE.split("`flags` (")[1].split(")")[0]
    assert flags.split(", ") == [(flag.name or "").lower() for flag in Flag]


def test_commands_settings_and_scopes_are_there() -> None:
    section = PAGE.split("## 4.")[1].split("## 5.")[0]
    listed = section.strip().split("\n\n")[1].split(" · ")
    named = {re.sub(r"^`(carbonmeter )?", "", part).split()[0].strip("`").split("|")[0] for part in listed}
    assert named == set(command_names())
    assert coded(section) & {PREFIX + "HOME"}
    known = {PREFIX + each.metadata["name"] for each in described()}
    assert set(re.findall(rf"{PREFIX}[A-Z_]+", section)) <= known
    assert {str(scope) for scope in keys.Scope} <= coded(section)
