"""Every message has all its parts in all languages, says the same things in each, and can say them."""

import re
from types import SimpleNamespace

import pytest
from flask import Flask
from jinja2 import Environment, meta

from pickup import config
from pickup.core.languages import LANGUAGES
from pickup.notifications.writing import OURS, PARTS, Writer
from pickup.orders import announcing, store_messages
from pickup.orders.message_contexts import MORE, NEEDING_STORES
from pickup.orders.message_samples import KINDS, VARIETIES, samples

# GSM 03.38: a text of these has 160 characters, any other 70.
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
OF_THE_LAYOUT = {"words", "parts"}
WITH_CODE = ("ready", "reminder", "expiring", "collector")
BLOCK = re.compile(r"{% block (\w+)")
WRITER = Writer()


@pytest.fixture(autouse=True)
def settings():
    app = Flask("test")
    app.extensions["settings"] = SimpleNamespace(public_url="https://pickup.example.com")
    with app.app_context():
        yield


def write(kind, part, language="en", variety="usual"):
    return WRITER.write(kind, part, language, samples(kind, language)[variety])


def variables(language, name):
    return meta.find_undeclared_variables(Environment().parse((OURS / language / name).read_text())) - OF_THE_LAYOUT


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_has_its_parts_and_nothing_else_is_there(language):
    wanted = {f"{kind}.{part}" for kind, parts in PARTS.items() for part in parts} | {"words.jinja"}

    assert {path.name for path in (OURS / language).iterdir()} == wanted


def test_every_kind_that_is_sent_has_parts():
    sent = {*announcing.MESSAGES.values(), announcing.MOVED, "collector", *store_messages.MESSAGES.values()}

    assert sent == PARTS.keys()
    assert MORE.keys() == {*announcing.MESSAGES.values(), announcing.MOVED}
    assert {*announcing.OUT_OF_DATE} | NEEDING_STORES <= MORE.keys()
    assert store_messages.IS_TRUE.keys() == {*store_messages.MESSAGES.values()}


def test_the_settings_know_the_languages():
    assert tuple(LANGUAGES) == config.LANGUAGES


@pytest.mark.parametrize("language", ["es", "zh"])
@pytest.mark.parametrize(
    "name", [f"{kind}.{part}" for kind, parts in PARTS.items() for part in parts] + ["words.jinja"]
)
def test_every_language_speaks_of_the_same(language, name):
    assert variables(language, name) == variables("en", name)


@pytest.mark.parametrize("language", ["es", "zh"])
def test_every_language_has_the_same_common_words(language):
    def words(code):
        return vars(Environment().from_string((OURS / code / "words.jinja").read_text()).module)

    theirs, ours = words(language), words("en")
    assert theirs.keys() == ours.keys()
    assert [theirs[name].keys() for name in ("whys", "reasons")] == [ours[name].keys() for name in ("whys", "reasons")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_block_of_a_frame_has_words(language, kind):
    frame = set(BLOCK.findall((OURS / "frames" / f"{kind}.html").read_text())) - {"content", "details"}
    filled = set(BLOCK.findall((OURS / language / f"{kind}.html").read_text()))

    assert filled - {"button"} == frame | {"preheader", "heading"}


@pytest.mark.parametrize("path", [path for code in LANGUAGES for path in (OURS / code).glob("*.html")], ids=str)
def test_what_mails_look_like_stands_in_one_place(path):
    assert re.findall(r"<(?!/?strong>)\w+|style=", path.read_text()) == []


@pytest.mark.parametrize("variety", VARIETIES)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_part_can_be_said(kind, language, variety):
    for part in PARTS[kind]:
        said = write(kind, part, language, variety)
        assert said.strip()
        assert not re.search(r"\bNone\b|{[{%]|[%}]}|\.\.|\u202f", said), said
        if part == "html":
            assert "<Else>" not in said
            assert f'<html lang="{language}"' in said
        if part == "txt":
            assert "\n\n\n" not in said
            assert said.startswith(said.lstrip())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", WITH_CODE)
def test_whoever_collects_finds_all_they_need_in_each_part(kind, language):
    context = samples(kind, language)["usual"]
    for part in ("txt", "html"):
        said = write(kind, part, language)
        wanted = [context["code"], context["url"], context["hold_until"], context["store"]["address"]]
        assert [each for each in wanted if each not in said] == []
        assert [day["name"] for day in context["hours"] if day["name"] not in said] == []
    assert 'src="cid:pickup-code"' in write(kind, "html", language)
    assert context["code"] in write(kind, "sms", language)


@pytest.mark.parametrize("kind", [kind for kind, parts in PARTS.items() if "sms" in parts])
def test_an_english_text_message_fits_into_one(kind):
    said = write(kind, "sms")

    assert len(said) <= 160
    assert set(said) <= GSM
    assert "https://pickup.example.com/p/" in said


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("store_")])
def test_what_wakes_a_tablet_is_a_title_and_a_line(kind):
    for language in LANGUAGES:
        title, body = write(kind, "push", language).split("\n")
        assert max(len(title), len(body)) <= 60


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("store_")])
def test_a_store_is_told_no_code_and_no_price(kind):
    said = "".join(write(kind, part, variety="long") for part in PARTS[kind])

    assert "K4T-9WF-2RM" not in said
    assert "/p/" not in said
    assert "$" not in said


def test_a_collector_is_told_no_price_and_not_the_customers_code():
    said = "".join(write("collector", part) for part in PARTS["collector"])

    assert "K4T-9WF-2RM" not in said
    assert "$" not in said


@pytest.mark.parametrize(
    ("language", "ready_by", "total"),
    [
        ("en", "Thursday, March 5, 5:30 PM", "$16.46"),
        ("es", "jueves 5 de marzo, 5:30 p.m.", "$16.46"),
        ("zh", "3月5日星期四 17:30", "US$16.46"),
    ],
)
def test_times_and_amounts_are_those_of_the_language_and_the_store(language, ready_by, total):
    context = samples("confirmed", language)["usual"]

    assert (context["ready_by"], context["total"]) == (ready_by, total)


def test_hours_are_those_until_the_goods_are_kept_and_special_days_count():
    assert len(samples("ready", "en")["usual"]["hours"]) == 7
    assert samples("ready", "en")["odd"]["hours"] == [
        {"name": "Thursday", "hours": "10:00 PM–12:00 AM"},
        {"name": "Friday", "hours": "closed"},
    ]
