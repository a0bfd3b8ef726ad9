"""Which intervals are expected to be known."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from accounting.coverage import NEVER, Expectation, point_ranges, product_ranges, source_ranges, union
from accounting.methods.load import load as load_methods
from domain.document import read_document
from domain.document_check import Unchecked
from domain.document_plan import plan
from domain.interval import INTERVAL_US, Calendar, parse_time
from domain.registry import Enterprise
from domain.registry_items import Ids, enterprise

CALENDAR = Calendar()
USCC = "91430302XT0000014K"


def number(text: str) -> int:
    us = parse_time(text + "+08:00")
    assert us is not None
    return us // INTERVAL_US


def channel(id_: str, valid_from: str, valid_to: str | None = None, **more: str) -> dict[str, object]:
    return {
        "id": id_,
        "quantity": "electricity_import",
        "kind": "rate",
        "unit": "kW",
        "resolution": "1",
        "valid_from": valid_from + "+08:00",
        **({"valid_to": valid_to + "+08:00"} if valid_to else {}),
        **more,
    }


def registered(industry: str = "steel", **more: object) -> Enterprise:
    document = {
        "enterprises": [
            {
                "uscc": USCC,
                "name_zh": "厂",
                "name_en": "Works",
                "industry": industry,
                "district": "430304",
                "meters": [
                    {
                        "id": "E",
                        "channels": [
                            channel("a", "2024-01-01T00:00:00", "2024-01-01T01:00:00"),
                            channel("a", "2024-01-01T01:00:00", "2024-01-01T02:07:00"),
                            channel("a", "2024-01-01T03:00:00"),
                            channel("b", "2024-01-01T00:52:00", "2024-01-01T04:00:00"),
                        ],
                    }
                ],
                **more,
            }
        ]
    }
    planned = plan(read_document(document, CALENDAR), {}, Unchecked())
    points = {("E", "a"): 1, ("E", "b"): 2}
    items = [(change.item, change.after) for change in planned.changes]
    return enterprise(USCC, items, Ids(1, points, {"s": 1}))


def test_versions_that_touch_are_one_range_and_a_part_counts() -> None:
    works = registered()
    assert point_ranges(works, "E/a") == [
        (number("2024-01-01T00:00:00"), number("2024-01-01T02:15:00")),
        (number("2024-01-01T03:00:00"), NEVER),
    ]
    assert point_ranges(works, "E/b") == [(number("2024-01-01T00:45:00"), number("2024-01-01T04:00:00"))]


def test_a_source_is_expected_while_a_part_of_it_is_valid() -> None:
    works = registered(
        sources=[
            {
                "id": "s",
                "method": "purchased_electricity",
                "expression": [{"expression": "E/b"}, {"expression": "E/a - E/b", "from": "2024-01-02"}],
            }
        ],
        products=[{"id": "p", "expression": "E/b", "unit": "kWh"}],
    )
    ranges = source_ranges(works, works.sources["s"], CALENDAR, load_methods())
    account = union((each.first, each.end) for each in ranges if "account" in each.traits.boundaries)
    assert account == [
        (number("2024-01-01T00:45:00"), number("2024-01-01T04:00:00")),
        (number("2024-01-02T00:00:00"), NEVER),
    ]
    assert {(each.traits.scope, each.traits.gases) for each in ranges} == {(2, ("CO2",))}
    assert product_ranges(works, works.products["p"], CALENDAR) == [
        (number("2024-01-01T00:45:00"), number("2024-01-01T04:00:00"))
    ]


def test_traits_are_those_that_the_factors_have() -> None:
    """What is expected in a boundary is what the library would count in it, on every day of some years."""
    from accounting.factors.load import load as load_library
    from domain.errors import FactorNotFound

    library = load_library()
    for industry, edition in (
        ("steel", None),
        ("cement", None),
        ("power_generation", None),
        ("cement", "mee-2024"),
    ):
        works = registered(
            industry,
            **({"edition": edition} if edition else {}),
            sources=[{"id": "s", "method": "purchased_electricity", "expression": "E/a"}],
        )
        source = works.sources["s"]
        ranges = source_ranges(works, source, CALENDAR, library.methods)
        for day in range(19_725, 20_500, 61):  # 2024-01-03 on
            at = CALENDAR.day_start(day) // INTERVAL_US
            expected = {
                (boundary, each.traits.scope, gas)
                for each in ranges
                for boundary in each.traits.boundaries
                for gas in each.traits.gases
                if each.first <= at < each.end
            }
            try:
                factors = library.source_factors(works, source, "kWh", day, CALENDAR)
            except FactorNotFound:
                factors = ()
            counted = {(boundary, each.scope, each.gas) for each in factors for boundary in each.boundaries}
            if at >= number("2024-01-01T03:00:00"):
                assert counted == expected


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda pair: (min(pair), max(pair) + 1))
    ),
    st.lists(st.tuples(st.integers(-5, 310), st.integers(0, 100))),
    st.integers(0, 320),
)
def test_counting_equals_counting_one_by_one(
    ranges: list[tuple[int, int]], periods: list[tuple[int, int]], now: int
) -> None:
    starts = np.array([first for first, _ in periods], np.int64)
    ends = np.array([first + length for first, length in periods], np.int64)
    counts = Expectation(ranges).counts(starts * INTERVAL_US, ends * INTERVAL_US, now * INTERVAL_US + 7)
    assert counts.tolist() == [
        sum(
            first <= each < end and each < now
            for first, end in ranges
            for each in range(start, start + length)
        )
        for start, length in periods
    ]
