"""docs/registry.md says what the code has: every field, every closed list, examples that import."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.derived_function import FUNCTIONS, PRODUCT
from domain.document import read_document
from domain.document_check import REQUIRED
from domain.document_fields import CHILDREN, FIELDS, FLAGS, SUBSTITUTIONS
from domain.industry import INDUSTRIES
from domain.interval import parse_time
from domain.registry_items import DERIVED_RESOLUTION
from domain.unit import QUANTITIES, UNITS, Dimension
from tests.domain.documents import CALENDAR, USCC, Items, imported, planned

PAGE = Path(__file__).parents[2] / "docs" / "registry.md"


def sections() -> dict[str, str]:
    """The text below each heading, by its name."""
    parts = re.split(r"^#+ (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of every table, without headers."""
    lines = [line.strip("| \n") for line in text.splitlines() if line.startswith("|")]
    cells = [re.split(r"\s*\|\s*", line) for line in lines if not line.startswith("---")]
    return [row for row in cells if row[0].startswith(("`", "**`"))]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("kind", FIELDS)
def test_every_field_is_described(kind: str) -> None:
    text = sections()[kind].split("| function |")[0]
    assert sorted(name for row in rows(text) for name in names(row[0])) == sorted(FIELDS[kind])
    for child in CHILDREN.get(kind, {}):
        assert f"`{child}`" in text
    required = {name for row in rows(text) if row[1] == "yes" for name in names(row[0])}
    own = {"uscc", "id", "code", "name"} & set(FIELDS[kind]) - ({"name"} if kind == "meter" else set())
    assert required == {*REQUIRED.get(kind, {}), *own, *({"valid_from"} if kind == "channel" else ())}


def test_quantities() -> None:
    written = {row[0].strip("`"): (row[1], row[2]) for row in rows(sections()["Quantities"])}
    assert list(written) == list(QUANTITIES)
    for code, quantity in QUANTITIES.items():
        dimensions = ", ".join(each for each in Dimension if each in quantity.dimensions)
        assert written[code] == (quantity.name, "any" if code == "other" else dimensions)


def test_units() -> None:
    written = rows(sections()["Units"])
    assert [row[0].strip("`") for row in written] == list(UNITS)
    for row, unit in zip(written, UNITS.values(), strict=True):
        assert row[1:] == [unit.form, unit.dimension, unit.consumption or "means only", unit.name]


def test_industries_and_editions() -> None:
    written = [(row[0].strip("`"), row[1], row[2]) for row in rows(sections()["Industries and editions"])]
    assert written == [(each.code, each.name_zh, ", ".join(each.editions)) for each in INDUSTRIES.values()]


def test_flags_rules_and_functions() -> None:
    text = sections()
    flags = next(row for row in rows(text["enterprise"]) if row[0] == "`flags`")
    assert tuple(names(flags[2])) == FLAGS
    rules = next(line for line in text["source"].splitlines() if line.startswith("Substitution rules"))
    assert tuple(names(rules)) == SUBSTITUTIONS
    functions = {row[0].strip("`"): names(row[1]) for row in rows(text["derived"].split("| function |")[1])}
    assert functions == {**{name: list(each.inputs) for name, each in FUNCTIONS.items()}, PRODUCT: []}
    assert f"default `{DERIVED_RESOLUTION}`" in text["derived"]


def test_the_examples_import_one_after_another() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", sections()["Examples"], re.DOTALL)
    assert len(examples) == 4
    items: Items = {}
    for example in examples:
        moves = parse_time("2024-03-05T09:30:00+08:00") if "10:30" in example else None
        plan = planned(example, items, moves_us=moves)
        assert plan.changes
        items = imported(example, items, moves_us=moves)
    versions = {item.key[2]: spec for item, spec in items.items() if item.key[:2] == ("E-01", "import_kwh")}
    channels = [(begins, spec.get("closing"), spec.get("opening")) for begins, spec in versions.items()]
    assert sorted(channels) == [
        ("2022-12-31T16:00:00Z", "523416.20", None),
        ("2024-03-05T02:30:00Z", None, "0.35"),
    ]


def test_the_short_forms_read_without_a_fault() -> None:
    text = sections()["Dated memberships and flags"]
    lines = [
        line for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
    ]
    assert len(lines) == 5
    for line in lines:
        head = f"enterprises:\n  - uscc: {USCC}\n"
        body = (
            f"    sources:\n      - id: grid\n        {line}"
            if line.startswith("expression")
            else f"    {line}"
        )
        read = read_document(head + body, CALENDAR)
        assert read.faults == []
        assert len(read.items) == (3 if line.startswith("expression") else 1)
