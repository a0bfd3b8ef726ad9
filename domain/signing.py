"""Signatures and digests that name their algorithm, so that another one can follow without a change of shape.

    signer.sign(data)                    {"alg": "ed25519", "key_id": "9f2c…", "signature": BASE64}
    verify(data, signature, keys)        raises BadSignature, else gives the key that signed
    digest(data)                         {"alg": "sha256", "digest": HEX}

Ed25519 (RFC 8032) and SHA-256 (FIPS 180-4) today. SM2 and SM3 (GB/T 32918, 32905) would each be one more entry in
`ALGORITHMS` or `HASHES`: whoever reads a signature goes by its `alg`, never by the length of its bytes. Keys are
values here; the front door keeps them on disk (`carbonmeter.signing_keys`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.errors import Refused

ED25519 = "ed25519"
SHA256 = "sha256"
HASHES: Mapping[str, Callable[[bytes], bytes]] = {SHA256: lambda data: hashlib.sha256(data).digest()}


class Signature(TypedDict):
    """A detached signature. `signature`: base64 of the algorithm's own bytes."""

    alg: str
    key_id: str
    signature: str


class Digest(TypedDict):
    """`digest`: lower-case hexadecimal."""

    alg: str
    digest: str


class BadSignature(Refused):
    """The signature isn't by that key over those bytes, or can't be read; the text says which."""


def digest(data: bytes, alg: str = SHA256) -> Digest:
    """A digest that says by what it was made. Refused for an algorithm that isn't known here."""
    if alg not in HASHES:
        raise Refused(f"digest algorithm {alg[:40]!r} isn't known here; known: {', '.join(HASHES)}")
    return {"alg": alg, "digest": HASHES[alg](data).hex()}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a signature is checked with. `raw`: the algorithm's own bytes, 32 of Ed25519."""

    alg: str
    raw: bytes

    @property
    def key_id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of algorithm and key: the same wherever the key is."""
        return hashlib.sha256(self.alg.encode() + b"\n" + self.raw).hexdigest()[:16]

    def as_dict(self) -> dict[str, str]:
        return {
            "alg": self.alg,
            "key_id": self.key_id,
            "public_key": base64.b64encode(self.raw).decode(),
        }

    def holds(self, data: bytes, signature: bytes) -> bool:
        """Whether `signature` is by this key over `data`."""
        algorithm = ALGORITHMS.get(self.alg)
        return algorithm is not None and algorithm(self.raw, data, signature)


def public_key(document: Mapping[str, Any]) -> PublicKey:
    """A key as `as_dict` wrote it, its id checked. Refused where it is none."""
    try:
        alg, text = document["alg"], document["public_key"]
        key = PublicKey(alg, base64.b64decode(text, validate=True))
    except (KeyError, TypeError, ValueError):
        raise Refused("a public key is {alg, key_id, public_key}, the last in base64") from None
    if alg not in ALGORITHMS:
        raise Refused(
            f"signature algorithm {str(alg)[:40]!r} isn't known here; known: {', '.join(ALGORITHMS)}"
        )
    if document.get("key_id", key.key_id) != key.key_id:
        raise Refused(f"key_id {document['key_id']!r} isn't that of the public key, which is {key.key_id}")
    return key


class Signer(Protocol):
    """What signs: a key in memory, or one that is read from its file again after a rotation."""

    @property
    def key(self) -> PublicKey: ...

    def sign(self, data: bytes) -> Signature: ...


class Ed25519Signer:
    """A private key in memory; never shown by `repr`."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.key = PublicKey(ED25519, raw)

    @classmethod
    def new(cls) -> Ed25519Signer:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> Ed25519Signer:
        """From PKCS#8, as `pem` gives it (and `openssl genpkey -algorithm ed25519`). Refused where it is none."""
        try:
            private = serialization.load_pem_private_key(pem, None)
        except (ValueError, TypeError) as error:
            raise Refused(f"no private key in PEM without a passphrase: {error}") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise Refused("the private key isn't one of Ed25519")
        return cls(private)

    def pem(self) -> bytes:
        return self._private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def sign(self, data: bytes) -> Signature:
        return {
            "alg": ED25519,
            "key_id": self.key.key_id,
            "signature": base64.b64encode(self._private.sign(data)).decode(),
        }


def verify(data: bytes, signature: Mapping[str, Any], keys: Iterable[PublicKey]) -> PublicKey:
    """The key among `keys` that made this signature over these bytes; BadSignature where none did."""
    try:
        alg, key_id = signature["alg"], signature["key_id"]
        raw = base64.b64decode(signature["signature"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise BadSignature("a signature is {alg, key_id, signature}, the last in base64") from None
    for key in keys:
        if key.alg == alg and key.key_id == key_id:
            if key.holds(data, raw):
                return key
            raise BadSignature(f"the signature isn't by key {key_id} over this content")
    raise BadSignature(
        f"key {str(key_id)[:40]!r} of algorithm {str(alg)[:40]!r} isn't among the keys trusted here"
    )


def _ed25519_holds(raw: bytes, data: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


# By algorithm: whether a signature is by a key over data, all in the algorithm's own bytes.
ALGORITHMS: Mapping[str, Callable[[bytes, bytes, bytes], bool]] = {ED25519: _ed25519_holds}
