"""What a webhook may be sent to: an address that everybody can reach, and never anything of the inside.

Whoever may enter an endpoint could otherwise let us ask what only we can reach: the database, the metadata of a cloud,
the router (SSRF). So a name is resolved once, each of its addresses is judged, and the connection is made to a judged
address and not to the name: a name that means something else a moment later (rebinding) changes nothing.
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

_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f\\]")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
# RFC 3986 knows one way to write an IPv4 address; the C library knows many (`0x7f.1`, `2130706433`, `0177.0.0.1`).
_LOOKS_LIKE_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class Refused(Exception):
    """Nothing is sent there; the message says why, and nothing about the inside."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address book entry that has been judged."""

    scheme: str
    host: str
    """The name, or the address, as the certificate has it."""
    port: int
    path: str
    addresses: tuple[str, ...]

    @property
    def authority(self) -> str:
        """The header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine resolves it.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def target_of(url: str, *, loopback: bool, resolve: Resolve = look_up) -> Target:
    """Where to connect to for a URL.

    Args:
        loopback: for development: `http`, other ports and addresses of this machine will do as well.
        resolve: asked once, for the name.

    Raises:
        Refused: nothing may be sent there.
    """
    parts, port = _parts(url)
    if parts.scheme not in (("https", "http") if loopback else ("https",)):
        raise Refused("the URL must begin with https://")
    if port is None:
        port = DEFAULT_PORTS[parts.scheme]
    if port != DEFAULT_PORTS["https"] and not loopback:
        raise Refused("the port must be 443")
    host = _host(parts.hostname or "")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    addresses = _addresses(host, port, resolve)
    if not all(is_public(each) or (loopback and each.is_loopback) for each in addresses):
        raise Refused("the name leads to an address that is not public")
    return Target(parts.scheme, host, port, path, tuple(map(str, addresses[:ADDRESSES_MAX])))


def is_public(address: Address) -> bool:
    """Whether it is one of the addresses that are given out to be reached by everybody."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GLOBAL_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _parts(url: str) -> tuple[SplitResult, int | None]:
    if len(url) > URL_LENGTH_MAX or _NOT_IN_A_URL.search(url) or not url.partition("?")[2].isascii():
        raise Refused("that is not a URL")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("that is not a URL") from None
    if ("[" in parts.netloc) != (":" in (parts.hostname or "")):
        raise Refused("that is no address")
    if "@" in parts.netloc or not parts.path.isascii():
        raise Refused("the URL has a user in it, or letters that must be written as %XX")
    return parts, port


def _host(written: str) -> str:
    """As it is looked up: lower case, ASCII, without the dot at the end."""
    host = written
    if ":" not in written:
        if not written.isascii():
            try:
                host = idna.encode(written, uts46=True).decode()
            except (idna.IDNAError, UnicodeError):
                raise Refused("there is no such name") from None
        host = host.lower().removesuffix(".")
        if len(host) > 253 or not _NAME.fullmatch(host):
            raise Refused("there is no such name")
    if ":" in host or _LOOKS_LIKE_A_NUMBER.fullmatch(host):
        try:
            return str(ip_address(host))
        except ValueError:
            raise Refused("that is no address") from None
    return host


def _addresses(host: str, port: int, resolve: Resolve) -> list[Address]:
    try:
        return [ip_address(host)]
    except ValueError:
        pass
    try:
        found = [ip_address(each) for each in resolve(host, port)]
    except (OSError, UnicodeError, ValueError):
        found = []
    if not found:
        raise Refused("the name cannot be resolved")
    return found
