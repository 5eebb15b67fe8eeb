"""The order: its life, its routing, its promise."""
