"""The signing key on disk: made at first use, read by nobody else, followed by another when it is rotated.

    FOLDER/signing.pem            the private key in force, PKCS#8, mode 0600
    FOLDER/signing-KEY_ID.pub     each public key there ever was, as JSON

Rotation destroys the old private key and keeps its public one: what it signed can be verified for ever, and nothing
new can be signed by it. The public keys are in the database too (`storage.signing_keys`), for the API.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from domain.errors import Refused
from domain.signing import Ed25519Signer, PublicKey, Signature, public_key

NAME = "signing.pem"


class SigningKeys:
    """The keys of a folder. A `domain.signing.Signer`, which follows a rotation by another process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME
        self._read: tuple[tuple[int, int], Ed25519Signer] | None = None  # with the file's inode and time

    @property
    def key(self) -> PublicKey:
        return self._signer().key

    def sign(self, data: bytes) -> Signature:
        return self._signer().sign(data)

    def public_keys(self) -> list[PublicKey]:
        """Every public key of this folder, the one in force too."""
        current = self.key
        others = [
            public_key(json.loads(path.read_text("utf-8"))) for path in sorted(self._folder.glob("*.pub"))
        ]
        return [current, *(each for each in others if each != current)]

    def rotate(self) -> tuple[PublicKey, PublicKey]:
        """Put a new key in the place of the one in force: (the old, the new public key)."""
        old = self.key
        fresh = Ed25519Signer.new()
        os.replace(self._written(fresh), self._path)
        self._keep_public(fresh.key)
        return old, self.key

    def _signer(self) -> Ed25519Signer:
        try:
            state = os.stat(self._path)
        except FileNotFoundError:
            self._make()
            state = os.stat(self._path)
        seen = (state.st_ino, state.st_mtime_ns)
        if self._read is None or self._read[0] != seen:
            if state.st_mode & 0o077:
                raise Refused(f"{self._path} can be read by others than its owner: chmod 600 {self._path}")
            try:
                signer = Ed25519Signer.from_pem(self._path.read_bytes())
            except Refused as error:
                raise Refused(f"{self._path}: {error}") from None
            self._keep_public(signer.key)
            self._read = seen, signer
        return self._read[1]

    def _make(self) -> None:
        """The first key. Of several processes that come here at once, one makes it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = self._written(Ed25519Signer.new())
        try:
            os.link(written, self._path)
        except FileExistsError:
            pass
        finally:
            written.unlink()

    def _written(self, signer: Ed25519Signer) -> Path:
        """A new private key on disk under a name of its own."""
        path = self._folder / f".{NAME}.{secrets.token_hex(8)}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(signer.pem())
            file.flush()
            os.fsync(file.fileno())
        return path

    def _keep_public(self, key: PublicKey) -> None:
        path = self._folder / f"signing-{key.key_id}.pub"
        if not path.exists():
            path.write_text(json.dumps(key.as_dict()) + "\n", "utf-8")
