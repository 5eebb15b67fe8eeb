"""What messages say: our templates, and those that a retailer puts in their place, file by file.

A message of a kind has parts, each a file `LANGUAGE/KIND.PART`: a mail's subject, text and HTML; one short text for a
telephone; what wakes a tablet. A template knows its own variables only: a word that it does not know is an error.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    select_autoescape,
)

from pickup.config import Settings
from pickup.core.logging import log
from pickup.core.metrics import BROKEN_TEMPLATES

OURS = Path(__file__).parent / "templates" / "messages"
MAIL = ("subject", "txt", "html")
# What there is of each kind. A receipt, and money that goes back, are no matter of one line.
PARTS: Mapping[str, tuple[str, ...]] = {
    "confirmed": (*MAIL, "sms"),
    "moved": (*MAIL, "sms"),
    "choice": (*MAIL, "sms"),
    "ready": (*MAIL, "sms"),
    "reminder": (*MAIL, "sms"),
    "expiring": (*MAIL, "sms"),
    "cancelled": (*MAIL, "sms"),
    "collected": MAIL,
    "expired": (*MAIL, "sms"),
    "refunded": MAIL,
    "collector": (*MAIL, "sms"),
    "store_new_order": (*MAIL, "push"),
    "store_customer_here": (*MAIL, "push"),
    "store_overdue": (*MAIL, "push"),
}


class Writer:
    """Writes the parts of messages. Templates are read once: a change counts from the next start on."""

    def __init__(self, folder: Path | None = None) -> None:
        """
        Args:
            folder: of the retailer's templates; what it lacks is ours.
        """
        ours = FileSystemLoader(OURS)
        self._ours = self._theirs = _environment(ours)
        if folder:
            # `ours/…` is ours in any case: so a template of theirs can be made of the one whose place it takes.
            self._theirs = _environment(ChoiceLoader([FileSystemLoader(folder), ours, PrefixLoader({"ours": ours})]))

    def write(self, kind: str, part: str, language: str, context: Mapping[str, Any]) -> str:
        """A part of a message.

        Whatever is wrong with a retailer's template, the message is not lost: it is said in our words, and logged.

        Args:
            part: one of `PARTS` of its kind.
            language: a code of `core.languages`.
            context: the variables of the kind, in that language: see `docs/messages.md`.

        Raises:
            jinja2.TemplateError: our own template is wrong, or there is none.
        """
        try:
            return self.write_theirs(kind, part, language, context)
        except Exception as error:  # it is a program of somebody else's: it may fail in any way
            if self._theirs is self._ours:
                raise
            name = f"{language}/{kind}.{part}"
            BROKEN_TEMPLATES.labels(name).inc()
            log.error("message_template_broken", template=name, error=repr(error)[:500])
            return _render(self._ours, kind, part, language, context)

    def write_theirs(self, kind: str, part: str, language: str, context: Mapping[str, Any]) -> str:
        """The same without mercy, for whoever checks templates.

        Raises:
            Exception: whatever is wrong with the template.
        """
        text = _render(self._theirs, kind, part, language, context)
        if "\0" in text:
            raise ValueError("holds a character that cannot be kept")
        text.encode()  # raises where it is no text that could be sent
        return text


def writer() -> Writer:
    """Who writes for this application."""
    found: Writer = current_app.extensions["message_writer"]
    return found


def init_app(app: Flask, settings: Settings) -> None:
    """Set up the templates."""
    app.extensions["message_writer"] = Writer(settings.messages_folder)


def _render(environment: Environment, kind: str, part: str, language: str, context: Mapping[str, Any]) -> str:
    text = environment.get_template(f"{language}/{kind}.{part}").render(context, language=language)
    # A subject, a text message and a title have no line to spare.
    return text if part in ("txt", "html") else " ".join(text.split()) if part != "push" else text.strip()


def _environment(loader: BaseLoader) -> Environment:
    return Environment(
        loader=loader,
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
