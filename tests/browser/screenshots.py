"""What a page looked like when it was checked, as pictures for people."""

import re

from playwright.sync_api import Page

from pickup.config import ROOT

FOLDER = ROOT / "var" / "screenshots"


def shoot(page: Page, name: str) -> None:
    """Keep a picture of the whole page: `var/screenshots/<name>-<width>x<height>.png`.

    Args:
        name: of the page and its state; a picture of the same name and size is written over.
    """
    size = page.viewport_size or {"width": 0, "height": 0}
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = re.sub(r"[^\w.]+", "-", name).strip("-")
    page.screenshot(path=FOLDER / f"{file}-{size['width']}x{size['height']}.png", full_page=True)
