"""Where the API listens."""

from __future__ import annotations

import socket

from api.run import _listen


def test_accepted_connections_send_small_answers_at_once() -> None:
    """With Nagle's algorithm each answer to a connection that is kept waited 40 ms: seen at POST /v1/readings."""
    (listener,) = _listen("127.0.0.1", 0)
    with listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
