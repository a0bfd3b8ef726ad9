"""The listener with TLS: certificates of both sides, what one may publish for, faults and new files."""

from __future__ import annotations

import contextlib
import datetime
import os
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from domain.errors import SettingsError
from ingest.settings import EndpointSettings
from ingest.sign_in import takes_anonymous
from ingest.tls import ClientCertificates, Identity, TlsSettings, context_of, gateways_of
from storage import keys
from tests.ingest.beds import USCC, Client, Running, form_a, publish_packet, reading, recent, running
from tests.servers import Database, wait_for


class Authority:
    """Signs certificates and writes them to files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.ca.cert_pem.write_to_path(str(folder / "ca.crt"))
        self.serve(self.ca.issue_cert("127.0.0.1"))

    def serve(self, certificate: trustme.LeafCert) -> None:
        """Put a certificate in the server's files, each at once."""
        chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
        for name, data in (("server.key", certificate.private_key_pem.bytes()), ("server.crt", chain)):
            (self.folder / "new").write_bytes(data)
            os.replace(self.folder / "new", self.folder / name)

    def client(self, name: str) -> ssl.SSLContext:
        """What a client with a certificate of that common name speaks."""
        context = self.stranger()
        self.issued = self.ca.issue_cert(f"{name.rpartition('/')[2]}.test", common_name=name)
        self.issued.configure_cert(context)
        return context

    def stranger(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context

    def revoke_issued(self) -> None:
        """A revocation list beside the authority's certificate."""
        ca = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes())
        key = serialization.load_pem_private_key(self.ca.private_key_pem.bytes(), None)
        issued = x509.load_pem_x509_certificate(self.issued.cert_chain_pems[0].bytes())
        now = datetime.datetime.now(datetime.UTC)
        entry = (
            x509.RevokedCertificateBuilder().serial_number(issued.serial_number).revocation_date(now).build()
        )
        revoked = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(ca.subject)
            .last_update(now - datetime.timedelta(hours=1))
            .next_update(now + datetime.timedelta(days=1))
            .add_revoked_certificate(entry)
            .sign(key, hashes.SHA256())  # type: ignore[arg-type]
        )
        data = self.ca.cert_pem.bytes() + revoked.public_bytes(serialization.Encoding.PEM)
        (self.folder / "new").write_bytes(data)
        os.replace(self.folder / "new", self.folder / "ca.crt")

    def settings(self, **more: Any) -> TlsSettings:
        certificate, key, ca = (self.folder / name for name in ("server.crt", "server.key", "ca.crt"))
        return TlsSettings("127.0.0.1", 0, certificate, key, ca, **more)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def connect(server: Running, context: ssl.SSLContext, version: int = 5) -> Client:
    assert server.ingest.endpoint is not None
    assert server.ingest.endpoint.tls_port is not None
    client = Client(server.ingest.endpoint.tls_port, version)
    try:
        client.socket = context.wrap_socket(client.socket, server_hostname="127.0.0.1")
    except BaseException:
        client.socket.close()
        raise
    return client


@contextlib.contextmanager
def serving(database: Database, tls: TlsSettings, **more: Any) -> Iterator[Running]:
    with running(database, EndpointSettings(port=None, tls=tls, **more)) as server:
        yield server


def good() -> bytes:
    return form_a(reading(1, recent()))


@pytest.mark.parametrize("version", [4, 5])
def test_readings_go_through_tls(registered: Database, authority: Authority, version: int):
    with serving(registered, authority.settings()) as server:
        with connect(server, authority.stranger(), version) as client:
            client.connect()
            ids = range(1, 2001)
            client.send(b"".join(publish_packet(good(), packet_id=n, version=version) for n in ids))
            assert client.acknowledged(2000) == [(n, 0) for n in ids]
            client.send(b"\xf0\x00")
            assert client.end() == (0x82 if version == 5 else None)
        assert server.account().stored == 2000


def test_older_versions_and_plain_bytes_are_refused(registered: Database, authority: Authority):
    with serving(registered, authority.settings()) as server:
        context = authority.stranger()
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="TLS"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect(server, context)
        assert server.ingest.endpoint is not None
        with Client(server.ingest.endpoint.tls_port or 0) as client, contextlib.suppress(ConnectionError):
            client.connect()
        with connect(server, authority.stranger()) as client:
            client.connect()


