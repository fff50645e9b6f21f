"""A model for one service, in one folder."""
