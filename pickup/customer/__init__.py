"""The customer's pickup page."""
