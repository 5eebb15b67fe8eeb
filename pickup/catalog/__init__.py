"""What: the products."""
