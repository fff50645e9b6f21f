"""The command: settings put together, one file per group of verbs."""
