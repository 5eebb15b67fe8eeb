"""One POST to a URL that strangers have told us: one connection, to a judged address, and what came of it. Pure."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from pickup.core.public_addresses import Place, Refused, Resolve, Target, look_up, target_of

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
ANSWER_BYTES_MAX = 64 * 1024
GONE = 410
USER_AGENT = "pickup"

# What may go wrong on the way to an answer: the network, TLS, and what is not HTTP.
_TROUBLE = (OSError, http.client.HTTPException, HTTPError, ValueError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said; without a status nothing that could be understood."""

    status: int | None
    error: str | None = None
    """In words, for whoever reads a log; None: it went well."""
    retry_after: str | None = None


def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    loopback: bool,
    total_seconds: float = TOTAL_SECONDS,
    resolve: Resolve = look_up,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """POST a body. Nobody is followed: a redirect is an answer like any other that is not 2xx.

    Args:
        headers: with its type.
        loopback: see `public_addresses.place_of`.
        total_seconds: after these the connection is cut, whatever comes over it.
        tls: whose certificates are believed, if not `public_tls`.
    """
    deadline = time.monotonic() + total_seconds
    try:
        target = target_of(url, loopback=loopback, resolve=resolve)
        connection = _connected(target, deadline, tls)
    except Refused as refusal:
        return Answer(None, f"not sent: the URL {refusal}")
    except _TROUBLE as error:
        return Answer(None, _words(error, deadline))
    sock = connection.sock
    watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, [sock])
    watchdog.daemon = True
    watchdog.start()
    try:
        return _ask(connection, target.place, headers, body, deadline)
    except _TROUBLE as error:
        return Answer(None, _words(error, deadline))
    finally:
        watchdog.cancel()
        connection.close()


def _connected(target: Target, deadline: float, tls: ssl.SSLContext | None) -> HTTPConnection:
    """A connection to the first of the addresses that is there, with its handshake done.

    It is made to the address itself. No proxy is asked, whatever the environment says.
    """
    trouble: Exception = TimeoutError()
    for address in target.addresses:
        seconds = min(CONNECT_SECONDS, deadline - time.monotonic())
        if seconds <= 0:
            break
        connection = _connection(target.place, address, seconds, tls)
        try:
            connection.connect()
        except (OSError, HTTPError) as error:
            connection.close()
            trouble = error
        else:
            return connection
    raise trouble


def _connection(place: Place, address: str, seconds: float, tls: ssl.SSLContext | None) -> HTTPConnection:
    if place.scheme == "http":
        return HTTPConnection(address, place.port, timeout=seconds)
    return HTTPSConnection(
        address, place.port, timeout=seconds, ssl_context=tls or public_tls(), server_hostname=place.host
    )


def _ask(connection: HTTPConnection, place: Place, headers: Mapping[str, str], body: bytes, deadline: float) -> Answer:
    # Of the socket: it begins anew with each byte. The watchdog looks at the whole.
    connection.timeout = TOTAL_SECONDS
    about = {"Host": place.authority, "User-Agent": USER_AGENT}
    connection.request(
        "POST",
        place.path,
        body=body,
        headers={**about, **headers, "Connection": "close"},
        preload_content=False,
        decode_content=False,
        enforce_content_length=False,
    )
    response = connection.getresponse()
    if time.monotonic() >= deadline:
        # Cut off in the midst of its headers, it looks as if they had ended.
        raise TimeoutError
    # The status is the answer. The rest is taken, some of it, so that nobody's program breaks on writing it.
    with suppress(*_TROUBLE):
        response.read(ANSWER_BYTES_MAX)
    if 200 <= response.status < 300:
        return Answer(response.status)
    return Answer(response.status, f"answered {response.status}", response.headers.get("Retry-After"))


def _cut(sock: socket.socket) -> None:
    """End a connection from another thread: whoever reads from it wakes up."""
    with suppress(OSError):
        # Not that of SSLSocket: it takes the TLS away under the hands of who reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


@cache
def public_tls() -> ssl.SSLContext:
    """Whom everybody believes: the system's authorities, and those of Mozilla.

    Made once, and best before there are threads: to read all the certificates takes longer than an attempt.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _words(error: Exception, deadline: float) -> str:
    """What went wrong, for people: no addresses."""
    found = error.__cause__ or error
    if time.monotonic() >= deadline or isinstance(found, TimeoutError):
        return "no answer in time"
    if isinstance(found, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {found.verify_message}"
    if isinstance(found, ssl.SSLError):
        return "TLS failed"
    if isinstance(found, ConnectionRefusedError):
        return "nobody listens there"
    return "the connection failed" if isinstance(found, OSError | HTTPError) else "that was no answer in HTTP"
