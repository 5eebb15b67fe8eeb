"""How much: the price ledger and the feed that tills follow."""
