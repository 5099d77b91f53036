"""A TCP proxy before a real server, which cuts, delays, or answers in its place."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

_SAYS = b'{"error":{"type":"circuit_breaking_exception","reason":"the proxy says so"},"status":429}'
BUSY = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nX-Elastic-Product: Elasticsearch\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(_SAYS)
) + _SAYS


class Proxy:
    """Passes bytes on in both directions, unless it is told otherwise.

    Attributes:
        cut_after: how many more bytes of requests are passed on before a connection is cut; None for all.
        hold: whether requests are taken and never passed on.
        busy: how many more connections are answered with 429.
        on_request: called with each piece of a request.
        rewrite: makes of each piece what is passed on.
    """

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self._target = (target.hostname, target.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cut_after: int | None = None
        self.hold = False
        self.busy = 0
        self.cuts = 0
        self.on_request: Callable[[bytes], None] = lambda _piece: None
        self.rewrite: Callable[[bytes], bytes] = lambda piece: piece
        self._open: set[socket.socket] = set()
        self._closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Cuts every connection that is open."""
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        try:
            while piece := client.recv(1 << 16):
                self.on_request(piece)
                piece = self.rewrite(piece)
                if self.busy > 0:
                    self.busy -= 1
                    client.sendall(BUSY)
                    break
                if self.hold:
                    continue
                if server is None:
                    server = socket.create_connection(self._target)
                    self._open.add(server)
                    threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
                if self.cut_after is not None and len(piece) > self.cut_after:
                    server.sendall(piece[: self.cut_after])
                    self.cut_after = None
                    self.cuts += 1
                    break
                if self.cut_after is not None:
                    self.cut_after -= len(piece)
                server.sendall(piece)
        except OSError:
            pass
        finally:
            self._end(client, server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while piece := server.recv(1 << 16):
                client.sendall(piece)
        self._end(client, server)

    def _end(self, *ends: socket.socket | None) -> None:
        for each in ends:
            if each is not None:
                self._open.discard(each)
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
