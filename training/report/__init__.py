"""A training as an MLflow run, with its charts."""
