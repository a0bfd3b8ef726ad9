"""The helpers of this folder assert as tests do, with what was compared in the message."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.faults.stage")
