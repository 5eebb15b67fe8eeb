"""The word: messages and their channels."""
