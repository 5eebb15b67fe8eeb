"""Who does something when something happens: per event the handlers that get a task in the outbox.

What a handler does, and on which queue, stands in `worker/handlers.py`. `order.unpaid`, `order.withdrawn`,
`order.returned`, `order.collector_named`, `order.reminded`, `order.expiring`, `order.overdue`, `order.arrived`,
`payment.heard_of`, `payment.unsettled`, `payment.lapsing`, `stock.short`, `store.closed`, `price.breached` and
`register.late` are ours alone; of the others shops hear, by webhook, by the feed and by streams
(`webhooks/event_types.py`). That needs no handler: the relay publishes every event (`webhooks/publishing.py`).
"""

SUBSCRIPTIONS: dict[str, tuple[str, ...]] = {
    "order.unpaid": ("hold_stock",),
    "order.placed": ("reserve_stock",),
    "order.rerouted": ("reserve_stock",),
    "order.reserved": ("notify_customer",),
    "order.withdrawn": ("notify_customer",),
    "order.ready": ("notify_customer",),
    "order.reminded": ("notify_customer",),
    "order.expiring": ("notify_customer",),
    "order.overdue": ("notify_store", "wake_store"),
    "order.arrived": ("notify_store", "wake_store"),
    "order.collected": ("settle_payment", "notify_customer"),
    "order.cancelled": ("settle_payment", "notify_customer"),
    "order.expired": ("settle_payment", "notify_customer"),
    "order.returned": ("settle_payment",),
    "order.collector_named": ("notify_collector",),
    "payment.heard_of": ("ask_gateway",),
    "payment.unsettled": ("settle_payment",),
    "payment.lapsing": ("settle_payment",),
    "payment.captured": (),
    "payment.refunded": ("notify_customer",),
    "price.changed": (),
    "price.breached": (),
    "register.late": (),
    "stock.changed": (),
    "stock.short": ("cover_shortages",),
    "store.closed": ("clear_store",),
}
