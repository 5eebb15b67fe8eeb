"""Where: stores, their opening hours, geocoding and the exact nearest search."""
