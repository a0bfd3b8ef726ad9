"""TLS at the endpoint: the server's certificate, certificates of clients, and what one of those may publish for."""

from __future__ import annotations

import asyncio.sslproto
import contextlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from domain.errors import SettingsError

# asyncio keeps a buffer of this size for every TLS connection, 256 KiB unless told otherwise: too much for thousands
# of idle ones. A TLS record holds 16 KiB at most.
asyncio.sslproto.SSLProtocol.max_size = 16 << 10

URI_PREFIX = "carbonmeter:"
_GATEWAY = re.compile(r"[0-9A-Z]{18}/[A-Za-z0-9._-]{1,64}", re.ASCII)
_REVOCATION_LIST = b"-----BEGIN X509 CRL-----"


class ClientCertificates(StrEnum):
    """Whether clients show a certificate."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Identity(StrEnum):
    """Who a client is: by its API key alone, or by its certificate where it gives no key."""

    PASSWORD = "password"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Of the listener with TLS.

    certificate          PEM: the server's, and those between it and the root
    key                  PEM, without a passphrase
    client_ca            PEM: who signs the certificates of clients; revocation lists may stand in the same file
    """

    host: str
    port: int
    certificate: Path
    key: Path
    client_ca: Path | None = None
    client_certificates: ClientCertificates = ClientCertificates.NONE
    identity: Identity = Identity.PASSWORD

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.certificate, self.key, self.client_ca) if path is not None)


def context_of(settings: TlsSettings) -> ssl.SSLContext:
    """What the listener speaks: TLS 1.2 or newer. SettingsError with every fault of the files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    faults = []
    for path in settings.files:
        try:
            path.read_bytes()
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
    if not faults:
        try:
            # a key with a passphrase is refused rather than asked for at a terminal
            context.load_cert_chain(settings.certificate, settings.key, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            faults.append(f"{settings.certificate} and {settings.key}: {_why(error)}")
        if settings.client_ca is not None and settings.client_certificates is not ClientCertificates.NONE:
            try:
                context.load_verify_locations(settings.client_ca)
            except (ssl.SSLError, OSError, ValueError) as error:
                faults.append(f"{settings.client_ca}: {_why(error)}")
            if _REVOCATION_LIST in settings.client_ca.read_bytes():
                context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    if faults:
        raise SettingsError("\n".join(faults))
    if settings.client_certificates is ClientCertificates.REQUIRED:
        context.verify_mode = ssl.CERT_REQUIRED
    elif settings.client_certificates is ClientCertificates.OPTIONAL:
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return reason.lower().replace("_", " ") if isinstance(reason, str) else str(error)


class Files:
    """Notices when the files of a listener change."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._seen = self._look()

    def _look(self) -> list[tuple[int, int, int] | None]:
        found: list[tuple[int, int, int] | None] = []
        for path in self._settings.files:
            state = None
            with contextlib.suppress(OSError):
                about = path.stat()
                state = about.st_mtime_ns, about.st_size, about.st_ino
            found.append(state)
        return found

    def have_changed(self) -> bool:
        """Whether they did since the last look."""
        now = self._look()
        changed, self._seen = now != self._seen, now
        return changed


def gateways_of(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Gateways, as "USCC/ID", that a verified certificate, as `getpeercert` gives it, names.

    They stand as URIs `carbonmeter:USCC/ID` among its alternative names; without one, as its common name `USCC/ID`.
    """
    if not certificate:
        return frozenset()
    names = [
        value.removeprefix(URI_PREFIX)
        for kind, value in certificate.get("subjectAltName", ())
        if kind == "URI" and value.startswith(URI_PREFIX)
    ] or [value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"]
    return frozenset(name for name in names if _GATEWAY.fullmatch(name))
