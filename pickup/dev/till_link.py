"""A till's way to the server: HTTP with what the standard library has."""

import json
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

PATIENCE_SECONDS = 10.0


class CutOff(Exception):
    """No answer, or none for now: to be tried again."""


class Refused(Exception):
    """The server does not want what it was sent.

    Args:
        fields: the JSON pointers that the answer names.
    """

    def __init__(self, status: int, detail: str, fields: Sequence[str]) -> None:
        super().__init__(detail)
        self.status, self.detail, self.fields = status, detail, fields


class Link:
    """The way to the server. Whoever wants to see a till without network cuts it."""

    def __init__(self, url: str, key: str) -> None:
        self._address, self._key = urlsplit(url), key
        self.is_cut = False

    def ask(self, method: str, path: str, body: Any = None, **query: str | int | None) -> Any:
        """The answer to a request, None where it has no body.

        Raises:
            CutOff: no network, or a server that is down or busy.
            Refused: any other answer than 2xx.
        """
        given = {name: value for name, value in query.items() if value is not None}
        target = self._address.path.rstrip("/") + path + (f"?{urlencode(given)}" if given else "")
        try:
            if self.is_cut:
                raise ConnectionError("the link is cut")
            status, text = self._send(method, target, None if body is None else json.dumps(body))
        except (OSError, HTTPException) as error:
            raise CutOff(str(error)) from error
        if status >= 500 or status == 429:
            raise CutOff(f"the server answers {status}")
        if status >= 400:
            raise _refusal(status, text)
        return json.loads(text) if text else None

    def _send(self, method: str, target: str, body: str | None) -> tuple[int, bytes]:
        kind = HTTPSConnection if self._address.scheme == "https" else HTTPConnection
        connection = kind(self._address.netloc, timeout=PATIENCE_SECONDS)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _refusal(status: int, text: bytes) -> Refused:
    try:
        problem = json.loads(text)
        return Refused(status, str(problem["detail"]), [error["pointer"] for error in problem.get("errors", [])])
    except (ValueError, TypeError, KeyError):
        return Refused(status, f"the server answers {status}", [])
