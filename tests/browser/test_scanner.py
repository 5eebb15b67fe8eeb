"""Barcodes: from a scanner that types, wherever the focus is, and from the camera where the browser can read them."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.test_picking_page import GTIN, picture, place, store  # noqa: F401
from tests.browser.test_staff_page import card, section, sign_in

# A browser that reads barcodes, and a camera before which stands what the test puts there.
CAMERA = """
  window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code", "ean_13"]; }
    async detect() { return window.before_the_camera ? [{ rawValue: window.before_the_camera }] : []; }
  };
  const stream = () => document.createElement("canvas").captureStream();
  Object.defineProperty(navigator, "mediaDevices", { value: { getUserMedia: async () => stream() } });
"""


def scan(page: Page, text: str) -> None:
    """What a scanner does: it types, and ends with Enter."""
    expect(page.locator(".bar")).to_be_visible()
    page.wait_for_load_state()  # with the script that listens
    page.evaluate(
        """(text) => {
          const target = document.activeElement ?? document.body;
          for (const key of [...text, "Enter"]) {
            const pressed = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
            if (target.dispatchEvent(pressed) && key.length === 1 && target.matches("input")) target.value += key;
          }
        }""",
        text,
    )


def begin_picking(page: Page, order) -> None:
    card(page, order).get_by_role("button", name="Start picking").click()
    card(page, order).get_by_role("link", name="Pick list").click()


def blur(page: Page) -> None:
    page.evaluate("document.activeElement.blur()")


@pytest.mark.parametrize("has_focus", [True, False])
def test_a_code_on_the_board_is_handed_over(page, world, place, has_focus):  # noqa: F811
    order = place(status="ready")
    sign_in(page)
    if not has_focus:
        blur(page)

    scan(page, order.pickup_code)

    expect(page.get_by_role("heading", name="Hand out now")).to_be_visible()
    assert world.order(order.id).status == "collected"


def test_a_code_from_another_page(page, world, place):  # noqa: F811
    order, other = place(status="ready"), place()
    sign_in(page)
    page.goto(f"/staff/orders/{other.id}")
    scan(page, order.pickup_code)

    expect(page.get_by_role("heading", name="Hand out now")).to_be_visible()
    assert world.order(order.id).status == "collected"


def test_the_page_of_a_customer_is_as_good_as_its_code(page, world, place):  # noqa: F811
    order = place(status="ready")
    sign_in(page)
    scan(page, f"https://pickup.example.com/p/{order.page_token}")

    expect(page.get_by_role("heading", name="Hand out now")).to_be_visible()


@pytest.mark.parametrize("scanned", [GTIN, "0" + GTIN])
def test_goods_on_the_board_show_whose_they_are(page, place, scanned):  # noqa: F811
    order, other = place(), place({"B": 1})
    sign_in(page)
    expect(page.get_by_label("Pickup code")).to_be_focused()

    scan(page, scanned)

    expect(page.locator(".toast")).to_have_text(f"One order here has it: {order.number}.")
    expect(card(page, order)).to_be_focused()
    expect(page.locator(".scanned")).to_have_count(1)
    expect(page.get_by_label("Pickup code")).to_have_value("")
    expect(card(page, other)).to_be_visible()
    assert_accessible(page)


def test_the_number_on_a_slip_opens_its_order(page, place):  # noqa: F811
    order = place()
    sign_in(page)
    blur(page)
    scan(page, str(order.number))

    expect(page.get_by_role("heading", name=f"Order {order.number}")).to_be_visible()


def test_what_is_nothing_is_said(page, place):  # noqa: F811
    place()
    sign_in(page)
    blur(page)
    scan(page, "4006381333931")

    expect(page.locator(".toast")).to_have_text("Nothing here has the code 4006381333931.")


def test_the_field_to_search_in_keeps_what_is_scanned(page, place):  # noqa: F811
    order = place(status="ready")
    sign_in(page)
    page.get_by_label("Find an order").focus()
    page.keyboard.type(order.pickup_code)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name=f"Order {order.number}")).to_be_visible()
    expect(page.get_by_role("button", name="Hand over")).to_be_visible()


def test_on_the_pick_list_a_scan_is_a_unit(page, world, place):  # noqa: F811
    order = place({"A": 2, "B": 1})
    sign_in(page)
    begin_picking(page, order)
    said = page.locator("#said")

    for words in ("Fluid Milk White Only, 1 ga: 1 of 2.", "Fluid Milk White Only, 1 ga: 2 of 2."):
        scan(page, GTIN)
        expect(said).to_have_text(words)
    scan(page, GTIN)
    expect(said).to_have_text("Too many: Fluid Milk White Only, 1 ga is complete, 2 of 2.")
    expect(said).to_have_class("said wrong")
    assert_accessible(page)
    picture(page, "round-too-many")
    scan(page, "4006381333931")
    expect(said).to_have_text("Wrong item: 4006381333931 is not in this round.")
    page.get_by_label("Where does the bag stand?").focus()
    scan(page, "SHELF-7")
    expect(section(page, "Ready").get_by_role("article")).to_have_count(0)
    assert world.order(order.id).lines[0].picked == 2


def test_several_scans_at_once_are_counted_one_after_the_other(page, world, place):  # noqa: F811
    order = place({"A": 5})
    sign_in(page)
    begin_picking(page, order)
    for _ in range(5):
        scan(page, GTIN)

    expect(page.locator(".progress")).to_have_text("5 of 5 counted")
    assert world.order(order.id).lines[0].picked == 5


def test_a_customer_who_comes_while_somebody_picks(page, world, place):  # noqa: F811
    ready, order = place(status="ready"), place()
    sign_in(page)
    begin_picking(page, order)
    scan(page, ready.pickup_code)

    expect(page.get_by_role("heading", name="Hand out now")).to_be_visible()
    assert world.order(ready.id).status == "collected"


@pytest.mark.parametrize("size", [(768, 1024), (1024, 768), (390, 844)])
def test_the_camera(open_page, world, place, size):  # noqa: F811
    order = place(status="ready")
    page = open_page(viewport={"width": size[0], "height": size[1]})
    page.add_init_script(CAMERA)
    sign_in(page)
    page.get_by_role("button", name="Scan with the camera").click()
    expect(page.get_by_role("dialog", name="Camera")).to_be_visible()
    assert_accessible(page)
    picture(page, "camera")
    page.evaluate("(code) => { window.before_the_camera = code; }", order.pickup_code)

    expect(page.get_by_role("heading", name="Hand out now")).to_be_visible()
    assert world.order(order.id).status == "collected"


def test_what_stays_before_the_camera_is_counted_once(page, world, place):  # noqa: F811
    order = place({"A": 3})
    page.add_init_script(CAMERA)
    sign_in(page)
    begin_picking(page, order)
    page.get_by_role("button", name="Scan with the camera").click()
    page.evaluate("(code) => { window.before_the_camera = code; }", GTIN)
    expect(page.locator("#said")).to_have_text("Fluid Milk White Only, 1 ga: 1 of 3.")
    page.get_by_role("button", name="Close the camera").click()

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert world.order(order.id).lines[0].picked == 1


def test_without_a_reader_there_is_no_button(page, place):  # noqa: F811
    place()
    page.add_init_script("delete window.BarcodeDetector")
    sign_in(page)

    expect(page.get_by_role("button", name="Scan with the camera")).to_be_hidden()
