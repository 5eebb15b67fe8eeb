"""What must never be posted to: no connection is made, whatever a URL looks like and a name means."""

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pickup.core.clock import utcnow
from pickup.core.posting import post
from pickup.core.public_addresses import URL_LENGTH_MAX, Refused, is_public, place_of, refusal_of, target_of

PUBLIC_4, PUBLIC_6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"

# Each by itself, as a literal in the URL and as what a name resolves to.
INSIDE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1"),
    *("172.31.255.255", "192.168.0.1", "192.168.255.255", "100.64.0.1", "100.127.255.255", "100.100.100.200"),
    *("169.254.0.1", "169.254.169.254", "169.254.170.2", "192.0.0.192", "168.63.129.16", "192.0.2.1"),
    *("198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "192.88.99.1", "224.0.0.1", "239.255.255.255"),
    *("240.0.0.1", "255.255.255.255"),
    *("::1", "::", "::127.0.0.1", "::10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:10.0.0.1"),
    *("fe80::1", "fe80::1%lo", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "100::1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.1.2.3", "64:ff9b:1::7f00:1", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::1", "2001::1", "2001:0:7f00:1::", "2001:2::1"),
    *("2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1", "5f00::1", "4000::1"),
]
THIS_MACHINE = ("127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1")  # of the last one some Pythons know it
# What stands in a URL and is no address as RFC 3986 writes them, no name, or not for us.
ODD = [
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0x7f.0.0.0x1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://10.1/",
    "https://127.0.0.1./",
    "https://127.0.0.1../",
    "https://0/",
    "https://0x/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://①②⑦.0.0.1/",
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:7f00:1]/",
    "https://[fe80::1%25lo]/",
    "https://[::1/",
    "https://[v1.a]/",
    "https://::1/",
    "https://shop.example@127.0.0.1/",
    "https://127.0.0.1@shop.example/",
    "https://user:word@shop.example/",
    "https://shop.example/#part",
    "https://shop.example/#",
    "https://shop.example/a b",
    "https://shop.example\\@127.0.0.1/",
    "https://shop.example\t.evil.example/",
    "https://shop.example/\r\nHost: 127.0.0.1",
    "https:///hook",
    "https://./",
    "https://-shop.example/",
    "https://shop..example/",
    "https://" + "a" * 64 + ".example/",
    "https://shop.example:8443/",
    "https://shop.example:22/",
    "https://shop.example:99999/",
    "https://shop.example:abc/",
    "https://shop.example/" + "a" * 2000,
    "https://shop.example/\x00",
    "https://shop.example/é",
    "http://shop.example/",
    "http://127.0.0.1/",
    "HTTP://LOCALHOST/",
    "ftp://shop.example/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "unix:///run/redis.sock",
    "//127.0.0.1/",
    "shop.example",
    "",
]
LOCAL_NAMES = ["localhost", "LOCALHOST", "localhost.", "ip6-localhost", "ⓛocalhost", "a.localhost", "A.LOCALHOST."]
INSIDE_NAMES = ["intranet", "db", "printer.local", "metadata.google.internal", "Wiki.Internal.", "nas.home.arpa"]

_watched: list[list] = []


def _watch(event, arguments):
    """No socket of this process connects unseen, nor anywhere but to this machine."""
    if event == "socket.connect" and _watched:
        address = arguments[1]
        _watched[-1].append(address[:2])
        if not ip_address(address[0]).is_loopback:
            raise ConnectionRefusedError("tests stay on this machine")


sys.addaudithook(_watch)


