# A setting is a field whose default is made by a call, which RUF009 warns of.
# ruff: noqa: RUF009
"""Settings of the whole server: CARBONMETER_* variables, or a TOML file with the same names in lower case.

A variable wins over the file. All faults are told at once. What may hold a password stays out of `repr`.
Each setting says its default and its reason here; `deploy/settings.example.env` shows the same, and a test compares.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from accounting.settings import AccountingSettings, worker_names
from api.limits import Limits
from api.settings import ApiSettings, RowSecurity
from domain.errors import FaultyDocument, SettingsError
from domain.interval import Calendar, parse_offset, parse_period
from domain.ledger import SHARDS
from ingest.directory import ClockRules
from ingest.formats import Rule, rules_of
from ingest.pipeline import DeadLetterLimit
from ingest.settings import BrokerSettings, EndpointSettings, Hj212Settings, IngestSettings
from ingest.sign_in import is_loopback
from ingest.tls import ClientCertificates, Identity, TlsSettings

PREFIX = "CARBONMETER_"
CONFIG = PREFIX + "CONFIG"
STRUCTURED = frozenset({"formats"})  # arrays of tables in the file, JSON in a variable


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _home(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("expected HOST:PORT")
    return Address(host, int(port))


def _address_or_off(text: str) -> Address | None:
    return None if text == "off" else _address(text)


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"expected networks such as 10.0.0.0/8,192.0.2.7: {error}") from None


def _one_of(kinds: type[StrEnum]) -> Callable[[str], StrEnum]:
    def parse(text: str) -> StrEnum:
        try:
            return kinds(text.lower())
        except ValueError:
            raise ValueError(f"expected {', '.join(kinds)}") from None

    return parse


def _switch(text: str) -> bool:
    answers = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    if text.lower() not in answers:
        raise ValueError("expected true or false")
    return answers[text.lower()]


def _url_of(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in schemes:
            # the text may hold a password: it isn't shown
            raise ValueError(
                f"expected a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
            )
        return text

    return parse


def _duration_us(text: str) -> int:
    period = parse_period(text)
    if period is None or period.months:
        raise ValueError("expected an ISO 8601 duration such as PT10M or P1D")
    return period.us


def _offset_us(text: str) -> int:
    offset_us = parse_offset(text)
    if offset_us is None:
        raise ValueError("expected an offset from UTC such as +08:00")
    return Calendar(offset_us).offset_us


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ValueError("expected a number above 0")
    return int(text)


def _ratio(text: str) -> float:
    try:
        ratio = float(text)
    except ValueError:
        ratio = 0.0
    if not 0 < ratio <= 1:
        raise ValueError("expected a number above 0 and at most 1")
    return ratio


def _range_days(text: str) -> int:
    if _count(text) < 366:
        raise ValueError("expected at least 366: a year is answered in one request")
    return _count(text)


def _workers(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= SHARDS:
        raise ValueError(f"expected a number from 1 to {SHARDS}")
    return int(text)


def _count_16(text: str) -> int:
    count = _count(text)
    if count > 0xFFFF:
        raise ValueError("expected a number up to 65535")
    return count


def _level(text: str) -> str:
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("expected debug, info, warning or error")
    return text.lower()


def setting(
    name: str, parse: Callable[[str], Any], default: str | None, why: str, *, secret: bool = False
) -> Any:
    """A field that is read from CARBONMETER_`name`; `default` as it would be written, None: unset."""
    return field(
        repr=not secret,
        default_factory=lambda: None if default is None else parse(default),
        metadata={"name": name, "parse": parse, "default": default, "why": why, "secret": secret},
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, read and checked."""

    home: Path = setting(
        "HOME",
        _home,
        "~/.local/share/carbonmeter",
        "The data directory: the embedded database, metrics, the demo.",
    )
    database: str | None = setting(
        "DATABASE",
        _url_of("postgresql", "postgres"),
        None,
        "A PostgreSQL URL, with TimescaleDB or without. Unset: one embedded under the data directory.",
        secret=True,
    )
    broker: str | None = setting(
        "BROKER",
        _url_of("mqtt", "mqtts"),
        None,
        "An MQTT URL to subscribe at, mqtt://user:password@host:1883. Unset: no broker, our own endpoint alone.",
        secret=True,
    )
    mqtt: Address | None = setting(
        "MQTT",
        _address_or_off,
        "127.0.0.1:1883",
        "Where our own MQTT endpoint listens, or off. Off loopback every client signs in with an API key.",
    )
    mqtts: Address | None = setting(
        "MQTTS",
        _address_or_off,
        "off",
        "Where the endpoint listens with TLS, as 0.0.0.0:8883; it wants a certificate and its key.",
    )
    mqtts_certificate: Path | None = setting(
        "MQTTS_CERTIFICATE",
        _home,
        None,
        "PEM: the server's certificate and those up to its root. A file that changes is read again within seconds.",
    )
    mqtts_key: Path | None = setting(
        "MQTTS_KEY", _home, None, "PEM: the certificate's key, without a passphrase."
    )
    mqtts_client_ca: Path | None = setting(
        "MQTTS_CLIENT_CA",
        _home,
        None,
        "PEM: who signs the certificates of clients; revocation lists may stand in the same file.",
    )
    mqtts_client_certificates: ClientCertificates = setting(
        "MQTTS_CLIENT_CERTIFICATES",
        _one_of(ClientCertificates),
        "none",
        "Whether clients show a certificate: none, optional, required.",
    )
    mqtts_identity: Identity = setting(
        "MQTTS_IDENTITY",
        _one_of(Identity),
        "password",
        "Who a client is: password (an API key), or certificate: without a key, the gateways its certificate names.",
    )
    mqtt_ws: Address | None = setting(
        "MQTT_WS",
        _address_or_off,
        "off",
        "Where the endpoint takes MQTT over WebSockets, as 127.0.0.1:8083; TLS is up to the proxy before it.",
    )
    mqtt_proxies: tuple[IPv4Network | IPv6Network, ...] = setting(
        "MQTT_PROXIES",
        _networks,
        None,
        "Networks of load balancers that speak PROXY protocol 2: without TLS, connections come from them alone.",
    )
    hj212: Address | None = setting(
        "HJ212",
        _address_or_off,
        "off",
        "Where data loggers report by HJ 212 over TCP, as 0.0.0.0:5212; FORMATS says whose they are.",
    )
    http: Address = setting(
        "HTTP", _address, "127.0.0.1:8080", "Where the API and the dashboard listen; put TLS in front of it."
    )
    signing_keys: Path | None = setting(
        "SIGNING_KEYS",
        _home,
        None,
        "The folder of the key that signs evidence, grades and extracts. Unset: keys under the data directory.",
    )
    zone_offset_us: int = setting(
        "ZONE",
        _offset_us,
        "+08:00",
        "The local calendar of days, months and years. Fixed by the first migration: the ledger is kept in its days.",
    )
    allow_unsafe_database: bool = setting(
        "ALLOW_UNSAFE_DATABASE",
        _switch,
        "false",
        "Start on a server that could lose acknowledged readings (fsync, full_page_writes, synchronous_commit off).",
    )
    log_level: str = setting(
        "LOG_LEVEL", _level, "info", "How much the services tell: debug, info, warning, error."
    )
    ahead_us: int = setting(
        "AHEAD",
        _duration_us,
        "PT10M",
        "A reading this far ahead of the server's clock is held until its time comes.",
    )
    far_ahead_us: int = setting(
        "FAR_AHEAD", _duration_us, "PT24H", "One this far ahead on arrival is held until a person decides."
    )
    packet_bytes_max: int = setting(
        "PACKET_BYTES_MAX",
        _count,
        "1048576",
        "A larger packet at the endpoint ends its connection; HTTP answers 413.",
    )
    anonymous: bool = setting(
        "ANONYMOUS",
        _switch,
        "true",
        "Take MQTT clients without a key, who may do all; only ever while the endpoint listens on loopback.",
    )
    connections_max: int = setting(
        "CONNECTIONS_MAX",
        _count,
        "20000",
        "MQTT connections at once; each needs a file handle of the process.",
    )
    receive_maximum: int = setting(
        "RECEIVE_MAXIMUM",
        _count_16,
        "4096",
        "Messages of one MQTT client at QoS 1 and 2 that aren't acknowledged yet.",
    )
    client_rate_max: int | None = setting(
        "CLIENT_RATE_MAX",
        _count,
        None,
        "Messages a second of one MQTT connection; beyond, it isn't read for a while. Unset: no limit.",
    )
    dead_letter_ratio_max: float = setting(
        "DEAD_LETTER_RATIO_MAX",
        _ratio,
        "0.9",
        "Ingest stops where more of its last 10,000 deliveries are refused, by half of the gateways: a fault of ours.",
    )
    connections_per_key_max: int | None = setting(
        "CONNECTIONS_PER_KEY_MAX", _count, None, "MQTT connections of one API key at once. Unset: no limit."
    )
    connections_per_address_max: int | None = setting(
        "CONNECTIONS_PER_ADDRESS_MAX",
        _count,
        None,
        "MQTT connections of one address at once. Unset: no limit.",
    )
    broker_client_id: str = setting(
        "BROKER_CLIENT_ID",
        str,
        "carbonmeter-ingest",
        "The persistent session at the broker; each worker needs its own.",
    )
    broker_share_group: str | None = setting(
        "BROKER_SHARE_GROUP",
        str,
        None,
        "Subscribe as $share/GROUP/…, so that several workers share the work.",
    )
    formats: tuple[Rule, ...] = setting(
        "FORMATS",
        rules_of,
        "[]",
        "Formats beside carbon/v1 by topic, a JSON array or [[formats]] tables of the TOML file: docs/formats.md.",
    )
    late_us: int = setting(
        "LATE",
        _duration_us,
        "PT1H",
        "An interval whose readings are committed this long after its end is flagged late.",
    )
    look_ahead_us: int = setting(
        "LOOK_AHEAD",
        _duration_us,
        "PT24H",
        "How long after a doubtful register value a later one may still show it to be a lie.",
    )
    accounting_workers: int = setting(
        "ACCOUNTING_WORKERS",
        _workers,
        "1",
        "Processes that share the work of accounting by enterprises, 1 to 16; may be another at every start.",
    )
    api_connections_max: int = setting(
        "API_CONNECTIONS_MAX",
        _count,
        "8",
        "Database connections of the API: so many requests are answered at once.",
    )
    open_reads: bool = setting(
        "OPEN_READS",
        _switch,
        "false",
        "Reads of emissions answer without a key: for trying things out, while HTTP listens on loopback alone.",
    )

    row_security: RowSecurity = setting(
        "ROW_SECURITY",
        _one_of(RowSecurity),
        "preferred",
        "Whether the API reads under row-level security: required (refuse without it), preferred (warn), off.",
    )
    token_valid_us: int = setting(
        "TOKEN_VALID", _duration_us, "PT1H", "How long a token of POST /v1/oauth/token holds."
    )
    api_rate_max: int = setting(
        "API_RATE_MAX",
        _count,
        "1000",
        "Requests a second of one key, beyond which they are answered 429; a key may have its own.",
    )
    api_range_days_max: int = setting(
        "API_RANGE_DAYS_MAX", _range_days, "36600", "Days that one request may ask for; at least 366."
    )
    api_page_max: int = setting(
        "API_PAGE_MAX",
        _count,
        "10000",
        "Items in a page, at most; who asks for more gets these and a cursor.",
    )
    api_body_bytes_max: int = setting(
        "API_BODY_BYTES_MAX", _count, "67108864", "A larger body of a request is answered 413."
    )

    @property
    def metrics_folder(self) -> Path:
        return self.home / "metrics"

    @property
    def signing_keys_folder(self) -> Path:
        return self.signing_keys or self.home / "keys"

    @property
    def dead_letters(self) -> DeadLetterLimit:
        return DeadLetterLimit(self.dead_letter_ratio_max)

    @property
    def clock_rules(self) -> ClockRules:
        return ClockRules(self.ahead_us, self.far_ahead_us)

    @property
    def tls(self) -> TlsSettings | None:
        """Of the endpoint's listener; `faults` has seen that all of it is there."""
        if self.mqtts is None or self.mqtts_certificate is None or self.mqtts_key is None:
            return None
        return TlsSettings(
            self.mqtts.host,
            self.mqtts.port,
            self.mqtts_certificate,
            self.mqtts_key,
            self.mqtts_client_ca,
            self.mqtts_client_certificates,
            self.mqtts_identity,
        )

    def faults(self) -> list[str]:
        """What is wrong between settings that are right each by itself."""
        found = []
        if self.mqtts is not None:
            for name, value in (("CERTIFICATE", self.mqtts_certificate), ("KEY", self.mqtts_key)):
                if value is None:
                    found.append(f"{PREFIX}MQTTS wants {PREFIX}MQTTS_{name}")
        certificates = self.mqtts_client_certificates is not ClientCertificates.NONE
        if certificates and self.mqtts_client_ca is None:
            found.append(f"{PREFIX}MQTTS_CLIENT_CERTIFICATES wants {PREFIX}MQTTS_CLIENT_CA")
        if self.mqtts_identity is Identity.CERTIFICATE and not certificates:
            found.append(
                f"{PREFIX}MQTTS_IDENTITY: certificate wants {PREFIX}MQTTS_CLIENT_CERTIFICATES optional or required"
            )
        loggers = [rule for rule in self.formats if rule.format == "hj212"]
        if self.hj212 is not None and not loggers:
            found.append(f"{PREFIX}HJ212 wants a rule of {PREFIX}FORMATS with format hj212: docs/formats.md")
        if self.hj212 is not None and not is_loopback(self.hj212.host):
            found += [
                f"{PREFIX}FORMATS: the rule for {rule.topic} wants a password, since {PREFIX}HJ212 isn't on loopback"
                for rule in loggers
                if "password" not in rule.options
            ]
        return found

    def ingest(self, database_url: str) -> IngestSettings:
        endpoint = broker = None
        if self.mqtt is not None or self.mqtts is not None or self.mqtt_ws is not None:
            endpoint = EndpointSettings(
                host="" if self.mqtt is None else self.mqtt.host,
                port=None if self.mqtt is None else self.mqtt.port,
                tls=self.tls,
                websockets=None if self.mqtt_ws is None else (self.mqtt_ws.host, self.mqtt_ws.port),
                proxies=self.mqtt_proxies or (),
                anonymous=self.anonymous,
                receive_maximum=self.receive_maximum,
                packet_bytes_max=self.packet_bytes_max,
                connections_max=self.connections_max,
                messages_per_s_max=self.client_rate_max,
                connections_per_key_max=self.connections_per_key_max,
                connections_per_address_max=self.connections_per_address_max,
            )
        if self.broker is not None:
            broker = BrokerSettings(
                self.broker, client_id=self.broker_client_id, share_group=self.broker_share_group
            )
        hj212 = None if self.hj212 is None else Hj212Settings(self.hj212.host, self.hj212.port)
        return IngestSettings(
            database_url,
            endpoint,
            broker,
            hj212,
            self.clock_rules,
            dead_letters=self.dead_letters,
            formats=self.formats,
        )

    def accounting(self, database_url: str, place: int = 0) -> AccountingSettings:
        return AccountingSettings(
            database_url,
            late_us=self.late_us,
            look_ahead_us=self.look_ahead_us,
            workers=self.accounting_workers,
            place=place,
        )

    def api(self, database_url: str) -> ApiSettings:
        return ApiSettings(
            host=self.http.host,
            port=self.http.port,
            database=database_url,
            connections_max=self.api_connections_max,
            open_reads=self.open_reads,
            needed_services=("ingest", *worker_names(self.accounting_workers)),
            metrics_folder=str(self.metrics_folder),
            look_ahead_us=self.look_ahead_us,
            row_security=self.row_security,
            token_valid_s=max(1, self.token_valid_us // 1_000_000),
            limits=Limits(
                rate=self.api_rate_max,
                range_days=self.api_range_days_max,
                page=self.api_page_max,
                body_bytes=self.api_body_bytes_max,
            ),
        )


def described() -> list[Field[Any]]:
    """The settings with their names, defaults and reasons (`metadata`)."""
    return list(fields(Settings))


def load(environment: Mapping[str, str] | None = None, config: str | None = None) -> Settings:
    """Settings from the environment over a TOML file (or CARBONMETER_CONFIG); SettingsError tells all faults."""
    environment = os.environ if environment is None else environment
    faults: list[str] = []
    texts = _texts_of_file(config or environment.get(CONFIG) or None, faults)
    for each in described():
        variable = PREFIX + each.metadata["name"]
        if environment.get(variable, "") != "":
            texts[each.metadata["name"]] = (variable, environment[variable])
    values = {}
    for each in described():
        if each.metadata["name"] in texts:
            place, text = texts[each.metadata["name"]]
            try:
                values[each.name] = each.metadata["parse"](text)
            except FaultyDocument as error:
                faults += [
                    f"{place}{fault}" if fault.place else f"{place}: {fault}" for fault in error.faults
                ]
            except ValueError as error:
                shown = "" if each.metadata["secret"] else f" {text!r}:"
                faults.append(f"{place}:{shown} {error}")
    settings = Settings(**values)
    faults += settings.faults()
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def _texts_of_file(config: str | None, faults: list[str]) -> dict[str, tuple[str, str]]:
    """name → (place, text) of the settings in a TOML file."""
    if config is None:
        return {}
    try:
        document = tomllib.loads(Path(config).read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"{config}: {error}")
        return {}
    known = {each.metadata["name"].lower() for each in described()}
    texts = {}
    for key, value in document.items():
        if key not in known:
            faults.append(f"{config}: {key!r} is no setting; there are {', '.join(sorted(known))}")
        elif isinstance(value, bool):
            texts[key.upper()] = (f"{config}: {key}", "true" if value else "false")
        elif isinstance(value, (str, int)):
            texts[key.upper()] = (f"{config}: {key}", str(value))
        elif isinstance(value, list) and key in STRUCTURED:
            texts[key.upper()] = (f"{config}: {key}", json.dumps(value, default=str))
        else:
            faults.append(f"{config}: {key}: expected a text, a whole number, true or false")
    return texts
