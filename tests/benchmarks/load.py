"""A load client that costs little: one process, plain sockets that stay open, requests made beforehand.

Closed loop: so many clients, each sends its next order when it has the answer to the last one. Open loop: orders arrive
when they arrive, whatever the answers take, and their latency counts from the moment they were due.
"""

import random
import selectors
import socket
import time
import uuid
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.benchmarks.figures import percentile

ANSWER_SECONDS_MAX = 60.0
OPEN_CONNECTIONS_MAX = 400
# Which process of a web server gets a connection is chance, and it keeps it. New ones now and then even that out.
REQUESTS_PER_CONNECTION = 50
SENT_AGAIN_MAX = 3


@dataclass(frozen=True)
class Result:
    """What one run of load was answered."""

    seconds: float
    codes: Counter[int]
    latencies: list[float]
    cpu_seconds: float

    @property
    def taken(self) -> int:
        """Answers with 201."""
        return self.codes[201]

    @property
    def rate(self) -> float:
        """Answers with 201 a second."""
        return self.taken / self.seconds

    def milliseconds(self, part: float) -> float:
        """What this part of all answers took at most."""
        return 1000 * percentile(self.latencies, part)


def fire(port: int, path: str, bodies: Sequence[bytes], *, clients: int, key: str = "", wait: int = 0) -> Result:
    """Send all bodies by so many clients; returns when every answer is there."""
    return _Run(port, [_request(path, body, key, wait) for body in bodies], None, clients).drive()


def fire_at_rate(port: int, path: str, bodies: Sequence[bytes], *, rate: float, key: str = "", wait: int = 0) -> Result:
    """Send the bodies as customers come: independently of each other, so many a second on average."""
    chance, due, at = random.Random(2), [], 0.0
    for _ in bodies:
        at += chance.expovariate(rate)
        due.append(at)
    return _Run(port, [_request(path, body, key, wait) for body in bodies], due, OPEN_CONNECTIONS_MAX).drive()


def _request(path: str, body: bytes, key: str, wait: int) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Authorization: Bearer {key}",
        f"Idempotency-Key: {uuid.uuid4()}",
        *([f"Prefer: wait={wait}"] if wait else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(eq=False)
class _Connection:
    """A connection with at most one request on its way."""

    socket: socket.socket
    number: int = -1
    since: float = 0.0
    requests: int = 0
    text: bytearray = field(default_factory=bytearray)

    def send(self, request: bytes) -> None:
        self.requests += 1
        self.text.clear()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status, once the whole answer is there."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError("closed by the server")
        self.text += data
        head, found, rest = self.text.partition(b"\r\n\r\n")
        if not found:
            return None
        _, _, length = head.lower().partition(b"\r\ncontent-length:")
        return int(head[9:12]) if len(rest) >= int(length.split(b"\r\n", 1)[0]) else None


class _Run:
    """All requests of one run, and the connections that carry them."""

    def __init__(self, port: int, requests: Sequence[bytes], due: Sequence[float] | None, connections_max: int) -> None:
        self._port, self._requests, self._due = port, requests, due
        self._free = connections_max
        self._idle: list[_Connection] = []
        self._selector = selectors.DefaultSelector()
        self._todo = deque(range(len(requests)))
        self._sent_again: Counter[int] = Counter()
        self._codes: Counter[int] = Counter()
        self._latencies: list[float] = []
        self._started = 0.0

    def drive(self) -> Result:
        """Until every answer is there."""
        cpu, self._started = time.process_time(), time.perf_counter()
        while len(self._latencies) < len(self._requests):
            self._send_due()
            for ready, _ in self._selector.select(self._pause()):
                self._read(ready.data)
        seconds = time.perf_counter() - self._started
        cpu = time.process_time() - cpu
        for connection in self._idle:
            connection.socket.close()
        self._selector.close()
        return Result(seconds, self._codes, self._latencies, cpu)

    def _now(self) -> float:
        return time.perf_counter() - self._started

    def _due_at(self, number: int) -> float:
        return 0.0 if self._due is None else self._due[number]

    def _can_send(self) -> bool:
        return bool(self._todo) and bool(self._idle or self._free)

    def _pause(self) -> float:
        if not self._can_send():
            return ANSWER_SECONDS_MAX
        return max(0.0, self._due_at(self._todo[0]) - self._now())

    def _send_due(self) -> None:
        while self._can_send() and (due_at := self._due_at(self._todo[0])) <= (now := self._now()):
            self._send(self._todo.popleft(), now if self._due is None else due_at)

    def _send(self, number: int, since: float) -> None:
        connection = self._idle.pop() if self._idle else self._connect()
        connection.number, connection.since = number, since
        try:
            connection.send(self._requests[number])
        except ConnectionError:
            self._again(connection)
        else:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def _connect(self) -> _Connection:
        self._free -= 1
        opened = socket.create_connection(("127.0.0.1", self._port), timeout=ANSWER_SECONDS_MAX)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Connection(opened)

    def _read(self, connection: _Connection) -> None:
        try:
            status = connection.receive()
        except ConnectionError:
            self._selector.unregister(connection.socket)
            self._again(connection)
            return
        if status is None:
            return
        self._selector.unregister(connection.socket)
        self._latencies.append(self._now() - connection.since)
        self._codes[status] += 1
        if connection.requests < REQUESTS_PER_CONNECTION:
            self._idle.append(connection)
        else:
            self._drop(connection)

    def _again(self, connection: _Connection) -> None:
        """The server had closed a connection that was idle: the same request, with the same key, on another one."""
        self._drop(connection)
        while self._idle:  # those that have been idle as long will be closed, too
            self._drop(self._idle.pop())
        number = connection.number
        self._sent_again[number] += 1
        if self._sent_again[number] > SENT_AGAIN_MAX:
            raise RuntimeError("the server closes every connection")
        self._send(number, connection.since)

    def _drop(self, connection: _Connection) -> None:
        connection.socket.close()
        self._free += 1
