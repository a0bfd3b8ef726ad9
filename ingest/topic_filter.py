"""Topic filters of subscribers, who may have receipts alone."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.mqtt_packet import Reason
from ingest.topic import RECEIPTS, receipts_topic

_RECEIPTS_LEVELS = ("carbon", "v1", None, None, RECEIPTS)  # None: any gateway's


def is_filter(text: str) -> bool:
    """Whether a text is a topic filter by MQTT's rules."""
    levels = text.split("/")
    return (
        bool(text)
        and all(level in ("+", "#") if "+" in level or "#" in level else True for level in levels)
        and "#" not in levels[:-1]
    )


def matches(pattern: str, topic: str) -> bool:
    """Whether a filter matches a topic.

    >>> matches("carbon/+/#", "carbon/v1/a/b"), matches("carbon/+", "carbon/v1/a"), matches("a/#", "a")
    (True, False, True)
    """
    return _matches(pattern.split("/"), topic.split("/"))


def _matches(pattern: list[str], levels: Iterable[str | None]) -> bool:
    topic = list(levels)
    for place, level in enumerate(pattern):
        if level == "#":
            return True
        if place >= len(topic) or (level != "+" and topic[place] is not None and level != topic[place]):
            return False
    return len(pattern) == len(topic)


def answer(pattern: str, allowed: frozenset[str] | None) -> Reason:
    """The SUBACK code of a filter: granted at QoS 0, or why not.

    allowed   "USCC/ID" of the gateways the client may publish for; None: all

    QoS 0 is enough: receipts go to who is connected, and who has none sends again, so there is nothing to keep.
    """
    if pattern.startswith("$share/"):
        return Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    if not is_filter(pattern):
        return Reason.TOPIC_FILTER_INVALID
    levels = pattern.split("/")
    if allowed is None:
        may = _matches(levels, _RECEIPTS_LEVELS)
    else:
        may = any(matches(pattern, receipts_topic(*name.split("/", 1))) for name in allowed)
    return Reason.SUCCESS if may else Reason.NOT_AUTHORIZED
