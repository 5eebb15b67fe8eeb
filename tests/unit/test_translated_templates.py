"""No template of a translated page has words that no catalogue knows: bare text, names of things, words in quotes."""

import re

import pytest

from pickup.config import ROOT

TRANSLATED = ("core", "customer", "staff")
TEMPLATES = sorted(path for each in TRANSLATED for path in (ROOT / "pickup" / each / "templates").rglob("*.html"))
TRANS = re.compile(r"{%-?\s*trans\b.*?endtrans\s*-?%}", re.S)
CODE = re.compile(r"{#.*?#}|{%.*?%}|{{.*?}}", re.S)
TAG = re.compile(r"""<[^>]*>|[\w-]+="[^"]*"|\bdata-[\w-]+|/?>""", re.S)
WORD = re.compile(r"[A-Za-z]{2,}")
ATTRIBUTE = re.compile(r'\b(?:aria-label|title|alt|placeholder|data-words|data-one|data-many)="([^"]*)"')
# A sentence in quotes that is not given to gettext.
QUOTED = re.compile(r"""(?<!_\()(["'])([A-Z][a-z]+(?:,? [\w'.?]+)*)\1""")


def bare_words(template):
    """What is said without a catalogue."""
    text = TRANS.sub("", template)
    said = [CODE.sub("", each) for each in ATTRIBUTE.findall(text)]
    said += [words for code in CODE.findall(text) if not code.startswith("{#") for _, words in QUOTED.findall(code)]
    said.append(TAG.sub(" ", CODE.sub("", text)))
    return [word for each in said for word in WORD.findall(each)]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_template_has_bare_words(path):
    assert bare_words(path.read_text()) == []


@pytest.mark.parametrize(
    "template",
    [
        "<p>Order {{ number }}</p>",
        '<p>{{ "Bags" if many else "Bag" }}</p>',
        '<nav aria-label="Sections"></nav>',
        '{{ code_form(url, "The code of this order.") }}',
        "{% if x %}late{% endif %}",
    ],
)
def test_bare_words_would_be_found(template):
    assert bare_words(template)


@pytest.mark.parametrize(
    "template",
    [
        '<p class="quiet">{{ _("Order %(number)s", number=card.number) }} · {{ line.count }} ×</p>',
        "{% trans count=n %}One{% pluralize %}{{ count }} <b>orders</b>{% endtrans %}",
        '<a id="to-money" aria-label="{{ _(\'Money\') }}"></a>',
        '{% if card.status == "ready" %}{{ place(card, _("Ready")) }}{% endif %}',
        "{# What they have in common. #}",
    ],
)
def test_what_the_catalogues_know_is_no_bare_word(template):
    assert bare_words(template) == []
