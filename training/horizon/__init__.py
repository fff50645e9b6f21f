"""Which horizon the log itself suggests."""