@pytest.fixture
def connected() -> Iterator[list]:
    """Where sockets have tried to connect to."""
    _watched.append([])
    yield _watched[-1]
    _watched.pop()


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    """Listens on loopback, where nobody may come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()


def meaning(*addresses):
    """A resolver to which each name means these."""
    return lambda host, port: addresses


def attempt(url, *, loopback=False, **options):
    return post(url, {}, b"{}", loopback=loopback, **options)


def literal(address):
    return f"https://[{address}]/" if ":" in address else f"https://{address}/"


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_of_the_inside_is_connected_to(address, connected):
    assert not is_public(ip_address(address))
    answers = [
        attempt(literal(address)),
        attempt("https://shop.example/hook", resolve=meaning(address)),
        attempt("https://shop.example/hook", resolve=meaning(PUBLIC_4, address)),
        attempt("https://shop.example/hook", resolve=meaning(PUBLIC_6, address, PUBLIC_4)),
    ]

    assert {each.status for each in answers} == {None}
    assert all(each.error for each in answers)
    assert connected == []


@pytest.mark.parametrize("url", ODD)
def test_no_odd_url_is_connected_to(url, connected):
    looked_up = []

    answer = attempt(url, resolve=lambda host, port: looked_up.append(host) or ["127.0.0.1"])

    assert (answer.status, bool(answer.error), connected, looked_up) == (None, True, [], [])


@pytest.mark.parametrize("name", [*LOCAL_NAMES, *INSIDE_NAMES, "LocalHost.LocalDomain"])
def test_no_name_of_the_inside_is_connected_to(name, connected, trap):
    assert attempt(f"https://{name}/").error
    assert connected == []


@pytest.mark.parametrize("name", [*LOCAL_NAMES, *INSIDE_NAMES])
def test_a_name_that_can_only_be_inside_is_refused_without_a_look_up(name):
    assert refusal_of(f"https://{name}/", loopback=False) == "leads to an address that is not public"
    with pytest.raises(Refused, match="not public"):
        target_of(f"https://{name}/", loopback=False, resolve=meaning(PUBLIC_4))


@pytest.mark.parametrize("name", INSIDE_NAMES)
def test_and_on_a_machine_for_development_too(name):
    assert refusal_of(f"https://{name}/", loopback=True) == "leads to an address that is not public"
    assert place_of("http://localhost:9000/", loopback=True).port == 9000
    assert place_of("http://shop.localhost/", loopback=True).port == 80


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://shop.example/", "must begin with https://"),
        ("shop.example", "must begin with https://"),
        ("https://user@shop.example/", "must not have a user or a password"),
        ("https://shop.example/#part", "must not have a fragment"),
        ("https://shop.example:8443/", "must be on port 443"),
        ("https://shop.example:0/", "must be on port 443"),
        ("https://shop.example:99999/", "is not a URL"),
        ("https://shop.example/a b", "has characters that no URL has"),
        ("https://shop.example/é", "has letters behind its host that must be written as %XX"),
        ("https://shop.example/?é", "has letters behind its host that must be written as %XX"),
        ("https:///hooks", "names no host, or one that cannot be"),
        ("https://0x7f.1/", "names no host, or one that cannot be"),
        ("https://10.0.0.1/", "leads to an address that is not public"),
        ("https://[fd00::1]/", "leads to an address that is not public"),
        ("https://shop.example/" + "a" * URL_LENGTH_MAX, "is longer than 2000 characters"),
    ],
    ids=lambda each: each[:40],
)
def test_early_and_late_it_is_refused_in_the_same_words(url, words):
    assert refusal_of(url, loopback=False) == words
    assert attempt(url, resolve=meaning(PUBLIC_4)).error == f"not sent: the URL {words}"


def test_what_is_public_is_public():
    for address in (PUBLIC_4, PUBLIC_6, "1.1.1.1", "172.32.0.1", "100.128.0.1", "2a00::1", "64:ff9b::5db8:d70e"):
        assert is_public(ip_address(address)), address


def test_the_connection_is_made_to_the_address_that_was_judged(connected):
    asked = []

    def rebinding(host, port):
        asked.append(host)
        return [PUBLIC_4] if len(asked) == 1 else ["127.0.0.1"]

    assert attempt("https://shop.example/hook", resolve=rebinding).error == "nobody listens there"
    assert (asked, connected) == (["shop.example"], [(PUBLIC_4, 443)])


def test_a_name_that_turns_to_the_inside_later_is_refused_later(connected):
    turns = iter([[PUBLIC_4], ["10.0.0.1"], ["127.0.0.1"], ["169.254.169.254"]])
    for _ in range(4):
        attempt("https://shop.example/hook", resolve=lambda host, port: next(turns))

    assert connected == [(PUBLIC_4, 443)]


def test_other_addresses_are_tried_where_the_first_is_not_there_but_not_hundreds(connected):
    attempt("https://shop.example/", resolve=meaning(PUBLIC_6, PUBLIC_4, "1.1.1.1", "8.8.8.8"))

    assert [address for address, _ in connected] == [PUBLIC_6, PUBLIC_4, "1.1.1.1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
def test_nobody_is_followed(status, trap, connected):
    port = trap.getsockname()[1]
    with answering(f"HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n") as at:
        answer = attempt(f"http://127.0.0.1:{at}/", loopback=True)

    assert (answer.status, answer.error) == (status, f"answered {status}")
    assert connected == [("127.0.0.1", at)]


def test_no_proxy_is_asked(monkeypatch, trap, connected):
    proxy = f"http://127.0.0.1:{trap.getsockname()[1]}"
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    with answering("HTTP/1.1 204 Fine\r\n\r\n") as at:
        assert attempt(f"http://127.0.0.1:{at}/", loopback=True).status == 204
    attempt("https://shop.example/", resolve=meaning(PUBLIC_4))

    assert connected == [("127.0.0.1", at), (PUBLIC_4, 443)]


@pytest.mark.parametrize("address", [each for each in INSIDE if each not in THIS_MACHINE])
def test_the_setting_for_development_opens_this_machine_and_nothing_else(address, connected):
    assert attempt(literal(address), loopback=True).error
    assert attempt("http://shop.example:8000/", loopback=True, resolve=meaning("127.0.0.1", address)).error
    assert connected == []


@pytest.mark.parametrize(
    ("url", "host", "authority"),
    [
        ("https://Shop.Example/Hook?a=1", "shop.example", "shop.example"),
        ("https://shop.example.:443", "shop.example", "shop.example"),
        ("https://bücher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://straße.example/", "xn--strae-oqa.example", "xn--strae-oqa.example"),
        ("https://my_shop.example/", "my_shop.example", "my_shop.example"),
        (f"https://[{PUBLIC_6}]/", PUBLIC_6, f"[{PUBLIC_6}]"),
        (f"https://{PUBLIC_4}/", PUBLIC_4, PUBLIC_4),
    ],
)
def test_good_urls_are_understood(url, host, authority):
    place = target_of(url, loopback=False, resolve=meaning(PUBLIC_4)).place

    assert (place.host, place.authority, place.port) == (host, authority, 443)
    assert place.path.startswith("/")
    assert refusal_of(url, loopback=False) is None


def test_a_name_that_nobody_knows_is_refused():
    def unknown(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    for resolve in (unknown, meaning()):
        with pytest.raises(Refused, match="resolved"):
            target_of("https://shop.example/", loopback=False, resolve=resolve)


def test_the_certificate_has_to_be_for_the_name_and_not_for_the_address(tmp_path):
    tls, believed = certificate_for("shop.example", tmp_path)
    with answering("HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n", tls=tls) as at:
        for name, status in (("shop.example", 200), ("other.example", None), ("127.0.0.1", None)):
            answer = attempt(f"https://{name}:{at}/", loopback=True, tls=believed, resolve=meaning("127.0.0.1"))
            assert answer.status == status, answer
        assert attempt(f"https://shop.example:{at}/", loopback=True, resolve=meaning("127.0.0.1")).error.startswith(
            "the certificate is not valid"
        )
        assert "shop.example" in tls.names
        assert believed.check_hostname


@contextmanager
def answering(answer, *, tls=None):
    """A server on loopback that says this to everybody; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    with tls.wrap_socket(connection, server_side=True) if tls else connection as served:
                        served.recv(65536)
                        served.sendall(answer.encode())
                        served.recv(65536)
                except OSError:
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def certificate_for(name, folder):
    """What a server with a certificate for the name needs, and a client that believes its issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utcnow() - timedelta(days=1))
        .not_valid_after(utcnow() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, private)
    server.names = []
    server.sni_callback = lambda _socket, asked, context: server.names.append(asked)
    return server, ssl.create_default_context(cafile=chain)
