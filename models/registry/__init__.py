"""Runs and registered models in MLflow; the only package that imports it."""
