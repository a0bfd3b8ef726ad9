"""What the compiler makes of kernels is what Python makes of them: the loop that it once got wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from accounting.kernels.compiled import Bools, Int, Int8s, Int16s, Int64s, kernel


@kernel
def two_conditional_stores(quality: Int8s, amounts: Int64s, flags: Int16s, is_plain: Int) -> None:
    for k in range(quality.size):
        if quality[k] == 4 or quality[k] == 0:
            quality[k] = 0
            amounts[k] = 0
        elif is_plain == 0 and amounts[k] < 0:
            flags[k] |= 32


@pytest.mark.parametrize("is_plain", [0, 1])
@pytest.mark.parametrize("size", [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200, 1000])
def test_a_store_under_a_condition_happens_under_that_condition_alone(size: int, is_plain: int) -> None:
    rng = np.random.default_rng(size)
    for quality in (np.full(size, 3, np.int8), rng.integers(0, 5, size).astype(np.int8)):
        missing: Bools = (quality == 4) | (quality == 0)
        amounts = rng.integers(-5, 5, size)
        expected = np.where(missing, 0, amounts)
        flags = np.zeros(size, np.int16)
        kept, given = quality.copy(), amounts.copy()
        two_conditional_stores(kept, given, flags, is_plain)
        assert (kept == np.where(missing, 0, quality)).all()
        assert (given == expected).all()
        assert (flags == np.where(~missing & (amounts < 0) & (is_plain == 0), 32, 0)).all()


def test_it_is_known_what_is_kept_on_disk(tmp_path: Path) -> None:
    """A process that finds nothing has it compiled by another."""
    program = (
        "from accounting.kernels.compiled import is_cached\n"
        "from accounting.kernels.merge import standing_anchors as kernel\n"
        "import numpy as np\n"
        "print(is_cached(kernel))\n"
        "one, ends, no = np.zeros(1, np.int64), np.array([0, 1]), np.zeros(1, bool)\n"
        "kernel(one, ends, one, one, one, one, ends, no, one.copy(), no.copy())\n"
        "print(is_cached(kernel))\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    told = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert told == [["False", "True"], ["True", "True"]]
