"""A real SMTP server that keeps what it gets, for tests."""

import socket
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox:
    """Listens on a free port of the loopback."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusals = 0
        """How many of the next mails are refused for now."""
        self._controller = Controller(self, hostname="127.0.0.1", port=0)

    def start(self) -> str:
        """Listen; returns the address as `PICKUP_SMTP_URL` wants it."""
        self._controller.port = _free_port()
        self._controller.start()
        return f"smtp://127.0.0.1:{self._controller.port}"

    def stop(self) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refusals:
            self.refusals -= 1
            return "451 try again later"
        self.mails.append(message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        return "250 kept"

    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
