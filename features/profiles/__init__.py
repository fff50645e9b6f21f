"""Activity to profiles: the frozen specification, the SQL kernel, and where it runs on one machine."""
