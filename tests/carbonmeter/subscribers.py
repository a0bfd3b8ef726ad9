"""Subscribers of the feed as processes of their own, which a test kills: what they have heard is in their files.

    python -m tests.carbonmeter.subscribers webhook PORT FILE SECRET
    python -m tests.carbonmeter.subscribers stream URL KEY FILE

A line a change: its id and its data. The line is on disk before the webhook is answered; the stream is taken up behind
the last line.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any


def _keep(path: Path, id_: str, data: Any) -> None:
    with path.open("a") as file:
        file.write(json.dumps([id_, data], sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())


def lines(path: Path) -> list[tuple[str, Any]]:
    """What a subscriber has heard; a line that was cut off in writing isn't one."""
    if not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0]
    return [(id_, data) for id_, data in map(json.loads, whole.splitlines())]


def webhook(port: int, path: Path, secret: bytes) -> None:
    """Take what is posted, as a receiver of Standard Webhooks does."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            id_, timestamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
            made = hmac.digest(secret, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256)
            good = self.headers["webhook-signature"] == "v1," + base64.b64encode(made).decode()
            if good and abs(time.time() - int(timestamp)) < 300:
                _keep(path, id_, json.loads(body)["data"])
            self.send_response(200 if good else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def stream(url: str, key: str, path: Path) -> None:
    """Follow the stream for ever, each time behind the last change that was kept."""
    while True:
        heard = lines(path)
        last = heard[-1][1]["number"] if heard else 0
        headers = {"Authorization": f"Bearer {key}", "Last-Event-ID": str(last)}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
                for raw in answer:
                    name, _, value = raw.decode().rstrip("\n").partition(": ")
                    if name == "data":
                        data = json.loads(value)
                        _keep(path, data["id"], data)
        except OSError:
            pass
        except Exception as error:  # an answer that was cut off in the middle
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        time.sleep(0.1)


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    if kind == "webhook":
        webhook(int(rest[0]), Path(rest[1]), base64.b64decode(rest[2].removeprefix("whsec_")))
    else:
        stream(rest[0], rest[1], Path(rest[2]))
