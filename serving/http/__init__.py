"""``POST /v1/score`` and everything around it."""
