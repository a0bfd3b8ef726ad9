"""The meters that the benchmark of ingest sends for: their registry document, their topics, their packets.

Every message is made before the clock runs, as packets of one size that differ in a few digits: numpy writes those
digits into all of them at once. A device reads its register once a minute of measured time; a *step* is such a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.identity import uscc_fault
from domain.interval import INTERVAL_US, format_time

STEP_US = 60_000_000
STEPS_MAX = 90 * 1440  # what the stamps have room for: they begin that long ago
COUNTS_A_STEP = 37  # of 0.01 kWh
MODULUS_COUNTS = 10**9
_FIRST_COUNT = 100_000_000  # 1,000,000.00 kWh on the dial, so that every value is as long
_VALUE_DIGITS, _STAMP_DIGITS = 9, 13
_SYMBOLS = "0123456789ABCDEFGHJKLMNPQRTUWXY"

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]


def uscc(number: int) -> str:
    """A synthetic code with right check digits; of nobody."""
    body = f"91430302XT{number:06d}"
    for ninth in "0123456789X":
        for last in _SYMBOLS:
            if uscc_fault(body + ninth + last) is None:
                return body + ninth + last
    raise AssertionError(number)


@dataclass(frozen=True, slots=True)
class Packets:
    """PUBLISH packets of one connection, QoS 1, one after the other and all of one size [bytes]."""

    data: bytes
    size: int
    readings: int  # in each


@dataclass(frozen=True)
class Fleet:
    """`enterprises` with `devices` each: a gateway, a meter with a register, and an emission source apiece.

    start_us   the stamp of step 0
    """

    enterprises: int
    devices: int
    start_us: int

    @property
    def channels(self) -> int:
        return self.enterprises * self.devices

    @cached_property
    def codes(self) -> list[str]:
        return [uscc(number) for number in range(1, self.enterprises + 1)]

    def document(self) -> dict[str, Any]:
        """The registry document of all of it."""
        return {"enterprises": [self._enterprise(number) for number in range(self.enterprises)]}

    def _enterprise(self, number: int) -> dict[str, Any]:
        return {
            "uscc": self.codes[number],
            "name_zh": f"基准企业{number}",
            "name_en": f"Bench {number}",
            "industry": "steel",
            "district": "430304",
            "gateways": [{"id": f"g{device:03d}"} for device in range(self.devices)],
            "meters": [
                {
                    "id": f"M{device:03d}",
                    "name": f"feeder {device}",
                    "channels": [
                        {
                            "id": "kwh",
                            "quantity": "electricity_import",
                            "kind": "register",
                            "unit": "kWh",
                            "multiplier": "1",
                            "resolution": "0.01",
                            "modulus": str(MODULUS_COUNTS // 100),
                            "max_rate": "1000",
                            "max_gap": "PT2H",
                            "valid_from": format_time(self.start_us),
                        }
                    ],
                }
                for device in range(self.devices)
            ],
            "sources": [
                {
                    "id": f"grid-{device:03d}",
                    "method": "purchased_electricity",
                    "expression": f"M{device:03d}/kwh",
                }
                for device in range(self.devices)
            ],
        }

    def topic(self, channel: int, prefix: str = "carbon") -> str:
        """The topic of a channel's single readings, by its number over all enterprises."""
        enterprise, device = divmod(channel, self.devices)
        return f"{prefix}/v1/{self.codes[enterprise]}/g{device:03d}/M{device:03d}/kwh"

    def singles(
        self, channels: Sequence[int], first_step: int, messages: int, prefix: str = "carbon", first: int = 0
    ) -> Packets:
        """One reading a message, the channels in turn, from the `first` message on."""
        self._check(first_step, -(-(first + messages) // len(channels)))
        payload = b'{"at":' + bytes(_STAMP_DIGITS) + b',"v":' + _value(bytes(_VALUE_DIGITS)) + b"}"
        templates = [_publish(self.topic(channel, prefix), payload) for channel in channels]
        size = len(templates[0])
        lines = np.frombuffer(b"".join(templates), np.uint8).reshape(-1, size)
        number = first + np.arange(messages)
        steps = first_step + number // len(channels)
        packets = lines[number % len(channels)]
        at = size - len(payload)
        _write_ids(packets, at - 2, first)
        _write_stamps(packets, at + 6, self.start_us, steps)
        _write_values(packets, at + 6 + _STAMP_DIGITS + 5, steps)
        return Packets(packets.tobytes(), size, 1)

    def packed(
        self, enterprise: int, first_step: int, messages: int, prefix: str = "carbon", first: int = 0
    ) -> Packets:
        """All devices of an enterprise in each message, form B, through its first gateway, from the `first` on."""
        self._check(first_step, first + messages)
        names = [f'"M{device:03d}/kwh":'.encode() for device in range(self.devices)]
        head = b'{"at":' + bytes(_STAMP_DIGITS) + b',"values":{'
        values = b",".join(name + _value(bytes(_VALUE_DIGITS)) for name in names)
        payload = head + values + b"}}"
        template = _publish(f"{prefix}/v1/{self.codes[enterprise]}/g000/readings", payload)
        packets = np.tile(np.frombuffer(template, np.uint8), (messages, 1))
        steps = first_step + first + np.arange(messages)
        at = len(template) - len(payload)
        _write_ids(packets, at - 2, first)
        _write_stamps(packets, at + 6, self.start_us, steps)
        width = len(names[0]) + _VALUE_DIGITS + 2  # with the point and the comma
        for device in range(self.devices):
            _write_values(packets, at + len(head) + device * width + len(names[0]), steps)
        return Packets(packets.tobytes(), len(template), self.devices)

    def counted(self, steps: Int64) -> int:
        """What registers of so many steps have counted until their last quarter-hour's end, over all of them.

        Their validity begins with the first step, and a step falls on each quarter-hour's end: so the sum is exact.
        """
        last_us = self.start_us + (steps - 1) * STEP_US
        whole = (last_us // INTERVAL_US * INTERVAL_US - self.start_us) // STEP_US
        return int(np.maximum(whole, 0).sum()) * COUNTS_A_STEP

    def _check(self, first_step: int, steps: int) -> None:
        if first_step + steps > STEPS_MAX:
            raise ValueError(
                f"the stamps have room for {STEPS_MAX} steps, {first_step + steps} are asked for"
            )


def value_counts(steps: Int64) -> Int64:
    """What the registers stand at, in counts of 0.01 kWh."""
    return _FIRST_COUNT + steps * COUNTS_A_STEP


def acknowledgements(messages: int) -> bytes:
    """The PUBACKs of a connection's first `messages` packets, in order (MQTT 3.1.1: four bytes each)."""
    rows = np.empty((messages, 4), np.uint8)
    rows[:, 0], rows[:, 1] = 0x40, 2
    _write_ids(rows, 2)
    return rows.tobytes()


def connect_packet(client: str, keep_alive_s: int) -> bytes:
    """CONNECT of MQTT 3.1.1, clean session, anonymous."""
    body = b"\0\4MQTT\4\2" + keep_alive_s.to_bytes(2, "big") + _text(client)
    return b"\x10" + _length(len(body)) + body


def _publish(topic: str, payload: bytes) -> bytes:
    body = _text(topic) + bytes(2) + payload
    return b"\x32" + _length(len(body)) + body


def _text(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def _length(size: int) -> bytes:
    result = b""
    while size >= 0x80:
        result += bytes([size & 0x7F | 0x80])
        size >>= 7
    return result + bytes([size])


def _value(digits: bytes) -> bytes:
    return digits[:-2] + b"." + digits[-2:]


def _write_ids(packets: Bytes, at: int, first: int = 0) -> None:
    ids = (first + np.arange(len(packets))) % 0xFFFF + 1
    packets[:, at], packets[:, at + 1] = ids >> 8, ids & 0xFF


def _write_stamps(packets: Bytes, at: int, start_us: int, steps: Int64) -> None:
    packets[:, at : at + _STAMP_DIGITS] = _digits((start_us + steps * STEP_US) // 1000, _STAMP_DIGITS)


def _write_values(packets: Bytes, at: int, steps: Int64) -> None:
    digits = _digits(value_counts(steps), _VALUE_DIGITS)
    whole = _VALUE_DIGITS - 2
    packets[:, at : at + whole] = digits[:, :whole]
    packets[:, at + whole + 1 : at + _VALUE_DIGITS + 1] = digits[:, whole:]


def _digits(numbers: Int64, width: int) -> Bytes:
    """Decimal digits as ASCII, (n, width); many repeat, so each number is written once."""
    unique, places = np.unique(numbers, return_inverse=True)
    result = np.empty((len(unique), width), np.uint8)
    for column in range(width - 1, -1, -1):
        unique, digit = np.divmod(unique, 10)
        result[:, column] = digit + ord("0")
    return result[places]
