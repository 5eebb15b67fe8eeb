"""What the e-shop shows before an order: stores with availability, products with prices, quotes."""
