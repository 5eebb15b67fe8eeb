"""The table of products."""

from datetime import datetime

from sqlalchemy import CheckConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from pickup.core.db import Base, IntKey


class Product(Base):
    """Something that is sold, by its stock keeping unit."""

    __tablename__ = "products"

    id: Mapped[IntKey]
    sku: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    gtin: Mapped[str] = mapped_column(server_default="", doc="GTIN-8, -12, -13 or -14 with a valid check digit")
    department: Mapped[str] = mapped_column(server_default="")
    brand: Mapped[str] = mapped_column(server_default="")
    image_url: Mapped[str] = mapped_column(server_default="")
    minimum_age: Mapped[int | None] = mapped_column(doc="years; checked at handover")
    max_per_order: Mapped[int | None]
    hold_days: Mapped[int | None] = mapped_column(doc="days that it keeps in a bag; empty: as long as the store holds")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("minimum_age BETWEEN 0 AND 120", name="minimum_age"),
        CheckConstraint("max_per_order > 0", name="max_per_order"),
        CheckConstraint("hold_days > 0", name="hold_days"),
    )