def test_a_certificate_stands_for_the_gateways_it_names(registered: Database, authority: Authority):
    tls = authority.settings(client_certificates=ClientCertificates.OPTIONAL, identity=Identity.CERTIFICATE)
    with serving(registered, tls, anonymous=False) as server:
        with connect(server, authority.client(f"{USCC}/gw1")) as client:
            assert client.connect()[1] == 0
            client.publish(good(), packet_id=1)
            client.publish(good(), f"carbon/v1/{USCC}/gw2/readings", packet_id=2)
            assert client.acknowledged(2) == [(1, 0), (2, 0x87)]
        for context in (authority.stranger(), authority.client("someone")):
            with connect(server, context) as client:
                assert client.connect()[1] == 0x87
        with registered.connect() as conn:
            key, _ = keys.create(conn, ["readings:write"], [f"{USCC}/gw2"], "a device")
        with connect(server, authority.client(f"{USCC}/gw1")) as client:
            assert client.connect(password=key)[1] == 0, "a key goes before the certificate"
            client.publish(good(), packet_id=1)
            assert client.acknowledged() == [(1, 0x87)]


def test_a_certificate_alone_is_no_key_unless_the_settings_say_so(registered: Database, authority: Authority):
    tls = authority.settings(client_certificates=ClientCertificates.REQUIRED)
    with serving(registered, tls, anonymous=False) as server:
        with connect(server, authority.client(f"{USCC}/gw1")) as client:
            assert client.connect()[1] == 0x87
        with pytest.raises((ssl.SSLError, ConnectionError)), connect(server, authority.stranger()) as client:
            client.connect()  # with TLS 1.3 the client hears of it here


def test_a_revoked_certificate_is_refused(registered: Database, authority: Authority):
    tls = authority.settings(client_certificates=ClientCertificates.REQUIRED, identity=Identity.CERTIFICATE)
    context = authority.client(f"{USCC}/gw1")
    authority.revoke_issued()
    with serving(registered, tls) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)), connect(server, context) as client:
            client.connect()
        with connect(server, authority.client(f"{USCC}/gw1")) as client:
            assert client.connect()[1] == 0


def serial(client: Client) -> Any:
    assert isinstance(client.socket, ssl.SSLSocket)
    return (client.socket.getpeercert() or {})["serialNumber"]


def test_a_new_certificate_is_taken_on_and_a_broken_one_is_not(registered: Database, authority: Authority):
    with serving(registered, authority.settings()) as server, connect(server, authority.stranger()) as old:
        old.connect("old")
        first = serial(old)
        (authority.folder / "server.crt").write_text("no certificate")

        def current() -> Any:
            with connect(server, authority.stranger()) as client:
                client.connect("new")
                return serial(client)

        assert current() == first
        authority.serve(authority.ca.issue_cert("127.0.0.1"))
        wait_for(lambda: current() != first)
        old.publish(good())
        assert old.acknowledged() == [(1, 0)], "a connection that exists goes on"


def test_every_fault_of_the_files_is_told(authority: Authority, tmp_path: Path):
    settings = authority.settings(client_certificates=ClientCertificates.REQUIRED)
    missing = replace(settings, key=tmp_path / "none.key", client_ca=tmp_path / "none.crt")
    with pytest.raises(SettingsError, match=r"(?s)none\.key: No such file.*none\.crt: No such file"):
        context_of(missing)
    other = authority.ca.issue_cert("127.0.0.1")
    other.private_key_pem.write_to_path(str(tmp_path / "other.key"))
    (tmp_path / "empty.crt").write_text("")
    wrong = replace(settings, key=tmp_path / "other.key", client_ca=tmp_path / "empty.crt")
    with pytest.raises(SettingsError, match=r"(?s)other\.key: key values mismatch.*empty\.crt: no"):
        context_of(wrong)


def test_gateways_are_uris_or_a_common_name():
    subject = ((("countryName", "CN"),), (("commonName", f"{USCC}/gw1"),))
    uris = (
        ("DNS", "a"),
        ("URI", f"carbonmeter:{USCC}/gw2"),
        ("URI", f"carbonmeter:{USCC}/gw3"),
        ("URI", "urn:x"),
    )
    assert gateways_of({"subject": subject}) == {f"{USCC}/gw1"}
    assert gateways_of({"subject": subject, "subjectAltName": uris}) == {f"{USCC}/gw2", f"{USCC}/gw3"}
    assert gateways_of({"subject": ((("commonName", "a/b/c"),),)}) == frozenset()
    assert gateways_of(None) == frozenset()


def test_anonymous_clients_want_every_listener_on_loopback(authority: Authority):
    tls = authority.settings()
    assert takes_anonymous(EndpointSettings(tls=tls))
    assert not takes_anonymous(EndpointSettings(tls=replace(tls, host="0.0.0.0")))
    assert not takes_anonymous(EndpointSettings(websockets=("0.0.0.0", 1)))
    assert not takes_anonymous(EndpointSettings(host="0.0.0.0"))
