"""Upserts: what a document leaves out stays, null clears, dated entries merge, versions move."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from domain.interval import parse_time
from domain.registry_items import ItemKey
from tests.domain.documents import OTHER_USCC, SAMPLE, USCC, Items, faults, imported, planned, sample
from tests.domain.strategies import documents

ENTERPRISE = ItemKey("enterprise", USCC, ())
FIRST = ItemKey("channel", USCC, ("E-01", "import_kwh", "2022-12-31T16:00:00Z"))
SECOND = ItemKey("channel", USCC, ("E-01", "import_kwh", "2023-12-31T16:00:00Z"))


@pytest.fixture
def registered() -> Items:
    return imported(SAMPLE)


def enterprise(**fields: Any) -> dict[str, Any]:
    return {"enterprises": [{"uscc": USCC, **fields}]}


def channel(**fields: Any) -> dict[str, Any]:
    return enterprise(meters=[{"id": "E-01", "channels": [{"id": "import_kwh", **fields}]}])


@settings(max_examples=25)
@given(documents())
def test_importing_twice_changes_nothing(document: dict[str, Any]) -> None:
    items = imported(document)
    again = planned(document, items)
    assert again.changes == ()
    assert imported(document, items) == items


def test_what_is_left_out_stays(registered: Items) -> None:
    plan = planned(enterprise(name_en="Steel 1"), registered)
    assert [change.item for change in plan.changes] == [ENTERPRISE]
    assert plan.changes[0].before == registered[ENTERPRISE]
    assert plan.changes[0].after == {**registered[ENTERPRISE], "name_en": "Steel 1"}
    after = imported(enterprise(name_en="Steel 1"), registered)
    assert {**after, ENTERPRISE: None} == {**registered, ENTERPRISE: None}


def test_fields_left_out_of_a_channel_stay(registered: Items) -> None:
    ended = channel(valid_from="2024-01-01T00:00:00+08:00", valid_to="2025-01-01T00:00:00+08:00")
    plan = planned(ended, registered)
    assert [(change.item, change.after) for change in plan.changes] == [
        (SECOND, {**registered[SECOND], "valid_to": "2025-01-01T00:00:00+08:00"})
    ]
    assert plan.unchanged == {"enterprise": 1, "meter": 1}


def test_null_clears(registered: Items) -> None:
    after = imported(channel(valid_from="2023-01-01T00:00:00+08:00", modulus=None), registered)
    assert "modulus" not in after[FIRST]
    after = imported(enterprise(park=None, flags=None, gb_t_4754=None), registered)
    assert after[ENTERPRISE].keys() == registered[ENTERPRISE].keys() - {"park", "flags", "gb_t_4754"}


def test_what_is_needed_cannot_be_cleared(registered: Items) -> None:
    cleared = channel(valid_from="2023-01-01T00:00:00+08:00", max_rate=None, unit=None)
    assert [fault.split(":")[0] for fault in faults(cleared, registered)] == [
        "enterprises[0].meters[0].channels[0].max_rate",
        "enterprises[0].meters[0].channels[0].unit",
    ]


def test_a_number_written_otherwise_is_the_same(registered: Items) -> None:
    same = channel(
        valid_from="2023-01-01T00:00:00+08:00", multiplier="1.0", resolution="1e-2", max_gap="PT7200S"
    )
    assert planned(same, registered).changes == ()


def test_a_correction_of_the_past_keeps_the_key(registered: Items) -> None:
    plan = planned(channel(valid_from="2024-01-01T00:00:00+08:00", multiplier="60"), registered)
    assert [(change.item, change.before, change.moved_from) for change in plan.changes] == [
        (SECOND, registered[SECOND], None)
    ]


def test_a_successor_needs_the_end_of_its_predecessor(registered: Items) -> None:
    successor = channel(
        quantity="electricity_import", kind="register", unit="kWh", resolution="0.01", max_rate="50000",
        valid_from="2025-01-01T00:00:00+08:00", opening="12.5",
    )  # fmt: skip
    assert faults(successor, registered) == [
        "enterprises[0].meters[0].channels[0].valid_from: overlaps the version of E-01/import_kwh from"
        " 2024-01-01T00:00:00+08:00, which has no end; give that a valid_to"
    ]
    successor["enterprises"][0]["meters"][0]["channels"].append(
        {
            "id": "import_kwh", "valid_from": "2024-01-01T00:00:00+08:00",
            "valid_to": "2025-01-01T00:00:00+08:00", "closing": "99.5",
        }
    )  # fmt: skip
    plan = planned(successor, registered)
    assert (plan.count(new=True), plan.count(new=False)) == ({"channel": 1}, {"channel": 1})


def test_a_stored_thing_that_a_document_breaks_is_named(registered: Items) -> None:
    corrected = enterprise(
        meters=[
            {
                "id": "G-01",
                "channels": [{"id": "gas_nm3", "valid_from": "2022-12-31T16:00:00Z", "unit": "bar"}],
            }
        ]
    )
    assert faults(corrected, registered) == [
        "enterprises[0].meters[0].channels[0].unit: bar has means only, so its kind is rate",
        f"registered source boiler of {USCC}.expression: G-01/gas_nm3 is in bar, which has means only and can't be"
        " summed",
    ]


def test_memberships_merge_by_their_days(registered: Items) -> None:
    moved = {
        "parks": [{"code": "B", "name_en": "B", "district": "430300"}],
        **enterprise(
            park={"code": "B", "from": "2024-01-01"}, district={"code": "430302", "from": "2024-01-01"}
        ),
    }
    after = imported(moved, registered)[ENTERPRISE]
    assert after["park"] == [{"code": "XT-ETDZ"}, {"code": "B", "from": "2024-01-01"}]
    assert after["district"] == [{"code": "430304"}, {"code": "430302", "from": "2024-01-01"}]
    # the original document again: what it leaves out stays
    assert planned(SAMPLE, imported(moved, registered)).changes == ()
    left = imported(enterprise(park=[{"code": None, "from": "2025-01-01"}]), imported(moved, registered))
    assert left[ENTERPRISE]["park"][-1] == {"code": None, "from": "2025-01-01"}


def test_flags_merge_by_name_and_day(registered: Items) -> None:
    after = imported(enterprise(flags=[{"flag": "ets", "to": "2025-01-01"}]), registered)
    assert after[ENTERPRISE]["flags"] == [
        {"flag": "ets", "to": "2025-01-01"},
        {"flag": "key"},
        {"flag": "two_high"},
    ]
    again = imported(enterprise(flags={"flag": "ets", "from": "2026-01-01"}), after)
    assert {"flag": "ets", "from": "2026-01-01"} in again[ENTERPRISE]["flags"]
    assert len(again[ENTERPRISE]["flags"]) == 4


def test_parameters_are_added_to_a_registered_source(registered: Items) -> None:
    added = enterprise(
        sources=[{"id": "boiler", "parameters": [{"name": "ncv", "value": "390", "from": "2024-01-01"}]}]
    )
    plan = planned(added, registered)
    assert [change.item.key for change in plan.changes] == [("boiler", "ncv", "2024-01-01")]


def test_a_source_from_a_day_on_is_another_version(registered: Items) -> None:
    dated = enterprise(sources=[{"id": "grid", "from": "2024-01-01", "expression": "E-01/import_kwh"}])
    assert faults(dated, registered) == [
        "enterprises[0].sources[0].method: is missing: a source code of the industry's guideline"
    ]
    dated["enterprises"][0]["sources"][0]["method"] = "purchased_electricity"
    assert ItemKey("source", USCC, ("grid", "")) in imported(dated, registered)


def test_parks_already_registered_are_known(registered: Items) -> None:
    other = {"enterprises": [
        {"uscc": OTHER_USCC, "name_en": "two", "industry": "cement", "district": "430321", "park": "XT-ETDZ"}
    ]}  # fmt: skip
    parks = {item: spec for item, spec in registered.items() if item.kind == "park"}
    assert faults(other, parks) == []


# --moves


def moves(text: str) -> int:
    us = parse_time(text)
    assert us is not None
    return us


OLD = moves("2024-01-01T00:00:00+08:00")


def moved_document() -> dict[str, Any]:
    """The meter was changed a day earlier than was registered."""
    day_before = "2023-12-31T00:00:00+08:00"
    document = channel(valid_from=day_before)
    document["enterprises"][0]["meters"][0]["channels"].append(
        {"id": "import_kwh", "valid_from": "2023-01-01T00:00:00+08:00", "valid_to": day_before}
    )
    return document


def test_a_version_moves_with_all_its_fields(registered: Items) -> None:
    plan = planned(moved_document(), registered, moves_us=OLD)
    by_item = {change.item: change for change in plan.changes}
    new = ItemKey("channel", USCC, ("E-01", "import_kwh", "2023-12-30T16:00:00Z"))
    assert by_item.keys() == {new, FIRST}
    assert by_item[new].moved_from == SECOND
    assert by_item[new].before == registered[SECOND]
    assert by_item[new].after == {**registered[SECOND], "valid_from": "2023-12-31T00:00:00+08:00"}
    after = imported(moved_document(), registered, moves_us=OLD)
    assert SECOND not in after
    assert new in after


def test_moving_twice_changes_nothing(registered: Items) -> None:
    after = imported(moved_document(), registered, moves_us=OLD)
    assert planned(moved_document(), after, moves_us=OLD).changes == ()


def test_without_moves_it_is_a_new_version_that_lacks_everything(registered: Items) -> None:
    place = "enterprises[0].meters[0].channels[0]"
    found = faults(moved_document(), registered)
    assert {fault.split(":")[0] for fault in found if "is missing" in fault} == {
        f"{place}.{name}" for name in ("quantity", "kind", "unit", "resolution")
    }


def test_nothing_to_move_is_a_fault(registered: Items) -> None:
    wrong = moves("2022-01-01T00:00:00Z")
    assert (
        "enterprises[0].meters[0].channels[0]: no channel of the document has a registered version from"
        " 2022-01-01T00:00:00Z that could move" in faults(moved_document(), registered, moves_us=wrong)
    )


def test_a_document_that_still_lists_the_old_version_cannot_move_it(registered: Items) -> None:
    document = moved_document()
    document["enterprises"][0]["meters"][0]["channels"].append(
        {"id": "import_kwh", "valid_from": "2024-01-01T00:00:00+08:00"}
    )
    assert (
        "enterprises[0].meters[0].channels[0]: can't move the version from 2023-12-31T16:00:00Z:"
        " the document still lists it" in faults(document, registered, moves_us=OLD)
    )


def test_two_versions_cannot_take_one_place(registered: Items) -> None:
    document = moved_document()
    document["enterprises"][0]["meters"][0]["channels"].append(
        {"id": "import_kwh", "valid_from": "2023-12-30T00:00:00+08:00"}
    )
    assert (
        "enterprises[0].meters[0].channels[0]: 2 versions of E-01/import_kwh would move from 2023-12-31T16:00:00Z"
        in faults(document, registered, moves_us=OLD)
    )


def test_a_whole_export_with_one_version_moved(registered: Items) -> None:
    document = sample()
    first, second = document["enterprises"][0]["meters"][0]["channels"]
    first["valid_to"] = second["valid_from"] = "2023-12-31T00:00:00+08:00"
    plan = planned(document, registered, moves_us=OLD)
    assert (plan.count(new=True), plan.count(new=False)) == ({}, {"channel": 2})
