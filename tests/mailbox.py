"""A real SMTP server that keeps what it gets, for tests."""

import asyncio
import socket
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox:
    """Listens on a free port of the loopback."""

    def __init__(self) -> None:
        self.reset()
        self._controller = Controller(self, hostname="127.0.0.1", port=0)

    def reset(self) -> None:
        """As a server that keeps every mail, and has none yet."""
        self.mails: list[EmailMessage] = []
        self.connections = 0
        self.refusals = 0
        """How many of the next mails are refused for now."""
        self.unknown: set[str] = set()
        """Whom it refuses for good."""
        self.hangs_up_on: set[str] = set()
        """At whose address it closes the connection, each time."""
        self.hangs_up_after = 0
        """After so many mails it closes the connection once."""
        self.keeps_and_hangs_up = 0
        """After how many of the next mails it closes the connection, having kept the mail and not said so."""
        self.leaves_after = 0
        """After so many mails it is gone."""
        self.silent_seconds = 0.0
        """How long it thinks about each sender."""

    def start(self) -> str:
        """Listen; returns the address as `PICKUP_SMTP_URL` wants it."""
        self._controller.port = _free_port()
        self._controller.start()
        return f"smtp://127.0.0.1:{self._controller.port}"

    def stop(self) -> None:
        self._controller.stop()

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, name: str, answers: list[str]) -> list[str]:
        self.connections += 1
        session.host_name = name
        return answers

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self.leaves_after and len(self.mails) == self.leaves_after:
            self._controller.server.close()
            server.transport.abort()
        if self.hangs_up_after and len(self.mails) == self.hangs_up_after:
            self.hangs_up_after = 0
            server.transport.abort()
        await asyncio.sleep(self.silent_seconds)
        envelope.mail_from = address
        return "250 go on"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address in self.unknown:
            return "550 nobody here of that name"
        if address in self.hangs_up_on:
            server.transport.abort()
        envelope.rcpt_tos.append(address)
        return "250 go on"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refusals:
            self.refusals -= 1
            return "451 try again later"
        self.mails.append(message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        if self.keeps_and_hangs_up:
            self.keeps_and_hangs_up -= 1
            server.transport.abort()
        return "250 kept"

    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
