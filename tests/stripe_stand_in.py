"""Stripe for tests: `localstripe` as a process of its own, behind a proxy of ours.

The proxy adds what localstripe lacks and Stripe has (kept answers by idempotency key, amounts that can be captured,
guards by the intent's state, search), and fails on demand.
"""

import json
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

KEY = "sk_test_of_the_stand_in"
CARD = {"type": "card", "card[exp_month]": "12", "card[exp_year]": "2030", "card[cvc]": "123"}
PLAIN, NEEDS_CONFIRMATION, DECLINED = "4242424242424242", "4000002500003155", "4000000000000341"

# What is asked for, by method and path.
OPERATIONS = (
    ("create", re.compile(r"POST /v1/payment_intents")),
    ("capture", re.compile(r"POST /v1/payment_intents/(\w+)/capture")),
    ("cancel", re.compile(r"POST /v1/payment_intents/(\w+)/cancel")),
    ("refund", re.compile(r"POST /v1/refunds")),
    ("refunds", re.compile(r"GET /v1/refunds")),
    ("search", re.compile(r"GET /v1/payment_intents/search")),
    ("list", re.compile(r"GET /v1/payment_intents")),
    ("look", re.compile(r"GET /v1/payment_intents/(\w+)")),
)
CANCELLABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")
CANNED = {
    "500": (500, b'{"error": {"type": "api_error", "message": "Something went wrong"}}'),
    "429": (429, b'{"error": {"type": "invalid_request_error", "code": "rate_limit"}}'),
    "401": (401, b'{"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}'),
    "403": (403, b'{"error": {"type": "invalid_request_error", "message": "Not for this key"}}'),
    "garbage": (200, b"<html>Welcome to the hotel's network</html>"),
    "nonsense": (200, b'["nothing", "of", "that"]'),
    "502": (502, b"Bad gateway"),
}
Answer = tuple[int, bytes]
# localstripe keeps its books here, whatever it is told; with `--from-scratch` it only writes them.
BOOKS_LEFT_BEHIND = Path("/tmp/localstripe.pickle")


