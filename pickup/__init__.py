"""Store pickup: orders from the web, routed to the nearest store that has the goods, handed over at its counter."""
