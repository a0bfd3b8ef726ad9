"""The key on disk: private to its owner, one however many begin at once, and followed by another without a break."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from carbonmeter.signing_keys import NAME, SigningKeys
from domain.errors import Refused
from domain.signing import verify


def test_the_first_use_makes_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "keys"
    signature = SigningKeys(folder).sign(b"x")
    assert stat.S_IMODE(os.stat(folder / NAME).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == {NAME, f"signing-{signature['key_id']}.pub"}
    again = SigningKeys(folder)
    assert again.key.key_id == signature["key_id"]
    verify(b"x", signature, again.public_keys())


def test_of_many_that_begin_at_once_all_have_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda _: SigningKeys(tmp_path / "keys").key, range(64)))
    assert len({key.key_id for key in keys}) == 1


def test_a_rotation_is_followed_and_old_signatures_hold(tmp_path: Path) -> None:
    working, rotating = SigningKeys(tmp_path), SigningKeys(tmp_path)
    before = working.sign(b"x")
    old, new = rotating.rotate()
    assert before["key_id"] == old.key_id != new.key_id
    after = working.sign(b"x")
    assert after["key_id"] == new.key_id
    assert {key.key_id for key in working.public_keys()} == {old.key_id, new.key_id}
    for signature in (before, after):
        verify(b"x", signature, working.public_keys())
    assert not any(b"PRIVATE" in path.read_bytes() for path in tmp_path.iterdir() if path.name != NAME)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    SigningKeys(tmp_path).sign(b"x")
    (tmp_path / NAME).chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        SigningKeys(tmp_path).sign(b"x")


def test_what_is_no_key_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("nonsense")
    (tmp_path / NAME).chmod(0o600)
    with pytest.raises(Refused, match=NAME):
        SigningKeys(tmp_path).sign(b"x")
