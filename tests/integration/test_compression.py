"""What goes over the line is small, and what streams is not held back."""

import brotli
import pytest

from tests.tablet import BROWSER


@pytest.mark.parametrize("path", ["/docs", "/v1/openapi.json", "/static/pages.css"])
def test_what_is_large_comes_compressed(app, path):
    client = app.test_client()
    plain = client.get(path, headers=BROWSER)
    small = client.get(path, headers=BROWSER | {"Accept-Encoding": "br"})
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "br"
    assert brotli.decompress(small.data) == plain.data
    assert len(small.data) < len(plain.data) / 2
    assert "Accept-Encoding" in small.headers["Vary"]


def test_what_is_small_comes_as_it_is(app):
    answer = app.test_client().get("/healthz", headers={"Accept-Encoding": "gzip, br, zstd"})
    assert "Content-Encoding" not in answer.headers
