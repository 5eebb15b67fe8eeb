"""The events that shops may hear of: their names are fixed, what else there is stays ours alone."""

PUBLIC: tuple[str, ...] = (
    "order.placed",
    "order.reserved",
    "order.rerouted",
    "order.ready",
    "order.collected",
    "order.cancelled",
    "order.expired",
    "payment.captured",
    "payment.refunded",
    "price.changed",
    "stock.changed",
)
