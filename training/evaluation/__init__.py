"""How good the model is: on the test cutoff, on past ones, and trained on fewer users."""
