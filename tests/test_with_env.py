"""The lock and the bootstrap: what `./with-env` installs is pinned, whole, and free of anybody's index."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def _pinned() -> set[str]:
    return {
        name.lower().replace("_", "-")
        for name in re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?==", LOCK, re.MULTILINE)
    }


def test_every_dependency_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[>=<~!; ]", requirement)[0].lower().replace("_", "-") for requirement in wanted}
    assert len(names) > 15
    assert names - _pinned() == set()


def test_every_pin_has_hashes_and_no_index_is_named() -> None:
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) >= len(_pinned()) > 40  # a package may be pinned twice, by Python
    assert [entry.split("==")[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in LOCK


def test_the_bootstrap_is_pip_as_it_was_published() -> None:
    (wheel,) = (ROOT / "deploy" / "bootstrap").glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert digest == "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
    assert wheel.name in (ROOT / "with-env").read_text("utf-8")
    version = subprocess.run(
        [sys.executable, wheel / "pip", "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.startswith("pip 26.3 ")
