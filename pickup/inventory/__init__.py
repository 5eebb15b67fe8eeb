"""How many: stock levels, the movements that explain them, reservations."""
