"""Stands between us and PostgreSQL, and cuts the connection at the word it was told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit


class Proxy:
    """A Unix socket in `folder` in front of the server of `url`."""

    def __init__(self, url: str, folder: Path) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        self._server = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
        self.url = f"postgresql://{parts.username}@{parts.path}?host={quote(str(folder), safe='')}&port=5432"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen(64)
        self._sockets: list[socket.socket] = []
        self._word: bytes | None = None
        self._is_passed_on = True
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, word: bytes, *, passed_on: bool) -> None:
        """Cut once a client says `word`; the server gets to hear it or not, the client hears nothing more."""
        self._is_passed_on = passed_on
        self._word = word

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._sockets += [client, server]
                threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, from_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                word = self._word
                if from_client and word is not None and word in data:
                    self._word = None
                    self.cuts += 1
                    source.shutdown(socket.SHUT_RDWR)
                    if self._is_passed_on:
                        target.sendall(data)
                    break
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR if from_client else socket.SHUT_RDWR)


@contextlib.contextmanager
def proxied(url: str, folder: Path) -> Iterator[Proxy]:
    proxy = Proxy(url, folder)
    try:
        yield proxy
    finally:
        proxy.close()
