"""The table of messages."""

import uuid
from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pickup.core.db import Base, BigInt


class Message(Base):
    """One message to one person about one event; its id is also the id that the provider sees."""

    __tablename__ = "messages"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    event_id: Mapped[BigInt]
    order_id: Mapped[uuid.UUID] = mapped_column(index=True)
    kind: Mapped[str]
    channel: Mapped[str]
    recipient: Mapped[str]
    subject: Mapped[str]
    text_body: Mapped[str]
    html_body: Mapped[str]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("event_id", "kind", "channel"),)
