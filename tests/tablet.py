"""A tablet for tests that need no browser."""

import re
from contextvars import Context

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Tablet:
    """A browser without eyes: keeps cookies, and sends the token that the last page gave it.

    Each request runs in a context of its own, as on a server; within the test's, one would see what the last left in
    `flask.g`.
    """

    def __init__(self, app):
        self.client = app.test_client()
        self.token = ""
        self.headers = dict(BROWSER)
        self.base_url = None

    def get(self, path, **options):
        return self._read(Context().run(self.client.get, path, headers=self.headers, base_url=self.base_url, **options))

    def post(self, path, address="127.0.0.1", **form):
        form = {"csrf_token": self.token} | form
        overrides = {"REMOTE_ADDR": address}
        return self._read(
            Context().run(
                self.client.post,
                path,
                data=form,
                headers=self.headers,
                base_url=self.base_url,
                environ_overrides=overrides,
            )
        )

    def sign_in(self, store="1", pin="1234", **options):
        self.get("/staff/sign-in")
        answer = self.post("/staff/sign-in", store=store, pin=pin, **options)
        if answer.status_code == 303:
            self.get("/staff")
        return answer

    def unlock(self, pin="1234"):
        self.get("/staff/locked")
        answer = self.post("/staff/locked", pin=pin)
        if answer.status_code == 303:
            self.get("/staff")
        return answer

    def hand_over(self, code, path="/staff/hand-over", **form):
        """What the page says after a code was typed."""
        answer = self.post(path, code=code, **form)
        return self.get(answer.location).text if answer.status_code == 303 else answer.text

    def _read(self, answer):
        found = re.search(r'name="csrf_token" value="([^"]+)"', answer.text)
        self.token = found[1] if found else self.token
        return answer
