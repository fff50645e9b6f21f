"""How good the model is on the test cutoff, in the past, and with fewer users."""
