"""Endpoints of shops: real HTTP servers on loopback that keep what they get, and answer as they are told."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Heard:
    """One request, as it came."""

    number: int
    """The first has 1."""
    headers: Mapping[str, str]
    body: bytes

    @property
    def event_id(self) -> int:
        return int(self.headers["webhook-id"].removeprefix("msg_"))


Reply = tuple[int, Mapping[str, str]]
# Says what to answer; None: it has spoken for itself, on the connection that it gets.
Conduct = Callable[[Heard, socket.socket], Reply | None]

FINE: Reply = (204, {})


def obliging(_: Heard, __: socket.socket) -> Reply:
    """Takes everything."""
    return FINE


@dataclass
class Receiver:
    """An endpoint, and what has come to it."""

    conduct: Conduct = obliging
    heard: list[Heard] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    """The events that it has answered with 2xx, in the order of the answers."""
    news: threading.Condition = field(default_factory=threading.Condition)
    url: str = ""

    def wait_for(self, condition: Callable[["Receiver"], bool], seconds: float = 60) -> None:
        """Until it holds; looked at whenever something has come, or has been answered."""
        with self.news:
            assert self.news.wait_for(lambda: condition(self), seconds), (len(self.heard), len(self.taken))

    def hear(self, headers: Mapping[str, str], body: bytes) -> Heard:
        with self.news:
            heard = Heard(len(self.heard) + 1, headers, body)
            self.heard.append(heard)
            self.news.notify_all()
        return heard

    def take(self, heard: Heard) -> None:
        with self.news:
            self.taken.append(heard.event_id)
            self.news.notify_all()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        heard = self.receiver.hear({name.lower(): value for name, value in self.headers.items()}, body)
        reply = self.receiver.conduct(heard, self.connection)
        self.close_connection = True
        if reply is None:
            return
        status, headers = reply
        # Before the answer: whoever reads it may already look.
        if status // 100 == 2:
            self.receiver.take(heard)
        self.send_response(status)
        for name, value in {"Content-Length": "0", "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Who asked has gone away, as it is meant to."""


@contextmanager
def receiving(conduct: Conduct = obliging) -> Iterator[Receiver]:
    """An endpoint, while this is entered."""
    receiver = Receiver(conduct)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"receiver": receiver}))
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks?from=pickup"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
