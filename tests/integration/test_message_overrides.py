"""A retailer's own templates go before ours, file by file; one that is broken loses no message."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from flask import Flask

from pickup.core.metrics import BROKEN_TEMPLATES
from pickup.notifications.writing import PARTS, Writer
from pickup.orders.message_samples import samples


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "en").mkdir()
    return tmp_path


@pytest.fixture
def said(folder):
    """What is said with the templates of the folder, as a customer gets it."""
    app = Flask("test")
    app.extensions["settings"] = SimpleNamespace(public_url="https://pickup.example.com")

    def write(kind, part, language="en"):
        with app.app_context():
            return Writer(folder).write(kind, part, language, samples(kind, language)["usual"])

    return write


@pytest.fixture
def check(app, folder, monkeypatch):
    """The command over the folder: its exit code and what it prints."""
    monkeypatch.setitem(app.extensions, "settings", replace(app.extensions["settings"], messages_folder=folder))

    def run():
        done = app.test_cli_runner().invoke(args=["messages", "check"])
        return done.exit_code, done.output.splitlines()

    return run


def broken(name):
    return BROKEN_TEMPLATES.labels(name)._value.get()


def test_one_file_takes_the_place_of_one(folder, said, check):
    (folder / "en" / "ready.subject").write_text("Come and get it,\n{{ name }}: {{ code }}")

    assert said("ready", "subject") == "Come and get it, Ada Example: K4T-9WF-2RM"
    assert "We keep it for you until" in said("ready", "txt")
    assert "K4T-9WF-2RM" in said("ready", "subject", "es")
    assert "Come" not in said("ready", "subject", "es")
    assert check() == (0, ["checked 1 templates, 0 faults"])


def test_a_layout_takes_the_place_of_all(folder, said, check):
    (folder / "layout.html").write_text("<b>Larkspur</b>{% block heading %}{% endblock %}")

    assert said("ready", "html") == "<b>Larkspur</b>Your order is ready"
    assert said("cancelled", "html", "es") == "<b>Larkspur</b>Su pedido está cancelado"
    assert check()[0] == 0


def test_a_file_may_change_a_part_of_ours(folder, said):
    (folder / "en" / "ready.html").write_text(
        '{% extends "ours/en/ready.html" %}{% block heading %}Hurray! {{ super() }}{% endblock %}'
    )

    assert "Hurray! Your order is ready" in said("ready", "html")
    assert "K4T-9WF-2RM" in said("ready", "html")


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{{ nme }}, it is ready", "en/ready.txt: 'nme' is undefined"),
        ("{% if code %}it is ready", "en/ready.txt:1: Unexpected end of template."),
        ("{{ 1 / 0 }}", "en/ready.txt: division by zero"),
        ('{% include "gone.txt" %}', "en/ready.txt: there is no gone.txt"),
        ("{% if minimum_age > 200 %}Ready{% endif %}", "en/ready.txt: says nothing"),
    ],
)
def test_the_check_says_what_is_wrong(folder, check, template, fault):
    (folder / "en" / "ready.txt").write_text(template)

    code, lines = check()
    assert (code, lines[-1]) == (1, "checked 1 templates, 1 faults")
    assert lines[0].startswith(fault)


def test_the_check_knows_names_that_nobody_reads(folder, check):
    (folder / "en" / "redy.txt").write_text("Ready")
    (folder / "en" / ".ready.txt.swp").write_text("")

    assert check() == (1, ["en/redy.txt: no message has such a template", "checked 1 templates, 1 faults"])


@pytest.mark.parametrize(
    "template", ["{{ nme }}", "{% if", "{{ 1 / 0 }}", '{% extends "en/ready.txt" %}', "{{ '\\ud800' }}"]
)
def test_a_broken_template_loses_no_message(folder, said, template):
    (folder / "en" / "ready.txt").write_text(template)
    before = broken("en/ready.txt")

    assert "We keep it for you until" in said("ready", "txt")
    assert broken("en/ready.txt") == before + 1


def test_what_is_no_text_at_all_loses_no_message(folder, said):
    (folder / "en" / "ready.txt").write_bytes(b"\xff\xfe\x00")

    assert "We keep it for you until" in said("ready", "txt")


def test_a_mail_goes_out_in_our_words(world, shop, mailbox, folder, monkeypatch):
    from worker.app import app as worker_app

    (folder / "en" / "confirmed.subject").write_text("{{ this_is_wrong }}")
    (folder / "en" / "confirmed.txt").write_text("Thank you, {{ name }}")
    monkeypatch.setitem(worker_app.extensions, "message_writer", Writer(folder))
    world.stock(world.store("1"), world.product("A"), 1)
    world.place(shop, {"A": 1})
    world.work()

    (mail,) = mailbox.mails
    assert "ready by" in mail["Subject"]
    assert mail.get_body(("plain",)).get_content().strip() == "Thank you, Ada Example"


def test_without_a_folder_there_is_nothing_to_check(app):
    assert app.test_cli_runner().invoke(args=["messages", "check"]).exit_code == 2


def test_a_full_set_of_the_retailers_is_all_theirs(folder, said, check):
    for kind, parts in PARTS.items():
        for part in parts:
            (folder / "en" / f"{kind}.{part}").write_text(f"{kind} by us")

    assert said("refunded", "html") == "refunded by us"
    assert check() == (0, [f"checked {sum(map(len, PARTS.values()))} templates, 0 faults"])
