"""The leakage audit: named checks of what a training is made of."""
