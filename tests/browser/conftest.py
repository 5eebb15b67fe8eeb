"""A real browser. Whatever it complains about (errors in scripts, breaches of the content policy) fails the test."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
TABLET = {"width": 768, "height": 1024}

# For a machine with two cores on which other tests run; whoever sees what they wait for waits no longer.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not os.access(CHROMIUM, os.X_OK):
        pytest.skip(f"no browser: there is no {CHROMIUM}, and $CHROMIUM names none")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, live_server: str) -> Iterator[OpenPage]:
    """Opens pages, each in a browser of its own that knows nothing yet."""
    contexts, complaints = [], []

    def listen(message: ConsoleMessage) -> None:
        # An answer of 403 or 404 is a line in the console, too, and is what the test asked for.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def make(**options: Any) -> Page:
        context = browser.new_context(
            # A service worker stands in for a server that is slow, too: only tests of that want one.
            **{"base_url": live_server, "viewport": TABLET, "reduced_motion": "reduce", "service_workers": "block"}
            | options
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A page on a tablet."""
    return open_page()
