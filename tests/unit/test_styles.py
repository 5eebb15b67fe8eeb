"""Style sheets say start and end, not left and right: a language that runs the other way needs no other sheet."""

import re

import pytest

from pickup.config import ROOT

PHYSICAL = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right)(?:-\w+)?"
    r"|border-(?:top|bottom)-(?:left|right)-radius|left|right)\s*:"
    r"|(?:text-align|float|clear)\s*:\s*(?:left|right)\b"
)
# The tablet's follows with its words.
SHEETS = [path for path in sorted((ROOT / "pickup").glob("*/static/*.css")) if path.stem != "staff"]


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.stem)
def test_nothing_is_left_or_right(sheet):
    assert PHYSICAL.findall(sheet.read_text()) == []


@pytest.mark.parametrize("rule", ["margin-left: 0", "right:0", "text-align: right", "border-left-color: red"])
def test_it_would_be_found(rule):
    assert PHYSICAL.search(f"a {{ {rule}; }}")


@pytest.mark.parametrize("rule", ["margin-inline-start: 0", "text-align: end", "padding: 0 1rem", "--right: 0"])
def test_what_turns_with_the_language_is_not(rule):
    assert not PHYSICAL.search(f"a {{ {rule}; }}")
