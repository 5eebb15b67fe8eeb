"""The events that shops may hear of: their names are fixed, what else there is stays ours alone."""

# Each with what it says, for whoever subscribes.
MEANINGS: dict[str, str] = {
    "order.placed": "the money is held, and the order is on its way to a store",
    "order.reserved": "the goods are reserved, and the customer has been told where and when",
    "order.rerouted": "it goes to another store, or begins anew at the same one",
    "order.ready": "it can be collected",
    "order.collected": "it was handed over",
    "order.cancelled": "it was cancelled; `reason` says why",
    "order.expired": "nobody collected it in time",
    "payment.captured": "money was taken",
    "payment.refunded": "money was given back",
    "price.changed": "prices were recorded, or, with `activated`, announced ones begin",
    "stock.changed": "another number of a product can be promised in a store",
}
PUBLIC: tuple[str, ...] = tuple(MEANINGS)
# What concerns no order is everybody's business.
FOR_ALL: tuple[str, ...] = ("price.changed", "stock.changed")
