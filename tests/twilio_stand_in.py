"""Twilio for tests: its Messages resource over HTTP, as its documentation has it, with failures on demand."""

import base64
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

ACCOUNT, TOKEN, SENDER = "AC" + "0" * 32, "a-token-of-the-stand-in", "+15005550006"
BAD_NUMBER = (400, {"code": 21211, "message": "The 'To' number is not a valid phone number.", "status": 400})
BUSY = (503, {"code": 20503, "message": "Service unavailable", "status": 503})


@dataclass
class Twilio:
    """The stand-in, what it was sent, and how it is to answer."""

    url: str = ""
    sent: list[dict[str, str]] = field(default_factory=list)
    refuses: tuple[int, dict[str, object]] | None = None
    """What it answers instead of taking a message."""

    def start(self) -> "Twilio":
        stand = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                status, said = stand.answer(self.path, self.headers.get("Authorization", ""), form)
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, authorization: str, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        wanted = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if authorization != wanted:
            return 401, {"code": 20003, "message": "Authenticate", "status": 401}
        if path != f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
            return 404, {"code": 20404, "message": "Not found", "status": 404}
        if missing := [name for name in ("To", "Body") if not form.get(name)]:
            return 400, {"code": 21604, "message": f"{missing[0]} is required", "status": 400}
        if self.refuses:
            return self.refuses
        self.sent.append(form)
        return 201, {"sid": f"SM{len(self.sent):032d}", "status": "queued", "error_code": None}
