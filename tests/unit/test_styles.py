"""Style sheets say start and end, not left and right: a language that runs the other way needs no other sheet."""

import re

import pytest

from pickup.config import ROOT

PHYSICAL = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right)(?:-\w+)?"
    r"|border-(?:top|bottom)-(?:left|right)-radius|left|right)\s*:"
    r"|(?:text-align|float|clear)\s*:\s*(?:left|right)\b"
    # Top, right, bottom, left, of which the second and the last are not the same.
    r"|(?<![\w-])(?:margin|padding|inset)\s*:\s*[^\s;]+ (?P<one>[^\s;]+) [^\s;]+ (?!(?P=one)\s*;)[^\s;]+\s*;"
)
SHEETS = sorted((ROOT / "pickup").glob("*/static/*.css"))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.stem)
def test_nothing_is_left_or_right(sheet):
    assert [found[0] for found in PHYSICAL.finditer(sheet.read_text())] == []


@pytest.mark.parametrize(
    "rule", ["margin-left: 0", "right:0", "text-align: right", "border-left-color: red", "padding: 0 1px 0 2px"]
)
def test_it_would_be_found(rule):
    assert PHYSICAL.search(f"a {{ {rule}; }}")


@pytest.mark.parametrize(
    "rule", ["margin-inline-start: 0", "text-align: end", "padding: 0 1rem", "--right: 0", "margin: 0 1px 2px 1px"]
)
def test_what_turns_with_the_language_is_not(rule):
    assert not PHYSICAL.search(f"a {{ {rule}; }}")
