"""The same kernel inside Spark."""
