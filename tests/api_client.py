"""A client of the HTTP API, as a shop would have one."""

import uuid
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse


@dataclass(frozen=True)
class ApiClient:
    """Speaks JSON with a key."""

    app: Flask
    key: str

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.app.test_client().get(path, query_string=query or None, headers=self._headers())

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.app.test_client().post(path, json={} if body is None else body, headers=self._headers() | headers)

    def put(self, path: str, body: Any) -> TestResponse:
        return self.app.test_client().put(path, json=body, headers=self._headers())

    def delete(self, path: str) -> TestResponse:
        return self.app.test_client().delete(path, headers=self._headers())

    def send(self, method: str, path: str, raw: bytes, **headers: str) -> TestResponse:
        all_headers = self._headers() | {"Content-Type": "application/json"} | headers
        return self.app.test_client().open(path, method=method, data=raw, headers=all_headers)

    def order(self, body: dict[str, Any], *, key: str | None = None, wait: int = 0) -> TestResponse:
        headers = {"Idempotency-Key": key or str(uuid.uuid4())} | ({"Prefer": f"wait={wait}"} if wait else {})
        return self.post("/v1/orders", body, **headers)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}
