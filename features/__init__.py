"""Event log to user profiles: the contract, the kept activity, the catalogue of features and the kernel that builds profiles."""
