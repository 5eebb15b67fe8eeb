"""The store's tablet page and the people who may use it."""
