"""Scores of all users at a cutoff."""
