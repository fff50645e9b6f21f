"""Runs and registered models in MLflow; the only package that imports it, in its modules."""

CHAMPION, CHALLENGER = "champion", "challenger"  # the aliases of registered versions
