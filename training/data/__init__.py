"""Labelled snapshots of eligible users, under a specification frozen before them."""
