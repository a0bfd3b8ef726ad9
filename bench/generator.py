"""The load generator as who gives it the word sees it."""

from __future__ import annotations

import json
import sys

from bench.bed import Bed
from bench.load import Load, Sent
from domain.errors import Refused


class Generator:
    """The process of `bench.load`; it does one load after the other."""

    def __init__(self, bed: Bed) -> None:
        self._child = bed.child([sys.executable, "-m", "bench.load"], piped=True)

    def prepare(self, load: Load) -> None:
        """Connect and make the packets; then it waits for the word."""
        self._child.write_line(load.to_json())
        self._answer("ready")

    def send(self) -> Sent:
        """Give the word, and wait until every message is acknowledged."""
        self._child.write_line("go")
        return Sent(**json.loads(self._answer()))

    def _answer(self, expected: str | None = None) -> str:
        line = self._child.read_line()
        if line != expected and (expected is not None or '"error"' in line):
            raise Refused(f"load generator: {json.loads(line).get('error', line)}")
        return line
