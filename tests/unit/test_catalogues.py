"""The catalogues have everything that pages say, whole and in every number; and each language writes its own way."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from babel.messages.pofile import read_po

from pickup.core import languages, pages
from pickup.dev import words

TRANSLATED = [language for language in languages.LANGUAGES.values() if language.catalogue]
GAP = re.compile(r"%\(\w+\)[a-z]|%%|%")
AT = datetime(2026, 3, 1, 20, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def found():
    return words.gather()


def catalogue_of(language):
    with languages.catalogue_path(language.catalogue).open("rb") as file:
        return read_po(file, locale=language.catalogue)


@pytest.fixture(params=TRANSLATED, ids=lambda language: language.code)
def language(request):
    return request.param


def as_tuple(words_):
    return words_ if isinstance(words_, tuple) else (words_,)


def test_every_message_is_translated_and_no_other(found, language):
    catalogue = catalogue_of(language)
    assert {each.id for each in catalogue if each.id} == {each.id for each in found if each.id}, "run `make words`"
    assert words.untranslated(catalogue) == []


def test_the_template_is_that_of_the_pages(found):
    with words.TEMPLATE.open("rb") as file:
        assert {each.id for each in read_po(file) if each.id} == {each.id for each in found if each.id}


def test_every_number_has_its_form(language):
    catalogue = catalogue_of(language)
    plural = [each for each in catalogue if isinstance(each.id, tuple)]
    assert [each.id for each in plural if len(as_tuple(each.string)) != catalogue.num_plurals] == []


def test_translations_have_the_gaps_of_their_messages(language):
    """Of one thing some languages need not say the number."""
    wrong = []
    for message in filter(lambda each: each.id, catalogue_of(language)):
        wanted, forms = gaps(as_tuple(message.id)[-1]), as_tuple(message.string)
        if gaps(forms[-1]) != wanted or not all(gaps(form) <= wanted for form in forms):
            wrong.append(message.id)
    assert wrong == []


def gaps(words_):
    return set(GAP.findall(words_))


def test_translations_have_the_tags_and_the_edges_of_their_messages(language):
    wrong = []
    for message in filter(lambda each: each.id, catalogue_of(language)):
        source = as_tuple(message.id)[-1]
        for each in as_tuple(message.string):
            same_tags = sorted(re.findall(r"</?\w+", source)) == sorted(re.findall(r"</?\w+", each))
            if not same_tags or each != each.strip():
                wrong.append(each)
    assert wrong == []


@pytest.mark.parametrize(
    ("tag", "code"),
    [("es", "es"), ("es-MX", "es"), ("es_419", "es"), ("ES-us", "es"), ("zh", "zh"), ("zh-Hans-CN", "zh"),
     ("zh-TW", "zh"), ("en-GB", "en"), ("de", None), ("", None), ("est", None), ("*", None)],
)  # fmt: skip
def test_a_language_is_known_by_its_tag(tag, code):
    assert languages.match(tag) == code


@pytest.mark.parametrize(
    ("code", "money", "instant", "tomorrow", "distance"),
    [
        ("en", "$1,234.50", "Sunday 1 March, 14:30", "tomorrow 14:30", "1.2 mi"),
        ("es", "$1,234.50", "domingo 1 de marzo, 14:30", "mañana, 14:30", "1.2 mi"),
        ("zh", "US$1,234.50", "3月1日星期日 14:30", "明天 14:30", "1.2英里"),
    ],
)
def test_each_language_has_its_own_way_of_writing(code, money, instant, tomorrow, distance):
    with languages.speaking(code):
        assert pages.money(123450, "USD") == money
        assert pages.local(AT, "America/Chicago") == instant
        assert pages.clock(AT, "America/Chicago", AT - timedelta(days=1)) == tomorrow
        assert pages.distance(1931, "US") == distance


def test_who_has_spoken_is_silent_afterwards():
    with languages.speaking("zh"):
        with languages.speaking("es"):
            assert languages.spoken().code == "es"
        assert languages.spoken().code == "zh"
    assert languages.spoken().code == "en"
    with pytest.raises(KeyError), languages.speaking("xx"):
        pass


def test_a_message_without_words_or_translation_stays_as_it_is():
    with languages.speaking("es"):
        assert languages.gettext("") == ""
        assert languages._("Nobody has translated %(this)s", this="100%") == "Nobody has translated 100%"


def test_all_of_them_run_from_left_to_right():
    assert {languages.direction(code) for code in languages.LANGUAGES} == {"ltr"}
