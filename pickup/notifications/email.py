"""E-mail over SMTP."""

import quopri
import smtplib
import socket
import ssl
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from email.utils import parseaddr
from functools import cached_property, lru_cache
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from pickup.config import Settings
from pickup.notifications.channels import Undeliverable
from pickup.notifications.models import Message

Whole = TypeVar("Whole", bound=MIMEPart)

TIMEOUT_SECONDS = 10
DEFAULT_PORTS = {"smtp": 25, "smtps": 465}
FOR_GOOD = 500  # RFC 5321 §4.2.1: 5yz is a permanent negative answer
CLOSING = 421  # RFC 5321 §3.8: the server is about to close the connection


class EmailChannel:
    """One SMTP server, named by `PICKUP_SMTP_URL`: `smtp://user:password@host:587` (STARTTLS where offered) or `smtps://`."""

    def __init__(self, settings: Settings) -> None:
        self._url = urlsplit(settings.smtp_url or "smtp://127.0.0.1:25")
        self._sender = settings.mail_from
        # smtplib would ask the name server for it with each connection.
        self._hostname = socket.gethostname()

    @contextmanager
    def delivery(self) -> Iterator["EmailDelivery"]:
        """For as many messages as there are at the moment."""
        delivery = EmailDelivery(self._connect, self._sender)
        try:
            yield delivery
        finally:
            delivery.close()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Kept: to read the machine's certificates takes ten times the CPU of a mail.
        return ssl.create_default_context()

    def _connect(self) -> smtplib.SMTP:
        host, port = self._url.hostname or "127.0.0.1", self._url.port or DEFAULT_PORTS[self._url.scheme]
        if self._url.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, self._hostname, timeout=TIMEOUT_SECONDS, context=self._tls
            )
        else:
            server = smtplib.SMTP(host, port, self._hostname, timeout=TIMEOUT_SECONDS)
        try:
            server.ehlo()
            if self._url.scheme != "smtps" and server.has_extn("starttls"):
                server.starttls(context=self._tls)
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
        except BaseException:
            server.close()
            raise
        return server


class EmailDelivery:
    """Messages over one connection. The first one opens it; where the server has closed it, the next opens another.

    What is wrong with one message is said of that message only. A server that does not let us in, or is silent, is not
    asked again: each of the other messages would wait for it as long, and fails at once with the same error.
    """

    def __init__(self, connect: Callable[[], smtplib.SMTP], sender: str) -> None:
        self._connect = connect
        self._sender = sender
        self._server: smtplib.SMTP | None = None
        self._away: Exception | None = None

    def send(self, message: Message, inline_images: Mapping[str, bytes]) -> None:
        """Hand the message to the server.

        Args:
            message: its id becomes the Message-ID, so that a server may drop what it has seen.
            inline_images: PNG by content id, for the HTML part.

        Raises:
            Undeliverable: the server does not know the recipient.
            OSError, smtplib.SMTPException: it was not accepted; try again later.
        """
        if self._away:
            raise self._away
        mail = compose(message, self._sender, inline_images)
        used_before = self._server is not None
        try:
            self._hand_over(mail)
        except smtplib.SMTPRecipientsRefused as error:
            if all(code >= FOR_GOOD for code, _ in error.recipients.values()):
                raise Undeliverable(f"{error.recipients}") from error
            raise
        except smtplib.SMTPException as error:
            if not _closed_by(error) or not used_before or self._away:
                raise
            # It may close at any time, be it for its age: that says nothing about this message.
            self._hand_over(mail)

    def close(self) -> None:
        """Take leave of the server."""
        if self._server is not None:
            with suppress(OSError):
                self._server.quit()
            self._server = None

    def _hand_over(self, mail: EmailMessage) -> None:
        try:
            server = self._server = self._server or self._connect()
        except OSError as error:
            self._away = error
            raise
        try:
            server.send_message(mail)
        except Exception as error:
            refused = isinstance(error, smtplib.SMTPException) and not _closed_by(error)
            if not refused:  # after a refusal the server is ready for the next message
                server.close()
                self._server = None
            if isinstance(error.__context__, TimeoutError):  # it did not close the connection, it is silent
                self._away = error
            raise


def _closed_by(error: Exception) -> bool:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return any(code == CLOSING for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPServerDisconnected) or getattr(error, "smtp_code", None) == CLOSING


def compose(message: Message, sender: str, inline_images: Mapping[str, bytes]) -> EmailMessage:
    """The message as MIME: text, and HTML with its images.

    Put together by hand: what the library does for its callers' comfort takes twice the time of all the rest.
    """
    html = _text("html", message.html_body)
    if inline_images:
        html = _multipart("related", [html, *(_image(*each) for each in inline_images.items())], MIMEPart(SMTP))
    mail = EmailMessage(SMTP)
    mail["From"] = _header("From", sender)
    mail["To"] = message.recipient
    mail["Subject"] = message.subject
    mail["Date"] = message.created_at
    mail["Message-ID"] = message_id(message.id, sender)
    mail["Auto-Submitted"] = _header("Auto-Submitted", "auto-generated")
    mail["MIME-Version"] = _header("MIME-Version", "1.0")
    return _multipart("alternative", [_text("plain", message.text_body), html], mail)


def _multipart(subtype: str, parts: Sequence[MIMEPart], whole: Whole) -> Whole:
    # In quoted-printable no "=" is followed by "_", so no text holds this boundary (RFC 2045 §6.7, the last hint).
    whole["Content-Type"] = _header("Content-Type", f'multipart/{subtype}; boundary="=_{subtype}"')
    whole.set_payload(list(parts))
    return whole


def _text(subtype: str, content: str) -> MIMEPart:
    part = MIMEPart(SMTP)
    part["Content-Type"] = _header("Content-Type", f'text/{subtype}; charset="utf-8"')
    part["Content-Transfer-Encoding"] = _header("Content-Transfer-Encoding", "quoted-printable")
    part.set_payload(quopri.encodestring(content.encode()).decode("ascii"))
    return part


def _image(content_id: str, png: bytes) -> MIMEPart:
    part = MIMEPart(SMTP)
    part.set_content(png, "image", "png", disposition="inline", cid=f"<{content_id}>")
    return part


@lru_cache(maxsize=32)
def _header(name: str, value: str) -> Any:
    """A header that all mails share, parsed once."""
    return SMTP.header_factory(name, value)


def message_id(identifier: uuid.UUID, sender: str) -> str:
    """The same for every attempt to send the same message."""
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    return f"<{identifier}@{domain}>"
