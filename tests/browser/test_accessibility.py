"""The check of the pages sees what it is there for, through the content policy of a real page."""

import pytest

from tests.browser.accessibility import assert_accessible, axe_violations

BREACHES = {
    "image-alt": "document.querySelector('main').append(new Image())",
    "html-has-lang": "document.documentElement.removeAttribute('lang')",
    "button-name": "document.querySelector('main').append(document.createElement('button'))",
}


@pytest.mark.parametrize("rule", BREACHES)
def test_axe_finds_a_breach(page, rule):
    page.goto("/")
    assert axe_violations(page) == []
    page.evaluate(f"() => {{ {BREACHES[rule]} }}")
    assert [violation for violation in axe_violations(page) if violation.startswith(rule)]


def test_a_small_target_is_found(page):
    page.goto("/")
    page.evaluate("() => document.querySelector('h1').insertAdjacentHTML('afterend', '<p><a href=\"/\">tiny</a></p>')")
    with pytest.raises(AssertionError, match="small target"):
        assert_accessible(page)


@pytest.mark.parametrize("path", ["/docs", "/docs/problems", "/nothing-here"])
def test_pages_for_engineers_and_lost_people(page, path):
    page.goto(path)
    assert axe_violations(page) == []
