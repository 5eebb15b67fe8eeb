"""E-mail over SMTP."""

import smtplib
import socket
import ssl
import uuid
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from urllib.parse import unquote, urlsplit

from pickup.config import Settings
from pickup.notifications.models import Message

TIMEOUT_SECONDS = 10
DEFAULT_PORTS = {"smtp": 25, "smtps": 465}


class EmailChannel:
    """One SMTP server, named by `PICKUP_SMTP_URL`: `smtp://user:password@host:587` (STARTTLS where offered) or `smtps://`."""

    def __init__(self, settings: Settings) -> None:
        self._url = urlsplit(settings.smtp_url or "smtp://127.0.0.1:25")
        self._sender = settings.mail_from
        # smtplib would ask the name server for it with each mail.
        self._hostname = socket.gethostname()

    def send(self, message: Message, inline_images: dict[str, bytes]) -> None:
        """Hand the message to the server.

        Args:
            message: its id becomes the Message-ID, so that a server may drop what it has seen.
            inline_images: PNG by content id, for the HTML part.

        Raises:
            OSError, smtplib.SMTPException: it was not accepted; try again later.
        """
        mail = compose(message, self._sender, inline_images)
        with self._connect() as server:
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
            server.send_message(mail)

    def _connect(self) -> smtplib.SMTP:
        host, port = self._url.hostname or "127.0.0.1", self._url.port or DEFAULT_PORTS[self._url.scheme]
        context = ssl.create_default_context()
        if self._url.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, self._hostname, timeout=TIMEOUT_SECONDS, context=context)
        server = smtplib.SMTP(host, port, self._hostname, timeout=TIMEOUT_SECONDS)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
        return server


def compose(message: Message, sender: str, inline_images: dict[str, bytes]) -> EmailMessage:
    """The message as MIME: text, and HTML with its images."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = message.recipient
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(message.created_at)
    mail["Message-ID"] = message_id(message.id, sender)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text_body)
    mail.add_alternative(message.html_body, subtype="html")
    html = mail.get_body(("html",)) or mail
    for content_id, png in inline_images.items():
        html.add_related(png, "image", "png", cid=f"<{content_id}>")
    return mail


def message_id(identifier: uuid.UUID, sender: str) -> str:
    """The same for every attempt to send the same message."""
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    return f"<{identifier}@{domain}>"
