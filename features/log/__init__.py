"""Where a log lies, how its files are read, and which of its rows are valid."""
