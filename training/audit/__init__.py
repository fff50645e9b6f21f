"""The leakage audit: named checks of the data of a training."""
