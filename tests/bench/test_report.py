"""Rows: medians, ratios of each round, and what failed; and the command that prints them."""

from __future__ import annotations

import json

import pytest

from bench import ingest, kernels
from bench.report import Row, Turn, as_json, row_of, table
from bench.rounds import interleaved
from carbonmeter import main
from domain.errors import Refused


def test_a_ratio_is_the_median_of_those_of_each_round() -> None:
    ours = [Turn(100.0, 1.0, 10.0), Turn(300.0, 1.0, 30.0), Turn(200.0, 2.0, 20.0)]
    theirs = [Turn(50.0, 1.0), Turn(100.0, 1.0), None]
    row = row_of("case", "msg/s", ours, {"other": theirs}, ["a note"])
    assert (row.value, row.versus, row.rss_mb, row.seconds) == (200, {"other": 2.5}, 30, 1)
    assert row.detail == "rounds 100 300 200; other 75; a note"


def test_of_times_the_shorter_is_faster() -> None:
    row = row_of("case", "ms", [Turn(2.0, 1.0)], {"other": [Turn(1.0, 1.0)]}, is_speed=False)
    assert row.versus == {"other": 0.5}


class _Failing:
    name = "failing"

    def __init__(self) -> None:
        self.turns = 0

    def turn(self, _seconds: float) -> Turn:
        self.turns += 1
        if self.turns == 2:
            raise Refused("no more")
        return Turn(1.0, 1.0)


class _Steady:
    name = "steady"

    def turn(self, _seconds: float) -> Turn:
        return Turn(1.0, 1.0)


def test_who_fails_is_left_out_and_the_others_go_on() -> None:
    failing, told = _Failing(), list[str]()
    results = interleaved([failing, _Steady()], 3, 1.0, told.append)
    assert results.turns == {"failing": [Turn(1.0, 1.0), None, None], "steady": [Turn(1.0, 1.0)] * 3}
    assert results.faults == {"failing": "no more"}
    assert failing.turns == 2
    assert told[:3] == ["round 1 of 3: failing", "round 1 of 3: steady", "round 2 of 3: failing"]


ROW = Row("case", "msg/s", 20_000, {"copy": 0.5}, 100.0, 2.5, "of which")


def test_json_has_the_keys_that_the_design_names() -> None:
    assert as_json([ROW]) == {
        "rows": [
            {
                "case": "case",
                "unit": "msg/s",
                "value": 20_000,
                "versus": {"copy": 0.5},
                "rss_mb": 100.0,
                "seconds": 2.5,
                "detail": "of which",
            }
        ]
    }


def test_the_table_shows_what_is_missing() -> None:
    header, cells = table([ROW, Row("other", "ms", None, detail="not here")])
    assert header == ["case", "value", "unit", "versus", "rss_mb", "seconds", "detail"]
    assert cells[0] == ["case", "20,000", "msg/s", "copy:0.5", "100", "2.5", "of which"]
    assert cells[1][1] == "-"


def test_the_command_prints_rows_and_takes_sizes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def run(_settings: object, cases: list[str], sizes: object, _tell: object) -> list[Row]:
        seen.append((cases, sizes))
        return [ROW]

    monkeypatch.setattr(kernels, "run", run)
    assert main.main(["bench", "kernels", "--case", "restate", "--quick", "--days", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == as_json([ROW])
    ((cases, sizes),) = seen
    assert cases == ["restate"]
    assert (sizes.days, sizes.rounds) == (3, 1)  # type: ignore[attr-defined]


def test_the_command_refuses_an_unknown_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["bench", "ingest", "--case", "nothing"]) == 1
    assert f"no case nothing; there are {', '.join(ingest.CASES)}" in capsys.readouterr().err


def test_a_row_that_failed_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "run", lambda *_: [Row("kernels", "s", None, detail="failed: out of luck")])
    assert main.main(["bench", "kernels"]) == 1
