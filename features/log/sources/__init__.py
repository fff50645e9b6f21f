"""Files as relations of their own columns, and what the mapping reads from them: no type is guessed from values."""