@dataclass
class Stand:
    """The stand-in, and what it was told to do."""

    url: str = ""
    behind: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)
    """Of the next calls: the operation and one of `CANNED`, `reset`, `slow`, or after its effect `lost`, `kept_500`."""
    asked: list[str] = field(default_factory=list)
    search_is_behind: bool = False
    refunds_not_shown: int = 0
    """Minor units of the latest refunds that a charge does not show yet."""
    slow_seconds: float = 1.5
    kept: dict[str, tuple[str, Answer | None]] = field(default_factory=dict)
    captured: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        self.faults.clear()
        self.asked.clear()
        self.kept.clear()
        self.captured.clear()
        self.search_is_behind = False
        self.refunds_not_shown = 0
        self.ask("DELETE", "/_config/data")

    def fail(self, operation: str, fault: str, times: int = 1) -> None:
        self.faults += [(operation, fault)] * times

    def means_of_payment(self, number: str = PLAIN) -> str:
        return str(self.json("POST", "/v1/payment_methods", CARD | {"card[number]": number})["id"])

    def intents(self) -> list[dict[str, Any]]:
        """Every intent that Stripe has, the newest first."""
        query = {"limit": "100000", "expand[0]": "data.latest_charge"}
        found = self.json("GET", f"/v1/payment_intents?{urlencode(query)}")["data"]
        return sorted((self.completed(each) for each in found), key=lambda each: -each["created"])

    def intent(self, name: str) -> dict[str, Any]:
        return self.completed(self.json("GET", f"/v1/payment_intents/{name}?expand[0]=latest_charge"))

    def confirm(self, intent: dict[str, Any], *, well: bool = True) -> None:
        """What the customer does at their bank."""
        body = {"client_secret": intent["client_secret"], "success": str(well).lower()}
        self.json("POST", f"/v1/payment_intents/{intent['id']}/_authenticate", body)

    def completed(self, intent: dict[str, Any]) -> dict[str, Any]:
        """An intent with what localstripe leaves out, or has as Stripe had it before 2025-03-31."""
        charge = intent["latest_charge"]
        taken = self.captured.get(intent["id"], 0)
        intent["amount_received"] = taken
        intent["amount_capturable"] = intent["amount"] if intent["status"] == "requires_capture" else 0
        if charge:
            charge["amount_captured"] = taken
            if taken:
                charge["amount_refunded"] -= charge["amount"] - taken + self.refunds_not_shown
        return intent

    def json(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        status, answer = self.ask(method, path, urlencode(body or {}).encode())
        assert status < 400, (path, answer)
        return json.loads(answer)

    def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Ask localstripe itself."""
        connection = HTTPConnection("127.0.0.1", self.behind, timeout=10)
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found


def refused(code: str | None, message: str, status: int = 400) -> Answer:
    error = {"type": "invalid_request_error", "code": code, "message": message}
    return status, json.dumps({"error": error}).encode()


class Proxy(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    stand: Stand

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation, name = self._operation()
        with self.stand.lock:
            self.stand.asked.append(operation)
            fault = next((each[1] for each in self.stand.faults if each[0] == operation), None)
            if fault:
                self.stand.faults.remove((operation, fault))
        if fault == "slow":
            time.sleep(self.stand.slow_seconds)
        if fault == "reset":
            self._hang_up()
        elif fault in CANNED:
            self._say(*CANNED[fault])
        else:
            answer, is_repeated = self._once(operation, name, body, breaks=fault == "kept_500")
            if fault == "lost":
                self._hang_up()
            else:
                self._say(*answer, is_repeated=is_repeated)

    def _operation(self) -> tuple[str, str]:
        asked = f"{self.command} {urlsplit(self.path).path}"
        for operation, pattern in OPERATIONS:
            if match := pattern.fullmatch(asked):
                return operation, "".join(match.groups())
        return "other", ""

    def _once(self, operation: str, name: str, body: bytes, *, breaks: bool) -> tuple[Answer, bool]:
        """Stripe keeps the first answer to a key, unless it did not begin with the work."""
        key, request = self.headers.get("Idempotency-Key", ""), f"{self.path} {body.decode()}"
        if self.command != "POST" or not key:
            return self._do(operation, name, body), False
        with self.stand.lock:
            before = self.stand.kept.get(key)
            if before is None:
                self.stand.kept[key] = (request, None)
        if before:
            if before[0] != request:
                return (400, b'{"error": {"type": "idempotency_error", "message": "other parameters"}}'), False
            return (before[1], True) if before[1] else (refused("idempotency_key_in_use", "wait", 409), False)
        answer = self._do(operation, name, body)
        if breaks:
            answer = CANNED["500"]
        with self.stand.lock:
            if answer[0] in (400, 404):
                del self.stand.kept[key]
            else:
                self.stand.kept[key] = (request, answer)
        return answer, False

    def _do(self, operation: str, name: str, body: bytes) -> Answer:
        if name and self.stand.ask("GET", f"/v1/payment_intents/{name}")[0] >= 400:
            return refused("resource_missing", "No such intent", 404)
        special = getattr(self, f"_{operation}", None)
        status, answer = special(name, dict(parse_qsl(body.decode()))) if special else self._pass_on(body)
        if status == 402:
            answer = self._as_card_error(json.loads(answer))
        elif status < 400 and json.loads(answer).get("object") == "payment_intent":
            answer = json.dumps(self.stand.completed(json.loads(answer))).encode()
        return status, answer

    def _pass_on(self, body: bytes) -> Answer:
        return self.stand.ask(self.command, self.path, body)

    def _as_card_error(self, answer: dict[str, Any]) -> bytes:
        charge = self.stand.json("GET", f"/v1/charges/{answer['error']['charge']}")
        intent = self.stand.intent(charge["payment_intent"])
        added = {"type": "card_error", "decline_code": "insufficient_funds", "payment_intent": intent}
        return json.dumps({"error": answer["error"] | added}).encode()

    def _capture(self, name: str, wanted: dict[str, str]) -> Answer:
        intent = self.stand.intent(name)
        amount = int(wanted["amount_to_capture"])
        if intent["status"] != "requires_capture":
            return refused("payment_intent_unexpected_state", f"This intent is {intent['status']}")
        if amount > intent["amount_capturable"]:
            return refused("amount_too_large", "more than can be captured")
        status, answer = self._pass_on(urlencode(wanted).encode())
        if status < 400:
            self.stand.captured[name] = amount
        return status, answer

    def _cancel(self, name: str, wanted: dict[str, str]) -> Answer:
        intent = self.stand.intent(name)
        if intent["status"] not in CANCELLABLE:
            return refused("payment_intent_unexpected_state", f"This intent is {intent['status']}")
        return self._pass_on(urlencode(wanted).encode())

    def _refund(self, name: str, wanted: dict[str, str]) -> Answer:
        intent = self.stand.intent(wanted["payment_intent"])
        left = intent["amount_received"] - intent["latest_charge"]["amount_refunded"]
        if int(wanted["amount"]) > left:
            return refused("charge_already_refunded" if not left else None, "more than is left")
        return self._pass_on(urlencode(wanted).encode())

    def _refunds(self, name: str, wanted: dict[str, str]) -> Answer:
        status, answer = self._pass_on(b"")
        found = json.loads(answer)
        # What was held beyond a capture is a refund to localstripe.
        found["data"] = [each for each in found["data"] if each.get("metadata")]
        return status, json.dumps(found).encode()

    def _search(self, name: str, wanted: dict[str, str]) -> Answer:
        query = parse_qs(urlsplit(self.path).query)["query"][0]
        match = re.fullmatch(r"metadata\['(\w+)'\]:'([^']*)'", query)
        if match is None:
            return refused(None, "no such query")
        found = [] if self.stand.search_is_behind else self.stand.intents()
        data = [each for each in found if each["metadata"].get(match[1]) == match[2]]
        return 200, json.dumps({"object": "search_result", "data": data, "has_more": False}).encode()

    def _list(self, name: str, wanted: dict[str, str]) -> Answer:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        first, end = int(query["created[gte]"]), int(query["created[lt]"])
        data = [each for each in self.stand.intents() if first <= each["created"] < end]
        if "starting_after" in query:
            data = data[[each["id"] for each in data].index(query["starting_after"]) + 1 :]
        limit = int(query["limit"])
        shown = {"object": "list", "url": "/v1/payment_intents", "data": data[:limit], "has_more": len(data) > limit}
        return 200, json.dumps(shown).encode()

    def _say(self, status: int, body: bytes, *, is_repeated: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", "req_of_the_stand_in")
        if is_repeated:
            self.send_header("Idempotent-Replayed", "true")
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        # A reset, not an end: with nothing lingering the kernel says RST.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """A client that has stopped waiting is no error."""

    def handle_error(self, *args: Any) -> None:
        pass


def is_installed() -> bool:
    return find_spec("localstripe") is not None


@contextmanager
def stand_in() -> Iterator[Stand]:
    """Start both, on free ports."""
    stand = Stand()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        stand.behind = probe.getsockname()[1]
    command = [sys.executable, "-m", "localstripe", "--from-scratch", "--port", str(stand.behind)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = Server(("127.0.0.1", 0), type("ProxyOfThis", (Proxy,), {"stand": stand}))
    stand.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        _await(stand, process)
        yield stand
    finally:
        server.shutdown()
        server.server_close()
        process.terminate()
        process.wait()
        with suppress(OSError):
            BOOKS_LEFT_BEHIND.unlink()  # its next run may be that of another user, who could not write over them


def _await(stand: Stand, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            stand.reset()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.05)
