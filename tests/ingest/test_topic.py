"""Topics and filters: ours, and what only looks like them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mqtt_packet import Reason
from ingest.topic import Address, parse_topic, receipts_topic
from ingest.topic_filter import answer, is_filter, matches


def test_topics_of_the_contract():
    assert parse_topic(b"carbon/v1/U1/gw1/readings") == Address("U1", "gw1")
    assert parse_topic(b"carbon/v1/U1/gw1/E-01/import_kwh") == Address("U1", "gw1", "E-01", "import_kwh")
    assert receipts_topic("U1", "gw1") == "carbon/v1/U1/gw1/receipts"


@pytest.mark.parametrize(
    "topic",
    [
        b"",
        b"carbon",
        b"carbon/v1/U1/gw1",
        b"carbon/v1/U1/gw1/receipts",
        b"carbon/v1/U1/gw1/Readings",
        b"carbon/v2/U1/gw1/readings",
        b"Carbon/v1/U1/gw1/readings",
        b"/carbon/v1/U1/gw1/readings",
        b"carbon/v1//gw1/readings",
        b"carbon/v1/U1/gw1/readings/",
        b"carbon/v1/U1/gw1/a/b/c",
        b"carbon/v1/U1/g w/readings",
        b"carbon/v1/U1/+/readings",
        b"carbon/v1/U1/gw1/#",
        b"carbon/v1/U1/" + b"g" * 65 + b"/readings",
        "carbon/v1/U1/网关/readings".encode(),
        b"carbon/v1/U1/\xff/readings",
        b"carbon/v1/U1/gw1\x00/readings",
        b"carbon/v1/U1/gw1/readings\n",
    ],
)
def test_what_is_no_topic_of_ours(topic):
    assert parse_topic(topic) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_a_topic_or_none(topic):
    parse_topic(topic)
    parse_topic(b"carbon/v1/" + topic)


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("#", "carbon/v1/u/g/receipts", True),
        ("carbon/#", "carbon/v1/u/g/receipts", True),
        ("carbon/v1/+/+/receipts", "carbon/v1/u/g/receipts", True),
        ("carbon/v1/u/g/receipts", "carbon/v1/u/g/receipts", True),
        ("carbon/v1/u/g/receipts/#", "carbon/v1/u/g/receipts", True),
        ("+/+/+/+/+", "carbon/v1/u/g/receipts", True),
        ("+/+/+/+", "carbon/v1/u/g/receipts", False),
        ("carbon/v1/u/+/readings", "carbon/v1/u/g/receipts", False),
        ("carbon/v1/u/g/receipts/+", "carbon/v1/u/g/receipts", False),
    ],
)
def test_matching(pattern, topic, expected):
    assert matches(pattern, topic) is expected


@pytest.mark.parametrize(
    ("pattern", "valid"),
    [("", False), ("a#", False), ("#/a", False), ("a+/b", False), ("+", True), ("a/#", True), ("/", True)],
)
def test_filters(pattern, valid):
    assert is_filter(pattern) is valid


MINE = frozenset({"U1/gw1", "U1/gw2"})


@pytest.mark.parametrize(
    ("pattern", "allowed", "reason"),
    [
        ("carbon/v1/U1/gw1/receipts", MINE, Reason.SUCCESS),
        ("carbon/v1/+/+/receipts", MINE, Reason.SUCCESS),
        ("#", MINE, Reason.SUCCESS),
        ("carbon/v1/U1/gw3/receipts", MINE, Reason.NOT_AUTHORIZED),
        ("carbon/v1/U2/+/receipts", MINE, Reason.NOT_AUTHORIZED),
        ("carbon/v1/U1/gw1/readings", MINE, Reason.NOT_AUTHORIZED),
        ("+/+", MINE, Reason.NOT_AUTHORIZED),
        ("carbon/v1/U2/gw9/receipts", None, Reason.SUCCESS),
        ("carbon/v1/U2/+/receipts", None, Reason.SUCCESS),
        ("carbon/v1/U1/gw1/readings", None, Reason.NOT_AUTHORIZED),
        ("$SYS/#", None, Reason.NOT_AUTHORIZED),
        ("$share/group/carbon/v1/+/+/receipts", None, Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("carbon/#/receipts", None, Reason.TOPIC_FILTER_INVALID),
        ("", None, Reason.TOPIC_FILTER_INVALID),
    ],
)
def test_subscribers_get_receipts_of_their_gateways_alone(pattern, allowed, reason):
    assert answer(pattern, allowed) is reason


@given(st.text(max_size=30))
def test_any_text_is_answered_as_a_filter(pattern):
    answer(pattern, MINE)
    answer(pattern, None)
