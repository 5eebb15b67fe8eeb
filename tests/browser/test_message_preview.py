"""The development pages that show every message."""

import threading
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from werkzeug.serving import make_server

from pickup.app import create_app
from pickup.core.languages import LANGUAGES
from pickup.dev import message_views, views
from pickup.notifications.writing import PARTS
from tests.browser.screenshots import shoot

TELEPHONE, SCREEN = {"width": 390, "height": 844}, {"width": 700, "height": 900}


@pytest.fixture
def address(services) -> Iterator[str]:
    """A development machine."""
    app = create_app(services)
    app.register_blueprint(views.blueprint)
    app.register_blueprint(message_views.blueprint)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    app.extensions["order_waiters"].stop()


def test_from_the_list_to_a_message_in_another_language(open_page, address):
    page = open_page(base_url=address)
    page.goto("/dev/messages")
    expect(page.get_by_role("link")).to_have_count(len(PARTS) * len(LANGUAGES))
    page.get_by_role("link", name="en ready", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order 1000042 is ready: your code is K4T-9WF-2RM")
    expect(page.get_by_role("heading", name="As an SMS")).to_be_visible()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Your order is ready")).to_be_visible()
    expect(frame.get_by_alt_text("The same code as a QR code")).to_be_visible()
    shoot(page, "dev-message-ready")

    page.get_by_role("link", name="Español").click()
    page.get_by_role("link", name="long").click()
    expect(frame.get_by_role("heading", name="Su pedido está listo")).to_be_visible()
    assert page.goto("/dev/messages/en/nothing").status == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [TELEPHONE, SCREEN], ids=["telephone", "screen"])
def test_mails_can_be_read_everywhere(open_page, address, size, scheme):
    page = open_page(base_url=address, viewport=size, color_scheme=scheme)
    for number, kind in enumerate(PARTS):
        language = list(LANGUAGES)[number % len(LANGUAGES)]
        # Not in its sandbox, where nothing could be measured.
        page.set_content(page.request.get(f"/dev/messages/{language}/{kind}/html?variety=long").text())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), kind
        shoot(page, f"mail-{kind}-{language}-{scheme}")
        # The pages of a mail program stand around it: only what can be read is ours.
        found = Axe().run(page, options={"runOnly": ["color-contrast", "image-alt", "link-name", "html-has-lang"]})
        assert found.violations_count == 0, f"{kind}: {found.generate_report()}"
