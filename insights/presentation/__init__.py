"""How an answer is handed on: sections, tables of numbers, and the texts of both."""
