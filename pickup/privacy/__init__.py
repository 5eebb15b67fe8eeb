"""Whose order it was: kept as long as it is needed, and removed everywhere at once."""
