"""The one interface of all channels: a delivery takes messages, one after the other."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from pickup.notifications.models import Message


class Undeliverable(OSError):
    """The channel will never deliver it: there is no such address, or nobody is there any more."""


class Busy(OSError):
    """The provider did not take it, and may later."""


class Delivery(Protocol):
    """Takes some messages in a row."""

    def send(self, message: Message, inline_images: Mapping[str, bytes]) -> str | None:
        """Hand a message over; to be called outside of any transaction.

        Args:
            message: its id goes to the provider, as far as that has a place for it.
            inline_images: PNG by content id, for channels that show pictures.

        Returns:
            What the provider calls the message, if it says so.

        Raises:
            Undeliverable: it never will be.
            OSError, smtplib.SMTPException: it was not accepted; try again later.
        """
        ...


class Channel(Protocol):
    """A way to reach people."""

    def delivery(self) -> AbstractContextManager[Delivery]:
        """For as many messages as there are at the moment."""
        ...
