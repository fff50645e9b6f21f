"""Where a log is stored, how its files are read, and which of its rows are valid."""
