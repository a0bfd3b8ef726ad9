"""The page on Sparkplug: every assertion of the specification once, each that is met with tests that exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "sparkplug.md").read_text()
ROW = re.compile(r"^\| `tck-id-([\w-]+)` \| ([a-z ]+) \| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE)


def _list(after: str) -> list[str]:
    text = PAGE.split(after, 1)[1].split("\n\n")[1]
    return [name.strip() for name in text.split(",")]


def test_each_assertion_that_is_met_names_tests_that_exist():
    tests = set()
    for path in (ROOT / "tests" / "ingest").glob("test_sparkplug_*.py"):
        tests.update(re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE))
    assert tests
    for name, state, text in ROWS:
        named = re.findall(r"`(test_\w+)`", text)
        assert bool(named) == (state == "met"), name
        assert set(named) <= tests, (name, set(named) - tests)


def test_states_are_of_three_and_none_is_without_a_reason():
    assert {state for _, state, _ in ROWS} <= {"met", "not applicable", "departed from"}
    assert all(len(text) > 10 for _, _, text in ROWS)


def test_the_counts_are_those_of_the_lists():
    edge, server = _list("Binding the edge node"), _list("Binding the MQTT server")
    names = [name for name, _, _ in ROWS] + edge + server
    assert len(set(names)) == len(names)
    states = Counter(state for _, state, _ in ROWS)
    told = [int(number) for number in re.findall(r"\d+", PAGE.split("testable assertions", 1)[0][-60:])]
    assert told[-1] == len(names)
    words = " ".join(PAGE.split("testable assertions", 1)[1].split("|", 1)[0].split())
    assert f"{len(ROWS)} concern a Host Application" in words
    assert f"{states['met']} are met, {states['not applicable']} not applicable" in words
    assert f"{states['departed from']} departed from. {len(edge)} bind the edge node" in words
    assert f"and {len(server)} the MQTT server" in words
