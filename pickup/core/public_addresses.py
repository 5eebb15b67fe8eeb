"""Where something may be sent that strangers have told us: to addresses that everybody can reach, never to the inside.

Whoever may name a URL could otherwise let us ask what only we can reach: the database, the metadata of a cloud, the
router (SSRF). So a name is resolved once, each of its addresses is judged, and the connection is made to a judged
address and not to the name: a name that means something else a moment later (rebinding) changes nothing.
`refusal_of` says early, without a look-up, what can be seen from the URL alone.
"""

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

import idna

DEFAULT_PORTS = {"https": 443, "http": 80}
URL_LENGTH_MAX = 2000
# A name may have hundreds of addresses; who cannot be reached at three is not there.
ADDRESSES_MAX = 3
NAME_LENGTH_MAX = 253
NO_HOST = "names no host, or one that cannot be"
NOT_PUBLIC = "leads to an address that is not public"

Address = IPv4Address | IPv6Address
# The addresses of a name, for a port; raises OSError when there are none.
Resolve = Callable[[str, int], Iterable[str]]

# IANA's registry of special-purpose addresses, multicast, and what clouds use for themselves.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # between a carrier and its customers; metadata of Alibaba Cloud
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a public number, and on Azure the host's own services
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols; metadata of Oracle Cloud
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
)
# Everything else is loopback, local, multicast, mapped, translated or not given out.
_GLOBAL_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(each)
    for each in (
        "2001::/23",  # protocols: Teredo, benchmarking, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address within
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# A network without IPv4 gets such addresses from its resolver (RFC 6052); the last 32 bits are the IPv4 address.
_NAT64 = IPv6Network("64:ff9b::/96")

# Names that no public resolver knows (RFC 6761, 6762, 8375, and ICANN's decision on `internal`).
_INSIDE = (".localhost", ".local", ".internal", ".home.arpa")

_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f\\]")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
# RFC 3986 knows one way to write an IPv4 address; the C library knows many (`0x7f.1`, `2130706433`, `0177.0.0.1`).
_LOOKS_LIKE_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class Refused(Exception):
    """Nothing is sent there; the message says why, as what the URL is or has, and nothing about the inside."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL points to, as far as it says so itself."""

    scheme: str
    host: str
    """The name, or the address, as the certificate has it."""
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """A place whose addresses have been judged."""

    place: Place
    addresses: tuple[str, ...]


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine resolves it.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def refusal_of(url: str, *, loopback: bool) -> str | None:
    """Why nothing can ever be sent to a URL, as far as it says so itself; None: something may be.

    To be said as `url: …` to whoever names it. What its name leads to is looked at each time something is sent.
    """
    try:
        place_of(url, loopback=loopback)
    except Refused as refusal:
        return str(refusal)
    return None


def target_of(url: str, *, loopback: bool, resolve: Resolve = look_up) -> Target:
    """Where to connect to for a URL.

    Args:
        loopback: see `place_of`.
        resolve: asked once, for the name.

    Raises:
        Refused: nothing may be sent there.
    """
    place = place_of(url, loopback=loopback)
    literal = _address(place.host)
    addresses = [literal] if literal else _resolved(place, resolve)
    for each in addresses:
        _judge(each, loopback)
    return Target(place, tuple(map(str, addresses[:ADDRESSES_MAX])))


def place_of(url: str, *, loopback: bool) -> Place:
    """Read a URL, and look nothing up.

    Args:
        loopback: for development: `http`, other ports and this machine will do as well.

    Raises:
        Refused: nothing may be sent there, whatever its name means.
    """
    parts, port = _parts(url)
    if parts.scheme not in (("https", "http") if loopback else ("https",)):
        raise Refused("must begin with https://")
    if "@" in parts.netloc:
        raise Refused("must not have a user or a password")
    if "#" in url:
        raise Refused("must not have a fragment")
    if port is None:
        port = DEFAULT_PORTS[parts.scheme]
    if port != DEFAULT_PORTS["https"] and not loopback:
        raise Refused(f"must be on port {DEFAULT_PORTS['https']}")
    host = _host(parts.hostname or "")
    address = _address(host)
    if address:
        _judge(address, loopback)
    elif _is_inside(host) and not (loopback and _is_this_machine(host)):
        raise Refused(NOT_PUBLIC)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme, host, port, path)


def is_public(address: Address) -> bool:
    """Whether it is one of the addresses that are given out to be reached by everybody."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GLOBAL_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _judge(address: Address, loopback: bool) -> None:
    if not is_public(address) and not (loopback and address.is_loopback):
        raise Refused(NOT_PUBLIC)


def _is_inside(name: str) -> bool:
    """A name of one word is one of the own network, too."""
    return "." not in name or name.endswith(_INSIDE)


def _is_this_machine(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost")


def _parts(url: str) -> tuple[SplitResult, int | None]:
    if len(url) > URL_LENGTH_MAX:
        raise Refused(f"is longer than {URL_LENGTH_MAX} characters")
    if _NOT_IN_A_URL.search(url):
        raise Refused("has characters that no URL has")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("is not a URL") from None
    if not (parts.path + parts.query).isascii():
        raise Refused("has letters behind its host that must be written as %XX")
    if ("[" in parts.netloc) != (":" in (parts.hostname or "")):
        raise Refused(NO_HOST)
    return parts, port


def _host(written: str) -> str:
    """As it is looked up: lower case, ASCII (IDNA), without the dot at the end."""
    host = written
    if ":" not in written:
        if not written.isascii():
            try:
                host = idna.encode(written, uts46=True).decode()
            except (idna.IDNAError, UnicodeError):
                raise Refused(NO_HOST) from None
        host = host.lower().removesuffix(".")
        if len(host) > NAME_LENGTH_MAX or not _NAME.fullmatch(host):
            raise Refused(NO_HOST)
    if ":" in host or _LOOKS_LIKE_A_NUMBER.fullmatch(host):
        address = _address(host)
        if address is None:
            raise Refused(NO_HOST)
        return str(address)
    return host


def _address(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _resolved(place: Place, resolve: Resolve) -> list[Address]:
    try:
        found = [ip_address(each) for each in resolve(place.host, place.port)]
    except (OSError, UnicodeError, ValueError):
        found = []
    if not found:
        raise Refused("has a name that cannot be resolved")
    return found
