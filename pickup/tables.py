"""Every table of the house, for whoever needs the whole schema: migrations, and the test that compares the two."""

from pickup.catalog import models as catalog
from pickup.core import models as core
from pickup.inventory import models as inventory
from pickup.notifications import models as notifications
from pickup.orders import models as orders
from pickup.payments import models as payments
from pickup.pricing import models as pricing
from pickup.staff import models as staff
from pickup.stores import models as stores
from pickup.tills import models as tills
from pickup.webhooks import models as webhooks

__all__ = [
    "catalog",
    "core",
    "inventory",
    "notifications",
    "orders",
    "payments",
    "pricing",
    "staff",
    "stores",
    "tills",
    "webhooks",
]
