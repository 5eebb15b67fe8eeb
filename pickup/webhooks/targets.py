"""Where a webhook may be sent, as far as its address says so by itself. Pure.

What a name resolves to is looked at each time something is sent: see `guard.py`.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

URL_MAX_LENGTH = 2000
HTTPS_PORT = 443


def problem_of(url: str, *, allows_loopback: bool) -> str | None:
    """What is wrong with the address of an endpoint, as a fragment; None where nothing is.

    Args:
        allows_loopback: for development: http, this machine, and other ports than https's are fine, too.
    """
    if len(url) > URL_MAX_LENGTH:
        return f"is longer than {URL_MAX_LENGTH} characters"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "has characters that no address has: write them as %XX, and names in other scripts as xn--"
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        return "is not an address"
    if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not allows_loopback):
        return "must begin with https://"
    if "@" in parts.netloc:
        return "must not have a user or a password"
    if "#" in url:
        return "must not have a fragment"
    return _place_problem((parts.hostname or "").rstrip("."), port, allows_loopback)


def _place_problem(host: str, port: int | None, allows_loopback: bool) -> str | None:
    if not host:
        return "names no host"
    is_here = _is_loopback(host)
    if is_here and not allows_loopback:
        return "leads to the server itself"
    if not is_here and not _may_be_public(host):
        return "leads to an address that is not public"
    if port not in (None, HTTPS_PORT) and not allows_loopback:
        return f"must be on port {HTTPS_PORT}"
    return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def _may_be_public(host: str) -> bool:
    address = _address(host)
    # A name of one word is one of the own network, and so is a number: 2130706433 is 127.0.0.1.
    return ("." in host and not host.rpartition(".")[2].isdigit()) if address is None else address.is_global


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
