"""The fuzzing command works; a longer run is somebody's to start."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_short_run_finds_nothing(tmp_path: Path):
    pytest.importorskip("atheris", reason="atheris has no wheel for this Python")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.sparkplug_b", "--seconds", "2", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r"Done (\d+) runs", done.stderr)
    assert found
    assert int(found[1]) > 10
    assert not list(tmp_path.glob("crash-*"))
