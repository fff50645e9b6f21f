"""Events summed up by user and day, computed once per day of log and stored."""
