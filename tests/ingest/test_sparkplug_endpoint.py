"""An edge node straight at our endpoint: committed, told of rebirths, dead by its will."""

from __future__ import annotations

import json
from typing import Any

import pytest
from paho.mqtt import client as paho

from ingest.formats import Formats, rules_of
from tests.ingest.beds import OTHER, USCC, account_of, running
from tests.ingest.sparkplug_bed import RULE, topic
from tests.ingest.test_sparkplug_host import Edge, events, formats, values_of
from tests.servers import Database, wait_for

GATEWAYS = frozenset({f"{USCC}/gw1"})


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
def test_data_rebirth_and_death(registered: Database, version: Any):
    with running(registered, formats=formats()) as server:
        edge = Edge(server.port, bd_seq=2, version=version)
        edge.data("E-01", 5.0)
        wait_for(lambda: edge.commands)
        wait_for(lambda: 5.0 in values_of(registered).get("E-01", ()))
        wait_for(lambda: account_of(registered).rejected == 0)
        edge.data("E-02", 6.0)
        wait_for(lambda: 6.0 in values_of(registered).get("E-02", ()))
        edge.die()
        wait_for(lambda: "sparkplug_offline" in dict(events(registered)))
    assert "bdSeq 2" in dict(events(registered))["sparkplug_offline"]


def test_who_may_hear_which_commands():
    some = Formats(rules_of(json.dumps([RULE])))
    for pattern in (topic("NCMD"), topic("NCMD") + "/#"):
        assert some.may_hear(pattern, GATEWAYS)
        assert some.may_hear(pattern, None)
        assert not Formats().may_hear(pattern, None)
    for pattern in (
        topic("NCMD", node="gw2"),
        f"spBv1.0/{OTHER}/NCMD/gw1",
        topic("NDATA"),
        topic("DCMD", "E-01"),
        f"spBv1.0/{USCC}/NCMD/+",
        f"spBv1.0/{USCC}/NCMD/#",
        "spBv1.0/#",
        "#",
        "spBv1.0/STATE/carbonmeter",
    ):
        assert not some.may_hear(pattern, GATEWAYS), pattern
