"""What of WCAG 2.2 AA a script can see: all that axe knows, and what it does not: targets of 44 px, reflow."""

import os
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

from tests.browser.screenshots import shoot

# https://www.deque.com/axe/core-documentation/api-documentation/#axe-core-tags
AXE_OPTIONS = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}

# Every entry names a breach; an empty list is what a test wants.
BREACHES = """() => {
  const breaches = [];
  const shown = (element) => element.checkVisibility() && !element.closest(".visually-hidden, .skip");
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const [r, g, b, alpha = 1] = parse(getComputedStyle(each).backgroundColor);
      if (alpha === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const contrast = (element) => {
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(ground(element))].sort();
    return (b + 0.05) / (a + 0.05);
  };
  const describe = (element) => element.outerHTML.slice(0, 100);

  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => breaches.push(`id twice: ${id}`));
  for (const name of ["aria-labelledby", "aria-describedby", "for", "form"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      const missing = element.getAttribute(name).split(" ").filter((id) => !document.getElementById(id));
      if (missing.length) breaches.push(`${name} leads nowhere: ${missing}`);
    }
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!field.labels.length) breaches.push(`no label: ${describe(field)}`);
  }
  for (const control of document.querySelectorAll("button, a, summary")) {
    if (!control.textContent.trim()) breaches.push(`no name: ${describe(control)}`);
  }
  const titles = [...document.querySelectorAll("h1")].filter((element) => element.checkVisibility());
  if (titles.length !== 1) breaches.push("not one h1");
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) breaches.push(`heading skips a level: ${describe(heading)}`);
    level = next;
  }
  const targets = "button, a, summary, input:not([type=hidden])";
  for (const control of [...document.querySelectorAll(targets)].filter(shown)) {
    const heights = [control, ...(control.labels ?? [])].map((each) => each.getBoundingClientRect().height);
    if (Math.max(...heights) < 44) breaches.push(`small target: ${describe(control)} ${heights}`);
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(element)) continue;
    if (contrast(element) < 4.5) breaches.push(`contrast ${contrast(element).toFixed(2)}: ${describe(element)}`);
  }
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) breaches.push("wider than the screen");
  return breaches;
}"""

# How often each test has looked: it gets as many pictures.
_checks: Counter[str] = Counter()


def assert_accessible(page: Page, name: str = "") -> None:
    """Whatever is shown can be named, read, touched, and fits; in the light and in the dark. Each gets its picture.

    Args:
        name: of the page and its state, for the pictures; without one, the test's, and which check of it this is.
    """
    page.wait_for_load_state()  # a click returns when the next page begins to come
    name = name or _numbered(_test_name())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        shoot(page, f"{name}-{scheme}")
        breaches = page.evaluate(BREACHES) + axe_violations(page)
        assert not breaches, f"{scheme}: {breaches}"
    page.emulate_media(color_scheme=None)


def axe_violations(page: Page) -> list[str]:
    """What axe finds: the rule, and where it is broken.

    The script is evaluated by the browser's own tools, which a page's content policy does not bind.
    """
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate(_axe())
    found: dict[str, Any] = page.evaluate("options => axe.run(document, options)", AXE_OPTIONS)
    return [
        f"{violation['id']} ({violation['help']}): {node['html'][:150]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@cache
def _axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text()


def _numbered(name: str) -> str:
    _checks[name] += 1
    return f"{name}-{_checks[name]}"


def _test_name() -> str:
    # "tests/browser/test_shop.py::test_a_day[phone] (call)"
    return os.environ.get("PYTEST_CURRENT_TEST", "page").rpartition("::")[2].rpartition(" ")[0]
