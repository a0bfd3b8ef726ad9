"""Errors, named by what to do next, and the closed lists of reasons that readings are set aside for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class RejectReason(StrEnum):
    """Why a payload or a reading went to the dead letters."""

    BAD_TOPIC = "bad_topic"  # the topic is none of docs/contract.md section 1
    BAD_PAYLOAD = "bad_payload"  # no readings can be found in these bytes
    BAD_READING = "bad_reading"  # one reading's fields are missing or of the wrong type
    BAD_ID = "bad_id"  # a meter or channel id outside the allowed characters
    BAD_TIME = "bad_time"  # unreadable, or without an offset where the gateway has no zone
    BAD_VALUE = "bad_value"  # not a finite decimal
    OUT_OF_RANGE = "out_of_range"  # a count or an amount beyond ±2⁶²
    UNKNOWN_ENTERPRISE = "unknown_enterprise"
    UNKNOWN_GATEWAY = "unknown_gateway"
    NOT_AUTHORIZED = "not_authorized"  # the client may not publish there; on no account
    UNKNOWN_ALIAS = "unknown_alias"  # Sparkplug: no birth certificate tells the metric's name or type
    RETAINED = "retained"  # a retained bare number has no time of its own
    NO_TIME_FOR_DELTA = (
        "no_time_for_delta"  # a bare number of a delta channel: a redelivery would count twice
    )
    NO_TIME_AT_QOS_2 = "no_time_at_qos_2"  # a bare number: the contract has it at QoS 0 or 1
    REFUSED_BY_DATABASE = "refused_by_database"  # alone, after the rest of its batch was taken
    DISCARDED = "discarded"  # was held; a person discarded it


class HoldReason(StrEnum):
    """Why a reading is kept aside until the reason ends."""

    UNKNOWN_METER = "unknown_meter"
    UNKNOWN_CHANNEL = "unknown_channel"
    OUTSIDE_VALIDITY = "outside_validity"
    AHEAD_OF_CLOCK = "ahead_of_clock"  # stored when its time comes
    FAR_AHEAD_OF_CLOCK = "far_ahead_of_clock"  # waits for a person


class CarbonmeterError(Exception):
    """Base of everything this project raises on purpose."""


class DecodeError(CarbonmeterError):
    """A payload in which no readings can be found."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Unavailable(CarbonmeterError):  # noqa: N818 (named by what to do next)
    """Something we depend on is away: keep what we have and try again."""


class Refused(CarbonmeterError):  # noqa: N818 (named by what to do next)
    """The request or the environment is not acceptable; the text says what to do."""


class SettingsError(Refused):
    """Stop at start: the settings are wrong. Carries every fault."""


class FactorNotFound(CarbonmeterError):  # noqa: N818 (named by what to do next)
    """No factor is in force for what was asked. `wanted`: the figures that are missing, where they are known."""

    def __init__(self, message: str, wanted: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.wanted = tuple(wanted)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document, with its place in it.

    >>> str(Fault("enterprises[0].uscc", "check digit is 'X', expected '7'"))
    "enterprises[0].uscc: check digit is 'X', expected '7'"
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message

    def as_dict(self) -> dict[str, str | int | None]:
        """For machines."""
        return {"place": self.place, "message": self.message}


class FaultyDocument(Refused):
    """A document with faults, all of them."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults
