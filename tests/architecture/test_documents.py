"""The documents tell the truth: what they list is what there is."""

import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from pickup.config import ROOT, Settings
from pickup.orders.lifecycle import FINAL, INITIAL, STATUSES, TRANSITIONS
from pickup.payments.differences import TO_DO

DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
CONTRACT_NAMES = {"port", "database_url", "redis_url"}


def test_every_setting_is_documented_and_every_documented_setting_exists():
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    renamed = {"mail_catcher_folder": "MAIL_FOLDER"}
    names = {
        field.name.upper() if field.name in CONTRACT_NAMES else "PICKUP_" + renamed.get(field.name, field.name.upper())
        for field in fields(Settings)
    }

    assert listed == names


def test_every_command_is_documented(app):
    text = (ROOT / "docs" / "commands.md").read_text()
    ours = {"client", "messages", "outbox", "payments", "staff", "stock"}
    commands = [
        f"flask {group.name} {name}"
        for group in app.cli.commands.values()
        if isinstance(group, click.Group) and group.name in ours
        for name in group.commands
    ]

    assert [command for command in commands if command not in text] == []


def test_every_kind_of_a_difference_is_explained():
    text = (ROOT / "docs" / "payments.md").read_text()

    assert re.findall(r"^\| `([a-z ]+)` \| [^|]+ \| [^|]+ \|$", text.partition("| difference |")[2], re.MULTILINE) == [
        kind.replace("_", " ") for kind in TO_DO
    ]


def lifecycle_table() -> str:
    head = "| action | from | to | who | stock | money | event |\n|---|---|---|---|---|---|---|\n"
    first = f"| place | – | {INITIAL} | shop | – | – | – |\n"
    return (
        head
        + first
        + "".join(
            "| {} | {} | {} | {} | {} | {} | {} |\n".format(
                row.action,
                ", ".join(status for status in STATUSES if status in row.sources),
                row.target,
                ", ".join(sorted(row.actors)),
                row.stock.replace("none", "–"),
                row.money.replace("none", "–").replace("_", " "),
                row.event or "–",
            )
            for row in TRANSITIONS.values()
        )
    )


def lifecycle_picture() -> str:
    steps = [f"    [*] --> {INITIAL}: place"]
    steps += [
        f"    {source} --> {row.target}: {row.action}"
        for row in TRANSITIONS.values()
        for source in STATUSES
        if source in row.sources and source != row.target
    ]
    steps += [f"    {status} --> [*]" for status in STATUSES if status in FINAL]
    return "```mermaid\nstateDiagram-v2\n" + "\n".join(steps) + "\n```\n"


@pytest.mark.parametrize("part", [lifecycle_table, lifecycle_picture])
def test_the_lifecycle_is_documented_as_it_is(part):
    assert part() in (ROOT / "docs" / "lifecycle.md").read_text(), f"put this there:\n{part()}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(document: Path):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_folder_is_in_the_architecture():
    text = (ROOT / "docs" / "architecture.md").read_text()
    folders = [path.name for path in (ROOT / "pickup").iterdir() if (path / "__init__.py").exists()]

    assert [name for name in folders if f"`pickup/{name}/`" not in text] == []


def test_no_document_names_a_machine():
    traces = re.compile(r"/work/|/root/|(?<![a-z])/home/|\.pyenv")

    assert [str(path) for path in DOCUMENTS if traces.search(path.read_text())] == []
