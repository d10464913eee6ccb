"""An HTTP proxy that breaks connections when it is told to: what a network does to a store on an object server.

    with FaultyProxy(server) as proxy:
        proxy.plan = reset_at(5, "after")     # the fifth request is handled, and its answer never arrives
        ... clients talk to proxy.endpoint ...
        proxy.requests                        # all that came, in order

A connection is broken with RST, at once, not by an orderly end.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, cast
from urllib.parse import urlsplit

When = Literal["before", "after", "within"]
"""Reset before the server sees the request, after it has handled it, or in the middle of its answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the proxy saw it."""

    number: int
    """From 1, over all connections, in order of arrival."""
    method: str
    path: str


Plan = Callable[[Request], When | None]


def no_fault(request: Request) -> When | None:
    """Let everything through."""
    return None


def reset_at(number: int, when: When, *, times: int = 1) -> Plan:
    """Break the connection at the n-th request, and at the next ones where `times` says so."""
    return lambda request: when if number <= request.number < number + times else None


class FaultyProxy:
    """Stands between clients and an HTTP server on this machine. A context manager."""

    def __init__(self, server: str, *, one_at_a_time: bool = False, without_header: str = "") -> None:
        """`server` is a URL such as `http://127.0.0.1:5000`; `without_header` never reaches it.

        With `one_at_a_time` the server gets a request when it has answered the one before: a server for tests may look
        first and write then, between which another request fits, and a real object server may not.
        """
        parts = urlsplit(server)
        self.server = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.without_header = without_header.lower()
        self.plan: Plan = no_fault
        self.requests: list[Request] = []
        self.turn: threading.Lock | contextlib.nullcontext[None] = (
            threading.Lock() if one_at_a_time else contextlib.nullcontext()
        )
        self._counting = threading.Lock()
        self._listener = _Listener(("127.0.0.1", 0), _Connection)
        self._listener.proxy = self

    @property
    def endpoint(self) -> str:
        """Where clients find the proxy."""
        return f"http://127.0.0.1:{self._listener.server_address[1]}"

    def forget(self) -> None:
        """Count from 1 again."""
        with self._counting:
            self.requests = []

    def saw(self, method: str, path: str) -> Request:
        """Enter a request in the list."""
        with self._counting:
            request = Request(len(self.requests) + 1, method, path)
            self.requests.append(request)
            return request

    def __enter__(self) -> FaultyProxy:
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown()
        self._listener.server_close()


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    proxy: FaultyProxy


class _Connection(socketserver.StreamRequestHandler):
    """One client's connection: requests one after the other, each over a connection of its own to the server."""

    def handle(self) -> None:
        proxy = cast(_Listener, self.server).proxy
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while (asked := _read_request(self.rfile, proxy.without_header)) is not None:
                head, body, method, path = asked
                when = proxy.plan(proxy.saw(method, path))
                if when == "before":
                    return self._reset()
                with proxy.turn:
                    answer = _ask(proxy.server, head + body, method)
                if when == "after":
                    return self._reset()
                if when == "within":
                    self.connection.sendall(answer[: max(1, len(answer) // 2)])
                    return self._reset()
                self.connection.sendall(answer)
        except (ConnectionError, TimeoutError):
            return (
                self._reset()
            )  # the client is gone, which is no fault of the proxy, or the server is: the client hears of it
        return None

    def _reset(self) -> None:
        self.connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        )
        self.connection.close()

    def finish(self) -> None:
        with contextlib.suppress(OSError):  # after a reset there is nothing left to flush to
            super().finish()


def _read_request(stream: io.BufferedIOBase, without_header: str) -> tuple[bytes, bytes, str, str] | None:
    """Head, body, method and path of the next request; None where the client says no more."""
    first = stream.readline()
    if not first:
        return None
    method, path, _ = first.decode("latin-1").split(" ", 2)
    lines, length = [first], 0
    while (line := stream.readline()) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "content-length":
            length = int(value)
        if name.lower() == "transfer-encoding":
            raise ConnectionError("requests in chunks are not understood here")
        if name.lower() not in ("connection", without_header):
            lines.append(line)
    lines.append(b"Connection: close\r\n\r\n")
    body = stream.read(length)
    return b"".join(lines), body, method, path


def _ask(server: tuple[str, int], request: bytes, method: str) -> bytes:
    """The server's whole answer, as the client gets it: with its length, over a connection that stays open."""
    with socket.create_connection(server, timeout=60) as upstream:
        upstream.sendall(request)
        response = http.client.HTTPResponse(upstream, method=method)
        response.begin()
        body = response.read()
        lines = [f"HTTP/1.1 {response.status} {response.reason}"]
        lines += [
            f"{name}: {value}"
            for name, value in response.getheaders()
            if name.lower() not in ("connection", "transfer-encoding", "content-length")
        ]
        length = response.getheader("content-length") if method == "HEAD" else str(len(body))
        if length is not None and response.status not in (204, 304):
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
