"""Files that appear completely or not at all, locks, and the DuckDB connection."""
