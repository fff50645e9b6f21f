"""A first look at a log that nobody has described yet: what its columns mean, with the evidence, and the churn.toml that says so."""
