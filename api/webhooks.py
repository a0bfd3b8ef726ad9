"""Webhooks: each change posted to its receivers in order, signed as Standard Webhooks describes it, until it is taken.

    webhook-id         chg_NUMBER, the same at every attempt: who has seen it has nothing more to do
    webhook-timestamp  seconds since 1970, of the attempt
    webhook-signature  v1,BASE64 of the HMAC-SHA256 of "ID.TIMESTAMP.BODY" with the webhook's secret

A change is taken once it is answered with 2xx; until then it is sent again, later and later, and what follows waits.
After the last attempt the webhook is dead: nothing is lost, and a replay goes on where it stood. How far each has come
is in the database, so that a process killed anywhere repeats a change at most, with the same id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import logging
import secrets
import ssl
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from fastapi import FastAPI

from api import asked
from api.asked import Asked
from api.changes import heard
from api.context import Context
from api.errors import Problem
from api.read_log import entries_of
from api.rows import ROWS
from api.settings import is_loopback
from domain.change import change_id
from domain.errors import CarbonmeterError, Fault, FaultyDocument
from storage import changes, keys, read_log, webhooks
from storage.database import Connection, connect
from storage.webhooks import Webhook

log = logging.getLogger(__name__)

# From one attempt to the next [s], a quarter more or less; after the last it is dead: some three days in all.
BACKOFF_S = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 86_400.0, 86_400.0)
TIMEOUT_S = 15.0
IDLE_S = 0.5
AT_ONCE = 8  # webhooks that are delivered to at the same time
PAGE = 50
SECRET_PREFIX = "whsec_"
_GONE = 410  # the receiver wants no more


def secret_text(secret: bytes) -> str:
    """The secret as receivers' libraries take it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def url_fault(url: str) -> str | None:
    """What is wrong with an address; None: nothing."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https") or not host or len(url) > 2000 or not url.isascii():
        return "must be an address that begins with https://"
    if parts.username is not None or parts.fragment:
        return "must have neither a user nor a fragment"
    if any(ord(character) <= 32 for character in url):
        return "must have no spaces"
    if parts.scheme == "http" and not is_loopback(host):
        return "must begin with https://: http is for this machine alone"
    return None


def check_url(url: str) -> str:
    fault = url_fault(url)
    if fault is not None:
        raise FaultyDocument([Fault("url", fault)])
    return url


def signature(secret: bytes, id_: str, timestamp: int, body: bytes) -> str:
    signed = f"{id_}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


class _Receiver:
    """A connection to a receiver, made when first needed and kept."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, headers: dict[str, str], body: bytes) -> int:
        """The status that it answers; OSError or HTTPException where it doesn't. Redirections aren't followed."""
        host, port = str(self._parts.hostname), self._parts.port
        if self._connection is None:
            if self._parts.scheme == "https":
                context = ssl.create_default_context()
                self._connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        path = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        try:
            self._connection.request("POST", path, body, headers)
            answer = self._connection.getresponse()
            answer.read(65_536)
            if not answer.isclosed():
                self.close()
            return answer.status
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Deliverer:
    """Delivers to all webhooks until closed; several processes may, each webhook is one's at a time."""

    def __init__(self, context: Context, backoff_s: tuple[float, ...] = BACKOFF_S) -> None:
        self._context = context
        self._database = context.settings.database
        self._backoff_s = backoff_s
        self._stop = threading.Event()
        self._busy: set[int] = set()
        self._pool = ThreadPoolExecutor(AT_ONCE, "webhook")
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End; an attempt under way is finished first."""
        self._stop.set()
        self._thread.join()
        self._pool.shutdown()

    def _run(self) -> None:
        told = ""
        while not self._stop.is_set():
            try:
                with connect(self._database, "carbonmeter webhooks", autocommit=True) as conn:
                    while not self._stop.wait(IDLE_S):
                        for id_ in webhooks.due(conn):
                            if id_ not in self._busy and len(self._busy) < AT_ONCE:
                                self._busy.add(id_)
                                self._pool.submit(self._work, id_)
                        told = ""
            except (CarbonmeterError, psycopg.Error) as error:
                if str(error) != told:
                    log.warning("webhooks wait for the database: %s", str(error).strip())
                    told = str(error)
                self._stop.wait(2.0)

    def _work(self, id_: int) -> None:
        try:
            with connect(self._database, "carbonmeter webhook", autocommit=True) as conn:
                if webhooks.take(conn, id_):
                    self._deliver(conn, id_)
        except (CarbonmeterError, psycopg.Error, Problem) as error:
            log.warning("webhook %d waits: %s", id_, str(error).strip())
        except Exception:
            log.exception("webhook %d failed", id_)
        finally:
            self._busy.discard(id_)

    def _deliver(self, conn: Connection, id_: int) -> None:
        """Post what is due for a webhook, until nothing is, or an attempt was in vain."""
        hook = webhooks.get(conn, id_)
        if hook is None or hook.state != webhooks.ACTIVE:
            return
        secret = webhooks.secret_of(conn, id_)
        key = next((each for each in keys.every(conn) if each.prefix == hook.key), None)
        if key is None or key.revoked_at is not None:
            webhooks.failed(conn, id_, f"key {hook.key} is revoked", None)
            return
        receiver = _Receiver(hook.url)
        number = hook.number
        try:
            while not self._stop.is_set():
                told = self._heard(conn, hook, key, number)
                for at, item in told.items:
                    if self._stop.is_set() or not self._sent(conn, hook, receiver, secret, item):
                        return
                    if not webhooks.advanced(conn, id_, number, at, delivered=True):
                        return
                    number = at
                if told.number > number:
                    if not webhooks.advanced(conn, id_, number, told.number, delivered=False):
                        return
                    number = told.number
                if number >= changes.newest(conn):
                    return
        finally:
            receiver.close()

    def _heard(self, conn: Connection, hook: Webhook, key: keys.Key, number: int) -> Any:
        """The next changes that its key may hear, noted in the log of reads before they leave."""
        mine = Asked(secrets.token_hex(16), "POST", f"webhook {hook.id}", key, ROWS["GET", "/v1/changes"])
        asked.begin(mine)
        with self._context.session(key) as session:
            told = heard(session, number, PAGE, hook.kinds)
        if mine.reads:
            with conn.transaction():
                read_log.append(conn, entries_of(mine, 200, self._context.clock.now_us()))
        return told

    def _sent(
        self, conn: Connection, hook: Webhook, receiver: _Receiver, secret: bytes, item: dict[str, Any]
    ) -> bool:
        """Post a change; whether it was taken. What was in vain is noted with the time of the next attempt."""
        body = json.dumps(
            {"type": item["kind"], "timestamp": item["at"], "data": item}, ensure_ascii=False
        ).encode()
        id_, timestamp = change_id(item["number"]), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "carbonmeter",
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, id_, timestamp, body),
        }
        try:
            status = receiver.post(headers, body)
        except (OSError, http.client.HTTPException) as error:
            status, text = 0, f"{type(error).__name__}: {error}"
        else:
            text = f"answered {status}"
        if 200 <= status < 300:
            return True
        current = webhooks.get(conn, hook.id)
        attempts = 0 if current is None else current.attempts
        gives_up = status == _GONE or attempts >= len(self._backoff_s)
        wait_s = None if gives_up else self._backoff_s[attempts] * (0.75 + secrets.randbelow(501) / 1000)
        webhooks.failed(conn, hook.id, f"{id_}: {text}", wait_s)
        if gives_up:
            log.error("webhook %d is dead: %s %s", hook.id, id_, text)
        return False


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Deliver as long as the application runs."""
    deliverer = Deliverer(app.state.context)
    deliverer.start()
    try:
        yield
    finally:
        deliverer.close()
