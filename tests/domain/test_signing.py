"""Signatures and digests: RFC 8032's vectors, what is refused, and that everything names its algorithm."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.errors import Refused
from domain.signing import BadSignature, Ed25519Signer, PublicKey, digest, public_key, verify

# RFC 8032, section 7.1: secret, public, message, signature
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    signer = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)))
    assert signer.key.raw.hex() == public
    made = signer.sign(bytes.fromhex(message))
    assert base64.b64decode(made["signature"]).hex() == signature
    assert verify(bytes.fromhex(message), made, [signer.key]) == signer.key


def test_a_signature_holds_for_its_bytes_and_key_alone() -> None:
    signer, other = Ed25519Signer.new(), Ed25519Signer.new()
    made = signer.sign(b"content")
    assert made["alg"] == "ed25519"
    assert made["key_id"] == signer.key.key_id
    assert verify(b"content", made, [other.key, signer.key]) == signer.key
    for data, signature, keys in (
        (b"content.", made, [signer.key]),
        (b"content", made, [other.key]),
        (b"content", made, []),
        (b"content", {**made, "key_id": other.key.key_id}, [signer.key, other.key]),
        (b"content", {**made, "alg": "sm2"}, [signer.key]),
        (b"content", {**made, "signature": "no base64"}, [signer.key]),
        (b"content", {**made, "signature": base64.b64encode(b"short").decode()}, [signer.key]),
        (b"content", {**made, "signature": None}, [signer.key]),
        (b"content", {}, [signer.key]),
    ):
        with pytest.raises(BadSignature):
            verify(data, signature, keys)


def test_keys_travel_as_text() -> None:
    signer = Ed25519Signer.new()
    document = signer.key.as_dict()
    assert public_key(document) == signer.key
    assert Ed25519Signer.from_pem(signer.pem()).key == signer.key
    assert signer.pem().decode() not in repr(signer)
    for wrong in (
        {},
        {**document, "alg": "sm2"},
        {**document, "key_id": "0" * 16},
        {**document, "public_key": "?"},
    ):
        with pytest.raises(Refused):
            public_key(wrong)
    with pytest.raises(Refused):
        Ed25519Signer.from_pem(b"-----BEGIN PRIVATE KEY-----\n")


def test_a_key_of_an_unknown_algorithm_holds_nothing() -> None:
    assert not PublicKey("sm2", b"\x00" * 64).holds(b"content", b"signature")


def test_digests_name_their_algorithm() -> None:
    assert digest(b"x") == {"alg": "sha256", "digest": hashlib.sha256(b"x").hexdigest()}
    with pytest.raises(Refused, match="md5"):
        digest(b"x", "md5")
